import Crypto
import FoundationEssentials
import SecretScan
import TestSupport

/// Makes keys with the checksums that wallets give them.
enum KeyEncoding {
  static let bitcoin = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
  static let ripple = Array("rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz")

  static func base58(_ bytes: [UInt8], alphabet: [Character] = bitcoin) -> String {
    var digits: [Int] = []
    for byte in bytes {
      var carry = Int(byte)
      for index in digits.indices {
        carry += digits[index] << 8
        digits[index] = carry % 58
        carry /= 58
      }
      while carry > 0 {
        digits.append(carry % 58)
        carry /= 58
      }
    }
    let zeros = bytes.prefix { $0 == 0 }.count
    return String(repeating: alphabet[0], count: zeros) + String(digits.reversed().map { alphabet[$0] })
  }

  static func base58Check(_ payload: [UInt8], alphabet: [Character] = bitcoin) -> String {
    let digest = SHA256.hash(data: Array(SHA256.hash(data: payload)))
    return base58(payload + digest.prefix(4), alphabet: alphabet)
  }

  static func stellar(version: UInt8, _ key: [UInt8]) -> String {
    var bytes = [version] + key
    var crc: UInt16 = 0
    for byte in bytes {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : (crc << 1) ^ 0x1021 }
    }
    bytes += [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
    return String(stride(from: 0, to: bits.count, by: 5).map { start in
      alphabet[bits[start..<(start + 5)].reduce(0) { $0 << 1 | Int($1) }]
    })
  }

  static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  static let words = "\(RecoveryWords.english)".split { $0 == " " || $0 == "\n" }.map(String.init)

  /// The words of an entropy of 16 to 32 bytes (BIP 39).
  static func recoveryPhrase(_ entropy: [UInt8]) -> [String] {
    let checksum = SHA256.hash(data: entropy).first { _ in true } ?? 0
    let bits = (entropy + [checksum]).flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
    return (0..<(entropy.count * 8 + entropy.count / 4) / 11).map { word in
      words[bits[(word * 11)..<(word * 11 + 11)].reduce(0) { $0 << 1 | Int($1) }]
    }
  }

  static func isValid(_ phrase: [String]) -> Bool {
    let bits = phrase.flatMap { word in
      let number = words.firstIndex(of: word) ?? 0
      return (0..<11).map { UInt8(number >> (10 - $0) & 1) }
    }
    let entropy = (0..<(phrase.count * 4 / 3)).map { byte in bits[(byte * 8)..<(byte * 8 + 8)].reduce(0) { $0 << 1 | $1 } }
    return recoveryPhrase(entropy) == phrase
  }
}

extension SeededGenerator {
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
