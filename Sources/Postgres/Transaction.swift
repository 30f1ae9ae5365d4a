/// A transaction in hand, lent for the duration of a closure that decides its end: COMMIT when it returns,
/// ROLLBACK when it throws.
package struct Transaction: Commands, ~Copyable {
  package let wire: Wire

  /// What concurrent transactions let this one see.
  package enum Isolation: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
  }

  /// Runs `body` inside of a savepoint: when it throws, its statements alone are undone.
  @discardableResult
  package func savepoint<R>(_ body: () throws -> R) throws -> R {
    try wire.savepoint(body)
  }
}
