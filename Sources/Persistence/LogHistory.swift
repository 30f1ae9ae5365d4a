internal import Git
internal import Records
internal import Telemetry

/// Which deleted record files of the past count as records of the present.
enum ArchivedFileSelection: Hashable, Sendable {
  /// None: the tree says which files there are.
  case none
  /// Those that rows of the database already stand for, by kind and key.
  case keys([RecordKind: Set<RecordKey>])
  /// Every one, as `sync --history` restores them.
  case all
}

/// What past versions of an agent's files held and the present ones do not.
///
/// People compact the session log: full entries become bullets and survive only in history. Such an entry is
/// *archived*: it stays a row, which names the last commit that held it.
///
/// A log that cannot be read whole (another encoding, an unresolved conflict, no permission) or that had entries and
/// now has none says nothing about what it lacks. The entries of its last version that could be read count as present
/// then, so that nothing becomes archived because of it.
struct LogHistory {
  let source: RecordSource
  let repository: Repository
  let limits: CloneLimits
  /// Whether what was found is remembered in the git folder for the next run; what an earlier one remembers is always used.
  let remembers: Bool

  struct Outcome {
    var records: [GitRecord] = []
    var corrupt: [CorruptFile] = []
    var findings: [Diagnostic] = []
    var notes: [String] = []
    /// Whether every version could be looked at.
    var isComplete = true
  }

  // MARK: Logs

  /// Entries of any past version of the logs that the present ones lack, each once, from its newest version.
  func events(beside logs: LogReader.Outcome) async throws -> Outcome {
    Phase.begin("reading the history of the log")
    var outcome = Outcome()
    guard let head = source.commit else { return outcome }
    if limits.isShallow {
      outcome.isComplete = false
      outcome.notes.append(
        "this is a shallow clone: what only its older history holds is not known and stays as it is; "
          + "`git fetch --unshallow` brings it")
    }
    // Without a tree of a past commit not even the versions are known.
    guard let past = try await known({ try await past(upTo: head) }) else {
      outcome.lacks("past versions of the session log", 1, limits, source)
      return outcome
    }
    var missing = past.missing
    var entries = past.lost
    try await addHead(of: past, to: &entries, &missing)
    var seen = Set(logs.records.map(\.key))
    // What stands in for a log that cannot be read counts as present for the others.
    let doubtful = Set(logs.doubts.map(\.path))
    // Where another log cannot be read, its last version tells whether an empty one was rotated into it.
    let paths = doubtful.sorted() + Set(logs.empty.map(\.path)).subtracting(doubtful).sorted()
    if !paths.isEmpty {
      let whole = try await versions(upTo: head.id, since: nil)?.files ?? [:]
      for path in paths {
        guard let past = whole[path] else { continue }
        let doubt = logs.doubts.first { $0.path == path }
        let emptied = logs.empty.first { $0.path == path }
        guard
          let standIn = try await standIn(
            for: path, in: past, doubt: doubt, emptied: emptied, present: seen, &missing, &outcome)
        else { continue }
        for entry in standIn.log.entries {
          let key = RecordKey(entry.recordKey)
          // What was dropped from the log later, while it was in doubt already, was not hidden by the doubt.
          if let other = entries[key], other.path == path, standIn.version < other.version { continue }
          guard seen.insert(key).inserted else { continue }
          outcome.records.append(
            GitRecord(
              kind: .event, key: key, path: path, objectID: standIn.version.blob, contentHash: entry.contentHash,
              content: .event(entry.event), sourceCommit: standIn.holder, archivedCommit: nil))
        }
      }
    }
    for (key, entry) in entries where !seen.contains(key) {
      outcome.records.append(
        GitRecord(
          kind: .event, key: key, path: entry.path, objectID: entry.version.blob, contentHash: entry.contentHash,
          content: .event(entry.event), sourceCommit: entry.holder.commit, archivedCommit: entry.holder.commit))
    }
    if !missing.isEmpty { outcome.lacks("past versions of the session log", missing.count, limits, source) }
    return outcome
  }

  private var sessionLog: GitPath { GitPath(source.agent.root.bytes).appending("session_log.md".utf8) }
  private var rotatedFolder: GitPath { GitPath(source.agent.root.bytes).appending("session_log".utf8) }

  /// The past up to a commit, from what an earlier run remembers of it and what came since.
  private func past(upTo head: Commit) async throws -> LogPast {
    let memo = HistoryMemo(
      .log, of: source.agent, in: repository, boundary: try await repository.shallowCommits())
    let remembered = memo.load().flatMap { LogPast(json: $0) }
    var past: LogPast
    let commits: Int
    if let remembered, let since = try await versions(upTo: head.id, since: remembered.commit),
      remembered.canContinue(with: since.files)
    {
      past = remembered
      commits = since.commits
      try await past.advance(over: since.files, to: head) { try await version($0) }
    } else {
      // Nothing is remembered, the history was rewritten, or it went on from another place than its end.
      let whole = try await versions(upTo: head.id, since: nil)
      past = LogPast(upTo: head.id)
      commits = .max
      try await past.advance(over: whole?.files ?? [:], to: head) { try await version($0) }
    }
    // A look at an older commit is no reason to forget what came after it.
    guard remembers, !source.isNamed, past.missing.isEmpty else { return past }
    if commits >= Self.manyCommits || !past.saysTheSame(as: remembered) { memo.save(past.json) }
    return past
  }

