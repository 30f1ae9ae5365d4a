/// The first value of a Kubernetes manifest of kind Secret, which is the secret itself in base64.
/// https://kubernetes.io/docs/concepts/configuration/secret/
enum KubernetesMatcher {
  /// Looks 400 bytes around the kind for `data:` and, below it, a name with a value in base64.
  static func match(_ text: ByteText, kind: Range<Int>) -> Candidate? {
    var start = max(0, kind.lowerBound - 400)
    while start < kind.upperBound + 400 {
      start = text.end(from: start, limit: kind.upperBound + 400 - start) { $0 != UInt8(ascii: ":") }
      guard text[start] == UInt8(ascii: ":") else { return nil }
      let isQuoted = text[start - 1] == UInt8(ascii: "\"")
      if text.has("data", at: isQuoted ? start - 5 : start - 4), !text[start - (isQuoted ? 6 : 5)].isAlphanumeric {
        if let found = value(text, from: start + 1) { return found }
      }
      start += 1
    }
    return nil
  }

  /// The first `name: value` after `data:`.
  private static func value(_ text: ByteText, from start: Int) -> Candidate? {
    let name = text.end(from: start, limit: 64) { $0.isSpace || $0.isQuote || $0 == UInt8(ascii: "{") }
    let colon = text.end(from: name, limit: 128) { $0.isBase64URL || $0 == UInt8(ascii: ".") || $0.isQuote }
    guard name < colon, text[colon] == UInt8(ascii: ":") else { return nil }
    let first = text.end(from: colon + 1, limit: 16) { $0.isBlank || $0.isQuote }
    let end = text.end(from: first, limit: 600) { $0.isBase64 || $0 == UInt8(ascii: "=") }
    guard end - first >= 8, let decoded = Base64.decode(text[first..<end]), decoded.count >= 4 else { return nil }
    guard !SecretShape.isPlaceholder(decoded) else { return nil }
    return Candidate("kubernetes-secret", first..<end, in: text)
  }
}
