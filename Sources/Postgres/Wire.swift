internal import CLibPQ
internal import DedicatedThread

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

  /// Connects and sets what every session of ours has.
  init(_ settings: ConnectionSettings, _ operation: Operation) throws(PostgresError) {
    handle = try ServerHandle.connect(settings, operation)
    guard let cancel = unsafe PQgetCancel(handle.pointer) else {
      throw PostgresError(.connectionFailed, operation: "preparing for cancellation", message: handle.message)
    }
    canceller = unsafe Canceller(cancel)
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

  /// Text forms of values, time zone and quoting are those that this module reads, whatever the server's default.
  private func configureSession() throws(PostgresError) {
    try script(
      """
      SET client_min_messages = warning; SET standard_conforming_strings = on; SET DateStyle = 'ISO, YMD';
      SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'
      """)
    guard serverVersion >= 140_000 else { return }
    do throws(PostgresError) {
      // Without it, the backend of a killed client finishes its statement first and keeps its locks until then.
      try script("SET client_connection_check_interval = '2s'")
    } catch where error.sqlState == .invalidParameterValue {
      // The server's platform cannot tell that a client is gone; its locks then end with its statement.
    }
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
    try checkReady(sql)
    let list = try ParameterList(parameters, operation: Self.operationName(sql))
    let isSent = unsafe list.withPointers { count, values, lengths, formats in
      unsafe PQsendQueryParams(handle.pointer, sql, count, nil, values, lengths, formats, 0)
    }
    return try result(ifSent: isSent, sql)
  }

  /// Runs several statements without parameters; the last one's result.
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
  func prepare(_ sql: String) throws(PostgresError) -> String {
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
    let error = PostgresError(result, sql: sql, connectionIsOpen: handle.isOpen)
    failure = failure ?? error
    return error
  }

  /// The error of a call that gave no result.
  func failed(_ operation: String, _ sql: String? = nil) -> PostgresError {
    var error = PostgresError(
      handle.isOpen ? .protocolViolation : .connectionLost, operation: operation, message: handle.message)
    error.statement = sql
    return error
  }

  func forgetFailure() { failure = nil }

  /// `executing INSERT`: the statement's first word, since a statement may hold a secret (`ALTER ROLE … PASSWORD`).
  static func operationName(_ sql: String) -> String {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let word = sql.utf8.drop { $0 <= 32 }.prefix { letters.contains($0 | 0x20) }
    return "executing \(word.isEmpty ? "a statement" : String(decoding: word.prefix(20), as: UTF8.self).uppercased())"
  }
}
