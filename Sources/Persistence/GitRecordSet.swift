internal import DedicatedThread
package import Git
package import Records
internal import Telemetry

/// All records that one source holds, with the findings of reading them.
///
/// Every record file is read and decoded, so the set says what the bytes say now, whatever a database claims
/// about them. Files are counted: `records` of a kind plus `corrupt` of it are the files of that kind.
package struct GitRecordSet: Sendable {
  /// Sorted by the kind's name and the key.
  package let records: [GitRecord]
  package let corrupt: [CorruptFile]
  /// What reading the files found, sorted by path and line.
  let fileFindings: [Diagnostic]
  /// Records that the database does not take.
  var refusals: [Diagnostic] = []
  /// Counters of identity.json beside the number of files; empty when they agree or there is no identity.
  package let counterDrift: [CounterDrift]
  /// Things to say that are about no file, as of a history that this clone does not have whole.
  let notes: [String]
  /// Whether every past version of the files could be looked at. Where not, what only history holds cannot be judged.
  let isHistoryComplete: Bool
  /// Logs that cannot be read whole: a row of theirs without an entry is not gone.
  let doubtfulLogs: Set<GitPath>
  /// What was acknowledged and is in no commit. Of a working tree, `records` has those that no file holds.
  let waiting: WaitingRecords

  /// A counter of identity.json that differs from what the tree holds.
  package struct CounterDrift: Hashable, Sendable {
    package let path: GitPath
    /// Keys from the root, joined by dots: `total_decisions`, `performance_tracking.total_decisions`.
    package let counter: String
    /// The value as JSON, which may be no number.
    package let written: String
    package let counted: Int
  }

  /// Warnings and errors of all files, sorted by path and line.
  package var findings: [Diagnostic] {
    guard !refusals.isEmpty else { return fileFindings }
    return (fileFindings + refusals).sorted { ($0.path, $0.line ?? 0) < ($1.path, $1.line ?? 0) }
  }

  package func count(_ kind: RecordKind) -> Int {
    records.lazy.filter { $0.kind == kind }.count
  }
}

/// Reads and decodes a source's files, on two repository handles where there is enough to share out.
struct GitRecordReader {
  let source: RecordSource
  let repository: Repository
  /// Whether what was found in history is remembered in the git folder.
  var remembersHistory = false

  /// Larger files are no record files; they are named by a finding and not read into memory.
  static let fileLimit = 16 << 20
  /// The log may be large, but not so large that reading it takes the machine down.
  static let logLimit = 256 << 20

  /// One decoded file, without its content.
  private struct Decoded: Sendable {
    let index: Int
    let hash: ContentHash?
    let diagnostics: [Diagnostic]
  }

  func read(includingDeletedFiles archivedKeys: ArchivedFileSelection = .none) async throws -> GitRecordSet {
    Phase.begin("reading the records")
    var findings: [Diagnostic] = []
    var records: [GitRecord] = []
    var corrupt: [CorruptFile] = []
    var roles: [(index: Int, role: FileRole)] = []
    let limits = CloneLimits(repository)
    for (index, entry) in source.entries.enumerated() {
      let role = TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent)
      guard entry.mode != .symlink && entry.mode != .submodule else {
        corrupt += unreadable(entry, role: role, code: "not-a-regular-file", "a link is never followed", &findings)
        continue
      }
      if role != .other { roles.append((index, role)) }
    }
    for path in foldersInPlaceOfFiles() {
      let entry = SnapshotEntry(path: path, id: .zero, mode: .regular, size: nil, source: .workTree)
      let role = TreeLayout.role(of: RecordPath(path.bytes), agent: source.agent)
      corrupt += unreadable(entry, role: role, code: "not-a-regular-file", "a folder stands in its place", &findings)
    }
    for path in source.unreadable {
      let entry = SnapshotEntry(path: path.path, id: .zero, mode: .regular, size: nil, source: .workTree)
      let role = TreeLayout.role(of: RecordPath(path.path.bytes), agent: source.agent)
      corrupt += unreadable(entry, role: role, code: "unreadable", path.reason, &findings)
    }
    let unreadableLogs = corrupt.filter { $0.kind == .event }.map(\.entry.path)

