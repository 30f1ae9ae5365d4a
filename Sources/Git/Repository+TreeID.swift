extension Repository {
  /// The id of the tree `base` with everything at `folder` replaced by `entries`, computed without writing anything.
  ///
  /// `entries` have full paths below `folder`, ascending by their bytes. With none, the folder disappears, and so do
  /// folders that this leaves empty; git keeps no empty folder. Nil for `base` means the empty tree.
  ///
  /// For a working tree without changes, ignored files or converted line endings, the snapshot of a folder gives
  /// back the id of HEAD's tree. Throws `.invalidSpec` for entries out of order or outside of `folder`,
  /// `.missingObject`, `.corrupt`.
  package func treeID(
    replacing folder: GitPath, with entries: [SnapshotEntry], inTree base: ObjectID?
  ) throws(GitError) -> ObjectID {
    guard folder.isWellFormed else {
      throw GitError(.invalidSpec, operation: "build a tree", message: "the path \(folder) is malformed")
    }
    var builder = TreeBuilder()
    let prefix = folder.isRoot ? 0 : folder.bytes.count + 1
    for entry in entries {
      guard entry.path.isInside(folder), entry.path.bytes.count > prefix else {
        throw GitError(
          .invalidSpec, operation: "build a tree", message: "\(entry.path) is not below \(folder)")
      }
      let path = prefix == 0 ? entry.path : GitPath(Array(entry.path.bytes[prefix...]))
      try builder.append(path, id: entry.id, mode: entry.mode)
    }
    let content = builder.finish()
    return try database.treeID(replacing: folder.components[...], with: content, inTree: base) ?? .emptyTree
  }
}

extension ObjectDatabase {
  /// The id of `tree` with the folder at `path` replaced by the tree `content`; nil stands for an empty tree.
  fileprivate borrowing func treeID(
    replacing path: ArraySlice<ArraySlice<UInt8>>, with content: ObjectID?, inTree tree: ObjectID?
  ) throws(GitError) -> ObjectID? {
    guard let name = path.first else { return content }
    var subtree: ObjectID?
    if let tree, let existing = try child(name, ofTree: tree), existing.mode == .tree { subtree = existing.id }
    let child = try treeID(replacing: path.dropFirst(), with: content, inTree: subtree)
    var encoded: [UInt8] = []
    var isPlaced = child == nil
    var cursor = try self.tree(tree)
    while let entry = cursor.entry {
      if let child, !isPlaced, entry.follows(folder: name) {
        TreeBuilder.append(name, mode: .tree, child, to: &encoded)
        isPlaced = true
      }
      if !entry.isNamed(name) { entry.appendEncoded(to: &encoded) }
      try cursor.advance()
    }
    if let child, !isPlaced { TreeBuilder.append(name, mode: .tree, child, to: &encoded) }
    return encoded.isEmpty ? nil : TreeBuilder.id(ofEncoded: encoded)
  }
}

extension RawTreeEntry {
  /// True if the entry sorts after a folder named `name`.
  fileprivate func follows(folder name: ArraySlice<UInt8>) -> Bool {
    unsafe name.withUnsafeBytes { bytes in
      let folder = unsafe RawTreeEntry(rawMode: FileMode.tree.rawMode, mode: .tree, name: bytes, id: .zero)
      return folder.precedes(self)
    }
  }

  /// Appends the entry as it is stored, an old mode included.
  fileprivate func appendEncoded(to encoded: inout [UInt8]) {
    unsafe TreeBuilder.append(name, encodedMode: String(rawMode, radix: 8).utf8, id, to: &encoded)
  }
}
