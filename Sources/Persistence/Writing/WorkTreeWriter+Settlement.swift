internal import Git
internal import Records

extension WorkTreeWriter {
  /// Enters the keys of writes that a commit holds, and takes them out of the journal. Under the lock of the tree.
  func letGo(of writes: [JournalEntry], in commit: ObjectID, places: [String: GitPath]) async throws {
    for agent in Set(writes.compactMap(\.agent)) {
      try await IdempotencyKeys(journal: journal, agent: agent).enter(writes, of: commit, in: repository) {
        places[$0.name] ?? $0.path
      }
    }
    if !writes.isEmpty { CommittedWrites(journal: journal).add(places, to: commit) }
    journal.remove(writes)
  }

  /// Brings the files of writes that a commit takes to what it holds, where a person's command has put something older in
  /// their place, or taken them away. What a person has edited stays, with the writes in it.
  ///
  /// Under the lock of the tree; and under git's, before index and HEAD go to the commit (`CommitRequest.placing`): a
  /// command of a person's that comes next must not find index entries whose files are not there, which it would take for
  /// removed. Nothing that was acknowledged depends on it, so what cannot be written stays as it is.
  ///
  /// - Parameter merged: logs and identities whose content in the commit was merged, with what was merged into it. A file
  ///   that still is that becomes what the commit has.
  func settle(
    _ writes: [JournalEntry], also merged: [GitPath: [UInt8]] = [:], in commit: ObjectID, places: [String: GitPath],
    _ repository: isolated Repository
  ) {
    guard let tree = try? repository.commit(commit).tree, let waiting = try? journal.entries() else { return }
    for (path, bytes) in merged { try? replace(path, ifStill: bytes, with: tree, repository) }
    var logs: Set<GitPath> = []
    var identities: Set<GitPath> = []
    for write in writes {
      switch write.operation {
      case .create: try? settleFile(write, at: places[write.name] ?? write.path, tree, repository)
      case .append, .rotate: logs.formUnion(write.paths)
      case .identity, .recount, .takeIdentity: break
      }
      // Counted by the files that are there, which need not be HEAD's.
      if case .recount = write.operation { continue }
      if let agent = write.agent { identities.insert(GitPath(TreeLayout.identity(of: agent).bytes)) }
    }
    for path in logs.sorted() { try? settleLog(path, commit, tree, writes: writes, waiting: waiting, repository) }
    for path in identities.sorted() { try? settleIdentity(path, commit, tree, repository) }
  }

  private func settleFile(
    _ write: JournalEntry, at path: GitPath, _ tree: ObjectID, _ repository: isolated Repository
  ) throws {
    let file = WorkTreeFile(workTree: workTree, path: path)
    guard try !file.exists(), !repository.isLeftOut(path),
      try repository.entry(at: path, inTree: tree)?.id == .blob(write.content)
    else { return }
    try file.create(with: write.content)
  }

  private func replace(_ path: GitPath, ifStill old: [UInt8], with tree: ObjectID, _ repository: isolated Repository) throws {
    let file = WorkTreeFile(workTree: workTree, path: path)
    guard let committed = try bytes(path, in: tree, repository), try file.exists() else { return }
    let present = try file.read(limit: GitRecordReader.logLimit)
    guard try repository.stored(present, at: path) == old else { return }
    try file.replace(present, with: try repository.checkedOut(committed, at: path))
  }

  private func settleLog(
    _ path: GitPath, _ commit: ObjectID, _ tree: ObjectID, writes: [JournalEntry], waiting: [JournalEntry],
    _ repository: isolated Repository
  ) throws {
    guard let committed = try bytes(path, in: tree, repository) else { return }
    func appends(_ entries: [JournalEntry]) -> [[UInt8]] {
      entries.filter { entry in
        if case .append = entry.operation { entry.path == path } else { false }
      }.map(\.content)
    }
    let later = appends(waiting).filter { committed.firstOffset(of: $0) == nil }
    let wanted = committed + later.joined()
    let file = WorkTreeFile(workTree: workTree, path: path)
    guard try file.exists() else {
      if !repository.isLeftOut(path) { try file.create(with: wanted) }
      return
    }
    let raw = try file.read(limit: GitRecordReader.logLimit)
    if raw == wanted { return }
    let present = try repository.stored(raw, at: path)
    if present == wanted { return }
    let version = try mergedLog(head: wanted, file: present, path: path, from: commit, writes: appends(writes) + later, repository)
    if let version, version != present {
      try file.replace(raw, with: try repository.checkedOut(version, at: path))
    }
  }

