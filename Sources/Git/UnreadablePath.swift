/// A path of the working tree whose content is unknown, or is not what git stores. It must not be taken for a deleted file.
package struct UnreadablePath: Hashable, Sendable {
  package let path: GitPath
  package let cause: SkipReason
  /// What the system said; 0 if the path was refused for what it is, such as a named pipe.
  package let errno: Int32
  /// One line for people.
  package let reason: String
  /// True for a folder: what is in it is unknown, too.
  package let isFolder: Bool
  /// True if the index knows that the file is as it was when git stored it.
  package let isUnchanged: Bool

  package init(
    path: GitPath, cause: SkipReason = .unreadable, errno: Int32 = 0, reason: String, isFolder: Bool = false,
    isUnchanged: Bool = false
  ) {
    self.path = path
    self.cause = cause
    self.errno = errno
    self.reason = reason
    self.isFolder = isFolder
    self.isUnchanged = isUnchanged
  }
}
