package import Git
package import Records
internal import Telemetry

/// What a run takes as the truth: the files of one agent as they are in one commit or in the working tree.
///
/// Both go through the same entries and the same reads, so that a plain `reconcile` of the working tree and a
/// `--at REV` differ in nothing but where the bytes come from, and in what waits for a commit: see `WaitingRecords`.
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
  /// Whether the user named a commit, which then is meant as it is.
  package let isNamed: Bool
  /// The commit, or HEAD under a working tree; nil on an unborn branch.
  package let commit: Commit?
  /// The root tree: of the commit, or what the commit's tree would be with the agent's folder as it is on disk.
  package let tree: ObjectID
  /// Every file below the agent's folder, sorted by path bytes. What a checkout leaves out is there as HEAD has it.
  package let entries: [SnapshotEntry]
  /// Things to say of the checkout that are no difference.
  package let notes: [String]
  /// Files of the agent's folder as in `commit`, by path: tells which entries are committed as they are.
  private let committed: [GitPath: ObjectID]

  /// Reads the entries of `selection`.
  ///
  /// Throws `.treeMissing` where the agent has no folder, `.treeUnreadable` where a folder of it cannot be
  /// read (nothing may be called missing because of that), and `GitError`.
  package init(_ selection: Selection, agent: Agent, repository: Repository) async throws {
    Phase.begin("reading the files")
    self.agent = agent
    isNamed = if case .revision = selection { true } else { false }
    let folder = GitPath(agent.root.bytes)
    switch selection {
    case .workTree where !repository.isBare:
      kind = .workTree
      let snapshot = try await repository.snapshot(under: folder)
      let head = try await repository.head()
      let commit = if let id = head.commit { try await repository.commit(id) } else { nil as Commit? }
      let files = if let commit { try await repository.files(inTree: commit.tree, under: folder) } else { [TreeEntry]() }
      let absent = await repository.leftOut(files, of: snapshot, below: folder)
      // A folder that is not there at all may be on a file system that is not mounted; only a checkout that was told to
      // leave it out says otherwise.
      if snapshot.rootMissing, absent.entries.isEmpty || absent.doubt != nil {
        throw RecordSource.missing(agent, "the working tree")
      }
      if let path = snapshot.unreadable.first(where: { RecordSource.holdsRecords($0.path, agent: agent) }) {
        throw PersistenceError(
          .treeUnreadable, "\(path.path) cannot be read (\(path.reason)): nothing was compared or changed",
          hint: "make it a folder that this user can read, and run again")
      }
      if let link = snapshot.entries.first(where: {
        ($0.mode == .symlink || $0.mode == .submodule) && RecordSource.holdsRecords($0.path, agent: agent)
      }) {
        throw PersistenceError(
          .treeUnreadable, "\(link.path) is a link, which is never followed: nothing was compared or changed",
          hint: "put the folder itself in its place")
      }
      unreadable = snapshot.unreadable
      entries = (snapshot.entries + absent.entries).sorted { $0.path < $1.path }
      notes = absent.notes
      self.commit = commit
      committed = Dictionary(files.map { ($0.path, $0.id) }, uniquingKeysWith: { first, _ in first })
      tree = try await repository.treeID(replacing: folder, with: entries, inTree: commit?.tree)
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
      notes = []
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

  /// Whether a folder of records belongs at the path: the agent's own, one of a kind, a dated one below it, the one of
  /// rotated logs. What cannot be listed there hides records, and nothing may be called missing because of it.
  ///
  /// Anything else that cannot be read is one file, or none of ours: a pipe, a socket, an editor's lock, the
  /// `lost+found` of another file system. It is named, and the run goes on.
  static func holdsRecords(_ path: GitPath, agent: Agent) -> Bool {
    let path = path.bytes
    if agent.root.bytes.starts(with: path) { return true }
    if path == agent.root.appending("session_log").bytes { return true }
    return RecordKind.allCases.compactMap { TreeLayout.folder(of: $0, agent: agent)?.bytes }.contains { folder in
      guard path.starts(with: folder) else { return false }
      let below = path.dropFirst(folder.count)
      return below.isEmpty
        || below.first == GitPath.separator
          && below.dropFirst().allSatisfy { $0 == GitPath.separator || (0x30...0x39).contains($0) }
    }
  }

  private static func missing(_ agent: Agent, _ place: String) -> PersistenceError {
    PersistenceError(
      .treeMissing, "\(place) has no \(agent.root.text) folder: nothing was compared or changed",
      hint: "check --root and --agent, and that the folder's file system is mounted")
  }
}

extension LeftOutFiles {
  /// What to tell of them.
  fileprivate var notes: [String] {
    guard !entries.isEmpty else { return [] }
    let files = entries.count == 1 ? "1 file" : "\(entries.count) files"
    guard let doubt else {
      return ["the checkout leaves \(files) of HEAD out (sparse checkout): HEAD's version is the record"]
    }
    return [
      "git's index cannot be read whole (\(doubt)), so nobody can tell whether \(files) of HEAD were removed: HEAD's "
        + "version is the record. `git status` says whether git can read it"
    ]
  }
}
