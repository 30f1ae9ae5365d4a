import Crypto

/// Numbers in base58, and the checksum that chains put behind them (base58check).
enum Base58 {
  /// The alphabet that all but one chain use.
  static let bitcoin: StaticString = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
  /// That of the XRP Ledger.
  static let ripple: StaticString = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

  /// Is it a letter or digit of the alphabet, in any order?
  static func isDigit(_ byte: UInt8) -> Bool {
    byte.isAlphanumeric && byte != UInt8(ascii: "0") && byte != UInt8(ascii: "O") && byte != UInt8(ascii: "I")
      && byte != UInt8(ascii: "l")
  }

  /// Is it an address of Bitcoin or Tron (with a valid checksum), or 32 bytes as Solana writes a public key?
  ///
  /// A string that is one is not a secret, however random it looks.
  static func isAddress(_ text: [UInt8]) -> Bool {
    guard (26...44).contains(text.count), let bytes = decode(text) else { return false }
    if bytes.count == 32 && text.count >= 42 { return true }
    return bytes.count == 25 && payload(of: bytes) != nil
  }

  /// What the checksum of `text` confirms: the version and the data, without the checksum.
  static func checked(_ text: [UInt8], alphabet: StaticString = bitcoin) -> [UInt8]? {
    decode(text, alphabet: alphabet).flatMap(payload)
  }

  /// The bytes but the last four, which are the first of a double SHA-256 over them.
  private static func payload(of bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count > 4 else { return nil }
    let payload = Array(bytes.dropLast(4))
    let twice = SHA256.hash(data: Array(SHA256.hash(data: payload)))
    return twice.prefix(4).elementsEqual(bytes.suffix(4)) ? payload : nil
  }

  /// The number as big-endian bytes, a zero byte for each leading zero digit; nil at a byte outside the alphabet.
  static func decode(_ text: [UInt8], alphabet: StaticString = bitcoin) -> [UInt8]? {
    var values = [UInt8](repeating: 0xFF, count: 128)
    let zero = alphabet.withUTF8Buffer { alphabet in
      for value in alphabet.indices { values[Int(unsafe alphabet[value])] = UInt8(truncatingIfNeeded: value) }
      return unsafe alphabet.first
    }
    var number: [UInt8] = []
    number.reserveCapacity(text.count)
    for byte in text {
      guard byte < 0x80, values[Int(byte)] != 0xFF else { return nil }
      var carry = UInt32(values[Int(byte)])
      for index in number.indices {
        carry += UInt32(number[index]) * 58
        number[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
      while carry > 0 {
        number.append(UInt8(truncatingIfNeeded: carry))
        carry >>= 8
      }
    }
    let zeros = text.prefix { $0 == zero }.count
    return [UInt8](repeating: 0, count: zeros) + number.reversed()
  }
}
