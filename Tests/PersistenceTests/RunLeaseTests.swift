internal import Postgres
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// One run at a time, without anything that a session would have to keep.
@Suite struct RunLeaseTests {
  private static let scope = "reconcile/maven"

  private func scene() async throws -> (MavenTree, Connection) {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    return (tree, connection)
  }

  private func lease(_ owner: String) -> RunLease {
    RunLease(scope: Self.scope, owner: owner, holder: "run of \(owner)", schema: .public)
  }

  /// How long taking the lease took, in seconds, and its token.
  private func take(_ owner: String, _ connection: Connection, _ tree: MavenTree) async throws -> (Double, Int64) {
    let start = ContinuousClock.now
    let token = try await lease(owner).hold(on: connection, settings: tree.database.settings) { $0.value }
    return ((ContinuousClock.now - start).seconds, token)
  }

  private func refusal(_ owner: String, _ connection: Connection, _ tree: MavenTree) async -> PersistenceError? {
    do {
      _ = try await take(owner, connection, tree)
      return nil
    } catch {
      return error as? PersistenceError
    }
  }

  @Test("It keeps others out while it is held, is free again on every path, and leaves no advisory lock")
  func exclusion() async throws {
    let (tree, first) = try await scene()
    let second = try await tree.database.connect()
    struct Stop: Error {}
    await #expect(throws: Stop.self) {
      try await lease("a").hold(on: first, settings: tree.database.settings) { _ in
        let refused = await refusal("b", second, tree)
        #expect(refused?.code == .locked && refused?.message.contains("run of a") == true)
        throw Stop()
      }
    }
    #expect(try await take("b", second, tree).0 < 4)
    let (ours, settings) = (lease("a"), tree.database.settings)
    let task = Task {
      try await ours.hold(on: first, settings: settings) { _ in
        withUnsafeCurrentTask { unsafe $0?.cancel() }
        try Task.checkCancellation()
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await take("b", second, tree).0 < 4)
    let locks = """
      SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      """
    #expect(try await tree.value(locks) == "0")
  }

  @Test("Each holder gets a newer token, and the one before it writes nothing any more")
  func tokens() async throws {
    let (tree, connection) = try await scene()
    let (_, first) = try await take("a", connection, tree)
    let (_, second) = try await take("b", connection, tree)
    #expect(second > first)
    let late = await #expect(throws: PersistenceError.self) {
      try await connection.transaction {
        _ = try FencingToken(scope: Self.scope, value: first).exchange($0, holder: "late", schema: .public)
      }
    }
    #expect(late?.code == .locked)
  }

  @Test("That of a run whose session is gone is void at once, and one that has ended too")
  func goneHolders() async throws {
    let (tree, connection) = try await scene()
    for row in [
      "now() + interval '1 hour', 999999, now()", "now() - interval '1 second', NULL, NULL",
      // The process has another session by now.
      "now() + interval '1 hour', (SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() LIMIT 1), '2001-01-01'",
    ] {
      try await tree.sql(
        """
        DELETE FROM maven_fences; INSERT INTO maven_fences (scope, token, holder, owner, expires_at, session_pid,
          session_start) SELECT '\(Self.scope)', 1, 'gone', 'gone', \(row)
        """)
      #expect(try await take("a", connection, tree).0 < 4)
    }
  }

  @Test("A lease that nobody renews is waited for to its end, and one that is renewed is not")
  func silentHolder() async throws {
    let (tree, connection) = try await scene()
    try await tree.sql(
      """
      INSERT INTO maven_fences (scope, token, holder, owner, expires_at)
      VALUES ('\(Self.scope)', 1, 'killed', 'killed', now() + interval '8 seconds')
      """)
    #expect(try await take("a", connection, tree).0 > 5)
  }

  @Test("A run that takes longer than its lease keeps it")
  func renewal() async throws {
    let (tree, first) = try await scene()
    let second = try await tree.database.connect()
    try await lease("a").hold(on: first, settings: tree.database.settings) { _ in
      try await Task.sleep(for: RunLease.lifetime + .seconds(2))
      #expect(await refusal("b", second, tree)?.code == .locked)
    }
  }
}
