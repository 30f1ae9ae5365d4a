internal import SystemPackage

/// The lock on a state folder: whoever starts, stops or makes a server holds it.
///
/// The kernel lets go of it when its holder dies, however it dies; servers do not inherit it.
struct StateLock: ~Copyable {
  private let file: OpenFile

  private init(_ file: consuming OpenFile) { self.file = file }

  /// Waits for the lock.
  ///
  /// - Parameter patience: how long another holder may take; the longest start is a first `initdb`, or a crash
  ///   recovery.
  /// - Throws: `busy` when it is not free by then, `cancelled`, `fileSystem`.
  static func acquire(
    _ state: StateDirectory, patience: Duration
  ) async throws(EmbeddedServersError) -> StateLock {
    let path = state.layout.lock
    let file = try open(path, account: state.account)
    let deadline = ContinuousClock.now + patience
    while true {
      do throws(Errno) {
        if try file.tryLock() { return StateLock(file) }
      } catch {
        throw failure("lock \(path)", error)
      }
      guard ContinuousClock.now < deadline else {
        throw EmbeddedServersError(
          .busy, "Another run has held the lock \(path) for \(patience).",
          reason: "It is starting or stopping the same servers.", hint: "Wait for it, or end it, and try again.")
      }
      try await pause(.milliseconds(25))
    }
  }

  /// Lets go, here rather than wherever the last use happens to be.
  consuming func release() {}

  private static func open(_ path: String, account: ServerAccount) throws(EmbeddedServersError) -> OpenFile {
    do throws(Errno) {
      let file = try OpenFile(file: path, writing: true, creation: .ifMissing)
      if account.isOther, try file.attributes().uid != account.uid { try file.setOwner(account) }
      return file
    } catch {
      throw failure("open the lock \(path)", error)
    }
  }
}

/// Sleeps; throws `cancelled` when the task is cancelled.
func pause(_ duration: Duration) async throws(EmbeddedServersError) {
  do {
    try await Task.sleep(for: duration)
  } catch {
    throw EmbeddedServersError(.cancelled, "Cancelled while waiting for a server.")
  }
}

/// Waits until `condition` holds, looking every 20 ms.
///
/// - Returns: false when it does not hold after `limit`.
func waitUntil(
  limit: Duration, _ condition: () throws(EmbeddedServersError) -> Bool
) async throws(EmbeddedServersError) -> Bool {
  let deadline = ContinuousClock.now + limit
  while try !condition() {
    guard ContinuousClock.now < deadline else { return false }
    try await pause(.milliseconds(20))
  }
  return true
}
