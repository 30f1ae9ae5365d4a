import Crypto

/// Public addresses in base58: a string that is one is not a secret, however random it looks.
enum Base58 {
  /// Is it an address of Bitcoin or Tron (with a valid checksum), or 32 bytes as Solana writes a public key?
  static func isAddress(_ text: [UInt8]) -> Bool {
    guard (26...44).contains(text.count), let bytes = decode(text) else { return false }
    if bytes.count == 32 && text.count >= 42 { return true }
    guard bytes.count == 25 else { return false }
    let once = SHA256.hash(data: bytes.prefix(21))
    let twice = SHA256.hash(data: Array(once))
    return twice.prefix(4).elementsEqual(bytes.suffix(4))
  }

  /// The number as big-endian bytes, a zero byte for each leading `1`; nil at a byte outside the alphabet.
  private static func decode(_ text: [UInt8]) -> [UInt8]? {
    var number: [UInt8] = []
    for byte in text {
      guard var carry = value(of: byte) else { return nil }
      for index in number.indices {
        carry += Int(number[index]) * 58
        number[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
      while carry > 0 {
        number.append(UInt8(truncatingIfNeeded: carry))
        carry >>= 8
      }
    }
    let zeros = text.prefix { $0 == UInt8(ascii: "1") }.count
    return [UInt8](repeating: 0, count: zeros) + number.reversed()
  }

  private static func value(of byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "1")...UInt8(ascii: "9"): return Int(byte) - 0x31
    case UInt8(ascii: "A")...UInt8(ascii: "H"): return Int(byte) - 0x41 + 9
    case UInt8(ascii: "J")...UInt8(ascii: "N"): return Int(byte) - 0x4A + 17
    case UInt8(ascii: "P")...UInt8(ascii: "Z"): return Int(byte) - 0x50 + 22
    case UInt8(ascii: "a")...UInt8(ascii: "k"): return Int(byte) - 0x61 + 33
    case UInt8(ascii: "m")...UInt8(ascii: "z"): return Int(byte) - 0x6D + 44
    default: return nil
    }
  }
}
