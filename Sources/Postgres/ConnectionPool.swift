/// A few connections, made when first needed and lent one at a time.
///
/// Waiters are served in order of arrival. A connection that comes back broken, or in a transaction, is replaced.
package actor ConnectionPool {
  private let settings: ConnectionSettings
  private let size: Int
  private var idle: [Connection] = []
  /// Connections that are lent or being made.
  private var lent = 0
  private var waiters: [Waiter] = []
  private var nextWaiter: UInt64 = 0
  private var isClosed = false

  private struct Waiter {
    let id: UInt64
    let continuation: CheckedContinuation<Turn, Never>
  }

  /// What a waiter gets: leave to take or make a connection, or the news that there will be none.
  private enum Turn {
    case granted
    case cancelled
    case closed
  }

  /// `size` is the largest number of connections, at least 1.
  package init(_ settings: ConnectionSettings, size: Int = 4) {
    precondition(size >= 1)
    self.settings = settings
    self.size = size
  }

  /// Lends a connection for the duration of `body`.
  ///
  /// - Throws: What connecting throws; `.closed`; `.cancelled` while waiting; what `body` throws.
  package func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
    let connection = try await acquire()
    do {
      let value = try await body(connection)
      await release(connection)
      return value
    } catch {
      await release(connection)
      throw error
    }
  }

  /// Takes a connection out. Every one must come back through `release(_:)`.
  ///
  /// - Throws: What connecting throws; `.closed`; `.cancelled` while waiting.
  package func acquire() async throws(PostgresError) -> Connection {
    guard !isClosed else { throw Self.closed }
    if lent < size {
      lent += 1
    } else {
      // A granted turn carries the place of the connection that came back, so `lent` stays as it is.
      switch await waitForTurn() {
      case .granted: break
      case .closed: throw Self.closed
      case .cancelled:
        throw PostgresError(.cancelled, operation: "waiting for a connection", message: "the task was cancelled")
      }
    }
    while let connection = idle.popLast() {
      if await connection.isUsable { return connection }
      await connection.close()
    }
    do throws(PostgresError) {
      return try await Connection(settings)
    } catch {
      passOn()
      throw error
    }
  }

  /// Brings a connection back.
  package func release(_ connection: Connection) async {
    if await connection.isUsable, !isClosed {
      idle.append(connection)
    } else {
      await connection.close()
    }
    passOn()
  }

  /// Closes what is idle; what is lent closes when it comes back. Waiters get `.closed`.
  package func close() async {
    isClosed = true
    let (connections, waiting) = (idle, waiters)
    (idle, waiters) = ([], [])
    for waiter in waiting { waiter.continuation.resume(returning: .closed) }
    for connection in connections { await connection.close() }
  }

  /// Gives the place of a connection to the first waiter, or frees it.
  private func passOn() {
    if waiters.isEmpty {
      lent -= 1
    } else {
      waiters.removeFirst().continuation.resume(returning: .granted)
    }
  }

  private func waitForTurn() async -> Turn {
    nextWaiter += 1
    let id = nextWaiter
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled {
          continuation.resume(returning: .cancelled)
        } else {
          waiters.append(Waiter(id: id, continuation: continuation))
        }
      }
    } onCancel: {
      Task { await self.cancelWaiter(id) }
    }
  }

  private func cancelWaiter(_ id: UInt64) {
    guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
    waiters.remove(at: index).continuation.resume(returning: .cancelled)
  }

  private static var closed: PostgresError {
    PostgresError(.closed, operation: "taking a connection", message: "the pool has been closed")
  }
}
