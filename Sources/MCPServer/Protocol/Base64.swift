/// The base64 of RFC 4648 with padding; decoding takes the canonical form alone.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: some Collection<UInt8>) -> String {
    var output: [UInt8] = []
    output.reserveCapacity((bytes.count + 2) / 3 * 4)
    var group: UInt32 = 0
    var held = 0
    for byte in bytes {
      group = group << 8 | UInt32(byte)
      held += 1
      guard held == 3 else { continue }
      for shift: UInt32 in [18, 12, 6, 0] { output.append(alphabet[Int(group >> shift & 63)]) }
      group = 0
      held = 0
    }
    if held > 0 {
      group <<= UInt32(8 * (3 - held))
      for index in 0..<4 {
        output.append(index <= held ? alphabet[Int(group >> UInt32(18 - 6 * index) & 63)] : 0x3D)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Nil for any other text than `encode` writes.
  static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 4) else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(digits.count / 4 * 3)
    for start in stride(from: 0, to: digits.count, by: 4) {
      let isLast = start + 4 == digits.count
      let padding = isLast ? digits[start..<start + 4].reversed().prefix { $0 == 0x3D }.count : 0
      guard padding <= 2 else { return nil }
      var group: UInt32 = 0
      for index in 0..<4 {
        let digit = index < 4 - padding ? value(of: digits[start + index]) : 0
        guard let digit else { return nil }
        group = group << 6 | digit
      }
      for index in 0..<(3 - padding) { output.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))) }
      // Bits that no byte takes must be zero, or two texts would name the same bytes.
      if padding > 0, group & (padding == 1 ? 0xFF : 0xFFFF) != 0 { return nil }
    }
    return output
  }

  private static func value(of digit: UInt8) -> UInt32? {
    switch digit {
    case 0x41...0x5A: UInt32(digit) - 0x41
    case 0x61...0x7A: UInt32(digit) - 0x61 + 26
    case 0x30...0x39: UInt32(digit) - 0x30 + 52
    case 0x2B: 62
    case 0x2F: 63
    default: nil
    }
  }
}
