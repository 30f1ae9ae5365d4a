/// What a matcher found in a view of the text, before overlaps and the allow-list are considered.
struct Candidate {
  let rule: SecretRule
  /// Where the secret is, in the view's offsets; not empty.
  let range: Range<Int>
  /// What the fingerprint is of: the secret without what surrounds it.
  let value: [UInt8]
  /// Which of two overlapping findings is kept: the one with the smaller number says more.
  let precedence: Int

  /// - Parameter precedence: in place of the rule's own.
  init(_ rule: SecretRule, _ range: Range<Int>, value: [UInt8], precedence: Int? = nil) {
    self.rule = rule
    self.range = range
    self.value = value
    self.precedence = precedence ?? rule.precedence
  }

  init(_ rule: SecretRule, _ range: Range<Int>, in text: ByteText) {
    self.init(rule, range, value: text[range])
  }
}

/// How a secret was hidden in the text, by intent or by accident.
package enum SecretDisguise: String, Sendable {
  case base64 = "in base64"
  case hexadecimal = "in hexadecimal"
  /// Percent-encoded, in fullwidth characters, or with invisible ones between.
  case characters = "with its characters replaced"
  case lines = "split over lines"
}
