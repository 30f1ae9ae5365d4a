internal import Glibc

/// An exclusive lock between processes and tasks: flock(2) on a file, waited for by trying again.
///
/// Each lock opens the file anew, so two tasks of one process keep each other out like two processes do. The
/// kernel frees it when its holder dies.
final class FileLock: Sendable {
  private let descriptor: Int32

  private init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    // A child between fork and exec has the descriptor too, and closing ours alone would leave it the lock.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Lets others have the lock while references to it are still held.
  func release() {
    flock(descriptor, LOCK_UN)
  }

  /// Waits up to `patience`, then throws `.locked`.
  static func acquire(_ path: String, patience: Duration) async throws -> FileLock {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw PersistenceError(
        .writeFailed, "cannot open \(path): \(String(cString: strerror(errno))). Nothing was written",
        hint: "run as a user who may write the repository's git folder")
    }
    let lock = FileLock(descriptor: descriptor)
    let deadline = ContinuousClock.now + patience
    var pause = Duration.microseconds(200)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw PersistenceError(.writeFailed, "cannot lock \(path): \(String(cString: strerror(errno)))")
      }
      guard ContinuousClock.now < deadline else {
        throw PersistenceError(
          .locked, "another process holds \(path): nothing was written", hint: "run again when it has ended")
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, .milliseconds(5))
    }
    return lock
  }
}
