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
      if settings.commitPolicy == .eachWrite { _ = try await committer([entry]) }
      return true
    }
  }

  private func write(
    _ stage: @escaping @Sendable (WorkTreeWriter) async throws -> [WorkTreeWriter.Staged]
  ) async throws -> [Written] {
    try await withTree { tree, commit in
      let staged = try await stage(tree)
      guard settings.commitPolicy == .eachWrite else {
        return staged.map { $0.written(commit: nil, pending: "the commit policy is periodic") }
      }
      switch try await commit(staged.flatMap(\.entries)) {
      case .committed(let id): return staged.map { $0.written(commit: id, pending: nil) }
      case .pending(let reason): return staged.map { $0.written(commit: nil, pending: reason) }
      }
    }
  }

  /// Lets go of the tree's lock, so that others stage while this writer waits for its commit, and commits.
  private typealias Commit = ([WriteJournal.Entry]) async throws -> SharedCommitter.Outcome

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
