/// Words to be looked for in a short stretch of text, whatever the case of its letters.
///
/// They are kept by their first byte, so that each place of the text is compared with few of them.
struct WordSet: Sendable, ExpressibleByArrayLiteral {
  /// The words, in lower case, those with one first byte beside one another.
  private let words: [StaticString]
  /// For each byte of ASCII where its words begin in `words`; one more for the end.
  private let starts: [UInt8]

  init(_ words: [StaticString]) {
    precondition(words.count < 256, "more words than a byte can number")
    let first: (StaticString) -> UInt8 = { word in word.withUTF8Buffer { unsafe $0.first ?? 0 } }
    let sorted = words.sorted { first($0) < first($1) }
    self.words = sorted
    starts = (0...128).map { byte in UInt8(sorted.count { first($0) < byte }) }
  }

  init(arrayLiteral words: StaticString...) {
    self.init(words)
  }

  static func + (left: WordSet, right: WordSet) -> WordSet { WordSet(left.words + right.words) }

  /// Does the text hold one of the words from `offset` on, all of it before `end`?
  fileprivate func holds(_ text: ByteText, at offset: Int, before end: Int) -> Bool {
    let first = text[offset].folded
    guard first < 0x80 else { return false }
    for index in starts[Int(first)]..<starts[Int(first) + 1] {
      let word = words[Int(index)]
      if word.utf8CodeUnitCount <= end - offset, text.hasFolded(word, at: offset) { return true }
    }
    return false
  }
}

extension ByteText {
  /// Does `range` hold one of `words`?
  func contains(anyOf words: WordSet, in range: Range<Int>) -> Bool {
    let range = range.clamped(to: 0..<count)
    for offset in range where words.holds(self, at: offset, before: range.upperBound) { return true }
    return false
  }
}
