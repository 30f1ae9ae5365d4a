internal import Glibc
internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Cancellation and lost connections", .timeLimit(.minutes(5)))
struct CancellationTests {
  /// Waits until the server runs `query` for that process, so that nothing depends on time.
  private func waitUntilRunning(_ pid: Int, _ observer: Connection) async throws {
    let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event = 'PgSleep'"
    while try await observer.query(sql, [.int(Int64(pid))]).isEmpty { await Task.yield() }
  }

  @Test("Cancelling the task cancels the statement on the server with 57014")
  func cancels() async throws {
    let database = try await PostgresServer.shared().database()
    let (connection, observer) = (try await database.connect(), try await database.connect())
    let pid = await connection.backendPID
    let task = Task { try await connection.query("SELECT pg_sleep(60)") }
    try await waitUntilRunning(pid, observer)
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(error?.sqlState == .queryCanceled)
    #expect(await connection.isUsable)
    #expect(try await connection.query("SELECT 1")[0].int(0) == 1)
  }

  @Test("Cancelling the task of a transaction rolls it back")
  func cancelsTransaction() async throws {
    let database = try await PostgresServer.shared().database()
    let (connection, observer) = (try await database.connect(), try await database.connect())
    try await connection.script("CREATE TABLE t (n int)")
    let pid = await connection.backendPID
    let task = Task {
      try await connection.transaction { transaction in
        try transaction.execute("INSERT INTO t VALUES (1)")
        try transaction.execute("SELECT pg_sleep(60)")
      }
    }
    try await waitUntilRunning(pid, observer)
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
  }

  @Test("A task that is cancelled before its turn sends nothing")
  func cancelledBefore() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    let task = Task {
      withUnsafeCurrentTask { unsafe $0?.cancel() }
      try await connection.script("CREATE TABLE t ()")
    }
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(try await connection.query("SELECT 1 FROM pg_tables WHERE tablename = 't'").isEmpty)
  }

  @Test("A body that is cancelled between statements commits nothing")
  func cancelledBetween() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script("CREATE TABLE t (n int)")
    let task = Task {
      try await connection.transaction { transaction in
        try transaction.execute("INSERT INTO t VALUES (1)")
        withUnsafeCurrentTask { unsafe $0?.cancel() }
      }
    }
    await #expect(throws: PostgresError.self) { try await task.value }
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
  }

  @Test("A cancelled statement never takes the next one with it", arguments: 0..<10)
  func lateCancellation(round: Int) async throws {
    let database = try await PostgresServer.shared()
    let connection = try await Connection(database.settings)
    for _ in 0..<10 {
      let task = Task { try? await connection.query("SELECT pg_sleep(0.001)") }
      await Task.yield()
      task.cancel()
      #expect(try await connection.query("SELECT 7")[0].int(0) == 7)
    }
  }

  @Test("A terminated backend is a lost connection, and the connection says that it is not usable")
  func terminated() async throws {
    let database = try await PostgresServer.shared().database()
    let (connection, observer) = (try await database.connect(), try await database.connect())
    let pid = await connection.backendPID
    let task = Task { try await connection.query("SELECT pg_sleep(60)") }
    try await waitUntilRunning(pid, observer)
    #expect(try await observer.query("SELECT pg_terminate_backend($1)", [.int(Int64(pid))])[0].bool(0))
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .connectionLost)
    #expect(error?.sqlState == .adminShutdown)
    #expect(error?.isTransient == true)
    #expect(await connection.isUsable == false)
    let next = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
    #expect(next?.code == .connectionLost)
  }

  @Test("An idle connection notices that the server has hung up")
  func terminatedWhileIdle() async throws {
    let database = try await PostgresServer.shared().database()
    let (connection, observer) = (try await database.connect(), try await database.connect())
    let pid = await connection.backendPID
    _ = try await observer.query("SELECT pg_terminate_backend($1, 10000)", [.int(Int64(pid))])
    #expect(await connection.isUsable == false)
  }

  @Test("A server that was killed comes back to new connections, and the pool replaces the broken ones")
  func serverKilled() async throws {
    let server = try await PostgresServer.start()
    let pool = ConnectionPool(server.settings, size: 2)
    #expect(try await pool.withConnection { try await $0.query("SELECT 1")[0].int(0) } == 1)
    try server.kill()
    try await server.restart()
    #expect(try await pool.withConnection { try await $0.query("SELECT 2")[0].int(0) } == 2)
    await pool.close()
  }

  @Test("Statements that block, one more than there are shared threads, hold up no other task")
  func sharedThreadsStayFree() async throws {
    let server = try await PostgresServer.shared()
    let observer = try await Connection(server.settings)
    var connections: [(connection: Connection, pid: Int)] = []
    for _ in 0...min(64, sysconf(CInt(_SC_NPROCESSORS_ONLN))) {
      let connection = try await Connection(server.settings)
      connections.append((connection, await connection.backendPID))
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (connection, _) in connections {
        group.addTask { _ = try await connection.query("SELECT pg_sleep(60)") }
      }
      // That this task sees them all at work is the proof: if they blocked the shared threads, it could not run.
      for (_, pid) in connections { try await waitUntilRunning(pid, observer) }
      group.cancelAll()
      while let result = await group.nextResult() {
        #expect(throws: PostgresError.self) { try result.get() }
      }
    }
  }

  @Test("A closed connection refuses work by name")
  func closed() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    await connection.close()
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
    #expect(error?.code == .closed)
    #expect(await connection.isUsable == false)
  }
}
