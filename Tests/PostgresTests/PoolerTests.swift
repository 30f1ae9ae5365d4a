internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Behind a pooler in transaction mode", .timeLimit(.minutes(5)))
struct PoolerTests {
  private static let asked = """
    SELECT current_setting('TimeZone') || ' ' || current_setting('row_security') || ' ' || current_setting('DateStyle')
      || ' ' || current_setting('statement_timeout') || ' ' || current_setting('quote_all_identifiers')
    """
  private static let ours = "UTC off ISO, YMD 0 off"

  private func scene(poolSize: Int) async throws -> (database: TestDatabase, settings: ConnectionSettings, PgBouncer) {
    let server = try await PostgresServer.shared()
    let database = try await server.database()
    let name = try #require(database.settings.parameters["dbname"])
    let connection = try await database.connect()
    try await connection.script(
      """
      ALTER DATABASE \(name) SET TimeZone = 'Asia/Tokyo';
      ALTER DATABASE \(name) SET DateStyle = 'SQL, DMY';
      ALTER DATABASE \(name) SET statement_timeout = '30s';
      ALTER DATABASE \(name) SET quote_all_identifiers = on;
      CREATE TABLE t (n int, s text);
      """)
    await connection.close()
    let pooler = try await PgBouncer.start(server, poolSize: poolSize)
    return (database, pooler.settings(of: database), pooler)
  }

  @Test("A pooler is noticed, and the server itself is taken for none")
  func noticed() async throws {
    let (database, settings, pooler) = try await scene(poolSize: 1)
    let (direct, pooled) = (try await database.connect(), try await Connection(settings))
    #expect(await !direct.isPooled)
    #expect(await pooled.isPooled)
    withExtendedLifetime((database, pooler)) {}
  }

  @Test("Every way to run a statement has our settings, and leaves the session as it was")
  func settings() async throws {
    let (database, settings, pooler) = try await scene(poolSize: 1)
    let connection = try await Connection(settings)
    #expect(try await connection.query(Self.asked)[0].string(0) == Self.ours)
    let prepared = try await connection.perform { try $0.queryPrepared(Self.asked)[0].string(0) }
    #expect(prepared == Self.ours)
    let inTransaction = try await connection.transaction(isolation: .repeatableRead, readOnly: true) {
      try $0.query(Self.asked)[0].string(0)
    }
    #expect(inTransaction == Self.ours)
    try await connection.script("INSERT INTO t SELECT 1, s FROM (\(Self.asked)) AS x (s)")
    _ = try await connection.perform { session in
      try session.executeMany("INSERT INTO t SELECT $1::int, s FROM (\(Self.asked)) AS x (s)", [[.int(2)], [.int(3)]])
      try session.copyIn("COPY t (n, s) FROM STDIN (FORMAT binary)") { writer in
        try writer.row(columns: 2)
        try writer.int32(4)
        try writer.text(Self.ours)
      }
    }
    let (copied, streamed) = try await connection.perform { session in
      var copied: [String] = []
      try session.copyOut("COPY (\(Self.asked)) TO STDOUT (FORMAT binary)") { copied.append(try $0.string(0)) }
      var streamed: [String] = []
      try session.forEachRow(Self.asked) { streamed.append(try $0.string(0)) }
      return (copied, streamed)
    }
    #expect(copied == [Self.ours] && streamed == [Self.ours])
    let written = try await connection.query("SELECT n::bigint, s FROM t ORDER BY n")
    #expect(try written.map { try $0.int(0) } == [1, 2, 3, 4])
    for row in written { #expect(try row.string(1) == Self.ours) }
    // The one session that the pooler has, as another program finds it.
    let found = try ChildProcess.runChecked(
      "psql", [settings.redactedURL, "-XAtc", "SET TimeZone = DEFAULT; \(Self.asked)"])
    #expect(found.stdoutText.contains(" on ") && found.stdoutText.contains("30s on"), "\(found.stdoutText)")
    withExtendedLifetime((database, pooler)) {}
  }

  @Test("Many connections that prepare the same statements never meet in a session")
  func prepared() async throws {
    let (database, settings, pooler) = try await scene(poolSize: 3)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<12 {
        group.addTask {
          let connection = try await Connection(settings)
          for turn in 0..<10 {
            let sql = "SELECT $1::bigint + \(turn % 3)"
            let sum = try await connection.perform { try $0.queryPrepared(sql, [.int(Int64(number))])[0].int(0) }
            #expect(sum == Int64(number + turn % 3))
          }
          await connection.close()
        }
      }
      try await group.waitForAll()
    }
    withExtendedLifetime((database, pooler)) {}
  }

  @Test("A statement that fails leaves no transaction, and a script that fails leaves nothing of itself")
  func failures() async throws {
    let (database, settings, pooler) = try await scene(poolSize: 1)
    let connection = try await Connection(settings)
    let error = await #expect(throws: PostgresError.self) {
      try await connection.script("INSERT INTO t VALUES (1, 'a'); SELECT 1 / 0")
    }
    #expect(error?.sqlState?.rawValue == "22012")
    #expect(await connection.isUsable)
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
    try await connection.executeAlone("VACUUM t")
    withExtendedLifetime((database, pooler)) {}
  }

  @Test("Cancelling the task cancels the statement")
  func cancels() async throws {
    let (database, settings, pooler) = try await scene(poolSize: 1)
    let (connection, observer) = (try await Connection(settings), try await database.connect())
    let task = Task { try await connection.query("SELECT pg_sleep(60)") }
    let sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    while try await observer.query(sql).isEmpty { await Task.yield() }
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(try await connection.query("SELECT 1")[0].int(0) == 1)
    withExtendedLifetime((database, pooler)) {}
  }
}
