/// What a commit changes in its parent's tree, and where the new bytes are. Computing it writes nothing.
struct CommitPlan {
  /// Sorted by path, each path once.
  var changes: [TreeEdit.Change] = []
  /// The bytes of all content that the parent does not have there, by the id of their blob. The object database may have
  /// some of the blobs, which need be neither durable nor safe from being removed.
  var blobs: [ObjectID: [UInt8]] = [:]
  var skipped: [CommitOutcome.Skipped] = []

  mutating func skip(_ path: GitPath, _ reason: SkipReason) {
    skipped.append(CommitOutcome.Skipped(path: path, reason: reason))
  }

  /// Plans a file whose bytes are known, unless the parent has it so.
  mutating func put(_ path: GitPath, _ content: CommitRequest.FileContent, old: TreeEntry?) {
    let isExecutable = content.isExecutable ?? (old?.mode == .executable)
    let entry = EntryLookup.Entry(id: ObjectID.blob(content.bytes), mode: isExecutable ? .executable : .regular)
    if let old, old.id == entry.id, old.mode == entry.mode { return }
    changes.append(TreeEdit.Change(path: path, content: entry))
    blobs[entry.id] = content.bytes
  }
}

extension Repository {
  /// Works out what `request` changes in the tree `base` of the commit `parent`. `index` says what the checkout leaves out.
  func plan(
    _ request: CommitRequest, parent: ObjectID?, base: ObjectID?, _ index: CheckoutIndex
  ) throws(GitError) -> CommitPlan {
    switch request.changes {
    case .files(let files):
      return try plan(files, base: base)
    case .composed(let compose):
      var plan = CommitPlan()
      for (path, content) in try compose(self, parent).sorted(by: { $0.key < $1.key }) {
        guard path.isCommittable(below: request.folder) else {
          plan.skip(path, .name)
          continue
        }
        if let obstacle = try obstacle(at: path, inTree: base) {
          plan.skip(path, .special(obstacle))
          continue
        }
        plan.put(path, content, old: try base.flatMap { (tree) throws(GitError) in try database.entry(at: path, inTree: tree) })
      }
      return plan
    case .workTree(let snapshot, let judge, let composing):
      let composed = try composing?(self, parent) ?? [:]
      var walk = WorkTreePlan(of: snapshot, in: request.folder, index, composed: composed, judge)
      return try walk.plan(base: base, in: self)
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
      plan.put(path, content, old: old)
    }
    return plan
  }

  /// What stands where a regular file is to go: at its path, or in the place of a folder above it. Nil for nothing.
  package func obstacle(at path: GitPath, inTree tree: ObjectID?) throws(GitError) -> SkipReason.Special? {
    guard var folder = tree else { return nil }
    let components = path.components
    for (index, component) in components.enumerated() {
      guard let (id, mode) = try database.child(component, ofTree: folder) else { return nil }
      let isLast = index == components.count - 1
      switch mode {
      case .tree:
        if isLast { return .folder }
        folder = id
      case .regular, .executable: return isLast ? nil : .file
      case .symlink: return .link
      case .submodule: return .folder
      }
    }
    return nil
  }
}

extension CommitPlan {
  /// What has to be written before the trees, each object once.
  var newBlobs: [NewObject] {
    var seen: Set<ObjectID> = []
    return changes.compactMap { change in
      guard let id = change.content?.id, let bytes = blobs[id], seen.insert(id).inserted else { return nil }
      return NewObject(id: id, type: .blob, bytes: bytes)
    }
  }
}
