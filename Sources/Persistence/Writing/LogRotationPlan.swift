internal import Records

/// Which entries of a session log move to the files of their months, and what each file then holds: pure, no I/O.
///
/// Only whole entries move, as the bytes that they are, each with the blank lines that follow it. An entry moves when it
/// says everything by itself: one that takes its date from the heading above it, that could not be read, or that
/// looks like it holds a secret stays, and `kept` says why. A plan is returned only if the files, parsed again,
/// give the same records as before.
struct LogRotationPlan: Sendable {
  /// What one month's file gets.
  struct Addition: Sendable {
    let path: RecordPath
    /// The file's size before; nil where there is none yet.
    let offset: Int?
    let bytes: [UInt8]
    let keys: [String]
  }

  /// An entry of a past month that stays in the log.
  struct Kept: Sendable {
    let line: Int
    let reason: String
  }

  /// By month, oldest first.
  private(set) var additions: [Addition] = []
  /// Ranges of the log that go, in order.
  private(set) var cuts: [Range<Int>] = []
  private(set) var kept: [Kept] = []

  var eventCount: Int { additions.reduce(0) { $0 + $1.keys.count } }

  struct Rules {
    /// The start of the first month that stays.
    let before: Instant
    /// How many of the last entries stay whatever their time.
    let keep: Int
    let agent: Agent
    let holdsSecret: ([UInt8]) -> Bool
  }

  /// - Parameter month: the present bytes of a month's file; nil where there is none.
  init(_ bytes: [UInt8], rules: Rules, month: (RecordPath) throws -> [UInt8]?) throws {
    let path = TreeLayout.sessionLog(of: rules.agent)
    let log = SessionLog.parse(bytes, path: path)
    if try !plan(log, rules: rules, isCautious: false, month), try !plan(log, rules: rules, isCautious: true, month) {
      throw PersistenceError(
        .invalidRequest, "\(path.text) would read otherwise without the entries of past months: nothing was moved",
        hint: "look at its code blocks and section headings; a log that is not rotated works as well, only slower")
    }
  }

  /// Returns false where the log would read otherwise without the entries.
  private mutating func plan(
    _ log: SessionLog, rules: Rules, isCautious: Bool, _ month: (RecordPath) throws -> [UInt8]?
  ) throws -> Bool {
    (additions, cuts, kept) = ([], [], [])
    var moving = candidates(in: log, rules: rules)
    if isCautious { keepBeforeProse(in: log, &moving) }
    for (file, entries) in Dictionary(grouping: moving.values, by: { $0.file }).sorted(by: { $0.key < $1.key }) {
      let entries = entries.sorted { $0.entry.line < $1.entry.line }
      if let addition = addition(of: entries, to: file, old: try month(file), log: log, agent: rules.agent) {
        additions.append(addition)
      } else {
        for candidate in entries {
          moving[candidate.entry.range.lowerBound] = nil
          keep(candidate.entry, "\(file.text) would read otherwise with it")
        }
      }
    }
    cuts = ranges(of: moving, in: log)
    kept.sort { $0.line < $1.line }
    let rest = SessionLog.parse(Self.cut(log.bytes, cuts), path: TreeLayout.sessionLog(of: rules.agent))
    let staying = log.entries.filter { moving[$0.range.lowerBound] == nil }
    return rest.entries.map(\.recordKey) == staying.map(\.recordKey)
      && rest.diagnostics.count { $0.severity == .error } == log.diagnostics.count { $0.severity == .error }
  }

  /// `bytes` without the ranges.
  static func cut(_ bytes: [UInt8], _ ranges: [Range<Int>]) -> [UInt8] {
    var rest: [UInt8] = []
    rest.reserveCapacity(bytes.count)
    var position = 0
    for range in ranges {
      rest += bytes[position..<range.lowerBound]
      position = range.upperBound
    }
    return rest + bytes[position...]
  }

  // MARK: Choosing

  private struct Candidate {
    let entry: LogEntry
    let file: RecordPath
  }

  private mutating func keep(_ entry: LogEntry, _ reason: String) {
    kept.append(Kept(line: entry.line, reason: reason))
  }

