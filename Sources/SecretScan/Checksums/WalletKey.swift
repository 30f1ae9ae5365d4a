import Crypto

/// Private keys of wallets that prove themselves: by a checksum, or by the public key that goes with them.
///
/// They need no name beside them, since nothing else passes. Sources: Bitcoin's wallet import format, BIP 32, BIP 38,
/// the XRP Ledger's base58 encodings, Tezos's base58check prefixes, Stellar's SEP-23, Solana's key files.
enum WalletKey {
  /// The lengths that are looked at, so that other words cost nothing.
  static let lengths = 27...128

  /// A key in `word`, a run of letters and digits, or at either end of it.
  static func match(_ text: ByteText, word: Range<Int>) -> Candidate? {
    guard lengths.contains(word.count) else { return nil }
    if word.count <= 31 {
      guard text[word.lowerBound] == UInt8(ascii: "s"), isRippleSeed(text[word]) else { return nil }
      return Candidate("xrp-secret-seed", word, in: text)
    }
    // A key, or one that a word was glued to.
    for length in keyLengths where length <= word.count {
      let first = word.lowerBound..<(word.lowerBound + length)
      if let rule = rule(of: first, in: text) { return Candidate(rule, first, in: text) }
      let last = (word.upperBound - length)..<word.upperBound
      if last != first, let rule = rule(of: last, in: text) { return Candidate(rule, last, in: text) }
    }
    return nil
  }

  private static let keyLengths = [51, 52, 54, 56, 58, 85, 86, 87, 88, 98, 111]

  /// The kind of the key at `range`, which has one of the lengths.
  private static func rule(of range: Range<Int>, in text: ByteText) -> SecretRule? {
    switch range.count {
    case 56:
      text[range.lowerBound] == UInt8(ascii: "S") && isStellarSeed(text[range]) ? "stellar-secret-seed" : nil
    case 85...88: isSolanaKey(text, range) ? "solana-secret-key" : nil
    default: checkedKey(text, range)
    }
  }

  /// The kind of the base58check key at `range`. Its first letter follows from its version.
  private static func checkedKey(_ text: ByteText, _ range: Range<Int>) -> SecretRule? {
    let firsts: StaticString =
      switch range.count {
      case 51, 52: "5KLc9Q6T7X"
      case 58: "6"
      case 54, 98: "esp"
      default: "xyztuvYZUVdlDL"
      }
    let isFirst = firsts.withUTF8Buffer { unsafe $0.contains(text[range.lowerBound]) }
    guard isFirst, range.allSatisfy({ Base58.isDigit(text[$0]) }), let payload = Base58.checked(text[range]) else { return nil }
    switch payload.count {
    case 33 where wifVersions.contains(payload[0]), 34 where wifVersions.contains(payload[0]) && payload[33] == 1:
      return "wif-private-key"
    // 0x0142 and 0x0143: a key that a passphrase encrypts.
    case 39 where payload[0] == 1 && (payload[1] == 0x42 || payload[1] == 0x43): return "bip38-private-key"
    // A zero before the key, where a public one has the parity of its point.
    case 78 where payload[45] == 0: return "extended-private-key"
    // edsk, spsk and p2sk.
    case 36 where [[0x0D, 0x0F, 0x3A, 0x07], [0x11, 0xA2, 0xE0, 0xC9], [0x10, 0x51, 0xEE, 0xBD]]
      .contains(Array(payload.prefix(4))):
      return "tezos-secret-key"
    case 68 where payload.prefix(4) == [0x2B, 0xF6, 0x4E, 0x07]: return "tezos-secret-key"
    default: return nil
    }
  }

  /// Bitcoin's main and test networks, Litecoin, Dogecoin's two, Dash.
  private static let wifVersions: Set<UInt8> = [0x80, 0xEF, 0xB0, 0x9E, 0xF1, 0xCC]

  private static func isRippleSeed(_ value: [UInt8]) -> Bool {
    guard let payload = Base58.checked(value, alphabet: Base58.ripple) else { return false }
    return (payload.count == 17 && payload[0] == 0x21) || (payload.count == 19 && payload.prefix(3) == [1, 0xE1, 0x4B])
  }

  /// `S…` in base32: a version, 32 bytes, and their CRC-16 (XMODEM), little endian.
  private static func isStellarSeed(_ value: [UInt8]) -> Bool {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for byte in value {
      guard byte.isUpper || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte) else { return false }
      bits = bits << 5 | UInt32(byte.isUpper ? byte &- 65 : byte &- 24)
      held += 5
      guard held >= 8 else { continue }
      held -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
    }
    guard bytes.count == 35, bytes[0] == 18 << 3 else { return false }
    var crc: UInt16 = 0
    for byte in bytes.prefix(33) {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
    }
    return UInt16(bytes[33]) | UInt16(bytes[34]) << 8 == crc
  }

  /// 64 bytes in base58: a transaction's signature has the same form, but no public key of Ed25519 in its second half.
  private static func isSolanaKey(_ text: ByteText, _ range: Range<Int>) -> Bool {
    guard range.allSatisfy({ Base58.isDigit(text[$0]) }), let bytes = Base58.decode(text[range]) else { return false }
    return isKeyPair(bytes)
  }

  /// Is it a seed of Ed25519 and the public key that goes with it?
  static func isKeyPair(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == 64, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32)) else {
      return false
    }
    return key.publicKey.rawRepresentation.elementsEqual(bytes.suffix(32))
  }
}
