internal import CLibPQ
internal import DedicatedThread
internal import Glibc
internal import Synchronization

/// One call on a connection, from its first statement to its last: the unit that a task's cancellation ends.
final class Operation: Sendable {
  private let cancelled = Atomic<Bool>(false)

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  func cancel() { cancelled.store(true, ordering: .releasing) }
}

/// Asks the server to cancel what a connection is doing; usable from any thread.
///
/// `@safe`, `@unchecked Sendable`: libpq documents `PQcancel` as safe from any thread, the pointer never changes,
/// and `current` is inside a mutex.
@safe final class Canceller: @unchecked Sendable {
  private let pointer: OpaquePointer
  private let current = Mutex<Operation?>(nil)

  /// Takes ownership of `pointer`, from `PQgetCancel`.
  init(_ pointer: OpaquePointer) {
    unsafe self.pointer = pointer
  }

  deinit {
    unsafe PQfreeCancel(pointer)
  }

  /// From now on, only requests for `operation` reach the server; none when it is nil.
  ///
  /// Waits for a request under way, so that a late one never hits the next statement.
  func allow(_ operation: Operation?) {
    current.withLock { $0 = operation }
  }

  /// Sends the request if `operation` is still the current one, and tells whether it is. Blocks for a round trip.
  func send(for operation: Operation) -> Bool {
    current.withLock { current in
      guard current === operation else { return false }
      sendNow()
      return true
    }
  }

  /// Sends the request on the connection's own thread. Its success is not needed: the statement then runs to
  /// its end, which every caller waits for.
  func sendNow() {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
      _ = unsafe PQcancel(pointer, message.baseAddress, CInt(message.count))
    }
  }
}

/// The thread from which one cancellation is sent: `PQcancel` opens a connection and blocks.
actor CancelRequest {
  private let thread = DedicatedThread(name: "pg-cancel")

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  /// Repeats the request until the operation has ended: the server ignores one that arrives before its statement.
  func run(_ canceller: Canceller, _ operation: Operation) {
    while canceller.send(for: operation) {
      _ = poll(nil, 0, 20)
    }
  }
}
