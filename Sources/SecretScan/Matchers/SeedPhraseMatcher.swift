/// Recovery phrases of wallets (BIP 39), known by the words before them.
///
/// The list's 2,048 words are not carried along: its words have 3 to 8 letters, and a sentence of twelve such words
/// holds one of the little words that the list lacks.
enum SeedPhraseMatcher {
  /// The phrase that follows `name`, within 48 bytes and a separator.
  static func match(_ text: ByteText, after name: Int) -> Candidate? {
    var offset = text.end(from: name, limit: 24) { $0.isWord || $0.isBlank || $0 == 0x28 || $0 == 0x29 || $0 == 0x2D }
    // The separator: `:`, `=`, `|`, a quote, a line end, or `is` before the phrase itself.
    if text[offset] == UInt8(ascii: ":") || text[offset] == UInt8(ascii: "=") || text[offset].isQuote
      || text[offset] == UInt8(ascii: "*") || text[offset] == UInt8(ascii: "|") || text[offset] == 0x0A
    {
      offset += 1
    } else {
      offset = text.end(from: name, limit: 24, where: \.isWord)
      guard text.has(" is ", at: offset) else { return nil }
      offset += 4
    }
    var words: [Range<Int>] = []
    var keys: Set<UInt64> = []
    while words.count < 24 {
      let start = text.end(from: offset, limit: words.isEmpty ? 24 : 12) { $0.isSpace || separates($0) }
      let end = text.end(from: start, limit: 9, where: \.isLower)
      guard (3...8).contains(end - start), !text[end].isAlphanumeric else { break }
      let key = RecoveryWords.key(text, start..<end)
      guard !sentenceWords.contains(key), words.isEmpty || start > offset else { break }
      words.append(start..<end)
      keys.insert(key)
      offset = end
    }
    // The same few words again and again are no phrase.
    guard words.count >= 12, keys.count > 2, let first = words.first, let last = words.last else { return nil }
    let value = words.map { text[$0] }.joined(separator: [0x20])
    return Candidate(.seedPhrase, first.lowerBound..<last.upperBound, value: Array(value))
  }

  /// Between two words: also numbers of a list, quotes and commas of an array, marks of a quotation.
  private static func separates(_ byte: UInt8) -> Bool {
    byte.isGraphic && !byte.isLetter
  }

  private static let sentenceWords = Set(
    [
      "the", "and", "for", "not", "are", "was", "were", "but", "has", "had", "with", "from", "its", "our", "your", "which",
      "been", "than", "who", "does", "did", "should", "would", "could", "may", "these", "those", "them", "their",
      "stored", "words",
    ].map { word in word.utf8.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } })
}
