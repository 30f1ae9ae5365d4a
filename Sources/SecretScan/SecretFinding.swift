/// A secret in a file or an argument: where it is and of what kind, never what it is.
package struct SecretFinding: Hashable, Sendable {
  package let rule: SecretRule
  /// The line of its first byte, from 1; lines end at 0x0A.
  package let line: Int
  /// Its bytes in that line, from 1, the end excluded; cut at the line's end where the value goes on below.
  package let columns: Range<Int>
  /// At most its first four characters, and its length in bytes.
  package let masked: String
  /// What hides it in its line; nil where it stands there as it is.
  package let disguise: SecretDisguise?
  package let fingerprint: SecretFingerprint
}

extension SecretFinding: CustomStringConvertible {
  /// `line:column: rule masked [fingerprint]`; safe to log.
  package var description: String {
    "\(line):\(columns.lowerBound): \(rule) \(masked)\(disguise.map { ", \($0.rawValue)" } ?? "") [\(fingerprint)]"
  }
}

/// What may be shown of a value.
enum SecretMask {
  /// An eighth of the value, at most four characters of printable ASCII, then the length: a short password shows none.
  static func text(of value: [UInt8]) -> String {
    let shown = value.prefix(min(4, value.count / 8)).map { $0.isGraphic ? $0 : UInt8(ascii: "?") }
    return String(decoding: shown, as: UTF8.self) + "… (\(value.count) bytes)"
  }
}
