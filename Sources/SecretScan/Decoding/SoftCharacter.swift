/// Characters that a reader does not see, or takes for ASCII, and that keep a token from being found as it is.
///
/// Unicode's default-ignorable code points (UAX #44, Default_Ignorable_Code_Point) are dropped; the fullwidth forms of
/// ASCII (U+FF01 to U+FF5E), its spaces and its hyphens become the characters that they stand for.
enum SoftCharacter {
  case invisible
  case like(UInt8)

  /// What the code point is; nil where it is one of its own.
  init?(_ scalar: UInt32) {
    switch scalar {
    case 0xFF01...0xFF5E: self = .like(UInt8(truncatingIfNeeded: scalar - 0xFEE0))
    case 0x00A0, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: self = .like(0x20)
    case 0x2010...0x2015, 0x2212, 0xFE58, 0xFE63: self = .like(UInt8(ascii: "-"))
    case 0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x200B...0x200F, 0x202A...0x202E,
      0x2060...0x206F, 0x3164, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0...0xFFF8, 0xE0000...0xE0FFF:
      self = .invisible
    default: return nil
    }
  }

  /// The character in UTF-8 at `offset`, with its length in bytes; nil where it is no soft one.
  static func at(_ offset: Int, in text: ByteText) -> (character: SoftCharacter, length: Int)? {
    func trail(_ index: Int) -> UInt32? {
      let byte = text[offset + index]
      return byte & 0xC0 == 0x80 ? UInt32(byte & 0x3F) : nil
    }
    let lead = text[offset]
    switch lead {
    // The lead bytes of the code points above, so that other scripts cost one comparison a byte.
    case 0xC2, 0xCD, 0xD8:
      guard let first = trail(1) else { return nil }
      return SoftCharacter(UInt32(lead & 0x1F) << 6 | first).map { ($0, 2) }
    case 0xE1, 0xE2, 0xE3, 0xEF:
      guard let first = trail(1), let second = trail(2) else { return nil }
      return SoftCharacter(UInt32(lead & 0x0F) << 12 | first << 6 | second).map { ($0, 3) }
    case 0xF3:
      guard let first = trail(1), let second = trail(2), let third = trail(3) else { return nil }
      return SoftCharacter(UInt32(lead & 0x07) << 18 | first << 12 | second << 6 | third).map { ($0, 4) }
    default: return nil
    }
  }
}
