internal import Git
internal import Records

/// Commits what the journal holds: whoever gets the lock commits for all who wait for it.
///
/// A write counts as committed only when the tree of the new commit was seen to hold it. What a commit could not take
/// stays in the journal.
struct SharedCommitter {
  let tree: WorkTreeWriter
  let patience: Duration

  private var repository: Repository { tree.repository }
  private var journal: WriteJournal { tree.journal }

  /// Commits what `tree` stages.
  init(of tree: WorkTreeWriter, patience: Duration) {
    self.tree = tree
    self.patience = patience
  }

  /// A commit that holds the writes asked for.
  struct Commit {
    let id: ObjectID
    /// Where each write lies, by the name of its entry.
    let places: [String: GitPath]
    /// What whoever asked for the commit should know of it.
    var warnings: [String] = []
  }

  enum Outcome {
    case committed(Commit)
    /// The writes are durable; the repository is in a state in which nothing is committed.
    case pending(String)
  }

  /// Returns when a commit holds the entries, or they are durable and wait for one. An empty list asks for whatever is in
  /// the journal.
  ///
  /// The lock of the tree is held from the first look at the journal to the end: so nobody else writes files while those
  /// of the commit are put in place under git's locks. Writers who wait for it meanwhile stage before the next commit.
  func commit(_ entries: [JournalEntry]) async throws -> Outcome {
    let commits = try await FileLock.acquire(.commit, of: repository, patience: patience)
    defer { withExtendedLifetime(commits) {} }
    if !entries.isEmpty, entries.allSatisfy({ !journal.holds($0) }),
      let taken = CommittedWrites(journal: journal).commit(of: entries.map(\.name))
    {
      return .committed(Commit(id: taken.commit, places: taken.places))
    }
    let files = try await FileLock.acquire(.tree, of: repository, patience: patience)
    defer { withExtendedLifetime(files) {} }
    let (batch, composer) = try await gather(entries)
    guard !batch.isEmpty else {
      guard let head = try await repository.head().commit else { return .pending("there is no commit yet") }
      return .committed(Commit(id: head, places: [:]))
    }
    let head = try await repository.head().commit
    let held = try await composer.held(by: head, in: repository)
    let request = CommitRequest(
      changes: .composed { (repository, parent) throws(GitError) in try composer.files(on: parent, in: repository) },
      message: message(batch.filter { held[$0.name] == nil }), mergesStaged: StagedDocuments.merge,
      placing: { repository, commit in
        guard let places = try? composer.held(by: commit, in: repository) else { return }
        tree.settle(batch.filter { places[$0.name] != nil }, in: commit, places: places, repository)
      })
    guard let outcome = try await commit(request) else {
      try journal.keep(entries)
      return .pending("another program holds a lock of git's, or moves HEAD; the next write or `commit` takes it")
    }
    CheckoutCatchUp(tree).follow(outcome, from: head)
    switch outcome.result {
    case .committed(let id):
      return try await conclude(id, outcome, batch: batch, composer: composer, wanted: entries)
    case .unchanged(.some(let id)):
      // Another commit took them, perhaps a person's, before their files were looked at.
      let places = try await composer.held(by: id, in: repository)
      await tree.settle(batch.filter { places[$0.name] != nil }, in: id, places: places, repository)
      return try await conclude(id, outcome, batch: batch, composer: composer, wanted: entries)
    case .unchanged(nil):
      try journal.keep(entries)
      return .pending("there is nothing to commit")
    case .pending(let reason):
      try journal.keep(entries)
      return .pending(reason.sentence)
    }
  }

  /// Nil where a lock of git's is held, or somebody moves HEAD all the time: the writes are durable and in the journal, and
  /// the next commit takes them.
  private func commit(_ request: CommitRequest) async throws -> CommitOutcome? {
    do throws(GitError) {
      return try await repository.commit(request)
    } catch {
      if error.code.isTransient { return nil }
      throw error
    }
  }

  /// The writes of the journal, after those of killed writers were finished or undone. Under the lock of the tree.
  ///
  /// - Parameter wanted: writes that are asked for; those that have left the journal are asked for all the same.
  private func gather(_ wanted: [JournalEntry]) async throws -> (batch: [JournalEntry], composer: CommitComposer) {
    try await tree.recover()
    try await UnseenResets(tree).bringBack()
    try await CheckoutCatchUp(tree).run()
    var batch = try journal.entries()
    let names = Set(batch.map(\.name))
    batch += wanted.filter { !names.contains($0.name) }
    batch.sort { $0.precedes($1) }
    return (batch, CommitComposer(batch, firstVersions: try await firstVersions(batch)))
  }

