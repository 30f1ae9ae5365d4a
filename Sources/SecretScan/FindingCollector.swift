/// Keeps of overlapping candidates the one that says most, and of these the ones that are not allowed.
struct FindingCollector {
  private struct Entry {
    let rule: SecretRule
    let range: Range<Int>
    let masked: String
    let fingerprint: SecretFingerprint
    let isAllowed: Bool
  }

  private let allowList: SecretAllowList
  private let limit: Int
  /// Findings that nothing later can overlap.
  private var settled: [Entry] = []
  /// Allowed ones too: what they overlap is allowed with them.
  private var open: [Entry] = []
  private var refused = 0

  init(allowing allowList: SecretAllowList, limit: Int) {
    self.allowList = allowList
    self.limit = limit
  }

  /// - Parameters:
  ///   - candidate: what was found in a view of the text.
  ///   - range: where that is in the text.
  /// - Returns: whether there is room for more.
  mutating func add(_ candidate: Candidate, at range: Range<Int>) -> Bool {
    if range.isEmpty { return true }
    for entry in open where entry.range.overlaps(range) {
      if entry.rule.precedence < candidate.rule.precedence { return true }
      // Of two equal ones the longer, and of two equally long ones the last, whose keyword says more.
      if entry.rule.precedence == candidate.rule.precedence && entry.range.count > range.count { return true }
    }
    refused -= open.count { $0.range.overlaps(range) && !$0.isAllowed }
    open.removeAll { $0.range.overlaps(range) }
    let fingerprint = SecretFingerprint(rule: candidate.rule, value: candidate.value)
    let entry = Entry(
      rule: candidate.rule, range: range, masked: SecretMask.text(of: candidate.value), fingerprint: fingerprint,
      isAllowed: allowList.allows(fingerprint))
    if !entry.isAllowed { refused += 1 }
    open.append(entry)
    return refused < limit
  }

  /// Nothing that begins before `offset` will be added any more.
  mutating func settle(before offset: Int) {
    settled += open.filter { $0.range.upperBound <= offset && !$0.isAllowed }
    open.removeAll { $0.range.upperBound <= offset }
  }

  /// The findings in the order of the text.
  consuming func findings(in text: ByteText) -> [SecretFinding] {
    settle(before: .max)
    var line = 1
    var lineStart = 0
    var offset = 0
    return settled.sorted { $0.range.lowerBound < $1.range.lowerBound }.map { entry in
      while offset < entry.range.lowerBound {
        if text[offset] == 0x0A {
          line += 1
          lineStart = offset + 1
        }
        offset += 1
      }
      let end = text.end(from: entry.range.lowerBound, limit: entry.range.count) { $0 != 0x0A }
      return SecretFinding(
        rule: entry.rule, line: line, columns: (entry.range.lowerBound - lineStart + 1)..<(end - lineStart + 1),
        masked: entry.masked, fingerprint: entry.fingerprint)
    }
  }
}
