/// What a commit changes in its parent's tree, and where the new bytes are. Computing it writes nothing.
struct CommitPlan {
  /// Sorted by path, each path once.
  var changes: [TreeEdit.Change] = []
  /// The bytes that may have to be written, by the id of their blob.
  var blobs: [ObjectID: [UInt8]] = [:]
  /// The blobs that the object database has, and that may not be durable.
  var reused: Set<ObjectID> = []
  var skipped: [CommitOutcome.Skipped] = []

  mutating func skip(_ path: GitPath, _ reason: CommitOutcome.Skipped.Reason) {
    skipped.append(CommitOutcome.Skipped(path: path, reason: reason))
  }
}

extension Repository {
  /// Works out what `request` changes in the tree `base`.
  func plan(_ request: CommitRequest, base: ObjectID?) throws(GitError) -> CommitPlan {
    switch request.changes {
    case .files(let files):
      return try plan(files, base: base)
    case .workTree(let snapshot, let inspect):
      return try plan(snapshot, of: request.folder, base: base, inspect)
    }
  }

  private func plan(
    _ files: [GitPath: CommitRequest.FileContent?], base: ObjectID?
  ) throws(GitError) -> CommitPlan {
    var plan = CommitPlan()
    for (path, content) in files.sorted(by: { $0.key < $1.key }) {
      var old: TreeEntry?
      if let base { old = try database.entry(at: path, inTree: base) }
      guard let content else {
        if let old, old.mode != .tree { plan.changes.append(TreeEdit.Change(path: path, content: nil)) }
        continue
      }
      if let old, old.mode == .symlink || old.mode == .submodule {
        throw GitError(
          .invalidSpec, operation: "commit \(path)", message: "the parent commit has no regular file there")
      }
      let isExecutable = content.isExecutable ?? (old?.mode == .executable)
      let entry = EntryLookup.Entry(id: ObjectID.blob(content.bytes), mode: isExecutable ? .executable : .regular)
      if let old, old.id == entry.id, old.mode == entry.mode { continue }
      plan.changes.append(TreeEdit.Change(path: path, content: entry))
      plan.blobs[entry.id] = content.bytes
    }
    return plan
  }

  private func plan(
    _ snapshot: WorkTreeSnapshot, of folder: GitPath, base: ObjectID?, _ inspect: CommitRequest.Inspection
  ) throws(GitError) -> CommitPlan {
    guard !snapshot.rootMissing else {
      throw GitError(
        .notFound, operation: "commit \(folder)",
        message: "the folder is not there, and a tree that is not mounted is not one whose files were deleted")
    }
    var plan = CommitPlan()
    var old: [TreeEntry] = []
    if let base { old = try files(inTree: base, under: folder) }
    let unreadable = snapshot.unreadable.map(\.path)
    for path in unreadable { plan.skip(path, .unreadable) }
    let sparse = sparsePaths(below: folder)
    var reader = EntryReader(limit: .max)
    var position = 0
    var last: GitPath?
    for entry in snapshot.entries {
      guard entry.path.isInside(folder), last.map({ $0 < entry.path }) ?? true else {
        throw GitError(
          .invalidSpec, operation: "commit \(folder)", message: "the snapshot is not in order at \(entry.path)")
      }
      last = entry.path
      while position < old.count, old[position].path < entry.path {
        delete(old[position].path, unreadable, sparse, &plan)
        position += 1
      }
      var parent: TreeEntry?
      if position < old.count, old[position].path == entry.path {
        parent = old[position]
        position += 1
      }
      if let parent, parent.id == entry.id, parent.mode == entry.mode { continue }
      try put(entry, parent, in: folder, inspect, &reader, &plan)
    }
    for entry in old[position...] { delete(entry.path, unreadable, sparse, &plan) }
    plan.skipped.sort { $0.path < $1.path }
    return plan
  }

  /// Plans an added or changed file.
  private func put(
    _ entry: SnapshotEntry, _ parent: TreeEntry?, in folder: GitPath, _ inspect: CommitRequest.Inspection,
    _ reader: inout EntryReader, _ plan: inout CommitPlan
  ) throws(GitError) {
    guard entry.path.isCommittable(below: folder) else { return plan.skip(entry.path, .name) }
    if parent == nil, try handle.isIgnored(entry.path) { return plan.skip(entry.path, .ignored) }
    if entry.mode.isBlob {
      // The content is the parent's: only the mode changes, and there is nothing to inspect.
      if entry.id != parent?.id {
        let bytes: [UInt8]
        do {
          bytes = unsafe try reader.withBytes(of: entry, in: self) { unsafe try Array($0.get()) }
        } catch let error as GitError where error.code == .notFound || error.code == .permissionDenied {
          return plan.skip(entry.path, .unreadable)
        } catch let error as GitError {
          throw error
        } catch {
          throw GitError(.io, operation: "read \(entry.path)", message: "\(error)")
        }
        guard inspect(entry.path, bytes) else { return plan.skip(entry.path, .refused) }
        if entry.source == .object { plan.reused.insert(entry.id) } else { plan.blobs[entry.id] = bytes }
      }
    }
    plan.changes.append(
      TreeEdit.Change(path: entry.path, content: EntryLookup.Entry(id: entry.id, mode: entry.mode)))
  }

  private func delete(
    _ path: GitPath, _ unreadable: [GitPath], _ sparse: Set<GitPath>, _ plan: inout CommitPlan
  ) {
    if unreadable.contains(where: { path.isInside($0) }) { return }
    if sparse.contains(path) { return plan.skip(path, .sparse) }
    plan.changes.append(TreeEdit.Change(path: path, content: nil))
  }

  /// The paths that a sparse checkout leaves out.
  private func sparsePaths(below folder: GitPath) -> Set<GitPath> {
    StatCache.sparsePaths(ofIndexAt: gitDirectoryBytes + Array("/index".utf8), below: folder)
  }
}

extension StatCache {
  /// The paths below `folder` that the index marks as left out of the working tree.
  static func sparsePaths(ofIndexAt path: [UInt8], below folder: GitPath) -> Set<GitPath> {
    guard let contents = try? contents(of: path), let index = IndexFile(contents.bytes, below: folder) else {
      return []
    }
    return Set(
      (0..<index.count).lazy.filter { index.entry(at: $0).isSkipWorktree }.map {
        GitPath(Array(index.path(at: $0)))
      })
  }
}
