/// Decoding of base64 and base64url (RFC 4648), for looking inside tokens.
enum Base64 {
  /// For each byte of ASCII the six bits that it stands for in either alphabet, plus 0x20, and ``` ` ``` for none.
  private static let values: StaticString = """
    ```````````````````````````````````````````^`^`_TUVWXYZ[\\]``````\
    ` !\"#$%&'()*+,-./0123456789````_`:;<=>?@ABCDEFGHIJKLMNOPQRS`````
    """

  /// The six bits that a byte stands for in either alphabet; 64 for every other byte.
  static func value(_ byte: UInt8) -> UInt8 {
    // The table has an entry for every byte of ASCII.
    byte < 0x80 ? unsafe values.utf8Start[Int(byte)] &- 0x20 : 64
  }

  /// The decoded bytes of text in either alphabet, padding optional; nil at a byte of neither alphabet.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(text.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var held = 0
    for byte in text {
      let value = value(byte)
      guard value < 64 else {
        if byte == UInt8(ascii: "=") { break }
        return nil
      }
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        output.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    return output
  }
}
