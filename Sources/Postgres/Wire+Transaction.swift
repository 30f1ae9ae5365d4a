internal import CLibPQ

extension Wire {
  /// Runs `body` between BEGIN and COMMIT; rolls back when it throws.
  func transaction<R>(_ begin: String, _ body: () throws -> R) throws -> R {
    forgetFailure()
    try self.begin(begin)
    let value: R
    do {
      value = try body()
      try checkCancellation("committing")
    } catch {
      rollBack()
      throw error
    }
    try uncancellable { () throws(PostgresError) in try commit() }
    return value
  }

  /// Runs what outside of a transaction would be a statement of its own: behind a pooler, in one that has our settings.
  func underOurSettings<R: ~Copyable>(_ body: () throws(PostgresError) -> R) throws(PostgresError) -> R {
    guard isPooled, !isInTransaction, !isStreaming else { return try body() }
    forgetFailure()
    try begin(Wire.plainBegin)
    let value: R
    do throws(PostgresError) {
      value = try body()
    } catch {
      rollBack()
      throw error
    }
    try uncancellable { () throws(PostgresError) in try commit() }
    return value
  }

  /// The same for what feeds a closure.
  func streamUnderOurSettings<R>(_ body: () throws -> R) throws -> R {
    guard isPooled, !isInTransaction, !isStreaming else { return try body() }
    return try transaction(Wire.plainBegin, body)
  }

  /// The BEGIN of a single statement, whatever isolation the role or the database would give it.
  static let plainBegin = "BEGIN ISOLATION LEVEL READ COMMITTED"

  private func commit() throws(PostgresError) {
    guard handle.transactionStatus != PQTRANS_INERROR else {
      // The server would answer COMMIT with ROLLBACK, as if all were well.
      let cause = failure
      rollBack()
      var error = PostgresError(
        .transactionAborted, operation: "committing", message: "a statement of the transaction had failed",
        sqlState: cause?.sqlState ?? .inFailedTransaction)
      error.detail = cause?.debugDescription
      throw error
    }
    do throws(PostgresError) {
      let tag = try script("COMMIT").commandTag
      guard tag == "COMMIT" else {
        throw PostgresError(.transactionAborted, operation: "committing", message: "the server answered \(tag)")
      }
    } catch {
      if handle.isOpen {
        rollBack()
        throw error
      }
      var unknown = error
      unknown.code = .commitOutcomeUnknown
      unknown.operation = "committing"
      unknown.hint = "Whether the transaction took place must be read from the database."
      throw unknown
    }
  }

  /// Ends the transaction, if there is one and a connection. A rollback that fails leaves the connection unusable,
  /// which `isUsable` tells, and the server rolls back when it closes.
  func rollBack() {
    defer { forgetFailure() }
    guard handle.isOpen, isInTransaction else { return }
    uncancellable { _ = try? script("ROLLBACK") }
  }

  /// Runs `body` between SAVEPOINT and RELEASE; undoes its statements alone when it throws.
  func savepoint<R>(_ body: () throws -> R) throws -> R {
    try script("SAVEPOINT moha")
    let value: R
    do {
      value = try body()
    } catch {
      // If going back fails too, the transaction is lost as a whole, and its COMMIT will say so.
      uncancellable { _ = try? script("ROLLBACK TO SAVEPOINT moha; RELEASE SAVEPOINT moha") }
      if handle.transactionStatus == PQTRANS_INTRANS { forgetFailure() }
      throw error
    }
    try script("RELEASE SAVEPOINT moha")
    return value
  }
}
