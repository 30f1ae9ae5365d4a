/// A key as an array of its bytes in JSON, as Solana's tools keep one: `[12,250,…]`.
enum KeyArrayMatcher {
  /// Is it the value of a name that says secret: `"secretKey": [`, `wallet = Uint8Array.from([`?
  private static func isNamed(_ text: ByteText, before start: Int) -> Bool {
    let separator = text.start(before: start, limit: 32) { byte in
      byte.isWord || byte.isBlank || byte.isQuote || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ".")
    }
    guard text[separator - 1] == UInt8(ascii: ":") || text[separator - 1] == UInt8(ascii: "=") else { return false }
    let end = text.start(before: separator - 1, limit: 4) { $0.isBlank || $0.isQuote }
    return text.contains(anyOf: names, in: text.start(before: end, limit: 32, where: \.isBase64URL)..<end)
  }

  private static let names: WordSet = ["secret", "priv", "keypair", "seed", "wallet"]

  /// The array that begins at the bracket `start`: 64 numbers that are a key pair, or 32 or 64 that are called a key.
  static func match(_ text: ByteText, at start: Int) -> Candidate? {
    var offset = text.end(from: start + 1, limit: 64, where: \.isSpace)
    // Most brackets begin something else.
    guard text[offset].isDigit else { return nil }
    var bytes: [UInt8] = []
    while bytes.count <= 64 {
      let end = text.end(from: offset, limit: 4, where: \.isDigit)
      guard (1...3).contains(end - offset), let number = Int(String(decoding: text[offset..<end], as: UTF8.self)),
        let byte = UInt8(exactly: number)
      else { return nil }
      bytes.append(byte)
      offset = text.end(from: end, limit: 64, where: \.isSpace)
      if text[offset] == UInt8(ascii: "]") { break }
      guard text[offset] == UInt8(ascii: ",") else { return nil }
      offset = text.end(from: offset + 1, limit: 64, where: \.isSpace)
    }
    guard bytes.count == 64 || bytes.count == 32, Randomness.distinctCount(bytes) >= 16 else { return nil }
    guard isNamed(text, before: start) || (bytes.count == 64 && WalletKey.isKeyPair(bytes)) else { return nil }
    return Candidate("solana-secret-key", start..<(offset + 1), value: bytes)
  }
}
