internal import Postgres

/// A lock in Redis together with the token in PostgreSQL that proves it.
///
/// Whoever gets the lock advances the token of the scope `lock/<name>`. From then on `maven_fence_check`, called in the
/// transactions of whoever had it before, refuses them, however long they were stopped and whatever they believe. The
/// check holds the scope's row until the end of the transaction, so that a token does not pass on in mid-write.
package struct FencedLock: Sendable {
  private let lock: RedisLock
  private let database: Database

  package init(_ lock: RedisLock, database: Database) {
    self.lock = lock
    self.database = database
  }

  package struct Held: Sendable {
    package let lease: Lease
    package let token: FencingToken
    /// A moment at which the lock was certainly held.
    package let since: ContinuousClock.Instant
  }

  /// The scope of a lock's token.
  package static func scope(of name: CacheName) -> String { "lock/\(name)" }

  /// Takes the lock and advances its token; nil once the patience has ended.
  ///
  /// Makes the tables where they are missing.
  ///
  /// - Throws: `.locked` when a transaction of a former holder does not end in time; errors of Redis and PostgreSQL.
  package func acquire(holder: String, patience: Duration) async throws -> Held? {
    let deadline = ContinuousClock.now + patience
    let (connection, schema) = try await database.connectCreating()
    let held: Held?
    do {
      _ = try await Migrator(schema: schema).migrate(connection)
      held = try await acquire(holder: holder, until: deadline, on: connection, schema: schema)
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
    return held
  }

  private func acquire(
    holder: String, until deadline: ContinuousClock.Instant, on connection: Connection, schema: SchemaName
  ) async throws -> Held? {
    while let lease = try await lock.acquire(holder: holder, patience: max(.zero, deadline - .now)) {
      do {
        if let held = try await advance(lease, holder: holder, on: connection, schema: schema) { return held }
      } catch {
        _ = try? await lease.release()
        throw error
      }
    }
    return nil
  }

  /// Exchanges the token while the lock is held; nil when the lock was lost meanwhile.
  ///
  /// The token is read, then the lock is asked for once more: a token that was in force while the lock was ours can be
  /// exchanged by nobody but later holders. So a holder that was stopped here cannot take the token from the next one.
  private func advance(
    _ lease: Lease, holder: String, on connection: Connection, schema: SchemaName
  ) async throws -> Held? {
    while true {
      let current = try await FencingToken.current(FencedLock.scope(of: lock.name), schema: schema, on: connection)
      let since = ContinuousClock.now
      guard try await lease.renew() else { return nil }
      let limit = max(1, (lock.lifetime / 3).components.seconds)
      do {
        let token = try await connection.transaction { transaction in
          _ = try transaction.query("SELECT set_config('lock_timeout', $1, true)", [.text("\(limit)s")])
          return try current.exchange(transaction, holder: holder, schema: schema)
        }
        return Held(lease: lease, token: token, since: since)
      } catch let error as PersistenceError where error.code == .locked {
        // Somebody who had the lock before was late to take the token.
        continue
      } catch let error as PostgresError where error.code == .lockNotAvailable {
        throw PersistenceError(
          .locked, "a transaction of a former holder of the lock \(lock.name) is still open: nothing was run",
          hint: "run again when it has ended")
      }
    }
  }
}
