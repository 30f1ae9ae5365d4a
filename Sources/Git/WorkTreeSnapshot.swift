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

  package init(
    entries: [SnapshotEntry], hashedCount: Int, unreadable: [UnreadablePath], rootMissing: Bool
  ) {
    self.entries = entries
    self.hashedCount = hashedCount
    self.unreadable = unreadable
    self.rootMissing = rootMissing
  }
}