  /// Logs and identities that HEAD lacks, as the working tree has them; one that holds what looks like a secret is made
  /// anew from the writes.
  private func firstVersions(_ batch: [JournalEntry]) async throws -> [GitPath: [UInt8]] {
    var versions: [GitPath: [UInt8]] = [:]
    for agent in Set(batch.compactMap(\.agent)) {
      for path in [TreeLayout.identity(of: agent), TreeLayout.sessionLog(of: agent)].map({ GitPath($0.bytes) }) {
        guard batch.contains(where: { $0.agent == agent }), try await tree.headBytes(path) == nil else { continue }
        let file = WorkTreeFile(workTree: tree.workTree, path: path)
        guard let bytes = try? file.read(limit: GitRecordReader.logLimit), tree.gate.findings(bytes).isEmpty,
          !ConflictMarkers.isIn(bytes)
        else { continue }
        versions[path] = bytes
      }
    }
    return versions
  }

  /// Proves that the commit holds the writes, and lets go of those that it does. Under the lock of the tree.
  private func conclude(
    _ id: ObjectID, _ outcome: CommitOutcome, batch: [JournalEntry], composer: CommitComposer, wanted: [JournalEntry]
  ) async throws -> Outcome {
    let places = try await composer.held(by: id, in: repository)
    try await tree.letGo(of: batch.filter { places[$0.name] != nil }, in: id, places: places)
    let left = wanted.filter { places[$0.name] == nil }
    guard let first = left.first else {
      return .committed(Commit(id: id, places: places, warnings: outcome.signature.warnings))
    }
    // What is made from the files as they are is made anew the next time, and would only be in the way.
    journal.remove(left.filter(\.isDerived))
    try journal.keep(left.filter { !$0.isDerived })
    let reason = outcome.skipped.first { first.paths.contains($0.path) }.map { "\($0.path) \($0.reason.detail)" }
    return .pending(
      "commit \(id) could not take \(first.path)\(reason.map { ": \($0)" } ?? ", which was changed meanwhile")")
  }

  private func message(_ writes: [JournalEntry]) -> String {
    guard let agent = writes.first?.agent else { return CommitMessage(agent: tree.agent).text }
    var message = CommitMessage(agent: writes.allSatisfy { $0.agent == tree.agent } ? tree.agent : agent)
    var events: [GitPath: Int] = [:]
    var paths: Set<GitPath> = []
    for write in writes {
      paths.formUnion(write.paths)
      if case .append = write.operation { events[write.path, default: 0] += 1 }
      if let agent = write.agent, write.changesIdentity { paths.insert(GitPath(TreeLayout.identity(of: agent).bytes)) }
    }
    for path in paths.sorted() { message.add(path, events: events[path] ?? 0) }
    for write in writes {
      if case .rotate(let rotation) = write.operation { message.addRotated(rotation.events) }
    }
    return message.text
  }
}

extension CommitComposer {
  /// The same for what may have no commit.
  func held(by commit: ObjectID?, in repository: isolated Repository) throws(GitError) -> [String: GitPath] {
    guard let commit else { return [:] }
    return try held(by: commit, in: repository)
  }
}

extension JournalEntry {
  /// Whether the write says nothing that is not in the files already.
  fileprivate var isDerived: Bool {
    switch operation {
    case .recount, .rotate, .takeIdentity: true
    case .create, .append, .identity: false
    }
  }

  /// Whether the write changes identity.json besides its own file.
  fileprivate var changesIdentity: Bool {
    guard let agent else { return false }
    switch operation {
    case .create: return TreeLayout.role(of: RecordPath(path.bytes), agent: agent) == .decision
    case .append: return event?.event.type == "REBIRTH"
    case .identity, .recount, .takeIdentity, .rotate: return false
    }
  }
}

extension CommitOutcome.Signing {
  /// What to say of a commit that should have been signed; nothing where all is as it is wanted.
  var warnings: [String] {
    guard case .unsigned(let reason) = self else { return [] }
    return ["the commit is not signed: \(reason)"]
  }
}

extension CommitOutcome.PendingReason {
  /// Why nothing is committed now, as a person would say it.
  var sentence: String {
    switch self {
    case .detachedHead: "HEAD is detached; the next commit on a branch takes it"
    case .unreadableIndex(let reason):
      "git's index cannot be read whole (\(reason)), and would undo a commit; the next one after it is mended takes it"
    case .operationInProgress(let operation): "a \(operation.rawValue) is in progress; the next run after it commits"
    }
  }
}
