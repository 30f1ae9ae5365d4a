extension Repository {
  /// What changed below `folder` between two trees, in the order of the paths' bytes. Nil for a tree means the
  /// empty tree; nil and the root for `folder` mean everything.
  ///
  /// Equal subtrees are skipped by their ids, so the cost is that of what differs. A rename is a deletion and an
  /// addition. Throws `.missingObject`, `.corrupt`, `.unsupported`.
  package func difference(
    from old: ObjectID?, to new: ObjectID?, under folder: GitPath? = nil
  ) throws(GitError) -> [TreeChange] {
    try database.difference(from: old, to: new, under: folder ?? .root)
  }
}

extension ObjectDatabase {
  borrowing func difference(
    from old: ObjectID?, to new: ObjectID?, under folder: GitPath
  ) throws(GitError) -> [TreeChange] {
    var changes: [TreeChange] = []
    guard old != new else { return changes }
    guard !folder.isRoot else {
      try appendChanges(from: old, to: new, at: [], depth: 0, to: &changes)
      return changes
    }
    var oldEntry: TreeEntry?
    var newEntry: TreeEntry?
    if let old { oldEntry = try entry(at: folder, inTree: old) }
    if let new { newEntry = try entry(at: folder, inTree: new) }
    guard oldEntry != newEntry else { return changes }
    // A file sorts before the folder of the same name.
    let oldFile = oldEntry.flatMap { $0.mode == .tree ? nil : $0 }
    let newFile = newEntry.flatMap { $0.mode == .tree ? nil : $0 }
    if oldFile != nil || newFile != nil {
      changes.append(TreeChange(path: folder, old: oldFile, new: newFile))
    }
    try appendChanges(
      from: oldFile == nil ? oldEntry?.id : nil, to: newFile == nil ? newEntry?.id : nil, at: folder.bytes,
      depth: 0, to: &changes)
    return changes
  }

  /// Walks both trees in step. `folder` is where they stand.
  private borrowing func appendChanges(
    from old: ObjectID?, to new: ObjectID?, at folder: [UInt8], depth: Int, to changes: inout [TreeChange]
  ) throws(GitError) {
    guard old != new else { return }
    guard depth < TreeLimits.depth else { throw ObjectDatabase.tooDeep(folder) }
    var oldCursor = try tree(old)
    var newCursor = try tree(new)
    while true {
      var oldEntry = oldCursor.entry
      var newEntry = newCursor.entry
      if let left = oldEntry, let right = newEntry {
        let order = left.order(right)
        if order < 0 { newEntry = nil }
        if order > 0 { oldEntry = nil }
      }
      guard let either = oldEntry ?? newEntry else { return }
      if oldEntry?.id != newEntry?.id || oldEntry?.mode != newEntry?.mode {
        let path = either.path(in: folder)
        if either.isTree {
          // The order tells a folder from a file of the same name, so both sides are folders.
          try appendChanges(from: oldEntry?.id, to: newEntry?.id, at: path.bytes, depth: depth + 1, to: &changes)
        } else {
          guard changes.count < TreeLimits.files else {
            throw GitError(
              .unsupported, operation: "compare trees", message: "more than \(TreeLimits.files) changes")
          }
          changes.append(
            TreeChange(
              path: path, old: oldEntry.map { TreeEntry(path: path, id: $0.id, mode: $0.mode) },
              new: newEntry.map { TreeEntry(path: path, id: $0.id, mode: $0.mode) }))
        }
      }
      if oldEntry != nil { try oldCursor.advance() }
      if newEntry != nil { try newCursor.advance() }
    }
  }
}
