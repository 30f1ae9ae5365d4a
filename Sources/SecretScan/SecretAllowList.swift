/// The fingerprints that a person has looked at and allowed: the file `.moha-secrets-allow`.
///
/// One fingerprint of 16 hexadecimal digits a line; `#` begins a comment, which may follow a fingerprint; blank
/// lines are skipped. Anything else is an error, since a mistyped line would otherwise allow nothing in silence.
package struct SecretAllowList: Hashable, Sendable {
  private let fingerprints: Set<SecretFingerprint>

  /// Allows nothing.
  package init() {
    self.fingerprints = []
  }

  /// Reads the file's text.
  ///
  /// - Throws: ``SecretAllowListError`` for the first line that is neither a fingerprint nor a comment.
  package init(parsing text: String) throws(SecretAllowListError) {
    var fingerprints: Set<SecretFingerprint> = []
    var bytes = Array(text.utf8)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let entry = line.prefix { $0 != UInt8(ascii: "#") }
        .drop(while: \.isBlank)
      guard let last = entry.lastIndex(where: { !$0.isBlank }) else { continue }
      guard let fingerprint = SecretFingerprint(hex: String(decoding: entry[...last], as: UTF8.self)) else {
        throw SecretAllowListError(line: index + 1)
      }
      fingerprints.insert(fingerprint)
    }
    self.fingerprints = fingerprints
  }

  var isEmpty: Bool { fingerprints.isEmpty }

  package func allows(_ fingerprint: SecretFingerprint) -> Bool {
    fingerprints.contains(fingerprint)
  }
}

/// A line of the allow-list that is neither a fingerprint nor a comment.
package struct SecretAllowListError: Error, Hashable, Sendable {
  /// The line, from 1.
  package let line: Int
}

extension SecretAllowListError: CustomStringConvertible {
  /// The line's text is left out: it may be the secret itself, pasted by mistake.
  package var description: String {
    "line \(line): expected a fingerprint of 16 hexadecimal digits, or a comment that begins with #"
  }
}
