/// The files of the working tree below one folder, as they were while it was walked.
package struct WorkTreeSnapshot: Sendable {
  /// Sorted by the bytes of the path.
  package let entries: [SnapshotEntry]
  /// How many files were read and hashed; the others were known from the index.
  package let hashedCount: Int
  /// Sorted by the bytes of the path. A folder that cannot be listed stands for everything below it.
  package let unreadable: [UnreadablePath]
  /// True if the folder is not there, so that "no files" is not mistaken for "all deleted".
  package let rootMissing: Bool
  /// HEAD and the index before the walk began: a commit is made only beside the same, since a `git switch` in between
  /// would make the files of one branch the changes of another. Nil is not compared.
  var checkout: CheckoutState?

  package init(
    entries: [SnapshotEntry], hashedCount: Int, unreadable: [UnreadablePath], rootMissing: Bool
  ) {
    self.entries = entries
    self.hashedCount = hashedCount
    self.unreadable = unreadable
    self.rootMissing = rootMissing
  }
}

/// What a working tree is a checkout of.
struct CheckoutState: Equatable {
  let head: Head
  /// Of the index's file; nil where there is none, or it cannot be read.
  let index: FileStatus?
}
