import Crypto

/// Recovery phrases that nothing announces: 12, 15, 18, 21 or 24 words of the list of BIP 39 in a row, whose checksum is right.
///
/// Between two words may stand blanks, line ends, commas, quotes, the numbers of a list, and signs of Markdown. One
/// phrase of random words in sixteen (of 12) to 256 (of 24) has a right checksum, and prose hardly ever has twelve words in
/// a row that are all in the list, which lacks most of the little words.
enum RecoveryPhrase {
  /// The shortest phrase has 47 bytes: at each offset of this distance it has a word, or one begins within twelve bytes.
  private static let stride = 35
  /// More than any wallet has in a row. What is longer is a list of words.
  private static let longest = 200

  /// Passes on each phrase of `range`, until `found` returns false.
  ///
  /// A phrase has a word at each 35th offset, so that most of other text is not read.
  ///
  /// - Returns: whether the whole of `range` was read.
  static func scan(_ text: ByteText, _ range: Range<Int>, found: (Candidate) -> Bool) -> Bool {
    let words = RecoveryWords.shared
    var probe = range.lowerBound + 11
    while probe < range.upperBound {
      guard let first = word(around: probe, in: text), words.number(text, first) != nil else {
        probe += stride
        continue
      }
      // Counted first: most words stand beside one that is in no list.
      var start = first.lowerBound
      var end = first.upperBound
      var count = 1
      while count < longest, let previous = word(before: start, in: text), previous.lowerBound >= range.lowerBound,
        words.number(text, previous) != nil
      {
        start = previous.lowerBound
        count += 1
      }
      var chain = [(range: Range<Int>, number: UInt16)]()
      while count < longest, let next = word(after: end, in: text), words.number(text, next) != nil {
        end = next.upperBound
        count += 1
      }
      if count >= 12 {
        var offset = start
        for _ in 0..<count {
          guard let next = word(around: offset, in: text), let number = words.number(text, next) else { break }
          chain.append((next, number))
          offset = next.upperBound
        }
      }
      if !chain.isEmpty, !phrases(in: chain, of: text).allSatisfy(found) { return false }
      probe = max(probe + stride, end + 11)
    }
    return true
  }

  /// The phrases of a chain of words, the longest first where several begin at one word.
  private static func phrases(in chain: [(range: Range<Int>, number: UInt16)], of text: ByteText) -> [Candidate] {
    // The list itself, or a part of it.
    let isSorted = zip(chain, chain.dropFirst()).allSatisfy { $0.number < $1.number }
    if isSorted || chain.count >= longest { return [] }
    var found: [Candidate] = []
    var start = 0
    while start + 12 <= chain.count {
      let count = [24, 21, 18, 15, 12].first { count in
        start + count <= chain.count && isValid(chain[start..<(start + count)].map(\.number))
      }
      guard let count else {
        start += 1
        continue
      }
      let words = chain[start..<(start + count)]
      let value = words.map { text[$0.range].map(\.folded) }.joined(separator: [0x20])
      found.append(
        Candidate(
          .seedPhrase, chain[start].range.lowerBound..<chain[start + count - 1].range.upperBound, value: Array(value)))
      start += count
    }
    return found
  }

  /// Are the last bits of the phrase the first ones of SHA-256 over the others?
  private static func isValid(_ numbers: [UInt16]) -> Bool {
    // Random words are hardly ever the same twice; those of a table or of a program often are.
    guard Set(numbers).count >= numbers.count - 2, !RecoveryWords.shared.areProse(numbers) else { return false }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for number in numbers {
      bits = bits << 11 | UInt32(number)
      held += 11
      while held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    let checksumBits = numbers.count / 3
    let entropy = Array(bytes.prefix(numbers.count * 4 / 3))
    let rest = UInt8(truncatingIfNeeded: held > 0 ? bits << UInt32(8 - held) : UInt32(bytes.last ?? 0))
    let digest = SHA256.hash(data: entropy).first { _ in true } ?? 0
    return digest >> UInt8(8 - checksumBits) == rest >> UInt8(8 - checksumBits)
  }

  private static func word(around offset: Int, in text: ByteText) -> Range<Int>? {
    if text[offset].isLetter {
      let start = text.start(before: offset, limit: 9, where: \.isLetter)
      return word(start..<text.end(from: offset, limit: 9, where: \.isLetter), in: text)
    }
    return word(after: offset, in: text)
  }

  private static func word(after offset: Int, in text: ByteText) -> Range<Int>? {
    let start = text.end(from: offset, limit: 12, where: separates)
    return word(start..<text.end(from: start, limit: 9, where: \.isLetter), in: text)
  }

  private static func word(before offset: Int, in text: ByteText) -> Range<Int>? {
    let end = text.start(before: offset, limit: 12, where: separates)
    return word(text.start(before: end, limit: 9, where: \.isLetter)..<end, in: text)
  }

  /// The word if it is a whole one: the bytes beside it are neither letters nor part of a longer name or text.
  private static func word(_ range: Range<Int>, in text: ByteText) -> Range<Int>? {
    guard (3...8).contains(range.count) else { return nil }
    let before = text[range.lowerBound - 1]
    let after = text[range.upperBound]
    return before < 0x80 && after < 0x80 && !before.isLetter && !after.isAlphanumeric ? range : nil
  }

  /// Between two words.
  private static func separates(_ byte: UInt8) -> Bool {
    if byte.isSpace || byte.isDigit || byte.isQuote { return true }
    switch byte {
    case UInt8(ascii: ","), UInt8(ascii: "."), UInt8(ascii: ")"), UInt8(ascii: "("), UInt8(ascii: "-"),
      UInt8(ascii: "*"), UInt8(ascii: "|"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "_"), UInt8(ascii: "/"),
      UInt8(ascii: ">"), UInt8(ascii: "#"):
      return true
    default: return false
    }
  }
}
