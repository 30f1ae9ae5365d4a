/// Credentials in HTTP headers.
enum HeaderMatchers {
  /// The token after `Bearer `.
  static func bearer(_ text: ByteText, from start: Int) -> Candidate? {
    let start = text.end(from: start, limit: 4) { $0 == 0x20 || $0 == 0x09 }
    var end = text.end(from: start, limit: 1024) {
      $0.isBase64URL || $0.isBase64 || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "=")
    }
    while end > start, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
    let value = text[start..<end]
    guard value.count >= 16, !SecretShape.isPlaceholder(value), !SecretShape.isNumeric(value) else { return nil }
    guard Randomness.entropy(of: value) >= 2.5 else { return nil }
    guard SecretShape.hexadecimal(value) != nil || !Randomness.isWordLike(value) else { return nil }
    return Candidate(.authorizationHeader, start..<end, value: value)
  }

  /// The base64 after `Basic ` that decodes to `user:password`.
  static func basic(_ text: ByteText, from start: Int) -> Candidate? {
    let start = text.end(from: start, limit: 4) { $0 == 0x20 || $0 == 0x09 }
    let end = text.end(from: start, limit: 512) { $0.isBase64 || $0 == UInt8(ascii: "=") }
    guard end - start >= 8, let decoded = Base64.decode(text[start..<end]) else { return nil }
    guard decoded.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return nil }
    guard let colon = decoded.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    guard !SecretShape.isPlaceholder(Array(decoded[(colon + 1)...])) else { return nil }
    return Candidate(.authorizationHeader, start..<end, in: text)
  }

  private static let sessionNames: WordSet = ["sess", "sid", "auth", "token", "jwt", "login"]

  /// The first cookie after `Cookie:` that is named after a session or a token and looks random.
  static func cookie(_ text: ByteText, from start: Int) -> Candidate? {
    var offset = start
    while offset < start + 1024 {
      offset = text.end(from: offset, limit: 4) { $0.isBlank || $0 == UInt8(ascii: ";") || $0.isQuote }
      let nameEnd = text.end(from: offset, limit: 64) {
        $0.isGraphic && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";")
      }
      guard text[nameEnd] == UInt8(ascii: "=") else { return nil }
      let end = text.end(from: nameEnd + 1, limit: 512) { $0.isGraphic && $0 != UInt8(ascii: ";") && !$0.isQuote }
      let value = text[(nameEnd + 1)..<end]
      let isSession = text.contains(anyOf: sessionNames, in: offset..<nameEnd)
      if isSession, value.count >= 16, !SecretShape.isPlaceholder(value), !SecretShape.isNumeric(value),
        Randomness.entropy(of: value) >= 2.5, SecretShape.hexadecimal(value) != nil || !Randomness.isWordLike(value)
      {
        return Candidate(.sessionCookie, (nameEnd + 1)..<end, value: value)
      }
      guard end > offset else { return nil }
      offset = end
    }
    return nil
  }
}
