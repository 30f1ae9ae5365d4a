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

  package func write(_ request: RecordRequest) async throws -> Written {
    guard let workTree = repository.workTree else {
      throw PersistenceError(
        .writeFailed, "a bare repository has no working tree to write records into: nothing was written",
        hint: "run in a clone with a working tree")
    }
    let journal = try WriteJournal(gitDirectory: repository.gitDirectory)
    let gate = try SecretGate(workTree: workTree)
    let tree = WorkTreeWriter(
      repository: repository, workTree: workTree, agent: agent, journal: journal, gate: gate, layout: settings.layout)
    let staged: WorkTreeWriter.Staged
    do {
      let lock = try await FileLock.acquire(
        "\(repository.gitDirectory)/moha-sync/tree.flock", patience: settings.patience)
      defer { withExtendedLifetime(lock) {} }
      try await tree.recover()
      staged = try await tree.stage(request)
    }
    guard settings.commitPolicy == .eachWrite else {
      return staged.written(commit: nil, pending: "the commit policy is periodic")
    }
    let committer = SharedCommitter(
      repository: repository, agent: agent, journal: journal, gate: gate, patience: settings.patience)
    switch try await committer.commit(staged.entries) {
    case .committed(let id): return staged.written(commit: id, pending: nil)
    case .pending(let reason): return staged.written(commit: nil, pending: reason)
    }
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
