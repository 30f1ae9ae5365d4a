internal import FoundationEssentials
package import Git
internal import Glibc
package import Records

/// The one way in: a record becomes a file, the file a commit, the commit a row.
///
/// Order, as the users' design fixes it: validate, scan for secrets, make the file durable, keep the counter,
/// commit, and only then the database, best effort and with a bounded wait. Under the lock of the working tree a
/// name is chosen that neither the tree nor HEAD has, so two writes in one second never meet. The commit has a lock
/// of its own: whoever holds it commits for all who wait.
package struct RecordWriter: Sendable {
  package let repository: Repository
  package let agent: Agent
  package let settings: WriteSettings

  package init(repository: Repository, agent: Agent, settings: WriteSettings) {
    self.repository = repository
    self.agent = agent
    self.settings = settings
  }

  /// What became of a write.
  package struct Written: Sendable {
    package let kind: RecordRequest.Kind
    package let path: String
    /// The record as it is in the tree; nil for an identity update.
    package let record: GitRecordContent?
    package let totalDecisions: Int?
    package let rebirthCount: Int?
    /// Nil where the commit is pending: the file is durable, and the next run commits it.
    package let commit: ObjectID?
    package let pendingReason: String?
    /// Whether the idempotency key had been used, so that nothing was written now.
    package let isRepeated: Bool
    /// What the caller should know beside the answer, a sentence each.
    package let warnings: [String]
  }

  /// Returns when the record is in HEAD, or durable where nothing is committed now.
  ///
  /// A call that is cancelled while it waits for other writers has written nothing. After that the record is
  /// written and committed whole, and the answer is given all the same.
  package func write(_ request: RecordRequest) async throws -> Written {
    try await write { [try await $0.stage(request)] }[0]
  }

  /// A record that comes back as it was, with its own time.
  package struct Returning: Sendable {
    package let record: Record
    /// The file's name that it had; taken where it is free.
    package let fileName: String?
    /// The same key twice gives one record, as for a request.
    package let key: String
  }

  /// Writes records back into the tree, in order, and commits them together.
  ///
  /// Throws before anything is written where one of them holds what looks like a secret, or git has its name.
  package func write(returning records: [Returning]) async throws -> [Written] {
    try await write { tree in
      for record in records { try await tree.check(record) }
      var staged: [WorkTreeWriter.Staged] = []
      for record in records {
        staged.append(try await tree.stage(RecordRequest(record.record, key: record.key), name: record.fileName))
      }
      return staged
    }
  }

  /// Makes the counters of identity.json those of the files. False where they are already, or cannot be edited.
  package func correctCounters() async throws -> Bool {
    try await withTree { tree, committer in
      guard let entry = try await tree.correctCounters() else { return false }
      if settings.commitPolicy == .eachWrite {
        _ = try await committer([entry])
      } else {
        try tree.journal.keep([entry])
      }
      return true
    }
  }

  private func write(
    _ stage: @escaping @Sendable (WorkTreeWriter) async throws -> [WorkTreeWriter.Staged]
  ) async throws -> [Written] {
    try await withTree { tree, commit in
      let staged = try await stage(tree)
      let entries = staged.flatMap(\.entries)
      guard settings.commitPolicy == .eachWrite else {
        // Acknowledged, it stays until the periodic run has committed it, whatever becomes of the file.
        try tree.journal.keep(entries)
        return staged.map { $0.written(commit: nil, path: nil, pending: "the commit policy is periodic") }
      }
      switch try await commit(entries) {
      case .committed(let commit):
        var written: [Written] = []
        for staged in staged {
          written.append(try await answer(to: staged, commit))
        }
        return written
      case .pending(let reason): return staged.map { $0.written(commit: nil, path: nil, pending: reason) }
      }
    }
  }

  /// The answer to a write that `commit` holds: with the counters that it holds. A write that was made before may be on
  /// another branch, or a later commit of a person's may have removed it.
  private func answer(to staged: WorkTreeWriter.Staged, _ commit: SharedCommitter.Commit) async throws -> Written {
    let tree = try await repository.commit(commit.id).tree
    if staged.isRepeated, staged.entries.isEmpty, try await !holds(staged, commit.id, tree) {
      return staged.written(
        commit: nil, path: nil, pending: "it was recorded before under this key, and HEAD does not hold it now")
    }
    let path = staged.entries.first.flatMap { commit.places[$0.name] }
    var staged = staged
    if staged.totalDecisions != nil || staged.rebirthCount != nil {
      let identity = GitPath(TreeLayout.identity(of: staged.agent).bytes)
      if let entry = try await repository.entry(at: identity, inTree: tree), entry.mode.isBlob,
        let value = try? JSONValue.parse(await repository.blob(entry.id, limit: GitRecordReader.fileLimit))
      {
        staged.takeCounters(from: value)
      }
    }
    return staged.written(commit: commit.id, path: path, pending: nil, commitWarnings: commit.warnings)
  }

  /// Whether a commit holds a write that was made before.
  private func holds(_ staged: WorkTreeWriter.Staged, _ commit: ObjectID, _ tree: ObjectID) async throws -> Bool {
    if case .identity(let updates, let isRebirth, _) = staged.request {
      if let first = staged.firstCommit, try await repository.commitExists(first) {
        return try await repository.isAncestor(first, of: commit)
      }
      // Which commit took it is not known, so the file has to say it.
      guard !isRebirth, let entry = try await repository.entry(at: staged.path, inTree: tree), entry.mode.isBlob,
        let document = try? JSONDocument(await repository.blob(entry.id, limit: GitRecordReader.fileLimit))
      else { return false }
      return (try? document.merging(updates).value) == document.value
    }
    guard let record = staged.record else { return false }
    guard case .event(let event) = record else {
      // On this branch the name may be another record's.
      guard let entry = try await repository.entry(at: staged.path, inTree: tree), entry.mode.isBlob else { return false }
      let path = RecordPath(staged.path.bytes)
      let bytes = try await repository.blob(entry.id, limit: GitRecordReader.fileLimit)
      let role = TreeLayout.role(of: path, agent: staged.agent)
      return RecordFile.decode(bytes, role: role, path: path).record.map(staged.request.isAnswered) ?? false
    }
    let key = record.contentHash.recordKey
    var paths = [staged.path]
    if let time = event.time { paths.append(GitPath(TreeLayout.rotatedLog(of: staged.agent, at: time).bytes)) }
    for path in paths {
      guard let entry = try await repository.entry(at: path, inTree: tree), entry.mode.isBlob else { continue }
      let log = SessionLog.parse(
        try await repository.blob(entry.id, limit: GitRecordReader.logLimit), path: RecordPath(path.bytes))
      if log.entries.contains(where: { $0.recordKey == key }) { return true }
    }
    return false
  }

  /// Lets go of the tree's lock, so that others stage while this writer waits for its commit, and commits.
  private typealias Commit = ([JournalEntry]) async throws -> SharedCommitter.Outcome

  /// Runs `body` under the lock of the tree, after what killed writers left was finished or undone.
  private func withTree<R: Sendable>(
    _ body: @escaping @Sendable (WorkTreeWriter, Commit) async throws -> R
  ) async throws -> R {
    guard let workTree = repository.workTree else {
      throw PersistenceError(
        .writeFailed, "a bare repository has no working tree to write records into: nothing was written",
        hint: "run in a clone with a working tree")
    }
    let tree = try WorkTreeWriter(repository, workTree: workTree, agent: agent, settings: settings)
    let committer = SharedCommitter(of: tree, patience: settings.patience)
    // A person's command may hold a lock of git's for as long as an editor is open: better told before anything is
    // written than after.
    if settings.commitPolicy == .eachWrite { try await repository.waitUntilCommittable() }
    let lock = try await FileLock.acquire(.tree, of: repository, patience: settings.patience)
    try Task.checkCancellation()
    // From here on a cancellation is too late: a task of its own does not inherit it.
    return try await Task {
      defer { lock.release() }
      try await tree.recover()
      return try await body(tree) { entries in
        lock.release()
        return try await committer.commit(entries)
      }
    }.value
  }
}

/// How writes are made; read from the configuration.
package struct WriteSettings: Sendable {
  package enum CommitPolicy: String, Sendable {
    /// Each acknowledged write is in HEAD; concurrent ones share commits.
    case eachWrite = "each-write"
    /// Writes are durable files; the cron job commits them.
    case periodic
  }

  package enum Layout: String, Sendable {
    /// decisions/decision_….md
    case flat
    /// decisions/YYYY/MM/DD/decision_….md: a folder of a million files makes every commit rewrite all of it.
    case dated
  }

  package var commitPolicy = CommitPolicy.eachWrite
  package var layout = Layout.flat
  /// How long to wait for another writer before giving up.
  package var patience = Duration.seconds(30)

  package init() {}
}

/// A record with the identity that its row takes.
package struct GitRecordContent: Sendable {
  package let record: Record
  package let git: GitRecord
}

extension Instant {
  /// The system clock, to the microsecond.
  package static let now: @Sendable () -> Instant = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000) ?? .earliest
  }
}
