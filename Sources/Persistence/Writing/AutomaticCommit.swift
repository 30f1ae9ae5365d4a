package import Git
package import Records
internal import SecretScan

/// Commits everything below `.moha` as it is in the working tree, as cron does.
///
/// Only `.moha` enters the commit; what a person has staged or changed elsewhere stays. A file with a secret is
/// left as HEAD has it, and the rest is committed. Links are never followed, and an empty or unmounted tree is
/// not committed as a mass deletion.
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
    package let path: String
    package let line: Int
    package let rule: String
    package let masked: String
    package let fingerprint: String
  }

  package struct Outcome: Sendable {
    /// The commit that was made; nil where there was nothing to commit, or nothing may be committed now.
    package let commit: ObjectID?
    package let pendingReason: String?
    /// Paths that differ from HEAD and are (or would be) committed.
    package let files: [String]
    package let refused: [Refused]
    package let message: String
  }

  /// - Parameters:
  ///   - isDryRun: look at everything and write nothing.
  ///   - message: in place of the generated one.
  package func run(isDryRun: Bool, message: String? = nil, allowedRemovals: Int? = nil) async throws -> Outcome {
    guard let workTree = repository.workTree else {
      throw PersistenceError(.writeFailed, "a bare repository has no working tree to commit: nothing was written")
    }
    let gate = try SecretGate(workTree: workTree)
    var journal: WriteJournal?
    var locks: [FileLock] = []
    if !isDryRun {
      let tree = try WorkTreeWriter(repository, workTree: workTree, agent: agent, settings: settings)
      locks.append(try await FileLock.acquire(.commit, of: repository, patience: settings.patience))
      locks.append(try await FileLock.acquire(.tree, of: repository, patience: settings.patience))
      try await tree.recover()
      journal = tree.journal
    }
    defer { withExtendedLifetime(locks) {} }

    var snapshot = try await repository.snapshot(under: ".moha")
    let temporary = snapshot.entries.map(\.path).filter { WorkTreeFile.isTemporary($0.lastComponent) }
    if journal != nil, !temporary.isEmpty {
      // Of writers that were killed, perhaps by a power cut that took their journal too.
      for path in temporary { try WorkTreeFile(workTree: workTree, path: path).removeTemporaries() }
      snapshot = try await repository.snapshot(under: ".moha")
    }
    if snapshot.rootMissing {
      throw PersistenceError(
        .treeMissing, "the working tree has no .moha folder: nothing was committed",
        hint: "check --root, and that the folder's file system is mounted")
    }
    // Temporary files, which a dry run leaves where they are, are no records.
    let changes = try await changes(snapshot).filter { !WorkTreeFile.isTemporary($0.path.lastComponent) }
    try checkRemovals(
      changes, recordCount: snapshot.entries.count { role($0.path).kind != nil }, allowed: allowedRemovals)
    let refused = try await refusals(changes, gate: gate)
    let refusedPaths = Set(refused.map(\.path))
    let files = changes.filter { !refusedPaths.contains(RecordPath($0.path.bytes).text) }
    var text = message ?? ""
    if message == nil { text = try await self.message(files) }
    let names = files.map { RecordPath($0.path.bytes).text }
    guard let journal else {
      return Outcome(commit: nil, pendingReason: nil, files: names, refused: refused, message: text)
    }
    let request = CommitRequest(
      changes: .workTree(snapshot) { path, bytes in
        // The bytes that become the blob, whatever was read before.
        !refusedPaths.contains(RecordPath(path.bytes).text) && gate.findings(bytes).isEmpty
          && !WorkTreeFile.isTemporary(path.lastComponent)
      }, message: text)
    do {
      // Also where nothing differs: a killed writer may have left locks behind, or entries of what HEAD already has.
      switch try await repository.commit(request).result {
      case .committed(let id):
        journal.remove(try journal.entries())
        return Outcome(commit: id, pendingReason: nil, files: names, refused: refused, message: text)
      case .unchanged:
        if refused.isEmpty { journal.remove(try journal.entries()) }
        return Outcome(commit: nil, pendingReason: nil, files: [], refused: refused, message: text)
      case .pending(let reason):
        let sentence = files.isEmpty ? nil : reason.sentence
        return Outcome(commit: nil, pendingReason: sentence, files: names, refused: refused, message: text)
      }
    } catch let error as GitError where error.code == .locked && files.isEmpty {
      // Somebody else is committing, and there is nothing of ours.
      return Outcome(commit: nil, pendingReason: nil, files: [], refused: refused, message: text)
    }
  }

  /// What the working tree has otherwise than HEAD, sorted by path.
  private func changes(_ snapshot: WorkTreeSnapshot) async throws -> [TreeChange] {
    var committed: [GitPath: TreeEntry] = [:]
    if let head = try await repository.head().commit {
      let tree = try await repository.commit(head).tree
      for entry in try await repository.files(inTree: tree, under: ".moha") { committed[entry.path] = entry }
    }
    var changes: [TreeChange] = []
    let unreadable = snapshot.unreadable.map(\.path)
    for entry in snapshot.entries {
      let old = committed.removeValue(forKey: entry.path)
      if old?.id != entry.id || old?.mode != entry.mode {
        changes.append(TreeChange(path: entry.path, old: old, new: TreeEntry(entry)))
      }
    }
    for (path, old) in committed where !unreadable.contains(where: { path == $0 || path.isInside($0) }) {
      changes.append(TreeChange(path: path, old: old, new: nil))
    }
    return changes.sorted { $0.path < $1.path }
  }

  /// The rails of a reconcile, for files: `recordCount` are still there.
  private func checkRemovals(_ changes: [TreeChange], recordCount: Int, allowed: Int?) throws {
    let removed = changes.count { $0.new == nil && role($0.path).kind != nil }
    if let allowed, removed <= allowed { return }
    guard SafetyRails.isMass(removed, of: removed + recordCount) else { return }
    throw PersistenceError(
      .massRemoval, "refused: \(removed) record files are gone from the working tree. Nothing was committed",
      hint:
        "check that the tree is whole; a removal that is meant has to be named by its number, \(removed), with --allow-removals"
    )
  }

  private func refusals(_ changes: [TreeChange], gate: SecretGate) async throws -> [Refused] {
    let entries = changes.compactMap { change in
      change.new.flatMap {
        $0.mode.isBlob && $0.mode != .symlink
          ? SnapshotEntry(path: $0.path, id: $0.id, mode: $0.mode, size: nil, source: .workTree) : nil
      }
    }
    return try await repository.read(entries, limit: GitRecordReader.logLimit, into: [Refused]()) {
      refused, index, content in
      guard case .success(let bytes) = content else { return true }
      for finding in gate.findings(Array(bytes)).prefix(1) {
        refused.append(
          Refused(
            path: RecordPath(entries[index].path.bytes).text, line: finding.line, rule: finding.rule.rawValue,
            masked: finding.masked, fingerprint: finding.fingerprint.description))
      }
      return true
    }
  }

  private func message(_ changes: [TreeChange]) async throws -> String {
    var message = CommitMessage(agent: agent)
    var logs: [GitPath: (old: Set<String>, new: Set<String>)] = [:]
    for change in changes where isLog(change.path) { logs[change.path] = try await events(change) }
    // What moved from one log to another is not new.
    let known = logs.values.reduce(into: Set<String>()) { $0.formUnion($1.old) }
    var rotated: Set<String> = []
    for change in changes {
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

  /// The entries of a log in HEAD and now, by key.
  private func events(_ change: TreeChange) async throws -> (old: Set<String>, new: Set<String>) {
    func keys(_ entry: SnapshotEntry?) async throws -> Set<String> {
      guard let entry else { return [] }
      let path = RecordPath(entry.path.bytes)
      return try await repository.read([entry], limit: GitRecordReader.logLimit, into: Set<String>()) {
        keys, _, content in
        if case .success(let bytes) = content {
          keys = Set(SessionLog.parse(Array(bytes), path: path).entries.map(\.recordKey))
        }
        return true
      }
    }
    let new = try await keys(
      change.new.map { SnapshotEntry(path: $0.path, id: $0.id, mode: $0.mode, size: nil, source: .workTree) })
    return (try await keys(change.old.map(SnapshotEntry.init)), new)
  }

  private func role(_ path: GitPath) -> FileRole {
    TreeLayout.role(of: RecordPath(path.bytes), agent: agent)
  }
}
