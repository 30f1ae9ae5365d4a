package import Git
internal import Glibc

/// A lock file in the repository's git folder, held for the length of a run.
///
/// flock(2), not the file's existence, is the lock: a killed process lets go of it. The file stays.
package final class RunLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock at once or throws `.locked`; a folder that cannot be written throws `.writeFailed`.
  package init(of repository: Repository) throws {
    let folder = "\(repository.commonDirectory)/moha-sync"
    // Not named .lock: a person who looks for git's stale locks should not find one that is none.
    let path = "\(folder)/run.flock"
    let files = PrivateFiles(of: repository)
    try files.makeFolder(folder)
    let descriptor = files.open(path, O_RDWR | O_CREAT)
    guard descriptor >= 0 else {
      throw PersistenceError(
        .writeFailed, "cannot open \(path): \(String(cString: strerror(errno))). Nothing was changed",
        hint: "run as a user who may write the repository's git folder")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno
      close(descriptor)
      guard reason == EWOULDBLOCK else {
        throw PersistenceError(
          .writeFailed, "cannot lock \(path): \(String(cString: strerror(reason))). Nothing was changed")
      }
      throw PersistenceError(
        .locked, "another moha-sync run holds \(path): nothing was changed", hint: "run again when it has ended")
    }
    self.descriptor = descriptor
  }

  deinit {
    // A child between fork and exec has the descriptor too, and closing ours alone would leave it the lock.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
