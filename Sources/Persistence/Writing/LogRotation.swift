package import Git
package import Records

/// Moves the session log's entries of past months to `session_log/YYYY-MM.md`, in one commit.
///
/// A log that only grows makes every commit rewrite all of it. Whole entries move, unchanged, so that each stays the
/// record that it was. Only what HEAD holds is moved: first the months' files are durable, then the log without the
/// entries replaces the old one, then both are committed together. A run that is killed in between is finished by
/// the next writer, from the journal.
package struct LogRotation: Sendable {
  package let repository: Repository
  package let agent: Agent
  package let settings: WriteSettings

  package init(repository: Repository, agent: Agent, settings: WriteSettings) {
    self.repository = repository
    self.agent = agent
    self.settings = settings
  }

  package struct Outcome: Sendable {
    package struct File: Sendable {
      package let path: String
      package let events: Int
    }

    /// An entry of a past month that stays, or a part of the log that cannot be read.
    package struct Kept: Sendable {
      package let line: Int
      package let reason: String
    }

    package let files: [File]
    package let kept: [Kept]
    /// Keys of the moved entries with the file that has them now, for their rows.
    package let moves: [(keys: [String], path: RecordPath)]
    /// Nil where nothing was moved, or the commit is pending.
    package let commit: ObjectID?
    package let pendingReason: String?

    package var eventCount: Int { files.reduce(0) { $0 + $1.events } }
  }

  /// How often to wait for a writer whose entry is not committed yet.
  private static let attempts = 3

  /// The size of the session log in bytes; 0 where there is none.
  package func logSize() throws -> Int {
    guard let workTree = repository.workTree else { return 0 }
    return try WorkTreeFile(workTree: workTree, path: GitPath(TreeLayout.sessionLog(of: agent).bytes)).size() ?? 0
  }

  /// - Parameters:
  ///   - before: entries before the start of this moment's month (UTC) move; later than `now` counts as `now`.
  ///   - keep: how many of the last entries stay whatever their month.
  /// - Throws: `.changedMeanwhile` where the log differs from HEAD's, so that its bytes are not safe yet.
  package func run(before: Instant? = nil, keep: Int = 0, now: Instant, isDryRun: Bool = false) async throws -> Outcome
  {
    guard let workTree = repository.workTree else {
      throw PersistenceError(.writeFailed, "a bare repository has no working tree: nothing was moved")
    }
    let gate = try SecretGate(workTree: workTree)
    let rules = LogRotationPlan.Rules(
      before: min(before ?? now, now).startOfMonth, keep: max(0, keep), agent: agent,
      holdsSecret: { !gate.findings($0).isEmpty })
    if isDryRun {
      let bytes = try read(TreeLayout.sessionLog(of: agent), workTree) ?? []
      return outcome(try LogRotationPlan(bytes, rules: rules) { try read($0, workTree) }, commit: nil, pending: nil)
    }
    let tree = try WorkTreeWriter(repository, workTree: workTree, agent: agent, settings: settings)
    let committer = SharedCommitter(of: tree, patience: settings.patience)
    for _ in 0..<LogRotation.attempts {
      guard let (plan, entry) = try await stage(rules, tree) else {
        _ = try await committer.commit([])
        continue
      }
      guard let entry else { return outcome(plan, commit: nil, pending: nil) }
      switch try await committer.commit([entry]) {
      case .committed(let commit): return outcome(plan, commit: commit.id, pending: nil)
      case .pending(let reason): return outcome(plan, commit: nil, pending: reason)
      }
    }
    throw PersistenceError(
      .changedMeanwhile,
      "\(TreeLayout.sessionLog(of: agent).text) is not committed as it is: nothing was moved",
      hint: "run `moha-sync commit` and then again")
  }

  /// Under the lock of the tree: makes the plan and writes the files. The entry is nil where nothing is to be moved;
  /// all is nil where the log is not as HEAD has it.
  private func stage(
    _ rules: LogRotationPlan.Rules, _ tree: WorkTreeWriter
  ) async throws -> (plan: LogRotationPlan, entry: JournalEntry?)? {
    let lock = try await FileLock.acquire(.tree, of: repository, patience: settings.patience)
    defer { withExtendedLifetime(lock) {} }
    try await tree.recover()
    let path = TreeLayout.sessionLog(of: agent)
    let bytes = try read(path, tree.workTree) ?? []
    let plan = try LogRotationPlan(bytes, rules: rules) { try read($0, tree.workTree) }
    guard !plan.cuts.isEmpty else { return (plan, nil) }
    guard try await committed(path) == ObjectID.blob(bytes) else { return nil }
    // What HEAD holds of these is done with; others have offsets that are about to mean nothing.
    let writes = try tree.journal.entries().filter { $0.path == GitPath(path.bytes) }
    let held = try await CommitComposer(writes).held(by: try await repository.head().commit, in: repository)
    guard writes.allSatisfy({ held[$0.name] != nil }) else { return nil }
    let rotation = JournalEntry.Rotation(
      log: .blob(bytes), size: bytes.count, cuts: plan.cuts,
      parts: plan.additions.map { .init(path: GitPath($0.path.bytes), offset: $0.offset, length: $0.bytes.count) },
      events: plan.eventCount)
    let entry = try tree.journal.add(
      .rotate(rotation), path: GitPath(path.bytes), content: plan.additions.flatMap(\.bytes))
    guard try tree.apply(rotation, entry) else {
      tree.journal.remove([entry])
      throw PersistenceError(
        .changedMeanwhile, "the log's files changed meanwhile: nothing was moved", hint: "run again")
    }
    return (plan, entry)
  }

  private func read(_ path: RecordPath, _ workTree: String) throws -> [UInt8]? {
    let file = WorkTreeFile(workTree: workTree, path: GitPath(path.bytes))
    return try file.exists() ? try file.read(limit: GitRecordReader.logLimit) : nil
  }

  private func committed(_ path: RecordPath) async throws -> ObjectID? {
    guard let head = try await repository.head().commit else { return nil }
    return try await repository.entry(at: GitPath(path.bytes), inTree: repository.commit(head).tree)?.id
  }

  private func outcome(_ plan: LogRotationPlan, commit: ObjectID?, pending: String?) -> Outcome {
    Outcome(
      files: plan.additions.map { .init(path: $0.path.text, events: $0.keys.count) },
      kept: plan.kept.map { .init(line: $0.line, reason: $0.reason) },
      moves: plan.additions.map { ($0.keys, $0.path) }, commit: commit, pendingReason: pending)
  }
}
