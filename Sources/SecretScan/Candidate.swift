/// What a matcher found in a view of the text, before overlaps and the allow-list are considered.
struct Candidate {
  let rule: SecretRule
  /// Where the secret is, in the view's offsets; not empty.
  let range: Range<Int>
  /// What the fingerprint is of: the secret without what surrounds it.
  let value: [UInt8]

  init(_ rule: SecretRule, _ range: Range<Int>, value: [UInt8]) {
    self.rule = rule
    self.range = range
    self.value = value
  }

  init(_ rule: SecretRule, _ range: Range<Int>, in text: ByteText) {
    self.init(rule, range, value: text[range])
  }
}