  /// What a log of the working tree becomes beside `head`; nil where it stays.
  private func mergedLog(
    head: [UInt8], file: [UInt8], path: GitPath, from commit: ObjectID, writes: [[UInt8]],
    _ repository: isolated Repository
  ) throws -> [UInt8]? {
    func withWrites(_ log: [UInt8]) -> [UInt8] {
      var log = log
      for write in writes where log.firstOffset(of: write) == nil { LogMerge.append(write, to: &log) }
      return log
    }
    if ConflictMarkers.isIn(file) { return withWrites(file) }
    // Without our own entries at its end: what is left may be an older version.
    var rest = file
    for write in writes {
      if let offset = rest.firstOffset(of: write) { rest.removeSubrange(offset..<(offset + write.count)) }
    }
    if head.starts(with: rest) { return head }
    let merge = LogMerge(head: head, file: file, path: RecordPath(path.bytes))
    let base = try LogVersions.base(of: merge, at: path, from: commit, in: repository)
    switch try merge.outcome(base: base) {
    case .file: return nil
    case .merged(let bytes): return bytes
    case .removed, .conflict: return withWrites(file)
    }
  }

  private func settleIdentity(
    _ path: GitPath, _ commit: ObjectID, _ tree: ObjectID, _ repository: isolated Repository
  ) throws {
    guard let committed = try bytes(path, in: tree, repository), let head = try? JSONDocument(committed) else { return }
    let file = WorkTreeFile(workTree: workTree, path: path)
    guard try file.exists() else {
      if !repository.isLeftOut(path) { try file.create(with: committed) }
      return
    }
    let raw = try file.read(limit: GitRecordReader.fileLimit)
    if raw == committed { return }
    let present = try repository.stored(raw, at: path)
    guard present != committed, let document = try? JSONDocument(present), case .object = document.value else { return }
    let edits = try IdentityVersions.edits(in: document, at: path, from: commit, repository)
    let merged = try IdentityMerge.merged(head: head, file: document, edits: edits)
    if merged.bytes != present, merged.value != document.value || edits.isEmpty {
      try file.replace(raw, with: try repository.checkedOut(merged.bytes, at: path))
    }
  }

  private func bytes(
    _ path: GitPath, in tree: ObjectID, _ repository: isolated Repository
  ) throws -> [UInt8]? {
    guard let entry = try repository.entry(at: path, inTree: tree),
      entry.mode == .regular || entry.mode == .executable
    else { return nil }
    return try repository.blob(entry.id, limit: GitRecordReader.logLimit)
  }
}

/// Which older version a log of the working tree was edited from.
enum LogVersions {
  /// How many commits, and how many bytes of versions, are looked through.
  private static let commits = 200
  private static let budget = 64 << 20

  /// The newest version in the history of `commit` that the file has all entries of.
  static func base(
    of merge: LogMerge, at path: GitPath, from commit: ObjectID, in repository: isolated Repository
  ) throws(GitError) -> [UInt8]? {
    var base: [UInt8]?
    var read = 0
    try repository.visitVersions(of: path, from: commit, limit: commits) { (version) throws(GitError) in
      let bytes = try repository.blob(version, limit: GitRecordReader.logLimit)
      read += bytes.count
      if merge.isBase(bytes) { base = bytes }
      return base == nil && read < budget
    }
    return base
  }
}

/// Which older version identity.json of the working tree was edited from.
enum IdentityVersions {
  private static let commits = 100

  /// The edits of the version in the history of `commit` that the file differs least from; of several the newest.
  static func edits(
    in file: JSONDocument, at path: GitPath, from commit: ObjectID, _ repository: isolated Repository
  ) throws(GitError) -> [IdentityMerge.Edit] {
    var best: [IdentityMerge.Edit]?
    try repository.visitVersions(of: path, from: commit, limit: commits) { (version) throws(GitError) in
      let bytes = try repository.blob(version, limit: GitRecordReader.fileLimit)
      guard let document = try? JSONDocument(bytes) else { return true }
      let edits = IdentityMerge.edits(from: document.value, to: file.value)
      if edits.count < best?.count ?? .max { best = edits }
      return best?.isEmpty != true
    }
    return best ?? IdentityMerge.edits(from: .emptyObject, to: file.value)
  }
}
