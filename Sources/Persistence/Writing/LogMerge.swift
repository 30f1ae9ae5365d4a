internal import Git
internal import Records

/// Brings a session log of the working tree together with what HEAD holds.
///
/// A log is append-only for every writer, so an entry that HEAD has and the file lacks was not deleted by one: a command
/// of git's put an older version back, or an editor saved the buffer that it had. Only a person's own commit takes an
/// entry out. Entries are told apart by their record keys, wherever they stand.
struct LogMerge {
  enum Outcome: Equatable {
    /// The file has all that HEAD has: it is taken as it is.
    case file
    /// The file as it would be had it been edited on HEAD's version.
    case merged([UInt8])
    /// It lacks this many entries of every version there was: somebody took them out by hand, and commits that, or not.
    case removed(Int)
    /// What was changed between the entries cannot be brought together with HEAD's version.
    case conflict
  }

  private let head: SessionLog
  private let file: SessionLog
  /// Keys of the file's entries, and of those that the agent's other logs hold: an entry that moved is not removed.
  private let present: Set<String>
  private let path: RecordPath

  init(head: [UInt8], file: [UInt8], path: RecordPath, elsewhere: Set<String> = []) {
    self.path = path
    self.head = SessionLog.parse(head, path: path)
    self.file = SessionLog.parse(file, path: path)
    present = elsewhere.union(self.file.entries.map(\.recordKey))
  }

  /// The entries of HEAD's version that the file lacks.
  var lostCount: Int { head.distinctEntries.count { !present.contains($0.recordKey) } }

  /// Whether an older version can be what the file was edited from: the file has all of its entries.
  func isBase(_ version: [UInt8]) -> Bool {
    SessionLog.parse(version, path: path).entries.allSatisfy { present.contains($0.recordKey) }
  }

  /// - Parameter base: the newest older version for which `isBase` holds; nil where none of those looked at does.
  func outcome(base: [UInt8]?) throws(GitError) -> Outcome {
    let lost = lostCount
    if lost == 0 { return .file }
    // The start of HEAD's version is an older one, whether or not a commit ever held just that.
    if head.bytes.starts(with: file.bytes) { return .merged(head.bytes) }
    guard let base else { return .removed(lost) }
    let old = SessionLog.parse(base, path: path)
    if LogMerge.prose(of: old) == LogMerge.prose(of: file) {
      let text = appendingNewEntries(to: head)
      // An entry that takes its date from a heading above it is another one elsewhere.
      if isWhole(text) { return .merged(text) }
    }
    // Something between the entries was edited, too. Entries that both sides have got since would come twice.
    let known = Set(old.entries.map(\.recordKey))
    let both = Set(head.entries.map(\.recordKey)).subtracting(known)
    let theirs = file.entries.filter { both.contains($0.recordKey) }
    let trimmed = LogRotationPlan.cut(file.bytes, theirs.map(\.range))
    guard let text = try Repository.unionMerge(base: base, ours: head.bytes, theirs: trimmed) else { return .conflict }
    return isWhole(text) ? .merged(text) : .conflict
  }

  /// Whether a merged text has the entries of both sides, each as often as the one that has it more often.
  private func isWhole(_ text: [UInt8]) -> Bool {
    func counts(_ log: SessionLog) -> [String: Int] {
      log.entries.reduce(into: [:]) { $0[$1.recordKey, default: 0] += 1 }
    }
    let expected = counts(head).merging(counts(file), uniquingKeysWith: max)
    return counts(SessionLog.parse(text, path: path)) == expected
  }

  /// A log with the file's entries that it lacks after its own.
  private func appendingNewEntries(to log: SessionLog) -> [UInt8] {
    let known = Set(log.entries.map(\.recordKey))
    var bytes = log.bytes
    for entry in file.entries where !known.contains(entry.recordKey) && !entry.isRepetition {
      LogMerge.append(Array(file.bytes[entry.range]), to: &bytes)
    }
    return bytes
  }

  /// Appends an entry's own bytes, with a blank line before it.
  static func append(_ entry: [UInt8], to log: inout [UInt8]) {
    if log.last.map({ $0 != 0x0A }) ?? false { log.append(0x0A) }
    if entry.first != 0x0A, !log.suffix(2).elementsEqual([0x0A, 0x0A]) { log.append(0x0A) }
    log += entry
    if log.last != 0x0A { log.append(0x0A) }
  }

  /// All that is no entry, without its blank lines.
  private static func prose(of log: SessionLog) -> [ArraySlice<UInt8>] {
    log.spans.flatMap { span -> [ArraySlice<UInt8>] in
      guard case .prose(let range) = span else { return [] }
      return log.bytes[range].split(separator: 0x0A).filter { line in
        !line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      }
    }
  }
}
