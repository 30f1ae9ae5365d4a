/// The 2,048 words of recovery phrases (BIP 39), each with its number.
///
/// A word has 3 to 8 letters, so that it fits a 64-bit number, which is what is compared.
package struct RecoveryWords: Sendable {
  static let shared = RecoveryWords()

  /// Open addressing over twice as many slots again as there are words; 0 is free.
  private let keys: [UInt64]
  private let numbers: [UInt16]
  /// For each number whether prose is full of the word.
  private let isCommon: [Bool]

  private static let slotBits: UInt64 = 13

  private init() {
    var keys = [UInt64](repeating: 0, count: 1 << Int(Self.slotBits))
    var numbers = [UInt16](repeating: 0, count: keys.count)
    let words = Self.english.withUTF8Buffer { unsafe Array($0) }.split { $0.isSpace }
    for (number, word) in words.enumerated() {
      let key = word.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      var slot = Self.slot(of: key)
      while keys[slot] != 0 { slot = (slot + 1) % keys.count }
      keys[slot] = key
      numbers[slot] = UInt16(truncatingIfNeeded: number)
    }
    self.keys = keys
    self.numbers = numbers
    let common = Set(Self.common.withUTF8Buffer { unsafe Array($0) }.split { $0.isSpace })
    isCommon = words.map { common.contains($0) }
  }

  /// Are these words those of a text, rather than drawn from the list?
  ///
  /// Of a dozen random words nine are common once in 15,000 times.
  func areProse(_ numbers: [UInt16]) -> Bool {
    numbers.count { isCommon[Int($0)] } * 4 >= numbers.count * 3
  }

  private static func slot(of key: UInt64) -> Int {
    // Fibonacci hashing: the high bits of a product with the golden ratio.
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> (64 - slotBits))
  }

  /// The word at `range`, of at most eight letters, as a number, whatever its case.
  static func key(_ text: ByteText, _ range: Range<Int>) -> UInt64 {
    range.reduce(0) { $0 << 8 | UInt64(text[$1].folded) }
  }

  /// The number of the word at `range`, from 0, whatever its case; nil where it is none of them.
  func number(_ text: ByteText, _ range: Range<Int>) -> UInt16? {
    guard (3...8).contains(range.count) else { return nil }
    let key = Self.key(text, range)
    var slot = Self.slot(of: key)
    while keys[slot] != 0 {
      if keys[slot] == key { return numbers[slot] }
      slot = (slot + 1) % keys.count
    }
    return nil
  }
}
