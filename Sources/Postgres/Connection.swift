internal import DedicatedThread
internal import Telemetry

/// A connection to a PostgreSQL server, on a thread of its own.
///
/// Calls run one after another, in order of arrival; each blocks that thread and no other. Cancelling the task of a
/// call makes the server cancel its statement. A connection that has broken stays broken: make another one.
package actor Connection {
  private let thread: DedicatedThread
  private var wire: Wire?

  package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  /// Connects.
  ///
  /// - Throws: `.connectionFailed`, `.authenticationFailed`, `.databaseMissing`, `.serverStarting`, `.cancelled`,
  ///   `.invalidParameter`.
  package init(_ settings: ConnectionSettings) async throws(PostgresError) {
    thread = DedicatedThread(name: "pg-connection")
    wire = nil
    // From here on, with all properties set, the initializer runs on the thread.
    try await connect(settings)
  }

  isolated deinit {
    // `PQfinish` belongs on the connection's thread like every other call.
    wire = nil
  }

  /// Runs one statement; the number of rows that it affected.
  @discardableResult
  package func execute(_ sql: String, _ parameters: [Value] = []) async throws(PostgresError) -> Int {
    try await call { wire throws(PostgresError) in try Session(wire: wire).execute(sql, parameters) }
  }

  /// Runs one statement; all of its rows.
  package func query(_ sql: String, _ parameters: [Value] = []) async throws(PostgresError) -> [Row] {
    try await call { wire throws(PostgresError) in try Session(wire: wire).query(sql, parameters) }
  }

  /// Runs several statements without parameters, which are one transaction unless they say otherwise.
  package func script(_ sql: String) async throws(PostgresError) {
    try await call { wire throws(PostgresError) in try Session(wire: wire).script(sql) }
  }

  /// Runs `body` on the connection's thread between BEGIN and COMMIT, and rolls back when it throws.
  ///
  /// - Throws: What `body` throws; `.commitOutcomeUnknown` when the connection broke while committing;
  ///   `.transactionAborted` when `body` hid the failure of a statement; `.cancelled` when the task was cancelled
  ///   before COMMIT was sent.
  @discardableResult
  package func transaction<R: Sendable>(
    isolation: Transaction.Isolation = .readCommitted, readOnly: Bool = false,
    _ body: sending (borrowing Transaction) throws -> R
  ) async throws -> R {
    try await run { wire in
      try Session(wire: wire).transaction(isolation: isolation, readOnly: readOnly, body)
    }
  }

  /// Runs `body` on the connection's thread without a transaction: for work in several steps that must not be in
  /// one, or that uses the session itself. A transaction that `body` leaves open is rolled back.
  @discardableResult
  package func perform<R: Sendable>(_ body: sending (borrowing Session) throws -> R) async throws -> R {
    try await run { wire in
      defer { wire.rollBack() }
      return try body(Session(wire: wire))
    }
  }

  /// Closes the connection. Later calls throw `.closed`.
  package func close() {
    wire = nil
  }

  /// True if the connection is open and quiet. Does not ask the server, but notices that it has hung up.
  package var isUsable: Bool { wire?.isUsable ?? false }

  /// Such as 150020 for 15.20; 0 once closed.
  package var serverVersion: Int { wire?.serverVersion ?? 0 }

  /// The process identifier of the server's process for this connection; 0 once closed.
  package var backendPID: Int { wire?.backendPID ?? 0 }

  /// Whether a pooler is at the other end: then each transaction may be in another session of the server, and a
  /// statement outside of one has one of its own.
  package var isPooled: Bool { wire?.isPooled ?? false }

  /// The encoding in which the database keeps text, such as `UTF8`; nil where the server did not tell.
  package var serverEncoding: String? { wire?.handle.parameter("server_encoding") }

  /// Runs a statement that cannot be in a transaction, such as CREATE DATABASE.
  package func executeAlone(_ sql: String) async throws(PostgresError) {
    try await call { wire throws(PostgresError) in _ = try wire.runAsIs(sql, []) }
  }

  // MARK: Shared

  private func connect(_ settings: ConnectionSettings) async throws(PostgresError) {
    let operation = Operation()
    let outcome: Result<Wire, PostgresError> = await withTaskCancellationHandler {
      attempt(operation) { () throws(PostgresError) in
        try Phase.awaiting("Postgres") { () throws(PostgresError) in try Wire(settings, operation) }
      }
    } onCancel: {
      operation.cancel()
    }
    wire = try outcome.get()
  }

  /// Runs `body` as one cancellable operation. `withTaskCancellationHandler` does not carry a typed error, so the
  /// outcome travels as a value.
  private func call<R: Sendable>(_ body: (Wire) throws(PostgresError) -> R) async throws(PostgresError) -> R {
    guard let wire else { throw Self.closed }
    return try await outcome(wire, body).get()
  }

  private func run<R: Sendable>(_ body: (Wire) throws -> R) async throws -> R {
    guard let wire else { throw Self.closed }
    return try await outcome(wire, body).get()
  }

  private func outcome<R: Sendable, E: Error>(_ wire: Wire, _ body: (Wire) throws(E) -> R) async -> Result<R, E> {
    let operation = Operation()
    let canceller = wire.canceller
    return await withTaskCancellationHandler {
      attempt(operation) { () throws(E) in
        try wire.during(operation) { () throws(E) in try body(wire) }
      }
    } onCancel: {
      operation.cancel()
      // The handler runs on whichever thread cancels, which must not block.
      Task { await CancelRequest().run(canceller, operation) }
    }
  }

  /// Does the blocking part, and is a method for one reason: a closure that mentions no isolated member is not
  /// isolated itself, and `withTaskCancellationHandler` would run it on a shared thread.
  private func attempt<R, E: Error>(_ operation: Operation, _ body: () throws(E) -> R) -> Result<R, E> {
    if Task.isCancelled { operation.cancel() }
    do throws(E) {
      return .success(try body())
    } catch {
      return .failure(error)
    }
  }

  private static var closed: PostgresError {
    PostgresError(.closed, operation: "using a connection", message: "it has been closed")
  }
}
