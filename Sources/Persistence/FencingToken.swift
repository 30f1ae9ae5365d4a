package import Postgres

/// The right to write under the name of a lock, which PostgreSQL itself checks.
///
/// A lock tells its holder that nobody else has it, until it does not: a holder is stopped past its lease, or its
/// session ends behind a pooler, and another one takes the lock. So a holder reads the scope's token when it gets the
/// lock, and the transaction in which it writes exchanges the token for the next one. A token that somebody else has
/// exchanged meanwhile writes nothing. A holder that finds nothing to write leaves the token as it is.
package struct FencingToken: Hashable, Sendable {
  package let scope: String
  /// Zero where nobody has written in the scope yet.
  package let value: Int64

  /// Reads the token in force. To be called when the lock is held, before anything that the write depends on is read.
  package static func current(
    _ scope: String, schema: SchemaName, on connection: Connection
  ) async throws -> FencingToken {
    let rows = try await connection.query(
      "SELECT token FROM \(schema.qualified("maven_fences")) WHERE scope = $1", [.text(scope)])
    return FencingToken(scope: scope, value: try rows.first?.int(0) ?? 0)
  }

  /// Exchanges the token for the next one; throws `.locked` where it is no longer in force.
  ///
  /// The scope's row stays locked to the end of the transaction, so of two holders the second one waits and is refused.
  /// Tokens are at least the microseconds of the clock: a table that was emptied does not give out old ones again.
  ///
  /// - Parameter holder: who writes, for people who look at the table.
  /// - Returns: the token that is in force when the transaction has committed.
  @discardableResult
  package func exchange(_ transaction: borrowing Transaction, holder: String, schema: SchemaName) throws -> FencingToken
  {
    let table = schema.qualified("maven_fences")
    let clock = "(extract(epoch FROM clock_timestamp()) * 1e6)::bigint"
    let rows =
      value == 0
      ? try transaction.query(
        """
        INSERT INTO \(table) (scope, token, holder) VALUES ($1, \(clock), $2) ON CONFLICT (scope) DO NOTHING
        RETURNING token
        """, [.text(scope), .text(holder)])
      : try transaction.query(
        """
        UPDATE \(table) SET token = greatest(token + 1, \(clock)), holder = $2, taken_at = now()
        WHERE scope = $1 AND token = $3 RETURNING token
        """, [.text(scope), .text(holder), .int(value)])
    guard let row = rows.first else {
      let rows = try transaction.query("SELECT holder FROM \(table) WHERE scope = $1", [.text(scope)])
      let holder = try rows.first?.string(0) ?? "somebody who removed its row"
      throw PersistenceError(
        .locked, "the lock \(scope) has passed to \(holder): nothing was changed", hint: "run again when it has ended")
    }
    return FencingToken(scope: scope, value: try row.int(0))
  }
}
