internal import Postgres

/// The lease of one run on a scope: one run at a time, on whatever machine and behind whatever pooler.
///
/// It is a row with an owner, a fencing token and an end, and lives in transactions, not in a session: nothing of it
/// stays on a session that a pooler gives to somebody else. The run renews it; that of a run which was killed, or lost
/// its machine, ends after `lifetime` by the server's clock, and at once where the server sees that the run's session is
/// gone. Taking it advances the scope's token, so that whoever had it before, and only was stopped, writes nothing any
/// more.
struct RunLease: Sendable {
  let scope: String
  let owner: String
  /// What stands for the run in the table, for people.
  let holder: String
  let schema: SchemaName

  static let lifetime = Duration.seconds(15)
  private static let renewal = Duration.seconds(4)
  /// How long a holder that is alive is waited for.
  private static let patience = Duration.seconds(5)

  private enum Attempt: Sendable {
    case taken(FencingToken)
    /// The holder, and for how long its lease still runs; nil while it writes.
    case held(by: String, left: Duration?)
  }

  /// Runs `body` with the token in force while holding the lease, and gives it back on every path.
  ///
  /// - Parameter settings: of a second connection, which is made when the run takes longer than a few seconds.
  /// - Throws: `.locked` when another run kept it; errors of the connection; what `body` throws.
  func hold<R: Sendable>(
    on connection: Connection, settings: ConnectionSettings, _ body: (FencingToken) async throws -> R
  ) async throws -> R {
    let token = try await acquire(connection)
    let renewing = Task { await keepRenewing(settings) }
    let result: Result<R, any Error>
    do {
      result = .success(try await body(token))
    } catch {
      result = .failure(error)
    }
    renewing.cancel()
    // A task of its own: the lease is given back although this one was cancelled.
    await Task { await release(connection) }.value
    return try result.get()
  }

  /// Tries at once, and then until the holder has had its time. A holder that does not renew its lease is waited for
  /// until the lease ends.
  private func acquire(_ connection: Connection) async throws -> FencingToken {
    let start = ContinuousClock.now
    while true {
      try Task.checkCancellation()
      switch try await attempt(connection) {
      case .taken(let token): return token
      case .held(let other, let left):
        let waited = ContinuousClock.now - start
        // A holder that lives has renewed it by then.
        let isSilent = left.map { $0 < RunLease.lifetime - RunLease.renewal } ?? false
        guard waited < RunLease.patience || isSilent && waited < RunLease.lifetime * 2 else {
          throw PersistenceError(
            .locked, "\(other) holds the lease \(scope) of this database: nothing was changed",
            hint: "run again when it has ended; the lease of a killed run ends within "
              + "\(RunLease.lifetime.components.seconds) s")
        }
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  private func attempt(_ connection: Connection) async throws -> Attempt {
    let isPooled = await connection.isPooled
    return try await connection.transaction { transaction in
      let table = schema.qualified("maven_fences")
      let clock = "(extract(epoch FROM clock_timestamp()) * 1e6)::bigint"
      // A lease that a crash of the server loses had a holder that lost its session.
      try transaction.script("SET LOCAL synchronous_commit = off")
      // Asked first: an insert waits for whoever writes the row at this moment, also where it then does nothing.
      _ = try transaction.execute(
        """
        INSERT INTO \(table) (scope, token, holder) SELECT $1, \(clock), $2
        WHERE NOT EXISTS (SELECT FROM \(table) WHERE scope = $1) ON CONFLICT (scope) DO NOTHING
        """,
        [.text(scope), .text(holder)])
      let rows = try transaction.query(
        """
        SELECT f.holder, (extract(epoch FROM f.expires_at - clock_timestamp()) * 1000)::bigint,
          f.owner IS NOT NULL AND f.expires_at > clock_timestamp() AND (f.session_pid IS NULL OR EXISTS (
            SELECT FROM pg_stat_activity a WHERE a.pid = f.session_pid
              AND COALESCE(a.backend_start = f.session_start, true)))
        FROM \(table) f WHERE f.scope = $1 FOR UPDATE OF f SKIP LOCKED
        """, [.text(scope)])
      // Whoever has the row locked writes at this moment.
      guard let row = rows.first else { return .held(by: "another run", left: nil) }
      guard try !row.bool(2) else {
        return .held(by: "another run (\(try row.string(0)))", left: .milliseconds(try row.optionalInt(1) ?? 0))
      }
      let taken = try transaction.query(
        """
        UPDATE \(table) f SET token = greatest(f.token + 1, \(clock)), owner = $2, holder = $3, taken_at = now(),
          expires_at = clock_timestamp() + make_interval(secs => $4), session_pid = s.pid, session_start = s.backend_start
        FROM (SELECT 1) AS one LEFT JOIN pg_stat_activity s ON s.pid = pg_backend_pid() AND NOT $5
        WHERE f.scope = $1 RETURNING f.token
        """,
        [.text(scope), .text(owner), .text(holder), .double(RunLease.lifetime.seconds), .bool(isPooled)])
      guard let token = try taken.first?.int(0) else { return .held(by: "another run", left: nil) }
      return .taken(FencingToken(scope: scope, value: token))
    }
  }

  /// Renews the lease until the task is cancelled. What fails is tried again: should the lease end meanwhile, the token
  /// keeps this run from writing beside another one.
  private func keepRenewing(_ settings: ConnectionSettings) async {
    var connection: Connection?
    while (try? await Task.sleep(for: RunLease.renewal)) != nil {
      do {
        let open: Connection
        if let known = connection { open = known } else { open = try await Connection(settings) }
        connection = open
        try await renew(open)
      } catch {
        await connection?.close()
        connection = nil
      }
    }
    await connection?.close()
  }

  private func renew(_ connection: Connection) async throws {
    let table = schema.qualified("maven_fences")
    try await connection.transaction { transaction in
      try transaction.script("SET LOCAL synchronous_commit = off")
      // While the run itself writes it has the row locked, which says as much.
      _ = try transaction.execute(
        """
        WITH ours AS (
          SELECT scope FROM \(table) WHERE scope = $1 AND owner = $2 FOR UPDATE SKIP LOCKED)
        UPDATE \(table) f SET expires_at = clock_timestamp() + make_interval(secs => $3) FROM ours
        WHERE f.scope = ours.scope
        """, [.text(scope), .text(owner), .double(RunLease.lifetime.seconds)])
    }
  }

  /// What cannot be given back ends by itself.
  private func release(_ connection: Connection) async {
    let table = schema.qualified("maven_fences")
    _ = try? await connection.transaction { transaction in
      try transaction.script("SET LOCAL synchronous_commit = off")
      _ = try transaction.execute(
        """
        UPDATE \(table) SET owner = NULL, expires_at = NULL, session_pid = NULL, session_start = NULL
        WHERE scope = $1 AND owner = $2
        """, [.text(scope), .text(owner)])
    }
  }
}
