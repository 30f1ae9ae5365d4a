internal import Git
internal import Records

/// Commits what the journal holds: whoever gets the lock commits for all who wait for it.
struct SharedCommitter {
  let repository: Repository
  let agent: Agent
  let journal: WriteJournal
  let gate: SecretGate
  let patience: Duration

  /// Commits what `tree` stages.
  init(of tree: WorkTreeWriter, patience: Duration) {
    (repository, agent, journal, gate) = (tree.repository, tree.agent, tree.journal, tree.gate)
    self.patience = patience
  }

  enum Outcome {
    case committed(ObjectID)
    /// The files are durable; the repository is in a state in which nothing is committed.
    case pending(String)
  }

  /// Returns when HEAD holds the entries. An empty list asks for whatever is in the journal.
  func commit(_ entries: [WriteJournal.Entry]) async throws -> Outcome {
    let lock = try await FileLock.acquire(.commit, of: repository, patience: patience)
    defer { withExtendedLifetime(lock) {} }
    if !entries.isEmpty, entries.allSatisfy({ !journal.holds($0) }), let head = try await repository.head().commit {
      return .committed(head)
    }
    let (batch, files) = try await gather()
    guard !batch.isEmpty else {
      guard let head = try await repository.head().commit else { return .pending("there is no commit yet") }
      return .committed(head)
    }
    let request = CommitRequest(changes: .files(files), message: message(batch, files))
    guard let result = try await commit(request) else {
      return .pending("another program holds a lock of git's; the next write or `commit` takes it")
    }
    switch result {
    case .committed(let id), .unchanged(.some(let id)):
      journal.remove(batch)
      return .committed(id)
    case .unchanged(nil):
      journal.remove(batch)
      return .pending("there is nothing to commit")
    case .pending(let reason):
      return .pending(reason.sentence)
    }
  }

  /// Nil where a lock of git's is held: the files are durable and in the journal, and the next commit takes them.
  private func commit(_ request: CommitRequest) async throws -> CommitOutcome.Result? {
    do throws(GitError) {
      return try await repository.commit(request).result
    } catch {
      if error.code == .locked { return nil }
      throw error
    }
  }

  /// The journal's entries and the bytes of their files as they are now, under the lock of the tree.
  private func gather() async throws -> (
    batch: [WriteJournal.Entry], files: [GitPath: CommitRequest.FileContent?]
  ) {
    let lock = try await FileLock.acquire(.tree, of: repository, patience: patience)
    defer { withExtendedLifetime(lock) {} }
    guard let workTree = repository.workTree else { return ([], [:]) }
    let batch = try journal.entries()
    var files: [GitPath: CommitRequest.FileContent?] = [:]
    for entry in batch {
      for path in entry.paths where files[path] == nil {
        let file = WorkTreeFile(workTree: workTree, path: path)
        // A person may have removed it since: then there is nothing of it to commit.
        guard try file.exists() else { continue }
        let bytes = try file.read(limit: GitRecordReader.logLimit)
        if case .create = entry.action, bytes == entry.content {
          files[path] = CommitRequest.FileContent(bytes)
        } else {
          var known = try await committed(path)
          // What a rotation moves comes from the log, where git has it already.
          if path != entry.path { known += try await committed(entry.path) }
          try gate.check(bytes, path: path, against: known)
          files[path] = CommitRequest.FileContent(bytes)
        }
      }
    }
    return (batch, files)
  }

  /// The file's bytes in HEAD; none where it is new.
  private func committed(_ path: GitPath) async throws -> [UInt8] {
    guard let head = try await repository.head().commit,
      let entry = try await repository.entry(at: path, inTree: repository.commit(head).tree), entry.mode.isBlob
    else { return [] }
    return try await repository.blob(entry.id, limit: GitRecordReader.logLimit)
  }

  private func message(_ batch: [WriteJournal.Entry], _ files: [GitPath: CommitRequest.FileContent?]) -> String {
    var message = CommitMessage(agent: agent)
    for path in files.keys.sorted() {
      let appended = batch.count { entry in
        if case .append = entry.action { entry.path == path } else { false }
      }
      message.add(path, events: appended)
    }
    for entry in batch {
      if case .rotate(let rotation) = entry.action { message.addRotated(rotation.events) }
    }
    return message.text
  }
}

extension CommitOutcome.PendingReason {
  /// Why nothing is committed now, as a person would say it.
  var sentence: String {
    switch self {
    case .detachedHead: "HEAD is detached; the next commit on a branch takes it"
    case .operationInProgress(let operation): "a \(operation.rawValue) is in progress; the next run after it commits"
    }
  }
}
