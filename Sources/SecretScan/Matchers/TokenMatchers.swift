/// Matchers of tokens with a structure of their own. Each reads a bounded number of bytes around its keyword.
enum TokenMatchers {
  /// A JWT or JWE whose header begins at `start`.
  static func jsonWebToken(_ text: ByteText, at start: Int) -> Candidate? {
    guard text.isTokenStart(start) || TokenForm.isAfterWord(start, in: text) else { return nil }
    let headerEnd = text.end(from: start, limit: 2048, where: \.isBase64URL)
    guard text[headerEnd] == UInt8(ascii: "."), headerEnd - start >= 12 else { return nil }
    guard let header = Base64.decode(text[start..<headerEnd]) else { return nil }
    let namesAlgorithm = unsafe header.withUnsafeBytes { header in
      let header = unsafe ByteText(header)
      let first = header.end(from: 0, limit: 64, where: \.isSpace)
      return header[first] == UInt8(ascii: "{") && header.contains("\"alg\"", in: 0..<header.count)
    }
    guard namesAlgorithm else { return nil }
    let secondEnd = text.end(from: headerEnd + 1, limit: 4096, where: \.isBase64URL)
    // A payload longer than what is read is a token all the same.
    let isLong = secondEnd - headerEnd > 4096
    let thirdEnd = text.end(from: secondEnd + 1, limit: 1024, where: \.isBase64URL)
    guard isLong || (text[secondEnd] == UInt8(ascii: ".") && thirdEnd - secondEnd > 8) else { return nil }
    return Candidate(.jsonWebToken, start..<(isLong ? secondEnd : thirdEnd), in: text)
  }

  /// The PEM, OpenSSH, PGP or SSH2 block of a private key whose `BEGIN` ends at `begin`.
  static func privateKeyBlock(_ text: ByteText, afterBegin begin: Int) -> Candidate? {
    let labelEnd = text.end(from: begin, limit: 64) { $0.isUpper || $0.isDigit || $0 == 0x20 }
    guard text.contains("private key", in: begin..<labelEnd), text.has("--", at: labelEnd) else { return nil }
    let bodyStart = text.end(from: labelEnd, limit: 8) { $0 == UInt8(ascii: "-") }
    guard let body = keyBody(text, from: bodyStart) else { return nil }
    let start = text.start(before: begin, limit: 16) { $0 != 0x0A && ($0 == 0x2D || $0 == 0x20 || $0.isUpper) }
    let named = text.contains("private_key", in: (start - 40)..<start)
    return Candidate(named ? .googleServiceAccountKey : .privateKeyBlock, start..<body.end, value: body.value)
  }

  /// The base64 of a private key in PuTTY's form, after `Private-Lines:`.
  static func puttyKey(_ text: ByteText, afterName end: Int) -> Candidate? {
    guard let body = keyBody(text, from: text.end(from: end, limit: 8) { $0.isBlank || $0.isDigit }) else { return nil }
    return Candidate(.privateKeyBlock, end..<body.end, value: body.value)
  }

  /// The first 1,024 base64 characters of a key, whatever the lines and escapes between them; nil for less than 16.
  private static func keyBody(_ text: ByteText, from start: Int) -> (value: [UInt8], end: Int)? {
    var value: [UInt8] = []
    var end = start
    var offset = start
    while offset < start + 2048, value.count < 1024, offset < text.count {
      let byte = text[offset]
      if byte == UInt8(ascii: "-") && text[offset + 1] == UInt8(ascii: "-") { break }
      if byte == UInt8(ascii: "\\") {
        // An escaped line end that this view has not undone.
        offset += 2
        continue
      }
      let runEnd = text.end(from: offset, limit: 1024) { $0.isBase64 || $0 == UInt8(ascii: "=") }
      // Armor headers (`Proc-Type: 4,ENCRYPTED`) and prose are words; the body's lines are long.
      if runEnd - offset >= 16 || (!value.isEmpty && runEnd > offset && !text[runEnd].isGraphic) {
        value += text[offset..<runEnd]
        end = runEnd
      }
      offset = max(runEnd, offset + 1)
    }
    return value.count >= 16 && Randomness.distinctCount(value) >= 6 ? (value, end) : nil
  }

  /// A Telegram bot's token around the colon at `colon`.
  static func telegramBotToken(_ text: ByteText, colon: Int) -> Candidate? {
    guard text[colon - 1].isDigit, text[colon - 6].isDigit else { return nil }
    let start = text.start(before: colon, limit: 13, where: \.isDigit)
    let end = text.end(from: colon + 1, limit: 40, where: \.isBase64URL)
    // `bot` is part of the URL in which the token is used.
    let isStart = text.isTokenStart(start) || text.has("bot", at: start - 3)
    guard (6...12).contains(colon - start), (34...36).contains(end - colon - 1), isStart else { return nil }
    guard Randomness.distinctCount(text[(colon + 1)..<end]) >= 8 else { return nil }
    return Candidate(.telegramBotToken, start..<end, in: text)
  }

