/// Finds secrets in the bytes of a file or of an argument, before they become a blob that history keeps.
///
/// The bytes need not be text. The time is linear in their number and the memory bounded, whatever they hold: one
/// automaton looks for the keywords of all rules, and a keyword's matcher reads a bounded number of bytes around it.
/// A line with backslashes is read a second and a third time with the escapes of JSON undone, once and twice, so that
/// neither `\u002d` nor a private key on one line hides anything; UTF-16 with a byte order mark is read as its ASCII.
///
/// What is *not* found: secrets without a known form that nothing names, recovery phrases that no word announces,
/// and secrets that are compressed, encrypted or encoded otherwise.
package struct SecretScanner: Sendable {
  /// The number of findings after which the scan of one text ends: it is refused all the same.
  package static let findingLimit = 1000

  /// The bytes that are decoded at a time.
  private static let window = 1 << 16
  /// How far a decoded stretch reaches into its neighbours: more than any matcher reads.
  private static let overlap = 1 << 13

  private let table: TriggerTable

  package init() {
    self.table = .shared
  }

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
    var collector = FindingCollector(allowing: allowList, limit: Self.findingLimit)
    let isBigEndian = text[0] == 0xFE && text[1] == 0xFF
    let isWide = isBigEndian || (text[0] == 0xFF && text[1] == 0xFE)
    var state = 0
    var start = 0
    while start < text.count {
      let end = min(text.count, start + Self.window)
      var hasRoom: Bool
      if isWide {
        // Of an even length before an even offset, so that no code unit is cut.
        let stretch = max(0, start - Self.overlap)..<min(text.count, end + Self.overlap)
        let view = DecodedView(narrowing: text, stretch, isBigEndian: isBigEndian)
        hasRoom = scan(view, unescaping: 2, into: &collector)
      } else {
        hasRoom = table.scan(text, start..<end, state: &state) { collector.add($0, at: $0.range) }
          && scanEscapes(text, start..<end, into: &collector)
      }
      guard hasRoom else { break }
      collector.settle(before: end - 2 * Self.overlap)
      start = end
    }
    return collector.findings(in: text)
  }

  /// Scans the lines of `range` that hold a backslash, as far as its overlap reaches, with their escapes undone.
  private func scanEscapes(_ text: ByteText, _ range: Range<Int>, into collector: inout FindingCollector) -> Bool {
    var offset = range.lowerBound
    while let escape = text.first(UInt8(ascii: "\\"), in: offset..<range.upperBound) {
      let start = text.start(before: escape, limit: Self.overlap) { $0 != 0x0A }
      let end = text.end(from: escape, limit: range.upperBound - escape + Self.overlap) { $0 != 0x0A }
      guard scan(DecodedView(unescaping: text, start..<end), unescaping: 1, into: &collector) else { return false }
      offset = min(end, range.upperBound)
    }
    return true
  }

  /// Scans a whole view, then the same with escapes undone again, up to `depth` times while there are any.
  private func scan(_ view: DecodedView, unescaping depth: Int, into collector: inout FindingCollector) -> Bool {
    let hasRoom = unsafe view.bytes.withUnsafeBytes { bytes in
      let text = unsafe ByteText(bytes)
      var state = 0
      return table.scan(text, 0..<text.count, state: &state) { collector.add($0, at: view.origin(of: $0.range)) }
    }
    guard hasRoom, depth > 0, view.bytes.contains(UInt8(ascii: "\\")) else { return hasRoom }
    return scan(view.unescaped(), unescaping: depth - 1, into: &collector)
  }
}
