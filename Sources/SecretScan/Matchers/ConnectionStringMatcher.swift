/// Passwords inside addresses of services.
enum ConnectionStringMatcher {
  /// The password of a URL's user information (RFC 3986 §3.2.1), in any scheme.
  ///
  /// - Parameter scheme: the offset of the `://`.
  static func url(_ text: ByteText, scheme: Int) -> Candidate? {
    guard text[scheme - 1].isAlphanumeric else { return nil }
    let start = scheme + 3
    let isWeb = text.contains("http", in: (scheme - 5)..<scheme)
    // Up to the last `@` of the authority: passwords are often not escaped as they should be.
    var colon: Int?
    var at: Int?
    var offset = start
    while offset < start + 512 {
      let byte = text[offset]
      guard byte.isGraphic || byte >= 0x80, byte != UInt8(ascii: "/"), byte != UInt8(ascii: "\"") else { break }
      if byte == UInt8(ascii: "`") || (byte == UInt8(ascii: "'") && at != nil) { break }
      if isWeb && (byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")) { break }
      if byte == UInt8(ascii: ":") && colon == nil { colon = offset }
      if byte == UInt8(ascii: "@") && colon != nil { at = offset }
      if byte == UInt8(ascii: ",") && at != nil { break }
      offset += 1
    }
    guard let colon, let at, at - colon > 2 else { return nil }
    let value = text[(colon + 1)..<at]
    // `https://127.0.0.1:8080@…` has a port, not a password.
    if value.count <= 5, value.allSatisfy(\.isDigit), text[start..<colon].contains(UInt8(ascii: ".")) { return nil }
    guard !SecretShape.isPlaceholder(value) else { return nil }
    return Candidate(.connectionString, (colon + 1)..<at, value: value)
  }

  /// The password of `name:password@host` where no scheme stands before it, as in the name of a file.
  static func userInformation(_ text: ByteText, colon: Int) -> Candidate? {
    func isPart(_ byte: UInt8) -> Bool { byte.isGraphic && byte != UInt8(ascii: ":") && byte != UInt8(ascii: "@") }
    let start = text.start(before: colon, limit: 64, where: isPart)
    let at = text.end(from: colon + 1, limit: 128, where: isPart)
    let value = text[(colon + 1)..<at]
    guard start < colon, text[at] == UInt8(ascii: "@"), text[at + 1].isAlphanumeric else { return nil }
    guard value.count >= 4, value.contains(where: \.isLetter), !SecretShape.isPlaceholder(value) else { return nil }
    return Candidate(.connectionString, (colon + 1)..<at, value: value)
  }

  /// The password of a .pgpass line, `host:port:database:user:password`.
  ///
  /// - Parameter port: the offset of the port's colon; the port is one that Postgres or a pooler uses, or `*`, since
  ///   five fields with colons are also what compilers print.
  static func passwordFile(_ text: ByteText, port: Int) -> Candidate? {
    func isField(_ byte: UInt8) -> Bool { byte.isGraphic && byte != UInt8(ascii: ":") && !byte.isQuote }
    let start = text.start(before: port, limit: 256, where: isField)
    let lead = text.start(before: start, limit: 16) { $0.isBlank || $0.isQuote }
    guard start < port, lead == 0 || text[lead - 1] == 0x0A else { return nil }
    var colons = [port]
    for _ in 0..<3 {
      let end = text.end(from: (colons.last ?? port) + 1, limit: 128, where: isField)
      guard text[end] == UInt8(ascii: ":"), end > (colons.last ?? port) + 1 else { return nil }
      colons.append(end)
    }
    guard let last = colons.last else { return nil }
    let end = text.end(from: last + 1, limit: 256) { $0.isGraphic && !$0.isQuote }
    let value = text[(last + 1)..<end]
    let rest = text.end(from: end, limit: 16) { $0.isBlank || $0.isQuote || $0 == UInt8(ascii: ",") }
    guard !value.isEmpty, rest >= text.count || text[rest] == 0x0A, !SecretShape.isPlaceholder(value) else { return nil }
    return Candidate(.connectionString, (last + 1)..<end, value: value)
  }

  /// The password of a .netrc entry, whose `machine NAME` or `default` ends before `start`.
  static func netrc(_ text: ByteText, from start: Int) -> Candidate? {
    var offset = start
    var login = false
    // machine NAME login USER account X password VALUE: at most eight words.
    for _ in 0..<8 {
      offset = text.end(from: offset, limit: 64, where: \.isSpace)
      let end = text.end(from: offset, limit: 256, where: \.isGraphic)
      guard end > offset else { return nil }
      let word = offset..<end
      if login, word.count == 8, text.contains("password", in: word) {
        let valueStart = text.end(from: end, limit: 64, where: \.isSpace)
        let valueEnd = text.end(from: valueStart, limit: 256) { $0.isGraphic && !$0.isQuote }
        let value = text[valueStart..<valueEnd]
        guard value.count >= 3, !SecretShape.isPlaceholder(value) else { return nil }
        return Candidate(.netrcPassword, valueStart..<valueEnd, value: value)
      }
      if word.count == 5, text.contains("login", in: word) { login = true }
      offset = end
    }
    return nil
  }
}
