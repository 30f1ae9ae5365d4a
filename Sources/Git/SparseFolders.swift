/// What a commit means to the entries of a sparse index that stand for whole folders.
///
/// Such an entry says of everything in its folder what is staged there. If that is what the parent has, the folder's new
/// tree is all there is to say, and the changes in it become one, of the folder. If a person has staged something else
/// there (`git reset --soft`), the entry is taken apart into one for each file, as git does when it has to, so that each
/// path is judged for itself; `git sparse-checkout reapply` puts the folder together again.
struct SparseFolders {
  let index: IndexFile
  let changes: [TreeChange]

  /// Works on `changes` from the tree `old` to `new`, sorted by path. Throws `.missingObject`, `.corrupt`.
  init(
    _ index: IndexFile, _ changes: [TreeChange], from old: ObjectID?, to new: ObjectID?,
    _ database: borrowing ObjectDatabase
  ) throws(GitError) {
    guard index.isSparse else {
      (self.index, self.changes) = (index, changes)
      return
    }
    var seen: Set<Int> = []
    var folded: [TreeChange] = []
    var apart: Set<Int> = []
    for change in changes {
      guard let position = index.folder(around: change.path) else {
        folded.append(change)
        continue
      }
      // The first change in a folder stands for all of them.
      guard seen.insert(position).inserted else { continue }
      let place = GitPath(Array(index.path(at: position)))
      let folder = GitPath(Array(place.bytes.dropLast()))
      let change = TreeChange(
        path: place, old: try SparseFolders.entry(of: folder, place, inTree: old, database),
        new: try SparseFolders.entry(of: folder, place, inTree: new, database))
      let staged = index.entry(at: position).id
      if staged == change.old?.id || staged == change.new?.id {
        folded.append(change)
      } else {
        apart.insert(position)
        folded.append(contentsOf: changes.filter { $0.path.isInside(folder) })
      }
    }
    self.changes = folded
    self.index = try apart.isEmpty ? index : SparseFolders.expanding(apart, of: index, database)
  }

  private static func entry(
    of folder: GitPath, _ place: GitPath, inTree tree: ObjectID?, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> TreeEntry? {
    guard let tree, let entry = try database.entry(at: folder, inTree: tree), entry.mode == .tree else { return nil }
    return TreeEntry(path: place, id: entry.id, mode: .tree)
  }

  /// The index with an entry for each file in some of its folders.
  private static func expanding(
    _ folders: Set<Int>, of index: IndexFile, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> IndexFile {
    var builder = IndexBuilder(version: index.version, capacity: index.bytes.count * 2)
    var changed: Set<GitPath> = []
    var next = 0
    for position in folders.sorted() {
      builder.copy(next..<position, of: index)
      next = position + 1
      let folder = GitPath(Array(index.path(at: position).dropLast()))
      var files: [TreeEntry] = []
      try database.appendFiles(ofTree: index.entry(at: position).id, at: folder.bytes, depth: 0, to: &files)
      for file in files {
        builder.append(
          path: file.path.bytes[...], mode: file.mode.rawMode, id: file.id, IndexBuilder.Status(),
          IndexBuilder.Flags(isSkipWorktree: true))
      }
      var ancestor: GitPath? = folder
      while let next = ancestor, changed.insert(next).inserted { ancestor = next.parent }
    }
    builder.copy(next..<index.count, of: index)
    builder.append(extensionsOf: index, changed: changed)
    do throws(UnreadableIndex) {
      return try IndexFile(builder.finishUnchecked(), below: .root)
    } catch {
      // Its folders hold names that an index cannot.
      throw GitError(.corrupt, operation: "read the folders of the index", message: error.reason)
    }
  }
}
