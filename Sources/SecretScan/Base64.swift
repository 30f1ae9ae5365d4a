/// Decoding of base64 and base64url (RFC 4648), for looking inside tokens.
enum Base64 {
  /// The decoded bytes of text in either alphabet, padding optional; nil at a byte of neither alphabet.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(text.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var held = 0
    for byte in text {
      guard let value = value(of: byte) else {
        if byte == UInt8(ascii: "=") { break }
        return nil
      }
      bits = bits << 6 | value
      held += 6
      if held >= 8 {
        held -= 8
        output.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    return output
  }

  private static func value(of byte: UInt8) -> UInt32? {
    if byte.isUpper { return UInt32(byte &- 0x41) }
    if byte.isLower { return UInt32(byte &- 0x61) + 26 }
    if byte.isDigit { return UInt32(byte &- 0x30) + 52 }
    switch byte {
    case UInt8(ascii: "+"), UInt8(ascii: "-"): return 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): return 63
    default: return nil
    }
  }
}
