import Crypto

/// Names one secret without holding it: the first 8 bytes of SHA-256 over rule, 0x00 and value.
///
/// It depends on nothing else, so it stays the same when the file moves or changes around the value. Whoever
/// can guess the value can check the guess, so a weak password is better changed than listed as allowed.
package struct SecretFingerprint: Hashable, Sendable {
  private let bits: UInt64

  init(rule: SecretRule, value: [UInt8]) {
    var hasher = SHA256()
    hasher.update(data: Array(rule.rawValue.utf8))
    hasher.update(data: [0])
    hasher.update(data: value)
    self.bits = hasher.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Fails where `hex` is not 16 hexadecimal digits.
  package init?(hex: some StringProtocol) {
    let digits = hex.utf8
    guard digits.count == 16, digits.allSatisfy(\.isHexadecimal) else { return nil }
    guard let bits = UInt64(hex, radix: 16) else { return nil }
    self.bits = bits
  }
}

extension SecretFingerprint: CustomStringConvertible {
  /// 16 lower-case hexadecimal digits.
  package var description: String {
    let digits = String(bits, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}
