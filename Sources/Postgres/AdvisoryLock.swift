/// A lock that PostgreSQL keeps for a session and that means what its users agree on.
///
/// It is polled: a waiting `pg_advisory_lock` holds a snapshot, and can deadlock with `CREATE INDEX CONCURRENTLY`.
/// The server frees it by itself when the session ends, so a killed process leaves none behind.
package struct AdvisoryLock: Sendable {
  /// The two spaces of keys, which never meet.
  package enum Key: Sendable, Hashable {
    case single(Int64)
    case pair(namespace: Int32, hash: Int32)

    fileprivate var parameters: [Value] {
      switch self {
      case .single(let key): [.int(key)]
      case .pair(let namespace, let hash): [.int(Int64(namespace)), .int(Int64(hash))]
      }
    }

    fileprivate var arguments: String {
      switch self {
      case .single: "$1::bigint"
      case .pair: "$1::integer, $2::integer"
      }
    }
  }

  private let key: Key
  private let connection: Connection

  /// The lock of that key, to be held by that connection's session.
  package init(_ key: Key, on connection: Connection) {
    self.key = key
    self.connection = connection
  }

  /// Runs `body` while holding the lock, and frees it on every path, cancellation included.
  ///
  /// Tries at once, and then every `interval` until `timeout` has passed; a timeout of zero tries once. A session
  /// that holds the lock already gets it again.
  ///
  /// - Throws: `.lockNotAvailable` when it stayed taken; errors of the connection; `CancellationError`; what
  ///   `body` throws.
  package func withLock<R, C: Clock>(
    timeout: Duration, interval: Duration = .milliseconds(50), clock: C, _ body: () async throws -> R
  ) async throws -> R where C.Duration == Duration {
    try await acquire(timeout: timeout, interval: interval, clock: clock)
    let value: R
    do {
      value = try await body()
    } catch {
      await release()
      throw error
    }
    await release()
    return value
  }

  /// `withLock` on the continuous clock.
  package func withLock<R>(timeout: Duration, _ body: () async throws -> R) async throws -> R {
    try await withLock(timeout: timeout, clock: ContinuousClock(), body)
  }

  private func acquire<C: Clock>(timeout: Duration, interval: Duration, clock: C) async throws
  where C.Duration == Duration {
    let deadline = clock.now.advanced(by: timeout)
    while true {
      try Task.checkCancellation()
      // Not cancellable: a cancelled statement could have taken the lock already.
      let rows = try await connection.executeRegardless(
        "SELECT pg_try_advisory_lock(\(key.arguments))", key.parameters)
      if try rows.first?.bool(0) == true { return }
      guard clock.now < deadline else {
        throw PostgresError(
          .lockNotAvailable, operation: "taking an advisory lock", message: "another session holds it")
      }
      try await clock.sleep(for: interval)
    }
  }

  /// A lock that cannot be given back is given up with its session.
  private func release() async {
    let sql = "SELECT pg_advisory_unlock(\(key.arguments))"
    let rows = try? await connection.executeRegardless(sql, key.parameters)
    let isReleased = try? rows?.first?.bool(0)
    if isReleased != true { await connection.close() }
  }
}
