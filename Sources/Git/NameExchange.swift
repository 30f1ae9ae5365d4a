internal import CLibGit2

/// Lets two files of a folder change names, in one step that nobody sees half done.
package enum NameExchange {
  /// False, with `errno`, where nothing was done: `EINVAL` or `ENOSYS` where the file system or the kernel cannot.
  ///
  /// - Parameter folder: the open folder that both names are in.
  package static func swap(_ one: String, _ other: String, in folder: Int32) -> Bool {
    unsafe moha_exchange(folder, one, other) == 0
  }
}
