package import Git
package import Records

/// What a run takes as the truth: the files of one agent as they are in one commit or in the working tree.
///
/// Both go through the same entries and the same reads, so that a plain `reconcile` of the working tree and a
/// `--at REV` differ in nothing but where the bytes come from.
package struct RecordSource: Sendable {
  /// Which files the user asked for.
  package enum Selection: Hashable, Sendable {
    /// The working tree as it is on disk; HEAD in a bare repository.
    case workTree
    /// Any revision that git can resolve to a commit.
    case revision(String)
  }

  package enum Kind: String, Sendable {
    case commit
    case workTree = "worktree"
  }

  package let agent: Agent
  package let kind: Kind
  /// The commit, or HEAD under a working tree; nil on an unborn branch.
  package let commit: Commit?
  /// The root tree: of the commit, or what the commit's tree would be with the agent's folder as it is on disk.
  package let tree: ObjectID
  /// Every file below the agent's folder, sorted by path bytes.
  package let entries: [SnapshotEntry]
  /// Files of the agent's folder as in `commit`, by path: tells which entries are committed as they are.
  private let committed: [GitPath: ObjectID]

  /// Reads the entries of `selection`.
  ///
  /// Throws `.treeMissing` where the agent has no folder, `.treeUnreadable` where a folder of it cannot be
  /// read (nothing may be called missing because of that), and `GitError`.
  package init(_ selection: Selection, agent: Agent, repository: Repository) async throws {
    self.agent = agent
    let folder = GitPath(agent.root.bytes)
    switch selection {
    case .workTree where !repository.isBare:
      kind = .workTree
      let snapshot = try await repository.snapshot(under: folder)
      if snapshot.rootMissing { throw RecordSource.missing(agent, "the working tree") }
      if let path = snapshot.unreadable.first(where: { RecordSource.hidesRecords($0, agent: agent) }) {
        throw PersistenceError(
          .treeUnreadable, "\(path.path) cannot be read (\(path.reason)): nothing was compared or changed",
          hint: "make the folder readable for this user and run again")
      }
      if let link = snapshot.entries.first(where: { RecordSource.isLinkedFolder($0, agent: agent) }) {
        throw PersistenceError(
          .treeUnreadable, "\(link.path) is a link, which is never followed: nothing was compared or changed",
          hint: "put the folder itself in its place")
      }
      entries = snapshot.entries
      unreadable = snapshot.unreadable
      let head = try await repository.head()
      if let id = head.commit {
        let commit = try await repository.commit(id)
        self.commit = commit
        let files = try await repository.files(inTree: commit.tree, under: folder)
        committed = Dictionary(files.map { ($0.path, $0.id) }, uniquingKeysWith: { first, _ in first })
        tree = try await repository.treeID(replacing: folder, with: entries, inTree: commit.tree)
      } else {
        commit = nil
        committed = [:]
        tree = try await repository.treeID(replacing: folder, with: entries, inTree: nil)
      }
    case .workTree, .revision:
      kind = .commit
      let revision = if case .revision(let text) = selection { text } else { "HEAD" }
      let commit = try await repository.commit(repository.resolve(revision))
      self.commit = commit
      tree = commit.tree
      let files = try await repository.files(inTree: commit.tree, under: folder)
      if files.isEmpty, try await repository.entry(at: folder, inTree: commit.tree) == nil {
        throw RecordSource.missing(agent, "commit \(String(commit.id.description.prefix(10)))")
      }
      entries = files.map(SnapshotEntry.init)
      committed = [:]
      unreadable = []
    }
  }

  /// Files, never folders, that could not be read: each becomes a finding.
  package let unreadable: [UnreadablePath]

  /// The commit to name as a row's origin: nil for a file that is not committed as it is.
  package func sourceCommit(of entry: SnapshotEntry) -> ObjectID? {
    switch kind {
    case .commit: commit?.id
    case .workTree: committed[entry.path] == entry.id ? commit?.id : nil
    }
  }

  /// Whether the path is, or may hold, record files: a folder that cannot be listed, and the log itself.
  private static func hidesRecords(_ path: UnreadablePath, agent: Agent) -> Bool {
    switch TreeLayout.role(of: RecordPath(path.path.bytes), agent: agent) {
    case .decision, .milestone, .snapshot, .identity, .persona, .infrastructure: false
    case .sessionLog, .rotatedLog: true
    case .other: !path.path.lastComponent.contains(UInt8(ascii: "."))
    }
  }

  /// Whether a link stands where a folder of records belongs, so that every record below it looks gone.
  private static func isLinkedFolder(_ entry: SnapshotEntry, agent: Agent) -> Bool {
    guard !entry.mode.isBlob || entry.mode == .symlink else { return false }
    let folders =
      RecordKind.allCases.compactMap { TreeLayout.folder(of: $0, agent: agent) } + [TreeLayout.sessionLog(of: agent)]
    return folders.contains { entry.path.bytes.starts(with: $0.bytes) }
      && TreeLayout.role(of: RecordPath(entry.path.bytes), agent: agent).kind.map { $0 == .event } ?? true
  }

  private static func missing(_ agent: Agent, _ place: String) -> PersistenceError {
    PersistenceError(
      .treeMissing, "\(place) has no \(agent.root.text) folder: nothing was compared or changed",
      hint: "check --root and --agent, and that the folder's file system is mounted")
  }
}
