/// A connection in hand without a transaction, lent for the duration of a closure.
///
/// For work that cannot be in one transaction (`CREATE DATABASE`) or that spans several.
package struct Session: Commands, ~Copyable {
  package let wire: Wire

  /// Runs `body` in a transaction of its own; see `Connection.transaction`.
  ///
  /// - Throws: `.protocolViolation` when one is open already.
  @discardableResult
  package func transaction<R>(
    isolation: Transaction.Isolation = .readCommitted, readOnly: Bool = false,
    _ body: (borrowing Transaction) throws -> R
  ) throws -> R {
    guard !wire.isInTransaction else {
      throw PostgresError(.protocolViolation, operation: "beginning", message: "a transaction is open already")
    }
    return try wire.transaction(Self.beginStatement(isolation, readOnly: readOnly)) {
      try body(Transaction(wire: wire))
    }
  }

  /// Runs `body` inside of a savepoint, which needs a transaction that the closure has opened by itself.
  @discardableResult
  package func savepoint<R>(_ body: () throws -> R) throws -> R {
    try wire.savepoint(body)
  }

  private static func beginStatement(_ isolation: Transaction.Isolation, readOnly: Bool) -> String {
    // Not READ WRITE: where the server, the database or the role takes no writes, that is meant.
    "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")"
  }
}
