/// Git's variable-length numbers: groups of seven bits from the highest to the lowest, all but the last with the top bit
/// set. Each continuation counts one more, so that no number has two spellings.
enum OffsetEncoding {
  /// The number at the start of `bytes`, and the position after it; nil if it does not end there, or has more than
  /// 35 bits.
  static func decode(_ bytes: ArraySlice<UInt8>) -> (value: Int, end: Int)? {
    var value = 0
    for (index, byte) in zip(bytes.indices, bytes.prefix(5)) {
      value = (index == bytes.startIndex ? 0 : (value + 1) << 7) | Int(byte & 0x7f)
      if byte & 0x80 == 0 { return (value, index + 1) }
    }
    return nil
  }

  /// Appends `value`, which is not negative.
  static func append(_ value: Int, to output: inout [UInt8]) {
    var rest = value >> 7
    var groups = [UInt8(value & 0x7f)]
    while rest > 0 {
      rest -= 1
      groups.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    output.append(contentsOf: groups.reversed())
  }
}
