internal import CLibPQ
internal import DedicatedThread
internal import Telemetry

/// One server connection, as its thread sees it: the only code that sends statements through libpq.
///
/// Not `Sendable`: it lives inside a `Connection`, whose thread runs every method. One statement is in hand at a
/// time; a closure that is being fed rows cannot start another.
package final class Wire {
  let handle: ServerHandle
  let canceller: Canceller
  var statements = StatementCache(capacity: 64)

  /// The call in hand, as the task that made it can cancel it. Nil while a rollback or a commit must finish.
  private var operation: Operation?
  /// True while rows or COPY data are on the wire.
  var isStreaming = false
  /// The first error since the transaction in hand began or since it went back to a savepoint.
  private(set) var failure: PostgresError?
  private let settings: SessionSettings
  /// Whether the other end is a pooler, which may give each transaction to another session of the server.
  ///
  /// Nothing of a session is relied on then: no setting, no prepared statement. A statement outside of a transaction
  /// gets one of its own.
  private(set) var isPooled = false

  /// Connects and sets what every session of ours has.
  init(_ settings: ConnectionSettings, _ operation: Operation) throws(PostgresError) {
    handle = try ServerHandle.connect(settings, operation)
    guard let cancel = unsafe PQgetCancel(handle.pointer) else {
      throw PostgresError(.connectionFailed, operation: "preparing for cancellation", message: handle.message)
    }
    canceller = unsafe Canceller(cancel)
    self.settings = SessionSettings(
      serverVersion: Int(unsafe PQserverVersion(handle.pointer)), options: handle.option("options"))
    try configureSession()
  }

  var serverVersion: Int { Int(unsafe PQserverVersion(handle.pointer)) }
  var backendPID: Int { Int(unsafe PQbackendPID(handle.pointer)) }
  var isInTransaction: Bool { handle.transactionStatus != PQTRANS_IDLE }

  /// Open, and neither in a transaction nor in the middle of a statement. Notices that the server hung up.
  var isUsable: Bool {
    guard handle.isOpen else { return false }
    handle.noticeInput()
    return handle.isOpen && handle.transactionStatus == PQTRANS_IDLE && !isStreaming
  }

  /// Sets what every session of ours has, where the session is ours.
  ///
  /// A pooler makes up the identifier that it tells its clients for the server's process, since a client has no process
  /// of its own. What was set is undone there before anybody else can get the session.
  private func configureSession() throws(PostgresError) {
    let process = try answeredInTime { () throws(PostgresError) in
      let rows = try script("BEGIN; \(settings.forSession); SELECT pg_backend_pid()::bigint").rows
      return try rows.first?.int(0)
    }
    guard process == Int64(backendPID) else {
      isPooled = true
      try script("ROLLBACK")
      return
    }
    do throws(PostgresError) {
      // Without it, the backend of a killed client finishes its statement first and keeps its locks until then.
      let check = serverVersion >= 140_000 ? "; SET client_connection_check_interval = '2s'" : ""
      try script("COMMIT\(check)")
    } catch where error.sqlState == .invalidParameterValue {
      // The server's platform cannot tell that a client is gone; its locks then end with its statement.
    }
  }

  /// Repeats what the server's own time limit ended before it was lifted.
  private func answeredInTime<R>(_ body: () throws(PostgresError) -> R) throws(PostgresError) -> R {
    for _ in 1..<5 {
      do throws(PostgresError) {
        return try body()
      } catch where error.code == .timedOut {
        rollBack()
      }
    }
    return try body()
  }

  // MARK: Cancellation

  /// Runs `body` as one cancellable call.
  func during<R, E: Error>(_ operation: Operation, _ body: () throws(E) -> R) throws(E) -> R {
    self.operation = operation
    canceller.allow(operation)
    defer {
      canceller.allow(nil)
      self.operation = nil
    }
    return try body()
  }

  /// Runs `body` to its end even if the task is cancelled.
  func uncancellable<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    let suspended = operation
    canceller.allow(nil)
    operation = nil
    defer {
      operation = suspended
      canceller.allow(suspended)
    }
    return try body()
  }

  /// - Throws: `.cancelled`, if the task has been cancelled.
  func checkCancellation(_ name: String) throws(PostgresError) {
    if let operation, operation.isCancelled {
      throw PostgresError(.cancelled, operation: name, message: "the task was cancelled")
    }
  }

  // MARK: Statements

  /// Refuses a statement that cannot be sent now.
  ///
  /// - Throws: `.cancelled`, `.connectionLost`, `.protocolViolation` inside a streaming closure, `.invalidParameter`
  ///   for U+0000.
  func checkReady(_ sql: String) throws(PostgresError) {
    let name = Self.operationName(sql)
    try checkCancellation(name)
    guard handle.isOpen else {
      throw PostgresError(.connectionLost, operation: name, message: "the connection is broken")
    }
    guard !isStreaming else {
      throw PostgresError(
        .protocolViolation, operation: name, message: "the connection is in the middle of another statement's rows")
    }
    guard !sql.utf8.contains(0) else {
      throw PostgresError(.invalidParameter, operation: name, message: "the statement holds U+0000")
    }
  }

  /// Runs one parameterised statement.
  func run(_ sql: String, _ parameters: [Value]) throws(PostgresError) -> ResultHandle {
    try underOurSettings { () throws(PostgresError) in try runAsIs(sql, parameters) }
  }

  /// Runs one parameterised statement without a transaction around it, for what cannot be in one.
  func runAsIs(_ sql: String, _ parameters: [Value]) throws(PostgresError) -> ResultHandle {
    try checkReady(sql)
    let list = try ParameterList(parameters, operation: Self.operationName(sql))
    let isSent = unsafe list.withPointers { count, values, lengths, formats in
      unsafe PQsendQueryParams(handle.pointer, sql, count, nil, values, lengths, formats, 0)
    }
    return try result(ifSent: isSent, sql)
  }

  /// Runs several statements without parameters, under the settings of ours.
  func runScript(_ sql: String) throws(PostgresError) {
    _ = try underOurSettings { () throws(PostgresError) in try script(sql) }
  }

  /// Runs several statements without parameters as they are; the last one's result.
  @discardableResult
  func script(_ sql: String) throws(PostgresError) -> ResultHandle {
    try checkReady(sql)
    return try result(ifSent: unsafe PQsendQuery(handle.pointer, sql), sql)
  }

  /// Runs one parameterised statement that the server parses and plans once for a connection.
  ///
  /// Outside of a transaction, a statement that the server has forgotten (`DISCARD ALL`) or whose result type a
  /// migration has changed is prepared anew; inside, the error has already ended the transaction.
  func runPrepared(_ sql: String, _ parameters: [Value]) throws(PostgresError) -> ResultHandle {
    // Another transaction may be in another session, which knows nothing of it.
    if isPooled { return try run(sql, parameters) }
    let wasInTransaction = isInTransaction
    do throws(PostgresError) {
      return try runPreparedOnce(sql, parameters)
    } catch where !wasInTransaction && Self.invalidatesStatement(error) {
      statements.remove(sql)
      return try runPreparedOnce(sql, parameters)
    } catch {
      if Self.invalidatesStatement(error) { statements.remove(sql) }
      throw error
    }
  }

  private func runPreparedOnce(_ sql: String, _ parameters: [Value]) throws(PostgresError) -> ResultHandle {
    try checkReady(sql)
    let list = try ParameterList(parameters, operation: Self.operationName(sql))
    let name = try prepare(sql)
    let isSent = unsafe list.withPointers { count, values, lengths, formats in
      unsafe PQsendQueryPrepared(handle.pointer, name, count, values, lengths, formats, 0)
    }
    return try result(ifSent: isSent, sql)
  }

  /// The name under which `sql` is prepared, after preparing it if need be.
  ///
  /// Behind a pooler that is the unnamed statement, which the next one replaces.
  func prepare(_ sql: String) throws(PostgresError) -> String {
    if isPooled {
      try checkReady(sql)
      _ = try result(ifSent: unsafe PQsendPrepare(handle.pointer, "", sql, 0, nil), sql)
      return ""
    }
    if let name = statements.name(of: sql) { return name }
    try checkReady(sql)
    if let evicted = statements.evict() { try script("DEALLOCATE \(evicted)") }
    let name = statements.makeName()
    _ = try result(ifSent: unsafe PQsendPrepare(handle.pointer, name, sql, 0, nil), sql)
    statements.insert(sql, name: name)
    return name
  }

  private static func invalidatesStatement(_ error: PostgresError) -> Bool {
    error.sqlState == .invalidStatementName || error.sqlState == .featureNotSupported
  }

  /// Waits for the results of what was just sent: the last one, or the first error.
  ///
  /// `PQexec` and its relatives keep the last error instead, and with it lose the server's reason for ending the
  /// connection. A COPY is returned as soon as it has begun.
  func result(ifSent isSent: CInt, _ sql: String) throws(PostgresError) -> ResultHandle {
    guard isSent == 1 else { throw failed(Self.operationName(sql), sql) }
    WorkCount.add(.statements)
    return try Phase.awaiting("Postgres") { () throws(PostgresError) in try awaitResult(sql) }
  }

  private func awaitResult(_ sql: String) throws(PostgresError) -> ResultHandle {
    var last: ResultHandle?
    var failure: PostgresError?
    while let pointer = unsafe PQgetResult(handle.pointer) {
      do throws(PostgresError) {
        let next = try unsafe checked(pointer, sql)
        if next.isCopy, failure == nil { return next }
        last = consume next
      } catch {
        failure = failure ?? error
        // A broken connection has no more to say.
        if !handle.isOpen { break }
      }
    }
    if let failure { throw failure }
    guard let last else { throw failed(Self.operationName(sql), sql) }
    return last
  }

  /// Takes ownership of a result, or throws what it reports.
  func checked(_ pointer: OpaquePointer?, _ sql: String) throws(PostgresError) -> ResultHandle {
    guard let pointer = unsafe pointer else { throw failed(Self.operationName(sql), sql) }
    let result = unsafe ResultHandle(pointer)
    switch result.status {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC:
      return result
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      return result
    default:
      throw failed(result, sql)
    }
  }

  /// The error of a statement, remembered in case that it is hidden from the end of the transaction.
  func failed(_ result: borrowing ResultHandle, _ sql: String) -> PostgresError {
    var error = PostgresError(result, sql: sql, connectionIsOpen: handle.isOpen)
    if error.code == .cancelled, operation?.isCancelled != true {
      error.code = .timedOut
      error.hint =
        "nobody here cancelled it: statement_timeout, as PGOPTIONS or the URL's options set it, or pg_cancel_backend; "
        + "see SHOW statement_timeout"
    }
    failure = failure ?? error
    return error
  }

  /// The error of a call that gave no result.
  func failed(_ operation: String, _ sql: String? = nil) -> PostgresError {
    // A server that died shows only in what is read after the write that failed.
    handle.noticeInput()
    var error = PostgresError(
      handle.isOpen ? .protocolViolation : .connectionLost, operation: operation, message: handle.message)
    error.statement = sql
    return error
  }

  func forgetFailure() { failure = nil }

  /// Begins a transaction under the settings of ours; `statement` is its BEGIN.
  func begin(_ statement: String) throws(PostgresError) {
    do throws(PostgresError) {
      try script(isPooled ? "\(statement); \(settings.forTransaction)" : statement)
    } catch {
      rollBack()
      throw error
    }
  }

  /// `executing INSERT`: the statement's first word, since a statement may hold a secret (`ALTER ROLE … PASSWORD`).
  static func operationName(_ sql: String) -> String {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let word = sql.utf8.drop { $0 <= 32 }.prefix { letters.contains($0 | 0x20) }
    return "executing \(word.isEmpty ? "a statement" : String(decoding: word.prefix(20), as: UTF8.self).uppercased())"
  }
}
