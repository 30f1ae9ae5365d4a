extension Repository {
  /// Every file below `folder` in a tree, at any depth, in the order of `git ls-tree -r`: by the bytes of the
  /// path. Submodules are listed, folders are not. Nil and the root both mean the whole tree; a path that is
  /// absent or no folder has no files.
  ///
  /// Throws `.missingObject`, `.corrupt`, or `.unsupported` beyond the limits of `TreeLimits`.
  package func files(inTree tree: ObjectID, under folder: GitPath? = nil) throws(GitError) -> [TreeEntry] {
    let folder = folder ?? .root
    guard let start = try database.folder(at: folder, inTree: tree) else { return [] }
    var files: [TreeEntry] = []
    try database.appendFiles(ofTree: start, at: folder.bytes, depth: 0, to: &files)
    return files
  }

  /// What a folder of a tree holds directly, folders included, in git's order; nothing for a path that is no folder.
  package func children(of folder: GitPath, inTree tree: ObjectID) throws(GitError) -> [TreeEntry] {
    guard let start = try database.folder(at: folder, inTree: tree) else { return [] }
    var entries: [TreeEntry] = []
    var cursor = try database.tree(start)
    while let entry = cursor.entry {
      entries.append(TreeEntry(path: entry.path(in: folder.bytes), id: entry.id, mode: entry.mode))
      try cursor.advance()
    }
    return entries
  }

  /// What a tree holds at `path`, a folder included; nil if there is nothing. The root is not an entry.
  package func entry(at path: GitPath, inTree tree: ObjectID) throws(GitError) -> TreeEntry? {
    try database.entry(at: path, inTree: tree)
  }

  /// The bytes of a blob. Throws `.tooLarge`, before reading it, if it has more than `limit` bytes;
  /// `.missingObject`, `.corrupt`, or `.invalidSpec` if it is no blob.
  package func blob(_ id: ObjectID, limit: Int) throws(GitError) -> [UInt8] {
    let data = try database.blob(id, limit: limit)
    return unsafe data.withBytes { unsafe Array($0) }
  }
}

/// Bounds on what a hostile tree can make a walk do: a few small objects can name billions of files.
enum TreeLimits {
  /// Folders inside folders. The walk recurses, and its thread's stack is 8 MiB.
  static let depth = 1_024
  /// Files in one listing.
  static let files = 20_000_000
}

extension ObjectDatabase {
  borrowing func blob(_ id: ObjectID, limit: Int) throws(GitError) -> ObjectData {
    // A header costs a third of a read, and tells nothing to a caller who takes any size.
    if limit == .max { return try read(id, type: .blob) }
    guard let header = try header(id) else {
      throw GitError(.missingObject, operation: "read blob \(id)", message: "there is no such object")
    }
    guard header.size <= limit else {
      throw GitError(
        .tooLarge, operation: "read blob \(id)", message: "it has \(header.size) bytes, the limit is \(limit)")
    }
    return try read(id, type: .blob)
  }

  borrowing func entry(at path: GitPath, inTree tree: ObjectID) throws(GitError) -> TreeEntry? {
    var tree = tree
    let components = path.components
    for (index, component) in components.enumerated() {
      guard let (id, mode) = try child(component, ofTree: tree) else { return nil }
      if index == components.count - 1 { return TreeEntry(path: path, id: id, mode: mode) }
      guard mode == .tree else { return nil }
      tree = id
    }
    return nil
  }

  /// The tree of a folder; nil if the path is absent or no folder.
  borrowing func folder(at path: GitPath, inTree tree: ObjectID) throws(GitError) -> ObjectID? {
    if path.isRoot { return tree }
    guard let entry = try entry(at: path, inTree: tree), entry.mode == .tree else { return nil }
    return entry.id
  }

  /// One entry of one tree, by its bare name.
  borrowing func child(
    _ name: ArraySlice<UInt8>, ofTree tree: ObjectID
  ) throws(GitError) -> (id: ObjectID, mode: FileMode)? {
    var cursor = try self.tree(tree)
    while let entry = cursor.entry {
      if entry.isNamed(name) { return (entry.id, entry.mode) }
      try cursor.advance()
    }
    return nil
  }

  borrowing func appendFiles(
    ofTree tree: ObjectID, at folder: [UInt8], depth: Int, to files: inout [TreeEntry]
  ) throws(GitError) {
    guard depth < TreeLimits.depth else { throw ObjectDatabase.tooDeep(folder) }
    var cursor = try self.tree(tree)
    while let entry = cursor.entry {
      let path = entry.path(in: folder)
      if entry.isTree {
        try appendFiles(ofTree: entry.id, at: path.bytes, depth: depth + 1, to: &files)
      } else {
        guard files.count < TreeLimits.files else {
          throw GitError(
            .unsupported, operation: "list tree \(tree)", message: "more than \(TreeLimits.files) files")
        }
        files.append(TreeEntry(path: path, id: entry.id, mode: entry.mode))
      }
      try cursor.advance()
    }
  }

  static func tooDeep(_ folder: [UInt8]) -> GitError {
    GitError(
      .unsupported, operation: "walk a tree",
      message: "folders are nested more than \(TreeLimits.depth) deep")
  }
}
