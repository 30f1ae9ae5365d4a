package import Git
internal import Postgres
package import Records
internal import SecretScan
internal import Synchronization

/// Commits everything below `.moha` as it is in the working tree, as cron does.
///
/// Only `.moha` enters the commit; what a person has staged or changed elsewhere stays. A file with a secret is left as
/// HEAD has it, and so is every file with another reason not to be taken (`SkipReason`); the rest is committed. Logs and
/// identities are merged with HEAD's (`DocumentComposer`). Links are never followed, and an empty or unmounted tree is
/// not committed as a mass deletion. Writes that wait for a commit are taken from the journal.
package struct AutomaticCommit: Sendable {
  package let repository: Repository
  package let agent: Agent
  package let settings: WriteSettings

  package init(repository: Repository, agent: Agent, settings: WriteSettings) {
    self.repository = repository
    self.agent = agent
    self.settings = settings
  }

  package struct Refused: Hashable, Sendable {
    /// In words; where the name itself gives a secret away, that part of it is masked.
    package let path: String
    /// From 1; 0 for the name.
    package let line: Int
    package let rule: String
    package let masked: String
    package let fingerprint: String
  }

  /// A file that stays as HEAD has it for another reason than a secret.
  package struct Skipped: Hashable, Sendable {
    /// What it means for the run.
    package enum Weight: Hashable, Sendable {
      /// Nothing is missing: it is as it should be.
      case note
      /// A record, or what belongs to one, is not in git, and a person has to look.
      case partly
      /// Taking it would give something away.
      case refusal
    }

    package let path: String
    package let reason: SkipReason
    package let weight: Weight
  }

  package struct Outcome: Sendable {
    /// The commit that was made; nil where there was nothing to commit, or nothing may be committed now.
    package let commit: ObjectID?
    package let pendingReason: String?
    /// Paths that differ from HEAD and are (or would be) committed.
    package let files: [String]
    package let refused: [Refused]
    package let skipped: [Skipped]
    package let message: String
    /// What is to be said of the commit itself, a sentence each: that it should have been signed.
    package var commitWarnings: [String] = []
  }

  /// How long to begin anew when a person's command changes what is checked out meanwhile, and how often at least: who
  /// works through a rebase is done in a moment, and others wait for our locks.
  private static let persistence: (time: Duration, attempts: Int) = (.seconds(5), 5)

  /// - Parameters:
  ///   - isDryRun: look at everything and write nothing.
  ///   - message: in place of the generated one.
  package func run(isDryRun: Bool, message: String? = nil, allowedRemovals: Int? = nil) async throws -> Outcome {
    guard let workTree = repository.workTree else {
      throw PersistenceError(.writeFailed, "a bare repository has no working tree to commit: nothing was written")
    }
    let gate = try SecretGate(workTree: workTree)
    if let message { try gate.check(message: message) }
    let tree = try WorkTreeWriter(repository, workTree: workTree, agent: agent, settings: settings)
    var locks: [FileLock] = []
    defer { withExtendedLifetime(locks) {} }
    if !isDryRun {
      locks.append(try await FileLock.acquire(.commit, of: repository, patience: settings.patience))
      locks.append(try await FileLock.acquire(.tree, of: repository, patience: settings.patience))
    }
    let deadline = ContinuousClock.now + AutomaticCommit.persistence.time
    var attempt = 1
    while true {
      do {
        return try await run(tree, gate, isDryRun: isDryRun, message: message, allowedRemovals: allowedRemovals)
      } catch let error as GitError where error.code == .modified || error.code == .changedWhileReading {
        guard attempt < AutomaticCommit.persistence.attempts || ContinuousClock.now < deadline else {
          throw GitError(
            .locked, operation: "commit",
            message: "somebody changes the files, or what is checked out, all the time; the next run takes it up")
        }
        try await Task.sleep(for: .milliseconds(min(20 * attempt, 200)))
        attempt += 1
      }
    }
  }

  /// Under both locks, unless it is a dry run. Throws `.modified` where the files that were listed are not those of the
  /// checkout any more, and `.changedWhileReading` where one of them has other bytes by now.
  private func run(
    _ tree: WorkTreeWriter, _ gate: SecretGate, isDryRun: Bool, message: String?, allowedRemovals: Int?
  ) async throws -> Outcome {
    if !isDryRun {
      try await tree.recover()
      try await UnseenResets(tree).bringBack()
      try await CheckoutCatchUp(tree).run()
    }
    let snapshot = try await snapshot(tree.workTree, removingTemporaries: !isDryRun)
    let writes = isDryRun ? tree.journal.look().entries.filter { !$0.isOrphaned } : try tree.journal.entries()
    let composer = try await composer(snapshot, writes: writes, gate: gate)
    let judge = FileJudge(gate: gate)
    var request = CommitRequest(
      changes: .workTree(
        snapshot, judge: judge.judge,
        composing: { (repository, parent) throws(GitError) in try composer.files(on: parent, in: repository) }),
      message: "-", mergesStaged: StagedDocuments.merge,
      placing: { repository, commit in
        let held = (try? CommitComposer(writes).held(by: commit, in: repository)) ?? [:]
        tree.settle(
          writes.filter { held[$0.name] != nil }, also: composer.findings.merged, in: commit, places: held, repository)
      })
    let preview = try await repository.preview(request)
    try await checkRemovals(preview.changes, allowed: allowedRemovals)
    request.message = if let message { message } else { try await self.message(preview) }
    let text = request.message
    let names = preview.changes.map { RecordPath($0.path.bytes).text }
    let skipped = skipped(preview.skipped, composer.findings)
    func outcome(_ commit: ObjectID?, files: [String], pending: String? = nil) -> Outcome {
      Outcome(
        commit: commit, pendingReason: pending, files: files, refused: judge.refused + composer.findings.refused,
        skipped: skipped, message: text)
    }
    if isDryRun { return outcome(nil, files: names) }
    do {
      // Also where nothing differs: a killed writer may have left locks behind, or entries of what HEAD already has.
      let head = try await repository.head().commit
      let made = try await repository.commit(request)
      CheckoutCatchUp(tree).follow(made, from: head)
      switch made.result {
      case .committed(let id):
        try await conclude(id, tree, writes)
        var committed = outcome(id, files: names)
        committed.commitWarnings = made.signature.warnings
        return committed
      case .unchanged(let head):
        if let head {
          let held = try await conclude(head, tree, writes)
          await tree.settle(
            writes.filter { held[$0.name] != nil }, also: composer.findings.merged, in: head, places: held, repository)
        }
        return outcome(nil, files: [])
      case .pending(let reason):
        return outcome(nil, files: names, pending: names.isEmpty ? nil : reason.sentence)
      }
    } catch let error as GitError where error.code == .locked && names.isEmpty {
      // Somebody else is committing, and there is nothing of ours.
      return outcome(nil, files: [])
    }
  }

  private func snapshot(_ workTree: String, removingTemporaries: Bool) async throws -> WorkTreeSnapshot {
    var snapshot = try await repository.snapshot(under: ".moha")
    let temporary = snapshot.entries.map(\.path).filter { WorkTreeFile.isTemporary($0.lastComponent) }
    if removingTemporaries, !temporary.isEmpty {
      // Of writers that were killed, perhaps by a power cut that took their journal too.
      for path in temporary { try WorkTreeFile(workTree: workTree, path: path).removeTemporaries() }
      snapshot = try await repository.snapshot(under: ".moha")
    }
    guard snapshot.rootMissing else { return snapshot }
    throw PersistenceError(
      .treeMissing, "the working tree has no .moha folder: nothing was committed",
      hint: "check --root, and that the folder's file system is mounted")
  }

  /// Lets go of the writes that the commit holds; returns where it has them.
  @discardableResult
  private func conclude(
    _ commit: ObjectID, _ tree: WorkTreeWriter, _ writes: [JournalEntry]
  ) async throws -> [String: GitPath] {
    let places = try await CommitComposer(writes).held(by: commit, in: repository)
    try await tree.letGo(of: writes.filter { places[$0.name] != nil }, in: commit, places: places)
    return places
  }

  // MARK: Logs and identities

  /// What makes the content of logs and identities that the working tree has otherwise than HEAD.
  private func composer(
    _ snapshot: WorkTreeSnapshot, writes: [JournalEntry], gate: SecretGate
  ) async throws -> DocumentComposer {
    var present: [GitPath: SnapshotEntry] = [:]
    for entry in snapshot.entries where Agent(ownerOf: entry.path)?.documentRole(of: entry.path) != nil {
      present[entry.path] = entry
    }
    let hidden = snapshot.unreadable.map(\.path)
    var documents: [DocumentComposer.Document] = []
    var changedLogs: Set<Agent> = []
    for (old, agent, role) in try await committedDocuments() {
      let path = old.path
      let entry = present[path]
      // Of something else in a file's place the commit says what it is.
      if let entry, entry.id == old.id || entry.mode == .symlink || entry.mode == .submodule { continue }
      if hidden.contains(where: { path.isInside($0) }) { continue }
      if entry == nil, await repository.isLeftOut(path) { continue }
      documents.append(.init(path: path, agent: agent, role: role, bytes: try await entry.asyncMap(read) ?? nil))
      if role != .identity { changedLogs.insert(agent) }
    }
    var keys: [Agent: Set<String>] = [:]
    for (path, entry) in present {
      guard let agent = Agent(ownerOf: path), changedLogs.contains(agent), agent.documentRole(of: path) != .identity,
        entry.mode != .symlink, entry.mode != .submodule, let bytes = try await read(entry)
      else { continue }
      keys[agent, default: []].formUnion(SessionLog.parse(bytes, path: RecordPath(path.bytes)).entries.map(\.recordKey))
    }
    return DocumentComposer(documents, writes: CommitComposer(writes), keys: keys, gate: gate)
  }

  /// The logs and identities of every agent as HEAD has them.
  private func committedDocuments() async throws -> [(entry: TreeEntry, agent: Agent, role: FileRole)] {
    guard let head = try await repository.head().commit else { return [] }
    let tree = try await repository.commit(head).tree
    var documents: [(entry: TreeEntry, agent: Agent, role: FileRole)] = []
    for folder in try await repository.children(of: ".moha", inTree: tree) where folder.mode == .tree {
      guard let agent = Agent(String(decoding: folder.path.lastComponent, as: UTF8.self)) else { continue }
      var entries = try await repository.files(inTree: tree, under: folder.path.appending("session_log".utf8))
      for path in [TreeLayout.identity(of: agent), TreeLayout.sessionLog(of: agent)] {
        if let entry = try await repository.entry(at: GitPath(path.bytes), inTree: tree) { entries.append(entry) }
      }
      for entry in entries where entry.mode == .regular || entry.mode == .executable {
        if let role = agent.documentRole(of: entry.path) { documents.append((entry, agent, role)) }
      }
    }
    return documents
  }

  private func committedPaths() async throws -> [GitPath] {
    guard let head = try await repository.head().commit else { return [] }
    return try await repository.files(inTree: repository.commit(head).tree, under: ".moha").map(\.path)
  }

  private func read(_ entry: SnapshotEntry) async throws -> [UInt8]? {
    try await repository.read([entry], limit: GitRecordReader.logLimit, into: [UInt8]?.none) { bytes, _, content in
      if case .success(let buffer) = content { bytes = Array(buffer) }
      return true
    }
  }

  // MARK: Rails

  /// The rails of a reconcile, for files: by agent and kind, and over all of an agent's records.
  private func checkRemovals(_ changes: [TreeChange], allowed: Int?) async throws {
    let removed = changes.filter { $0.new == nil && Agent(ownerOf: $0.path)?.recordKind(of: $0.path) != nil }
    if removed.isEmpty { return }
    if let allowed, removed.count <= allowed { return }
    let committed = try await committedPaths()
    var refused: [String] = []
    for agent in Set(removed.compactMap { Agent(ownerOf: $0.path) }).sorted() {
      let gone = removed.filter { Agent(ownerOf: $0.path) == agent }
      let present = committed.filter { Agent(ownerOf: $0) == agent && agent.recordKind(of: $0) != nil }
      var parts: [String] = []
      for kind in RecordKind.allCases {
        let count = gone.count { agent.recordKind(of: $0.path) == kind }
        let total = present.count { agent.recordKind(of: $0) == kind }
        if SafetyRails.isMass(count, of: total) { parts.append("\(count) of \(total) \(kind.name)") }
      }
      if parts.isEmpty, SafetyRails.isMass(gone.count, of: present.count, percentRule: false) || gone.count == present.count {
        parts.append("\(gone.count) of all \(present.count) record files")
      }
      if !parts.isEmpty { refused.append("\(parts.joined(separator: " and ")) of agent \(agent)") }
    }
    guard !refused.isEmpty else { return }
    throw PersistenceError(
      .massRemoval,
      "refused: the working tree lacks \(refused.joined(separator: ", ")). Nothing was committed",
      hint:
        "check that the tree is whole; a removal that is meant has to be named by its number, \(removed.count), with --allow-removals"
    )
  }

  // MARK: What is said

  private func skipped(
    _ skipped: [CommitOutcome.Skipped], _ findings: DocumentComposer.Findings
  ) -> [Skipped] {
    var reasons = findings.skipped
    for skip in skipped where skip.reason != .refused { reasons[skip.path] = skip.reason }
    return reasons.sorted { $0.key < $1.key }.map { path, reason in
      Skipped(path: RecordPath(path.bytes).text, reason: reason, weight: weight(of: reason, at: path))
    }
  }

  private func weight(of reason: SkipReason, at path: GitPath) -> Skipped.Weight {
    let isRecord = Agent(ownerOf: path)?.holdsRecords(at: path) ?? true
    switch reason {
    case .filter: return .refusal
    case .sparse, .litter: return .note
    case .olderCheckout, .ignored, .special, .otherRepository, .unreadable: return isRecord ? .partly : .note
    case .refused, .name, .encoding, .conflict, .emptied, .removedEntries, .missing, .malformed: return .partly
    }
  }

  private func message(_ preview: CommitPreview) async throws -> String {
    var message = CommitMessage(agent: agent)
    var logs: [GitPath: (old: Set<String>, new: Set<String>)] = [:]
    for change in preview.changes where isLog(change.path) { logs[change.path] = try await events(change, preview) }
    // What moved from one log to another is not new.
    let known = logs.values.reduce(into: Set<String>()) { $0.formUnion($1.old) }
    var rotated: Set<String> = []
    for change in preview.changes {
      let events = logs[change.path]
      message.add(change.path, events: events?.new.subtracting(known).count ?? 0)
      if let events, role(change.path) == .rotatedLog { rotated.formUnion(events.new.subtracting(events.old)) }
    }
    message.addRotated(rotated.intersection(known).count)
    return message.text
  }

  private func isLog(_ path: GitPath) -> Bool {
    role(path) == .sessionLog || role(path) == .rotatedLog
  }

  /// The entries of a log in HEAD and in the commit to be made, by key.
  private func events(
    _ change: TreeChange, _ preview: CommitPreview
  ) async throws -> (old: Set<String>, new: Set<String>) {
    func keys(_ entry: TreeEntry?) async throws -> Set<String> {
      guard let entry else { return [] }
      let bytes =
        if let bytes = preview.blobs[entry.id] { bytes } else {
          try await repository.blob(entry.id, limit: GitRecordReader.logLimit)
        }
      return Set(SessionLog.parse(bytes, path: RecordPath(entry.path.bytes)).entries.map(\.recordKey))
    }
    return (try await keys(change.old), try await keys(change.new))
  }

  private func role(_ path: GitPath) -> FileRole {
    TreeLayout.role(of: RecordPath(path.bytes), agent: agent)
  }
}

