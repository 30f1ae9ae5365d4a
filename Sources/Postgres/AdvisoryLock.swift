/// A lock that PostgreSQL keeps for a transaction and that means what its users agree on.
///
/// It is tried and never waited for: a waiting `pg_advisory_xact_lock` holds a snapshot, and can deadlock with
/// `CREATE INDEX CONCURRENTLY`. The server frees it with the transaction, so that nothing is left behind: not by a killed
/// process, and not in a pooler's session, which the next client gets.
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

  package init(_ key: Key) {
    self.key = key
  }

  /// Takes the lock until the transaction ends; false where another transaction holds it. One that holds it already
  /// gets it again.
  package func tryToTake(in transaction: borrowing Transaction) throws(PostgresError) -> Bool {
    let rows = try transaction.query("SELECT pg_try_advisory_xact_lock(\(key.arguments))", key.parameters)
    return try rows.first?.bool(0) == true
  }
}
