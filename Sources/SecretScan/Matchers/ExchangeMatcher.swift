/// Keys of exchanges, which have no prefix: a long random value after the exchange's name and the word key or secret.
enum ExchangeMatcher {
  static let names: [StaticString] = [
    "binance", "kraken", "coinbase", "bybit", "kucoin", "hyperliquid", "bitfinex", "bitget", "bitmex", "bitstamp", "okx",
    "gemini", "huobi", "htx", "gateio", "mexc", "deribit", "alpaca", "poloniex", "phemex", "cryptocom",
  ]

  static let nameSet = WordSet(names)
  private static let secretWords: WordSet = ["key", "secret", "token", "passphrase"]
  private static let publicWords: WordSet = ["public", "idempotency", "hash", "address"]

  /// The first value of 32 bytes or more within 96 bytes after the name.
  static func match(_ text: ByteText, after name: Int) -> Candidate? {
    var offset = name
    let bound = min(text.count, name + 96)
    while offset < bound {
      let end = text.end(from: offset, limit: 256) { $0.isBase64 || $0.isBase64URL || $0 == UInt8(ascii: "=") }
      if end - offset >= 32 {
        var start = offset
        // `secret=value`: the name is no part of it.
        if let equals = (offset..<(end - 2)).last(where: { text[$0] == UInt8(ascii: "=") }), end - equals > 32 {
          start = equals + 1
        }
        let value = text[start..<end]
        guard isNamed(text, name..<start) else { return nil }
        guard SecretShape.hexadecimal(value) == nil, !Base58.isAddress(value) else { return nil }
        guard SecretShape.looksRandom(value, isNamedSecret: true) else { return nil }
        return Candidate(.exchangeKey, start..<end, value: value)
      }
      offset = max(end, offset + 1)
    }
    return nil
  }

  /// Does a word for a secret stand right before the value, with nothing but punctuation between, in one sentence
  /// with the exchange's name?
  private static func isNamed(_ text: ByteText, _ gap: Range<Int>) -> Bool {
    let wordEnd = text.start(before: gap.upperBound, limit: 16) { !$0.isAlphanumeric && $0 < 0x80 }
    let wordStart = text.start(before: wordEnd, limit: 24, where: \.isWord)
    let isSecret = text.contains(anyOf: secretWords, in: wordStart..<wordEnd)
    let isSentence = !gap.contains { text[$0] == UInt8(ascii: ".") || text[$0] == UInt8(ascii: ";") }
    return isSecret && isSentence && !text.contains(anyOf: publicWords, in: gap)
  }
}
