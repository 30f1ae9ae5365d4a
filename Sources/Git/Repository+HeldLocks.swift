internal import CLibGit2
internal import Glibc

/// A lock file of git's that is there now.
package struct HeldLock: Hashable, Sendable {
  /// For instance `index.lock`.
  package let name: String
  /// Seconds since it was last written.
  package let age: Int64
  /// The process that has it open; nil where none that this user may look at has. Git closes a lock while it waits for
  /// an editor.
  package let holder: Int32?
  /// Whether `Repository.recoverStaleLocks` would remove it.
  package let isStale: Bool
}

extension Repository {
  /// The locks that keep a commit from being made now, with what is known of their holders. Changes nothing.
  package func heldLocks(olderThan seconds: Int64 = 60) throws(GitError) -> [HeldLock] {
    let own = try FileIdentity(
      at: commonDirectoryBytes + Array("/\(WriterLock.folderName)/writer".utf8), "look for locks")
    var locks: [HeldLock] = []
    for path in try gitLocks() {
      guard let file = try FileIdentity(at: path, "look for locks") else { continue }
      let age = Repository.clock() - file.modified
      let isStale: Bool
      if let own, file.isSameFile(as: own) {
        // A hard link to the writer's lock, whose holder is dead if nobody has that.
        isStale = !isWriterAtWork
      } else {
        isStale = age > seconds && !ProcessTable.isOpen(file) && !ProcessTable.gitRuns(in: folders)
      }
      locks.append(
        HeldLock(name: lockName(path), age: age, holder: ProcessTable.holder(of: file), isStale: isStale))
    }
    return locks
  }

  /// Whether a commit of this program is being made. The lock is asked for and let go at once.
  private var isWriterAtWork: Bool {
    let path = commonDirectoryBytes + Array("/\(WriterLock.folderName)/writer".utf8)
    guard let file = try? Descriptor(opening: path, O_RDONLY | O_NOFOLLOW, "look for a writer") else { return false }
    guard flock(file.number, LOCK_SH | LOCK_NB) == 0 else { return true }
    flock(file.number, LOCK_UN)
    return false
  }

  /// The version of libgit2 that is in use, such as `1.5.1`.
  package static var libraryVersion: String {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    unsafe git_libgit2_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }
}