    let files = roles.filter { $0.role.kind?.fileRole == $0.role }
    var keys: [RecordKind: [RecordKey: GitPath]] = [:]
    // Files with names of their own, which turned out to be no decisions.
    var others: Set<GitPath> = []
    for decoded in try await decode(files, limits) {
      let entry = source.entries[decoded.index]
      let role = TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent)
      guard let kind = role.kind else { continue }
      let key = RecordKey(fileName: Array(entry.path.lastComponent), agent: source.agent)
      var diagnostics = decoded.diagnostics
      if decoded.hash == nil, !diagnostics.contains(where: { $0.severity == .error }) {
        findings += diagnostics
        others.insert(entry.path)
        continue
      }
      if let other = keys[kind]?[key] {
        diagnostics.append(
          Diagnostic(
            severity: .error, code: "duplicate-key", path: RecordPath(entry.path.bytes), line: nil,
            message: "\(other) has the same name, which is the record's key: rename one of them"))
      } else {
        keys[kind, default: [:]][key] = entry.path
      }
      findings += diagnostics
      let errors = diagnostics.filter { $0.severity == .error }
      if let hash = decoded.hash, errors.isEmpty {
        records.append(
          GitRecord(
            kind: kind, key: key, path: entry.path, objectID: entry.id, contentHash: hash, content: .file(entry),
            sourceCommit: source.sourceCommit(of: entry), archivedCommit: nil))
      } else {
        corrupt.append(CorruptFile(role: role, key: key, entry: entry, diagnostics: errors, part: nil))
      }
    }
    findings += lookAlikes(keys)

    let history = LogHistory(
      source: source, repository: repository, limits: limits, remembers: remembersHistory)
    let logs = try await LogReader(source: source, repository: repository, limits: limits).read(
      roles.filter { $0.role == .sessionLog || $0.role == .rotatedLog }.map { source.entries[$0.index] },
      unreadable: unreadableLogs)
    var past = try await history.events(beside: logs)
    if archivedKeys != .none {
      try await history.addDeletedFiles(archivedKeys, notIn: keys.mapValues { Set($0.keys) }, to: &past)
    }
    let documents = try await readDocuments(roles, limits, others)
    findings += logs.findings + past.findings + documents.findings
    corrupt += logs.corrupt + past.corrupt + documents.corrupt
    records += logs.records + past.records
    findings += try await StrayFiles(source: source, repository: repository).findings(beside: records)
    let waiting = try await WaitingRecords(of: source.agent, in: repository)
    if !source.isNamed {
      // What a file says counts, and one that cannot be read may be an edited one.
      let known = Set(records.map { "\($0.kind.name) \($0.key)" } + corrupt.map { "\($0.label) \($0.key)" })
      records += waiting.records.filter { !known.contains("\($0.kind.name) \($0.key)") }
    }
    records.sort { $0.kind == $1.kind ? $0.key < $1.key : $0.kind.name < $1.kind.name }
    findings.sort { ($0.path, $0.line ?? 0) < ($1.path, $1.line ?? 0) }
    return GitRecordSet(
      records: records, corrupt: corrupt, fileFindings: findings, counterDrift: documents.drift, notes: past.notes,
      isHistoryComplete: past.isComplete, doubtfulLogs: Set(logs.doubts.map(\.path)), waiting: waiting)
  }

  // MARK: Files

  private func decode(
    _ files: [(index: Int, role: FileRole)], _ limits: CloneLimits
  ) async throws -> [Decoded] {
    guard files.count > 1_000, let second = try? Repository(at: repository.gitDirectory) else {
      return try await decode(files[...], limits, with: repository)
    }
    let middle = files.count / 2
    async let first = decode(files[..<middle], limits, with: repository)
    async let rest = decode(files[middle...], limits, with: second)
    return try await first + rest
  }

  private func decode(
    _ files: ArraySlice<(index: Int, role: FileRole)>, _ limits: CloneLimits, with repository: Repository
  ) async throws -> [Decoded] {
    let files = Array(files)
    let entries = source.entries
    return try await repository.read(
      files.map { entries[$0.index] }, limit: GitRecordReader.fileLimit, into: [Decoded]()
    ) { decoded, position, content in
      let (index, role) = files[position]
      let path = RecordPath(entries[index].path.bytes)
      switch content {
      case .success(let bytes):
        let file = RecordFile.decode(bytes, role: role, path: path)
        decoded.append(
          Decoded(
            index: index, hash: file.record?.contentHash, diagnostics: file.diagnostics))
      case .failure(let error):
        let finding = GitRecordReader.finding(error, of: entries[index], limits: limits)
        decoded.append(Decoded(index: index, hash: nil, diagnostics: [finding]))
      }
      return true
    }
  }

  /// Paths at which a file belongs that the agent's records are in, and where there are files below instead.
  private func foldersInPlaceOfFiles() -> [GitPath] {
    var found: [GitPath] = []
    let root = source.agent.root.bytes.count
    for entry in source.entries {
      // Names of files have a point, and those of folders of records have none.
      let end = entry.path.bytes.lastIndex(of: GitPath.separator) ?? root
      guard end > root, entry.path.bytes[root..<end].contains(UInt8(ascii: ".")) else { continue }
      var parent = entry.path.parent
      while let path = parent, path.bytes.count > source.agent.root.bytes.count {
        if TreeLayout.role(of: RecordPath(path.bytes), agent: source.agent) != .other, found.last != path {
          found.append(path)
        }
        parent = path.parent
      }
    }
    return found
  }

  /// Pairs of names that a person sees as one: the same text after Unicode normalisation, other bytes.
  private func lookAlikes(_ keys: [RecordKind: [RecordKey: GitPath]]) -> [Diagnostic] {
    var findings: [Diagnostic] = []
    for paths in keys.values {
      // A dictionary of Swift strings compares by canonical equivalence, which is what is asked for here.
      var seen: [String: GitPath] = [:]
      let unusual = paths.filter { !$0.key.text.utf8.allSatisfy { $0 < 0x80 } }
      for (key, path) in unusual.sorted(by: { $0.key < $1.key }) {
        if let other = seen.updateValue(path, forKey: key.text) {
          findings.append(
            Diagnostic(
              severity: .warning, code: "look-alike-paths", path: RecordPath(path.bytes), line: nil,
              message: "reads the same as \(RecordPath(other.bytes).text) but differs in its bytes: two records"))
        }
      }
    }
    return findings
  }

  /// A file in a record's place whose bytes cannot be had: a finding, and a record whose row must stay.
  private func unreadable(
    _ entry: SnapshotEntry, role: FileRole, code: String, _ reason: String, _ findings: inout [Diagnostic]
  ) -> [CorruptFile] {
    let finding = Diagnostic(
      severity: role == .other ? .info : .error, code: code, path: RecordPath(entry.path.bytes), line: nil,
      message: reason)
    findings.append(finding)
    guard role != .other else { return [] }
    let key = RecordKey(fileName: Array(entry.path.lastComponent), agent: source.agent)
    return [CorruptFile(role: role, key: key, entry: entry, diagnostics: [finding], part: nil)]
  }

  /// Whether an error is about one file, beside which the others can be read. One that is being written is not: it is
  /// read again.
  static func isOfFile(_ error: GitError) -> Bool { !error.isOfFileThatMoves }

  /// Why a file's bytes cannot be had.
  static func finding(_ error: GitError, of entry: SnapshotEntry, limits: CloneLimits) -> Diagnostic {
    let isMissing = error.code == .missingObject
    return Diagnostic(
      severity: .error, code: isMissing ? "object-missing" : "unreadable", path: RecordPath(entry.path.bytes),
      line: nil,
      message: isMissing ? "its object \(entry.id) is not there: \(limits.explanation)" : error.message)
  }

  // MARK: Documents that are no rows

  private struct Documents {
    var findings: [Diagnostic] = []
    var corrupt: [CorruptFile] = []
    var drift: [GitRecordSet.CounterDrift] = []
  }

  private func readDocuments(
    _ roles: [(index: Int, role: FileRole)], _ limits: CloneLimits, _ others: Set<GitPath>
  ) async throws -> Documents {
    var documents = Documents()
    let paths = source.entries.map(\.path) + source.unreadable.map(\.path)
    let decisions = TreeLayout.decisionCount(paths, agent: source.agent) { !others.contains($0) }
    for (index, role) in roles where role == .identity || role == .infrastructure || role == .persona {
      let entry = source.entries[index]
      let path = RecordPath(entry.path.bytes)
      var diagnostics: [Diagnostic]
      do {
        let bytes = try await repository.contents(of: entry, limit: GitRecordReader.fileLimit)
        switch role {
        case .identity:
          let identity = IdentityFile.parse(bytes, path: path)
          diagnostics = identity.diagnostics
          documents.drift += drift(of: identity, at: entry.path, counted: decisions)
        case .infrastructure:
          diagnostics = InfrastructureFile.parse(bytes, path: path).diagnostics
        default:
          diagnostics = PersonaFile.parse(bytes, path: path).diagnostics
        }
      } catch let error as GitError where GitRecordReader.isOfFile(error) {
        diagnostics = [GitRecordReader.finding(error, of: entry, limits: limits)]
      }
      documents.findings += diagnostics
      let errors = diagnostics.filter { $0.severity == .error }
      guard !errors.isEmpty else { continue }
      let key = RecordKey(fileName: Array(entry.path.lastComponent), agent: source.agent)
      documents.corrupt.append(CorruptFile(role: role, key: key, entry: entry, diagnostics: errors, part: nil))
    }
    return documents
  }

  /// The counters of decisions that say another number than there are files, or none.
  private func drift(
    of identity: IdentityFile, at path: GitPath, counted: Int
  ) -> [GitRecordSet.CounterDrift] {
    [IdentityFile.Counter.totalDecisions, .performanceDecisions].compactMap { counter in
      switch identity.value(of: counter) {
      case .absent, .count(counted): nil
      case .count(let count): .init(path: path, counter: counter.name, written: String(count), counted: counted)
      case .invalid(let text): .init(path: path, counter: counter.name, written: text, counted: counted)
      }
    }
  }
}

extension GitError {
  /// Whether a file of a working tree was written, or went, after it was listed: what is asked again gets an answer.
  var isOfFileThatMoves: Bool { code == .changedWhileReading || code == .notFound }
}
