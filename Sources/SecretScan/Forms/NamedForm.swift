/// The form of a vendor's keys that is told from other values only by the vendor's name and a word for a secret near it.
///
/// The value has to have exactly this form, stand at most 96 bytes after the name in the same sentence, and a word such as
/// `key` or `token` stands right before it, or in one name with the vendor's: `SNYK_TOKEN=…`, `Airtable API key: …`.
package struct NamedForm: Sendable {
  /// In lower case.
  package let names: [StaticString]
  package let rule: SecretRule
  package let parts: [TokenPart]
  package let source: StaticString

  init(_ names: [StaticString], _ rule: SecretRule, _ parts: [TokenPart], _ source: StaticString = FormSource.gitleaks) {
    self.names = names
    self.rule = rule
    self.parts = parts
    self.source = source
  }

  init(
    _ name: StaticString, _ rule: SecretRule, _ alphabet: TokenAlphabet, _ length: TokenLength,
    _ source: StaticString = FormSource.gitleaks
  ) {
    self.init([name], rule, [.run(alphabet, length)], source)
  }

  /// Words for what is to be kept secret, and for the identifiers that the public rules count among them.
  private static let words: WordSet = [
    "key", "token", "secret", "password", "passwd", "pwd", "auth", "cred", "api", "bearer", "login", "client", "access_id",
    "accessid", "pat",
  ]

  private static let otherWords: WordSet = ["public", "hash", "address", "order", "digest", "commit"]

  /// The first value after the name, which ends at `name.upperBound`, that has one of `forms`.
  static func match(_ text: ByteText, _ name: Range<Int>, _ forms: [NamedForm]) -> Candidate? {
    var offset = text.end(from: name.upperBound, limit: 40, where: \.isBase64URL)
    let bound = min(text.count, name.upperBound + 96)
    while offset < bound {
      guard text[offset].isAlphanumeric else {
        offset += 1
        continue
      }
      let end = text.end(from: offset, limit: 256, where: isValueByte)
      for form in forms {
        guard let valueEnd = TokenForm.end(of: form.parts, from: offset, in: text) else { continue }
        guard !isValueByte(text[valueEnd]) || trails(text, valueEnd) else { continue }
        let value = text[offset..<valueEnd]
        guard isKey(value), isNamed(text, name, gap: name.upperBound..<offset) else { continue }
        // What the name alone has found keeps its rule, and with it its fingerprint.
        return Candidate(form.rule, offset..<valueEnd, value: value, precedence: 4)
      }
      offset = max(end, offset + 1)
    }
    return nil
  }

  private static func isValueByte(_ byte: UInt8) -> Bool {
    byte.isBase64URL || byte.isBase64 || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "=")
  }

  /// Does a sentence end here?
  private static func trails(_ text: ByteText, _ offset: Int) -> Bool {
    text[offset] == UInt8(ascii: ".") && !isValueByte(text[offset + 1])
  }

  /// Digits and letters, and no word with a number.
  private static func isKey(_ value: [UInt8]) -> Bool {
    if SecretShape.isPlaceholder(value) || SecretShape.isFiller(value) { return false }
    if value.allSatisfy(\.isDigit) { return value.count >= 16 && Randomness.distinctCount(value) >= 5 }
    guard value.contains(where: \.isDigit), Randomness.distinctCount(value) >= 6 else { return false }
    if SecretShape.isUUID(value) || SecretShape.hexadecimal(value) != nil { return true }
    return Randomness.entropy(of: value) >= 2.5 && (Randomness.isInterleaved(value) || !Randomness.isWordLike(value))
  }

  private static func isNamed(_ text: ByteText, _ name: Range<Int>, gap: Range<Int>) -> Bool {
    if gap.contains(where: { text[$0] == UInt8(ascii: ";") || (text[$0] == UInt8(ascii: ".") && text[$0 + 1].isSpace) }) {
      return false
    }
    if text.contains(anyOf: otherWords, in: gap) { return false }
    let identifier = text.start(before: name.lowerBound, limit: 40, where: \.isWord)
      ..< text.end(from: name.upperBound, limit: 40, where: \.isBase64URL)
    var wordEnd = text.start(before: gap.upperBound, limit: 16) { !$0.isAlphanumeric && $0 < 0x80 }
    if text.has(" is", at: wordEnd - 3) { wordEnd -= 3 }
    let word = text.start(before: wordEnd, limit: 24, where: \.isBase64URL)..<wordEnd
    if text.contains(anyOf: words, in: word) { return true }
    // `SNYK_TOKEN=…`: of a name with such a word in it the value is what follows, with no other word between.
    let isDirect = identifier.upperBound >= wordEnd || word.lowerBound < identifier.upperBound
    return isDirect && text.contains(anyOf: words, in: identifier)
  }
}
