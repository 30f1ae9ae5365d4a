/// Keeps of overlapping candidates the one that says most, and of these the ones that are not allowed.
struct FindingCollector {
  private struct Entry {
    let candidate: Candidate
    let range: Range<Int>
    let disguise: SecretDisguise?
    let precedence: Int
    let fingerprint: SecretFingerprint
    var isAllowed: Bool
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
  ///   - disguise: what hides it there. What is found in the text as it is says more.
  /// - Returns: whether there is room for more.
  mutating func add(_ candidate: Candidate, at range: Range<Int>, disguise: SecretDisguise? = nil) -> Bool {
    if range.isEmpty { return true }
    let precedence = candidate.precedence + (disguise == nil ? 0 : 8)
    let isBeaten = open.contains { entry in
      guard entry.range.overlaps(range), entry.precedence <= precedence else { return false }
      if entry.precedence < precedence || entry.range.count > range.count { return true }
      // Of two equal ones the longer, and of two equally long ones the last, whose keyword says more; of two disguises
      // that show the same the first.
      return disguise != nil && entry.range.count == range.count && entry.candidate.rule == candidate.rule
    }
    if isBeaten {
      allowSame(as: candidate, in: range)
      return true
    }
    let fingerprint = SecretFingerprint(rule: candidate.rule, value: candidate.value)
    // A value that was allowed under another rule's name stays allowed.
    let isAllowed =
      allowList.allows(fingerprint)
      || open.contains { $0.isAllowed && $0.range.overlaps(range) && $0.candidate.value == candidate.value }
    refused -= open.count { $0.range.overlaps(range) && !$0.isAllowed }
    open.removeAll { $0.range.overlaps(range) }
    if !isAllowed { refused += 1 }
    open.append(
      Entry(
        candidate: candidate, range: range, disguise: disguise, precedence: precedence, fingerprint: fingerprint,
        isAllowed: isAllowed))
    return refused < limit
  }

  /// Allows what was found of the same value under another rule's name, where a person allowed this one.
  private mutating func allowSame(as candidate: Candidate, in range: Range<Int>) {
    guard !allowList.isEmpty else { return }
    guard allowList.allows(SecretFingerprint(rule: candidate.rule, value: candidate.value)) else { return }
    for index in open.indices where open[index].range.overlaps(range) && !open[index].isAllowed {
      guard open[index].candidate.value == candidate.value else { continue }
      open[index].isAllowed = true
      refused -= 1
    }
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
      while let end = text.first(0x0A, in: offset..<max(offset, entry.range.lowerBound)) {
        line += 1
        lineStart = end + 1
        offset = end + 1
      }
      let end = text.end(from: entry.range.lowerBound, limit: entry.range.count) { $0 != 0x0A }
      return SecretFinding(
        rule: entry.candidate.rule, line: line,
        columns: (entry.range.lowerBound - lineStart + 1)..<(end - lineStart + 1),
        masked: SecretMask.text(of: entry.candidate.value), disguise: entry.disguise, fingerprint: entry.fingerprint)
    }
  }
}
