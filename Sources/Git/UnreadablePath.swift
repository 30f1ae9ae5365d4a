/// A path of the working tree whose content is unknown. It must not be taken for a deleted file.
package struct UnreadablePath: Hashable, Sendable {
  package let path: GitPath
  /// What the system said; 0 if the path was refused for what it is, such as a named pipe.
  package let errno: Int32
  /// One line for people.
  package let reason: String

  package init(path: GitPath, errno: Int32, reason: String) {
    self.path = path
    self.errno = errno
    self.reason = reason
  }
}
