/// Finds secrets in the bytes of a file or of an argument, before they become a blob that history keeps.
///
/// The bytes need not be text. The time is linear in their number and the memory bounded, whatever they hold: one
/// automaton looks for the keywords of all rules, and a keyword's matcher reads a bounded number of bytes around it. What
/// proves itself, keys with a checksum and recovery phrases, needs no keyword.
///
/// The same is done with what is encoded in the text, one encoding inside another included: the escapes of JSON, base64,
/// hexadecimal, percent-encoding, fullwidth and invisible characters. Words that line ends split are joined again, and
/// searched for what is told from ordinary text by itself. UTF-16 with a byte order mark is read as its ASCII.
///
/// What is *not* found: secrets without a known form that nothing names, recovery phrases in other languages than
/// English, and what is compressed, encrypted, encoded thrice, or written with look-alike letters of other scripts.
package struct SecretScanner: Sendable {
  /// The number of findings after which the scan of one text ends: it is refused all the same.
  package static let findingLimit = 1000
  /// Raised by one with every change of what is found, so that what was looked through before is looked through again.
  package static let edition = 1

  package init() {}

  /// The secrets in `bytes` that `allowList` does not allow, in their order; at most ``findingLimit``.
  package func scan(_ bytes: [UInt8], allowing allowList: SecretAllowList = SecretAllowList()) -> [SecretFinding] {
    unsafe bytes.withUnsafeBytes { unsafe scan($0, allowing: allowList) }
  }

  /// The secrets in `bytes` that `allowList` does not allow, in their order; at most ``findingLimit``.
  ///
  /// The bytes are read only during the call.
  package func scan(
    _ bytes: UnsafeRawBufferPointer, allowing allowList: SecretAllowList = SecretAllowList()
  ) -> [SecretFinding] {
    let text = unsafe ByteText(bytes)
    var scan = TextScan(FindingCollector(allowing: allowList, limit: Self.findingLimit))
    scan.run(text)
    return scan.collector.findings(in: text)
  }

  /// The secrets in the path of a file; their line is 1, and their columns are its bytes.
  package func scan(path: [UInt8], allowing allowList: SecretAllowList = SecretAllowList()) -> [SecretFinding] {
    NameScan.findings(path, allowing: allowList)
  }
}
