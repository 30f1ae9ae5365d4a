/// One file to read: of a commit, or of the working tree.
package struct SnapshotEntry: Hashable, Sendable {
  /// Where the bytes are.
  package enum Source: Hashable, Sendable {
    /// In the object database; the working tree is the fallback for entries of a snapshot.
    case object
    /// Only in the working tree.
    case workTree
  }

  /// From the repository's root.
  package let path: GitPath
  /// The id of the blob that git would store for the file: of its bytes as they are, unless attributes ask for a
  /// conversion.
  package let id: ObjectID
  package let mode: FileMode
  /// In bytes, of the blob; nil if it is not known without reading.
  package let size: Int64?
  package let source: Source
  /// Whether the bytes on disk are not those of the blob: line ends, keywords or the encoding differ.
  package let isConverted: Bool

  package init(
    path: GitPath, id: ObjectID, mode: FileMode, size: Int64?, source: Source, isConverted: Bool = false
  ) {
    self.path = path
    self.id = id
    self.mode = mode
    self.size = size
    self.source = source
    self.isConverted = isConverted
  }

  /// An entry of a commit, so that commits and working trees go through one code path.
  package init(_ entry: TreeEntry) {
    self.init(path: entry.path, id: entry.id, mode: entry.mode, size: nil, source: .object)
  }
}

extension TreeEntry {
  package init(_ entry: SnapshotEntry) {
    self.init(path: entry.path, id: entry.id, mode: entry.mode)
  }
}