/// Judges the files of a working tree before git gets them, and keeps what it refused.
private final class FileJudge: Sendable {
  private let gate: SecretGate
  private let found = Mutex<[GitPath: AutomaticCommit.Refused]>([:])

  init(gate: SecretGate) {
    self.gate = gate
  }

  /// Sorted by path.
  var refused: [AutomaticCommit.Refused] {
    found.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
  }

  func judge(_ file: CommitRequest.Candidate) -> SkipReason? {
    let name = Array(file.path.lastComponent)
    if WorkTreeFile.isTemporary(name) || Litter.isName(name) { return .litter }
    let agent = Agent(ownerOf: file.path)
    let isRecord = agent?.holdsRecords(at: file.path) ?? false
    if isRecord, file.mode == .symlink { return .special(.link) }
    // A name that git has already is no news.
    let named = file.old == nil ? gate.findings(inName: file.path).first : nil
    if let finding = named ?? gate.findings(file.bytes).first {
      found.withLock { $0[file.path] = gate.refused(file.path, finding, isName: named != nil) }
      return .refused
    }
    guard isRecord else { return nil }
    if ConflictMarkers.isIn(file.bytes) { return .conflict }
    let isBlank = file.bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    return isBlank && file.old != nil ? .emptied : nil
  }
}

extension Agent {
  /// What kind of record the file at a path of this agent holds; nil for none.
  func recordKind(of path: GitPath) -> RecordKind? {
    TreeLayout.role(of: RecordPath(path.bytes), agent: self).kind
  }

  /// The role of a log or an identity; nil for other files.
  func documentRole(of path: GitPath) -> FileRole? {
    switch TreeLayout.role(of: RecordPath(path.bytes), agent: self) {
    case .identity: .identity
    case .sessionLog: .sessionLog
    case .rotatedLog: .rotatedLog
    default: nil
    }
  }

  /// Whether a path is a file with a meaning to the program, or the folder of such files.
  func holdsRecords(at path: GitPath) -> Bool {
    if TreeLayout.role(of: RecordPath(path.bytes), agent: self) != .other { return true }
    let folders = [root, root.appending("session_log")] + RecordKind.allCases.compactMap { TreeLayout.folder(of: $0, agent: self) }
    return folders.contains { GitPath($0.bytes) == path }
  }
}