  /// So many commits without a change of a log are walked again rather than written down.
  private static let manyCommits = 100

  private func versions(
    upTo head: ObjectID, since base: ObjectID?
  ) async throws -> (files: [GitPath: FilePast], commits: Int)? {
    try await repository.past(of: sessionLog, and: rotatedFolder, from: head, since: base)
  }

  /// Adds what the logs of the commit hold, where the present ones are others.
  private func addHead(
    of past: LogPast, to entries: inout [RecordKey: LogPast.Entry], _ missing: inout Set<ObjectID>
  ) async throws {
    guard let head = source.commit else { return }
    let present = Dictionary(source.entries.map { ($0.path, $0.id) }, uniquingKeysWith: { first, _ in first })
    for (path, version) in past.current where present[path] != version.blob {
      guard let bytes = try await self.version(version.blob) else {
        missing.insert(version.blob)
        continue
      }
      let log = SessionLog.parse(bytes, path: RecordPath(path.bytes))
      for entry in log.entries {
        let holder = FilePast.Version(time: head.committer.time, commit: head.id, blob: version.blob)
        let found = LogPast.Entry(
          event: entry.event, contentHash: entry.contentHash, path: path, version: version, holder: holder,
          isLast: false)
        let key = RecordKey(entry.recordKey)
        if let other = entries[key], !found.isNewer(than: other) { continue }
        entries[key] = found
      }
    }
  }

  /// The bytes of a past version; nil where this clone does not have them, or not as a log may be.
  private func version(_ blob: ObjectID) async throws(GitError) -> [UInt8]? {
    do {
      return try await repository.blob(blob, limit: GitRecordReader.logLimit)
    } catch {
      guard error.code == .missingObject || error.code == .tooLarge else { throw error }
      return nil
    }
  }

  // MARK: Logs that say nothing about what they lack

  private struct StandIn {
    let version: FilePast.Version
    let holder: ObjectID
    let log: SessionLog
  }

  /// The newest version whose entries count as present, because the present log cannot say that it lacks them.
  private func standIn(
    for path: GitPath, in past: FilePast, doubt: LogDoubt?, emptied: SnapshotEntry?, present: Set<RecordKey>,
    _ missing: inout Set<ObjectID>, _ outcome: inout Outcome
  ) async throws -> StandIn? {
    var newest: [ObjectID: FilePast.Version] = [:]
    for version in past.versions { newest[version.blob] = newest[version.blob].map { max($0, version) } ?? version }
    var newer: (bytes: [UInt8], doubtEnd: Int)?
    for version in newest.values.sorted(by: >) {
      try Task.checkCancellation()
      guard let bytes = try await self.version(version.blob) else {
        missing.insert(version.blob)
        newer = nil
        continue
      }
      // What is in doubt lies in the bytes that both share.
      if let last = newer, last.doubtEnd > 0, last.doubtEnd <= bytes.count, last.bytes.begins(with: bytes) {
        newer = (bytes, last.doubtEnd)
        continue
      }
      let log = SessionLog.parse(bytes, path: RecordPath(path.bytes))
      let isInDoubt: Bool
      if let doubt {
        // What cannot be read was there already, so it is not what hides the others; or nothing could be read of it either.
        isInDoubt = doubt.isSameDoubt(log) || log.entries.isEmpty && !log.unreadable.isEmpty
      } else {
        isInDoubt = log.entries.isEmpty
      }
      guard !isInDoubt else {
        newer = (bytes, log.unreadable.last?.upperBound ?? 0)
        continue
      }
      let holder = past.holder(of: version) ?? source.commit?.id ?? version.commit
      let found = StandIn(version: version, holder: holder, log: log)
      guard let emptied else { return found }
      return standsIn(found, for: emptied, present: present, &outcome) ? found : nil
    }
    return nil
  }

