/// A file that a commit deleted.
package struct Deletion: Hashable, Sendable {
  /// What the file was last.
  package let file: TreeEntry
  package let commit: ObjectID
  /// Seconds since 1970, from the committer of `commit`.
  package let time: Int64
  /// The first parent of `commit`, which still has the file.
  package let lastHolder: ObjectID

  package init(file: TreeEntry, commit: ObjectID, time: Int64, lastHolder: ObjectID) {
    (self.file, self.commit, self.time, self.lastHolder) = (file, commit, time, lastHolder)
  }

  /// Whether it happened after the other, by the committers' times.
  package func isNewer(than other: Deletion) -> Bool {
    time == other.time ? other.commit < commit : other.time < time
  }
}
