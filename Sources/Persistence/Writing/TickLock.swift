package import Git
internal import Glibc

/// The lock of the periodic run: `moha-sync/tick.flock` in the git folder, so that there is one at a time.
///
/// It is not the lock of a reconcile or of a writer: those may run beside a tick and wait for its steps only.
package final class TickLock: Sendable {
  private let lock: FileLock

  private init(_ lock: FileLock) {
    self.lock = lock
  }

  /// Takes the lock at once or throws `.locked`.
  package static func acquire(_ repository: Repository) async throws -> TickLock {
    let folder = "\(repository.gitDirectory)/moha-sync"
    if mkdir(folder, 0o700) != 0 && errno != EEXIST {
      throw PersistenceError(
        .writeFailed, "cannot make \(folder): \(String(cString: strerror(errno))). Nothing was done",
        hint: "run as a user who may write the repository's git folder")
    }
    return TickLock(try await FileLock.acquire("\(folder)/tick.flock", patience: .zero))
  }
}
