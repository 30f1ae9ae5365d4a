/// A stretch of the text with an encoding undone, and for each of its bytes where it comes from.
struct DecodedView {
  private(set) var bytes: [UInt8] = []
  /// For each byte the offset, in the text that was decoded, of the first byte it came from; one more for the end.
  private var origins: [Int] = []

  /// Undoes the escapes of JSON strings, which shells, C and Swift share in part.
  ///
  /// An escape that none of them has is kept as it is. Code points above U+007F become 0xFF: no secret holds them.
  init(unescaping text: ByteText, _ range: Range<Int>) {
    reserve(range.count)
    var offset = range.lowerBound
    while offset < range.upperBound {
      let start = offset
      let byte = text[offset]
      offset += 1
      guard byte == UInt8(ascii: "\\"), offset < range.upperBound else {
        append(byte, from: start)
        continue
      }
      offset += 1
      switch text[offset - 1] {
      case UInt8(ascii: "n"): append(0x0A, from: start)
      case UInt8(ascii: "r"): append(0x0D, from: start)
      case UInt8(ascii: "t"): append(0x09, from: start)
      case UInt8(ascii: "b"), UInt8(ascii: "f"): append(0x20, from: start)
      case UInt8(ascii: "u"):
        let digits = text.end(from: offset, limit: 4, where: \.isHexadecimal) - offset
        let code = UInt32(String(decoding: text[offset..<(offset + digits)], as: UTF8.self), radix: 16)
        if digits == 4, let code {
          append(code < 0x80 ? UInt8(truncatingIfNeeded: code) : 0xFF, from: start)
          offset += 4
        } else {
          append(byte, from: start)
          append(UInt8(ascii: "u"), from: start + 1)
        }
      case let escaped where !escaped.isAlphanumeric: append(escaped, from: start)
      case let other:
        append(byte, from: start)
        append(other, from: start + 1)
      }
    }
    origins.append(offset)
  }

  /// Narrows UTF-16 to its ASCII; every other code unit becomes 0xFF.
  init(narrowing text: ByteText, _ range: Range<Int>, isBigEndian: Bool) {
    reserve(range.count / 2)
    var offset = range.lowerBound
    while offset + 1 < range.upperBound {
      let high = text[isBigEndian ? offset : offset + 1]
      let low = text[isBigEndian ? offset + 1 : offset]
      append(high == 0 && low < 0x80 ? low : 0xFF, from: offset)
      offset += 2
    }
    origins.append(offset)
  }

  /// This view with escapes undone once more, its origins still in the text that this view came from.
  func unescaped() -> DecodedView {
    var inner = unsafe bytes.withUnsafeBytes { bytes in
      let text = unsafe ByteText(bytes)
      return DecodedView(unescaping: text, 0..<text.count)
    }
    inner.origins = inner.origins.map { origins[min($0, origins.count - 1)] }
    return inner
  }

  private mutating func reserve(_ count: Int) {
    bytes.reserveCapacity(count)
    origins.reserveCapacity(count + 1)
  }

  private mutating func append(_ byte: UInt8, from origin: Int) {
    bytes.append(byte)
    origins.append(origin)
  }

  /// The bytes of the decoded text that `range` of this view came from.
  func origin(of range: Range<Int>) -> Range<Int> {
    guard range.lowerBound >= 0, range.upperBound < origins.count else { return 0..<0 }
    return origins[range.lowerBound]..<origins[range.upperBound]
  }
}
