/// Bytes to be read at any offset: outside of them every byte is 0x00, which no format of a secret contains.
///
/// The bytes are the caller's and outlive every use of the view, which lives only inside one call of the scanner.
@safe struct ByteText {
  private let bytes: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) {
    unsafe self.bytes = bytes
  }

  var count: Int { unsafe bytes.count }

  subscript(offset: Int) -> UInt8 {
    guard offset >= 0, offset < count else { return 0 }
    return unsafe bytes[offset]
  }

  /// The bytes of `range` that exist.
  subscript(range: Range<Int>) -> [UInt8] {
    let range = range.clamped(to: 0..<count)
    return unsafe Array(bytes[range])
  }

  /// The first offset from `start` whose byte does not satisfy `matches`, at most `limit` bytes on.
  func end(from start: Int, limit: Int, where matches: (UInt8) -> Bool) -> Int {
    let bound = min(count, start + limit)
    var offset = start
    while offset < bound, matches(self[offset]) { offset += 1 }
    return offset
  }

  /// The offset of the first `byte` in `range`, eight bytes at a time.
  func first(_ byte: UInt8, in range: Range<Int>) -> Int? {
    let range = range.clamped(to: 0..<count)
    let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
    var offset = range.lowerBound
    while offset <= range.upperBound - 8 {
      let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ pattern
      // Not zero exactly where a byte of `word` is zero.
      if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { break }
      offset += 8
    }
    return (offset..<range.upperBound).first { self[$0] == byte }
  }

  /// The smallest offset from which every byte up to `end` satisfies `matches`, at most `limit` bytes back.
  func start(before end: Int, limit: Int, where matches: (UInt8) -> Bool) -> Int {
    let bound = max(0, end - limit)
    var offset = end
    while offset > bound, matches(self[offset - 1]) { offset -= 1 }
    return offset
  }

  /// Is `literal` (as it is written) at `offset`?
  func has(_ literal: StaticString, at offset: Int) -> Bool {
    literal.withUTF8Buffer { literal in
      guard offset >= 0, offset <= count - literal.count else { return false }
      return literal.indices.allSatisfy { unsafe literal[$0] == self[offset + $0] }
    }
  }

  /// Does `range` hold `word` (lower case), in any case of letters?
  func contains(_ word: StaticString, in range: Range<Int>) -> Bool {
    word.withUTF8Buffer { word in
      let range = range.clamped(to: 0..<count)
      guard let first = unsafe word.first, range.count >= word.count else { return false }
      for offset in range.lowerBound...(range.upperBound - word.count) where self[offset].folded == first {
        if word.indices.allSatisfy({ unsafe word[$0] == self[offset + $0].folded }) { return true }
      }
      return false
    }
  }

  /// Does `range` hold one of `words`?
  func contains(anyOf words: [StaticString], in range: Range<Int>) -> Bool {
    words.contains { contains($0, in: range) }
  }

  /// May a token begin at `offset`: not inside a word, except right after a percent escape.
  func isTokenStart(_ offset: Int) -> Bool {
    guard self[offset - 1].isAlphanumeric else { return true }
    return self[offset - 3] == UInt8(ascii: "%") && self[offset - 2].isHexadecimal && self[offset - 1].isHexadecimal
  }
}