  /// A Discord token whose first dot is at `dot`.
  static func discordToken(_ text: ByteText, dot: Int) -> Candidate? {
    guard text[dot + 7] == UInt8(ascii: "."), text[dot - 20].isBase64URL else { return nil }
    let start = text.start(before: dot, limit: 32, where: \.isBase64URL)
    let timeEnd = text.end(from: dot + 1, limit: 7, where: \.isBase64URL)
    let end = text.end(from: dot + 8, limit: 64, where: \.isBase64URL)
    guard (22...30).contains(dot - start), timeEnd == dot + 7, (25...48).contains(end - dot - 8) else { return nil }
    guard [UInt8(ascii: "M"), UInt8(ascii: "N"), UInt8(ascii: "O")].contains(text[start]) else { return nil }
    return Candidate(.discordToken, start..<end, in: text)
  }

  /// SendGrid's key at `start`.
  static func sendGridKey(_ text: ByteText, at start: Int) -> Candidate? {
    guard text.has("SG.", at: start) else { return nil }
    guard text.isTokenStart(start) || TokenForm.isAfterWord(start, in: text) else { return nil }
    let dot = text.end(from: start + 3, limit: 40, where: \.isBase64URL)
    let end = text.end(from: dot + 1, limit: 80, where: \.isBase64URL)
    guard dot - start >= 16, text[dot] == UInt8(ascii: "."), end - dot > 16 else { return nil }
    return Candidate(.sendGridKey, start..<end, in: text)
  }

  /// An Entra ID client secret around the `Q~` at `start`.
  static func azureClientSecret(_ text: ByteText, at start: Int) -> Candidate? {
    guard text.has("Q~", at: start), text[start - 1].isDigit else { return nil }
    func isPart(_ byte: UInt8) -> Bool { byte.isBase64URL || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") }
    let end = text.end(from: start + 2, limit: 40, where: isPart)
    guard (30...36).contains(end - start - 2), isPart(text[start - 4]) else { return nil }
    return Candidate(.azureClientSecret, (start - 4)..<end, in: text)
  }

  /// The key in an Azure connection string, after `AccountKey=`.
  static func azureAccountKey(_ text: ByteText, from start: Int) -> Candidate? {
    let end = text.end(from: start, limit: 128) { $0.isBase64 || $0 == UInt8(ascii: "=") }
    guard end - start >= 32, Randomness.distinctCount(text[start..<end]) >= 8 else { return nil }
    return Candidate(.azureConnectionString, start..<end, in: text)
  }

  private static let signatureParts: WordSet = ["se=", "sv=", "sr="]

  /// The `sig` of a shared access signature, with the version or expiry that every one has beside it.
  static func azureSignature(_ text: ByteText, from start: Int) -> Candidate? {
    let end = text.end(from: start, limit: 128) {
      $0.isBase64URL || $0.isBase64 || $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "=")
    }
    let lead = text.start(before: start, limit: 512) { $0.isGraphic && !$0.isQuote }
    let tail = text.end(from: end, limit: 512) { $0.isGraphic && !$0.isQuote }
    guard end - start >= 40, text.contains(anyOf: signatureParts, in: lead..<tail) else { return nil }
    return Candidate(.azureSharedAccessSignature, start..<end, in: text)
  }

  /// The path of a webhook's URL, after its host and fixed part.
  static func webhook(_ text: ByteText, from start: Int) -> Candidate? {
    let end = text.end(from: start, limit: 256) { $0.isBase64URL || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "@") }
    guard end - start >= 24, Randomness.distinctCount(text[start..<end]) >= 8 else { return nil }
    return Candidate(.webhookURL, start..<end, in: text)
  }

  /// A Twilio account id within 64 bytes after its name.
  static func twilioAccount(_ text: ByteText, after name: Int) -> Candidate? {
    for start in name..<(name + 64) where text.has("AC", at: start) && text.isTokenStart(start) {
      let end = text.end(from: start + 2, limit: 33, where: \.isHexadecimal)
      if end - start == 34, !text[end].isAlphanumeric { return Candidate(.twilioKey, start..<end, in: text) }
    }
    return nil
  }

  /// The secret key that credential files and consoles print within 128 bytes after an access key id.
  static func awsSecret(_ text: ByteText, after identifier: Int) -> Candidate? {
    var offset = identifier
    while offset < min(identifier + 128, text.count) {
      let end = text.end(from: offset, limit: 128, where: \.isBase64)
      if end - offset == 40 {
        let value = text[offset..<end]
        if SecretShape.hexadecimal(value) == nil, SecretShape.looksRandom(value, isNamedSecret: true) {
          return Candidate(.awsSecretAccessKey, offset..<end, value: value)
        }
      }
      offset = end + 1
    }
    return nil
  }
}
