/// Files of HEAD that a working tree does not have, and that nobody has removed.
///
/// A sparse checkout leaves files out, and so does an index that names whole folders by their trees. Where the index
/// cannot be read whole, nobody can tell a file that was left out from one that was removed: it counts as left out,
/// since "cannot tell" is never "gone".
///
/// Source: git-sparse-checkout(1), and gitformat-index(5) for the bit "skip-worktree" and the extension "sdir".
package struct LeftOutFiles: Sendable {
  /// As HEAD has them, sorted by the bytes of their paths.
  package let entries: [SnapshotEntry]
  /// Why the index cannot be read whole, as a clause about it; nil where it can.
  package let doubt: String?
}

extension Repository {
  /// The files of `committed` that the working tree, as it was seen by `snapshot`, does not have and that are not removed.
  ///
  /// - Parameters:
  ///   - committed: HEAD's files below `folder`, sorted by the bytes of their paths.
  ///   - folder: what `snapshot` was taken of.
  ///
  /// Costs nothing but a walk through both lists where every file is there.
  package func leftOut(
    _ committed: [TreeEntry], of snapshot: WorkTreeSnapshot, below folder: GitPath
  ) -> LeftOutFiles {
    var absent: [TreeEntry] = []
    var position = 0
    for entry in committed where entry.mode != .submodule {
      while position < snapshot.entries.count, snapshot.entries[position].path < entry.path { position += 1 }
      if position < snapshot.entries.count, snapshot.entries[position].path == entry.path { continue }
      // What could not be read is there, whatever it is.
      if snapshot.unreadable.contains(where: { entry.path.isInside($0.path) }) { continue }
      absent.append(entry)
    }
    guard !absent.isEmpty else { return LeftOutFiles(entries: [], doubt: nil) }
    let index = checkoutIndex(below: folder)
    let leftOut = absent.filter { index.absence(of: $0.path) != .removed }
    var doubt: String?
    if case .unreadable(let reason) = index.condition { doubt = reason }
    return LeftOutFiles(entries: leftOut.map(SnapshotEntry.init), doubt: doubt)
  }
}
