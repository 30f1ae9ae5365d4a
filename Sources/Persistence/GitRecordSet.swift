internal import DedicatedThread
package import Git
package import Records

/// All records that one source holds, with the findings of reading them.
///
/// Every record file is read and decoded, so the set says what the bytes say now, whatever a database claims
/// about them. Files are counted: `records` of a kind plus `corrupt` of it are the files of that kind.
package struct GitRecordSet: Sendable {
  /// Sorted by the kind's name and the key.
  package let records: [GitRecord]
  package let corrupt: [CorruptFile]
  /// Warnings and errors of all files, sorted by path and line.
  package let findings: [Diagnostic]
  /// Counters of identity.json beside the number of files; empty when they agree or there is no identity.
  package let counterDrift: [CounterDrift]

  /// A counter of identity.json that differs from what the tree holds.
  package struct CounterDrift: Hashable, Sendable {
    package let path: GitPath
    /// Keys from the root, joined by dots: `total_decisions`, `performance_tracking.total_decisions`.
    package let counter: String
    package let written: Int
    package let counted: Int
  }

  package func count(_ kind: RecordKind) -> Int {
    records.lazy.filter { $0.kind == kind }.count
  }
}

/// Reads and decodes a source's files, on two repository handles where there is enough to share out.
struct GitRecordReader {
  let source: RecordSource
  let repository: Repository

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
    var findings: [Diagnostic] = []
    var records: [GitRecord] = []
    var corrupt: [CorruptFile] = []
    var roles: [(index: Int, role: FileRole)] = []
    for (index, entry) in source.entries.enumerated() {
      let role = TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent)
      guard entry.mode != .symlink && entry.mode != .submodule else {
        corrupt += unreadable(entry, role: role, code: "not-a-regular-file", "a link is never followed", &findings)
        continue
      }
      if role != .other { roles.append((index, role)) }
    }

    let files = roles.filter { $0.role.kind?.fileRole == $0.role }
    var keys: [RecordKind: [RecordKey: GitPath]] = [:]
    for decoded in try await decode(files) {
      let entry = source.entries[decoded.index]
      guard let kind = TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent).kind else { continue }
      let key = RecordKey(fileName: Array(entry.path.lastComponent), agent: source.agent)
      var diagnostics = decoded.diagnostics
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
        corrupt.append(CorruptFile(kind: kind, key: key, entry: entry, diagnostics: errors, part: nil))
      }
    }
    findings += lookAlikes(keys)
    for path in source.unreadable {
      let entry = SnapshotEntry(path: path.path, id: .zero, mode: .regular, size: nil, source: .workTree)
      let role = TreeLayout.role(of: RecordPath(path.path.bytes), agent: source.agent)
      corrupt += unreadable(entry, role: role, code: "unreadable", path.reason, &findings)
    }

    let logs = try await readLogs(roles)
    findings += logs.findings
    corrupt += logs.corrupt
    let history = LogHistory(source: source, repository: repository)
    records += logs.records
    records += try await history.archivedEvents(notIn: Set(logs.records.map(\.key)))
    if archivedKeys != .none {
      let present = keys.mapValues { Set($0.keys) }
      records += try await history.deletedFiles(archivedKeys, notIn: present)
    }

    let documents = try await readDocuments(roles)
    findings += documents.findings
    records.sort { $0.kind == $1.kind ? $0.key < $1.key : $0.kind.name < $1.kind.name }
    findings.sort { ($0.path, $0.line ?? 0) < ($1.path, $1.line ?? 0) }
    return GitRecordSet(
      records: records, corrupt: corrupt, findings: findings, counterDrift: documents.drift)
  }

  // MARK: Files

  private func decode(_ files: [(index: Int, role: FileRole)]) async throws -> [Decoded] {
    guard files.count > 1_000, let second = try? Repository(at: repository.gitDirectory) else {
      return try await decode(files[...], with: repository)
    }
    let middle = files.count / 2
    async let first = decode(files[..<middle], with: repository)
    async let rest = decode(files[middle...], with: second)
    return try await first + rest
  }

  private func decode(
    _ files: ArraySlice<(index: Int, role: FileRole)>, with repository: Repository
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
        decoded.append(
          Decoded(
            index: index, hash: nil,
            diagnostics: [
              Diagnostic(severity: .error, code: "unreadable", path: path, line: nil, message: error.message)
            ]))
      }
      return true
    }
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
    guard let kind = role.kind, kind != .event else { return [] }
    let key = RecordKey(fileName: Array(entry.path.lastComponent), agent: source.agent)
    return [CorruptFile(kind: kind, key: key, entry: entry, diagnostics: [finding], part: nil)]
  }

  // MARK: The log

  private func readLogs(
    _ roles: [(index: Int, role: FileRole)]
  ) async throws -> (records: [GitRecord], corrupt: [CorruptFile], findings: [Diagnostic]) {
    let logs = roles.filter { $0.role == .sessionLog || $0.role == .rotatedLog }
    var records: [GitRecord] = []
    var corrupt: [CorruptFile] = []
    var findings: [Diagnostic] = []
    var seen: Set<RecordKey> = []
    for (index, _) in logs {
      let entry = source.entries[index]
      let bytes = try await contents(of: entry, limit: GitRecordReader.logLimit)
      let log = SessionLog.parse(bytes, path: RecordPath(entry.path.bytes))
      findings += log.diagnostics
      corrupt += unreadableEntries(of: log, in: entry)
      for logEntry in log.entries {
        let key = RecordKey(logEntry.recordKey)
        // An identical entry is the same record; the parser has reported those within one file.
        guard seen.insert(key).inserted else { continue }
        records.append(
          GitRecord(
            kind: .event, key: key, path: entry.path, objectID: entry.id,
            contentHash: logEntry.contentHash, content: .event(logEntry.event),
            sourceCommit: source.sourceCommit(of: entry), archivedCommit: nil))
      }
    }
    return (records, corrupt, findings)
  }

  /// The entries that gave no record, each by the id of its own bytes: the log's id changes with every append.
  private func unreadableEntries(of log: SessionLog, in file: SnapshotEntry) -> [CorruptFile] {
    guard log.diagnostics.contains(where: { $0.severity == .error }) else { return [] }
    let readable = Set(log.entries.map(\.range))
    return log.spans.compactMap { span in
      guard case .entry(let range) = span, !readable.contains(range) else { return nil }
      let bytes = Array(log.bytes[range])
      let id = ObjectID.blob(bytes)
      return CorruptFile(
        kind: .event, key: RecordKey("entry \(id)"),
        entry: SnapshotEntry(path: file.path, id: id, mode: .regular, size: Int64(bytes.count), source: .workTree),
        diagnostics: log.diagnostics.filter { $0.severity == .error }, part: bytes)
    }
  }

  private func contents(of entry: SnapshotEntry, limit: Int) async throws -> [UInt8] {
    let result: Result<[UInt8], GitError>? = try await repository.read(
      [entry], limit: limit, into: Result<[UInt8], GitError>?.none
    ) { result, _, content in
      result = content.map { Array($0) }
      return true
    }
    return try result?.get() ?? []
  }

  // MARK: Documents that are no rows

  private func readDocuments(
    _ roles: [(index: Int, role: FileRole)]
  ) async throws -> (findings: [Diagnostic], drift: [GitRecordSet.CounterDrift]) {
    var findings: [Diagnostic] = []
    var drift: [GitRecordSet.CounterDrift] = []
    let paths = source.entries.map(\.path) + source.unreadable.map(\.path)
    let decisions = TreeLayout.decisionCount(paths, agent: source.agent)
    for (index, role) in roles where role == .identity || role == .infrastructure || role == .persona {
      let entry = source.entries[index]
      let path = RecordPath(entry.path.bytes)
      let bytes: [UInt8]
      do {
        bytes = try await contents(of: entry, limit: GitRecordReader.fileLimit)
      } catch let error as GitError where error.code == .tooLarge || error.code == .permissionDenied {
        findings.append(
          Diagnostic(severity: .error, code: "unreadable", path: path, line: nil, message: error.message))
        continue
      }
      switch role {
      case .identity:
        let identity = IdentityFile.parse(bytes, path: path)
        findings += identity.diagnostics
        let counters = [
          ("total_decisions", identity.totalDecisions),
          ("performance_tracking.total_decisions", identity.performanceTotalDecisions),
        ]
        for (name, value) in counters {
          guard let value, value != decisions else { continue }
          drift.append(.init(path: entry.path, counter: name, written: value, counted: decisions))
        }
      case .infrastructure:
        findings += InfrastructureFile.parse(bytes, path: path).diagnostics
      default:
        findings += PersonaFile.parse(bytes, path: path).diagnostics
      }
    }
    return (findings, drift)
  }
}