  /// Whether the last entries of a log that has none now count as present; then that is an error.
  private func standsIn(
    _ standIn: StandIn, for emptied: SnapshotEntry, present: Set<RecordKey>, _ outcome: inout Outcome
  ) -> Bool {
    // Rotation moves whole entries into other logs.
    guard standIn.log.entries.contains(where: { !present.contains(RecordKey($0.recordKey)) }) else { return false }
    let finding = Diagnostic(
      severity: .error, code: "log-emptied", path: RecordPath(emptied.path.bytes), line: nil,
      message:
        "the log has no entry, and had \(standIn.log.entries.count) in commit \(standIn.holder): they count as if they "
        + "were still there. Bring them back, or record an event if the log is meant to begin anew")
    outcome.findings.append(finding)
    outcome.corrupt.append(
      CorruptFile(
        role: TreeLayout.role(of: finding.path, agent: source.agent), key: RecordKey(finding.path.text), entry: emptied,
        diagnostics: [finding], part: nil))
    return true
  }

  // MARK: Deleted files

  /// Adds files of records that history holds and the tree does not, in their last version.
  func addDeletedFiles(
    _ selection: ArchivedFileSelection, notIn present: [RecordKind: Set<RecordKey>], to outcome: inout Outcome
  ) async throws {
    guard let head = source.commit, selection != .none else { return }
    Phase.begin("looking for deleted files in history")
    var seen = present
    var found: [(kind: RecordKind, key: RecordKey, entry: SnapshotEntry, holder: ObjectID)] = []
    guard let deleted = try await known({ try await deletedFiles(upTo: head.id) }) else {
      return outcome.lacks("trees of past commits", 1, limits, source)
    }
    for deletion in deleted.newestFirst {
      let old = deletion.file
      guard let kind = TreeLayout.role(of: RecordPath(old.path.bytes), agent: source.agent).kind else { continue }
      let key = RecordKey(fileName: Array(old.path.lastComponent), agent: source.agent)
      if case .keys(let wanted) = selection, wanted[kind]?.contains(key) != true { continue }
      guard seen[kind, default: []].insert(key).inserted else { continue }
      found.append((kind, key, SnapshotEntry(old), deletion.lastHolder))
    }
    let agent = source.agent
    let files = found
    let (records, missing) = try await repository.read(
      files.map(\.entry), limit: GitRecordReader.fileLimit, into: ([GitRecord](), 0)
    ) { state, index, content in
      let file = files[index]
      let path = RecordPath(file.entry.path.bytes)
      if case .failure(let error) = content, error.code == .missingObject { state.1 += 1 }
      guard case .success(let bytes) = content,
        let record = RecordFile.decode(bytes, role: TreeLayout.role(of: path, agent: agent), path: path).record
      else { return true }
      state.0.append(
        GitRecord(
          kind: file.kind, key: file.key, path: file.entry.path, objectID: file.entry.id,
          contentHash: record.contentHash, content: .file(file.entry), sourceCommit: file.holder,
          archivedCommit: file.holder))
      return true
    }
    outcome.records += records
    if missing > 0 { outcome.lacks("deleted files of history", missing, limits, source) }
  }

  /// What commits deleted, from what an earlier run remembers and what came since.
  private func deletedFiles(upTo head: ObjectID) async throws -> DeletedFiles {
    let memo = HistoryMemo(
      .deletedFiles, of: source.agent, in: repository, boundary: try await repository.shallowCommits())
    let root = GitPath(source.agent.root.bytes)
    let remembered = memo.load().flatMap { DeletedFiles(json: $0) }
    var files = remembered ?? DeletedFiles(upTo: head)
    if let remembered,
      let since = try await repository.deletions(under: root, from: head, since: remembered.commit)
    {
      files.advance(over: since, to: head, of: source.agent)
    } else {
      files = DeletedFiles(upTo: head)
      let all = try await repository.deletions(under: root, from: head, since: nil) ?? []
      files.advance(over: all, to: head, of: source.agent)
    }
    if remembers, !source.isNamed, files != remembered { memo.save(files.json) }
    return files
  }

  /// What `body` reads of history; nil where this clone lacks an object that it needs.
  private func known<R>(_ body: () async throws -> R) async throws -> R? {
    do {
      return try await body()
    } catch let error as GitError {
      guard error.code == .missingObject else { throw error }
      return nil
    }
  }
}

extension FilePast {
  /// The newest commit in which the file was this version and after which it was not; nil for the current one.
  fileprivate func holder(of version: Version) -> ObjectID? {
    if current == version.blob { return nil }
    return changes.lazy.filter { $0.last.blob == version.blob }.map(\.last).max()?.commit
  }
}

extension LogHistory.Outcome {
  /// Says that some of history is not there: as a note where the clone was made so, as a finding where it is damaged.
  fileprivate mutating func lacks(_ what: String, _ count: Int, _ limits: CloneLimits, _ source: RecordSource) {
    isComplete = false
    let message = "\(count) \(what) cannot be read, and what only they hold stays as it is: \(limits.explanation)"
    guard limits.remedy == nil else {
      notes.append(message)
      return
    }
    findings.append(
      Diagnostic(
        severity: .error, code: "history-incomplete", path: TreeLayout.sessionLog(of: source.agent), line: nil,
        message: message))
  }
}
