/// A set of positions in git's compressed form, EWAH: words of 64 bits, of which long runs of equal ones are counted.
///
/// The form (Documentation/technical/bitmap-format, ewah/ewah_io.c of git), big-endian: how many bits (32 bits), how
/// many words (32), the words, and which of them is the last run's (32). The words are runs: one that counts, from its
/// lowest bit up: the bit that is repeated, how many words are only that (32 bits), and how many words follow as they
/// are (31 bits); then these, the lowest bit first.
enum BitmapEWAH {
  /// The positions of the bits that are set, ascending, and how many bytes of `bytes` hold the bitmap.
  ///
  /// Nil if it is malformed or a position is not below `limit`, so that neither memory nor time depend on what a damaged
  /// bitmap claims.
  static func positions(in bytes: ArraySlice<UInt8>, below limit: Int) -> (positions: [Int], size: Int)? {
    func word(_ offset: Int, _ size: Int) -> UInt64 {
      bytes[(bytes.startIndex + offset)..<(bytes.startIndex + offset + size)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard bytes.count >= 12 else { return nil }
    let wordCount = Int(word(4, 4))
    let size = 12 + wordCount * 8
    guard bytes.count >= size else { return nil }
    var positions: [Int] = []
    var position = 0
    var index = 0
    while index < wordCount {
      let run = word(8 + index * 8, 8)
      index += 1
      let length = Int(run >> 1 & 0xffff_ffff) * 64
      if run & 1 == 1, length > 0 {
        guard position <= limit, length <= limit - position else { return nil }
        positions.append(contentsOf: position..<(position + length))
      }
      // Beyond the limit it no longer matters by how much.
      position = min(position + length, limit + 1)
      let literalCount = Int(run >> 33)
      guard literalCount <= wordCount - index else { return nil }
      for _ in 0..<literalCount {
        var bits = word(8 + index * 8, 8)
        index += 1
        while bits != 0 {
          let found = position + bits.trailingZeroBitCount
          guard found < limit else { return nil }
          positions.append(found)
          bits &= bits - 1
        }
        position = min(position + 64, limit + 1)
      }
    }
    return (positions, size)
  }
}