  /// The entries to move, by the start of their range.
  private mutating func candidates(in log: SessionLog, rules: Rules) -> [Int: Candidate] {
    for diagnostic in log.diagnostics where diagnostic.severity == .error {
      kept.append(Kept(line: diagnostic.line ?? 1, reason: "\(diagnostic.code): \(diagnostic.message)"))
    }
    var moving: [Int: Candidate] = [:]
    /// Whether the entry after takes its date from a heading that this one hides from it.
    var nextNeedsHeading = false
    var nextStart = log.bytes.count
    let movable = log.entries.count - rules.keep
    for (index, entry) in log.entries.enumerated().reversed() {
      let needsHeading = !Self.standsAlone(entry, in: log)
      if nextNeedsHeading, Self.holdsHeading(log.bytes[entry.range.upperBound..<nextStart]) { nextNeedsHeading = false }
      defer {
        nextNeedsHeading = needsHeading
        nextStart = entry.range.lowerBound
      }
      guard index < movable else { continue }
      guard let time = entry.event.time else {
        keep(entry, "it has no date")
        continue
      }
      guard time < rules.before else { continue }
      if needsHeading {
        keep(entry, "it takes its date from the heading above it")
      } else if nextNeedsHeading {
        keep(entry, "it stands between the next entry and the heading above both")
      } else if rules.holdsSecret(Array(log.bytes[entry.range])) {
        keep(entry, "it holds what looks like a secret")
      } else {
        moving[entry.range.lowerBound] = Candidate(
          entry: entry, file: TreeLayout.rotatedLog(of: rules.agent, at: time))
      }
    }
    return moving
  }

  /// Whether the entry's bytes alone give the same record.
  private static func standsAlone(_ entry: LogEntry, in log: SessionLog) -> Bool {
    let bytes = Array(log.bytes[entry.range])
    let alone = SessionLog.parse(bytes, path: RecordPath([]))
    return alone.entries.count == 1 && alone.entries[0].recordKey == entry.recordKey
      && alone.entries[0].range == 0..<bytes.count && entry.event.timeText == nil
  }

  /// Takes back the entries that something other than an entry follows: a list or a code block may read otherwise
  /// without them.
  private mutating func keepBeforeProse(in log: SessionLog, _ moving: inout [Int: Candidate]) {
    for (span, next) in zip(log.spans, log.spans.dropFirst()) {
      guard case .prose(let prose) = next, !Self.isBlank(log.bytes[prose]),
        let candidate = moving.removeValue(forKey: span.range.lowerBound)
      else { continue }
      keep(candidate.entry, "the text after it would read otherwise without it")
    }
  }

  /// Whether a line begins a section.
  private static func holdsHeading(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.split(separator: 0x0A).contains { $0.starts(with: [0x23, 0x20]) || $0.starts(with: [0x23, 0x23, 0x20]) }
  }

  private static func isBlank(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { $0 == 0x0A || $0 == 0x0D || $0 == 0x20 || $0 == 0x09 }
  }

  /// The entries' ranges, each with the blank lines up to the next entry; those before it at the end of the log.
  private func ranges(of moving: [Int: Candidate], in log: SessionLog) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for (index, span) in log.spans.enumerated() {
      guard case .entry(let range) = span, moving[range.lowerBound] != nil else { continue }
      var (start, end) = (range.lowerBound, range.upperBound)
      if index + 1 < log.spans.count {
        if case .prose(let prose) = log.spans[index + 1], Self.isBlank(log.bytes[prose]) { end = prose.upperBound }
      } else if index > 0, case .prose(let prose) = log.spans[index - 1], Self.isBlank(log.bytes[prose]) {
        start = min(start, max(prose.lowerBound, ranges.last?.upperBound ?? 0))
      }
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<end
      } else {
        ranges.append(start..<end)
      }
    }
    return ranges
  }

  // MARK: Months

  /// Nil where the month's file would not read as its old records and the new ones.
  private func addition(
    of candidates: [Candidate], to file: RecordPath, old: [UInt8]?, log: SessionLog, agent: Agent
  ) -> Addition? {
    let before = SessionLog.parse(old ?? [], path: file)
    // A merge of two branches, one rotated and one not, brings entries back that the file has.
    let present = Set(before.entries.map { Array(before.bytes[$0.range]) })
    var bytes: [UInt8] = []
    var keys: [String] = []
    if old == nil {
      let month = file.text.split(separator: "/").last?.dropLast(3) ?? ""
      bytes += Array("# \(agent.displayName) Session Log \(month)\n## Entries moved from session_log.md\n\n---\n".utf8)
    }
    for candidate in candidates {
      keys.append(candidate.entry.recordKey)
      let entry = Array(log.bytes[candidate.entry.range])
      if present.contains(entry) { continue }
      let isAtLineStart = (bytes.last ?? old?.last ?? 0x0A) == 0x0A
      bytes += isAtLineStart ? [0x0A] : [0x0A, 0x0A]
      bytes += entry
    }
    if bytes.last.map({ $0 != 0x0A }) ?? false { bytes.append(0x0A) }
    let after = SessionLog.parse((old ?? []) + bytes, path: file)
    let expected = Set(before.entries.map(\.recordKey)).union(keys)
    guard Set(after.entries.map(\.recordKey)) == expected,
      after.diagnostics.count(where: { $0.severity == .error })
        == before.diagnostics.count(where: { $0.severity == .error })
    else { return nil }
    return Addition(path: file, offset: old?.count, bytes: bytes, keys: keys)
  }
}
