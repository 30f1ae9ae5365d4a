extension DecodedView {
  /// Undoes the escapes of JSON strings, which shells, C and Swift share in part, and `\x67`.
  ///
  /// An escape that none of them has is kept as it is. Code points above U+007F become what they are like, or 0xFF: no
  /// secret holds them.
  mutating func append(unescaping text: ByteText, _ range: Range<Int>) {
    reserve(range.count + 1)
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
      case let escape where escape == UInt8(ascii: "u") || escape == UInt8(ascii: "x"):
        let count = escape == UInt8(ascii: "u") ? 4 : 2
        let digits = text.end(from: offset, limit: count, where: \.isHexadecimal) - offset
        let code = UInt32(String(decoding: text[offset..<(offset + digits)], as: UTF8.self), radix: 16)
        if digits == count, let code {
          append(scalar: code, from: start)
          offset += count
        } else {
          append(byte, from: start)
          append(escape, from: start + 1)
        }
      case let escaped where !escaped.isAlphanumeric: append(escaped, from: start)
      case let other:
        append(byte, from: start)
        append(other, from: start + 1)
      }
    }
    endStretch(at: offset)
  }

  /// Narrows UTF-16 to its ASCII; every other code unit becomes what it is like, or 0xFF.
  init(narrowing text: ByteText, _ range: Range<Int>, isBigEndian: Bool) {
    self.init()
    reserve(range.count / 2)
    var offset = range.lowerBound
    while offset + 1 < range.upperBound {
      let high = text[isBigEndian ? offset : offset + 1]
      let low = text[isBigEndian ? offset + 1 : offset]
      append(scalar: UInt32(high) << 8 | UInt32(low), from: offset)
      offset += 2
    }
    endStretch(at: offset)
  }

  private mutating func append(scalar: UInt32, from origin: Int) {
    if scalar < 0x80 {
      append(UInt8(truncatingIfNeeded: scalar), from: origin)
      return
    }
    switch SoftCharacter(scalar) {
    case .like(let ascii): append(ascii, from: origin)
    case .invisible: break
    case nil: append(0xFF, from: origin)
    }
  }
}
