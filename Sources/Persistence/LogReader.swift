internal import Git
internal import Records

/// The logs of a source: the session log, and the months that were rotated out of it.
struct LogReader {
  let source: RecordSource
  let repository: Repository
  let limits: CloneLimits

  struct Outcome {
    /// Each entry once, in the order of the logs.
    var records: [GitRecord] = []
    var corrupt: [CorruptFile] = []
    var findings: [Diagnostic] = []
    /// Logs that may have held more than can be read of them.
    var doubts: [LogDoubt] = []
    /// Logs that can be read and have no entry.
    var empty: [SnapshotEntry] = []
  }

  /// - Parameter unreadable: logs that are not even files.
  func read(_ logs: [SnapshotEntry], unreadable: [GitPath]) async throws -> Outcome {
    var outcome = Outcome()
    outcome.doubts = unreadable.map { LogDoubt(path: $0, parts: nil) }
    var seen: Set<RecordKey> = []
    for entry in logs {
      let path = RecordPath(entry.path.bytes)
      let bytes: [UInt8]
      do {
        bytes = try await repository.contents(of: entry, limit: GitRecordReader.logLimit)
      } catch let error as GitError where GitRecordReader.isOfFile(error) {
        let finding = GitRecordReader.finding(error, of: entry, limits: limits)
        outcome.findings.append(finding)
        outcome.corrupt.append(
          CorruptFile(
            role: role(of: entry), key: RecordKey(path.text), entry: entry, diagnostics: [finding], part: nil))
        outcome.doubts.append(LogDoubt(path: entry.path, parts: nil))
        continue
      }
      let log = SessionLog.parse(bytes, path: path)
      outcome.findings += log.diagnostics
      let parts = unreadableParts(of: log, in: entry)
      outcome.corrupt += parts
      if !parts.isEmpty { outcome.doubts.append(LogDoubt(path: entry.path, parts: Set(parts.map(\.entry.id)))) }
      if log.entries.isEmpty && parts.isEmpty { outcome.empty.append(entry) }
      for logEntry in log.entries {
        let key = RecordKey(logEntry.recordKey)
        // An identical entry is the same record; the parser has reported those within one file.
        guard seen.insert(key).inserted else { continue }
        outcome.records.append(
          GitRecord(
            kind: .event, key: key, path: entry.path, objectID: entry.id,
            contentHash: logEntry.contentHash, content: .event(logEntry.event),
            sourceCommit: source.sourceCommit(of: entry), archivedCommit: nil))
      }
    }
    return outcome
  }

  private func role(of entry: SnapshotEntry) -> FileRole {
    TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent)
  }

  /// What gave no record, each by the id of its own bytes: the log's id changes with every append.
  private func unreadableParts(of log: SessionLog, in file: SnapshotEntry) -> [CorruptFile] {
    let errors = log.diagnostics.filter { $0.severity == .error }
    return log.unreadable.map { range in
      let bytes = Array(log.bytes[range])
      let id = ObjectID.blob(bytes)
      return CorruptFile(
        role: role(of: file), key: RecordKey("entry \(id)"),
        entry: SnapshotEntry(path: file.path, id: id, mode: .regular, size: Int64(bytes.count), source: .workTree),
        diagnostics: errors, part: bytes)
    }
  }
}

/// A log that cannot be read whole, so that an entry which is not in it is not gone.
struct LogDoubt: Sendable {
  let path: GitPath
  /// The ids of the parts that cannot be read; nil where nothing can.
  let parts: Set<ObjectID>?

  /// Whether a version of the log has the same parts: then they do not hide what this version has besides.
  func isSameDoubt(_ log: SessionLog) -> Bool {
    guard let parts, !parts.isEmpty else { return false }
    return parts.isSubset(of: log.unreadable.map { ObjectID.blob(Array(log.bytes[$0])) })
  }
}

extension Repository {
  /// The whole content of one entry.
  func contents(of entry: SnapshotEntry, limit: Int) throws -> [UInt8] {
    let result: Result<[UInt8], GitError>? = try read(
      [entry], limit: limit, into: Result<[UInt8], GitError>?.none
    ) { result, _, content in
      result = content.map { Array($0) }
      return true
    }
    return try result?.get() ?? []
  }
}
