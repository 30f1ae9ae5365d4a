internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Pool and advisory locks", .timeLimit(.minutes(5)))
struct PoolAndLockTests {
  private struct Stop: Error {}

  @Test("A pool never has more connections than its size, and serves everyone")
  func size() async throws {
    let database = try await PostgresServer.shared().database()
    let pool = ConnectionPool(database.settings, size: 2)
    let pids = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await pool.withConnection { await $0.backendPID } } }
      return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
    }
    #expect(pids.count <= 2)
    await pool.close()
  }

  @Test("A connection that comes back broken is replaced")
  func replacement() async throws {
    let database = try await PostgresServer.shared().database()
    let pool = ConnectionPool(database.settings, size: 1)
    let first = try await pool.withConnection { connection in
      let pid = await connection.backendPID
      _ = try? await connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
      return pid
    }
    let second = try await pool.withConnection { connection in
      _ = try await connection.query("SELECT 1")
      return await connection.backendPID
    }
    #expect(first != second)
    await pool.close()
  }

  @Test("A waiter that is cancelled leaves the queue, and a closed pool refuses the others")
  func waiting() async throws {
    let pool = ConnectionPool(try await PostgresServer.shared().settings, size: 1)
    let held = try await pool.acquire()
    let waiter = Task { try await pool.acquire() }
    waiter.cancel()
    let cancelled = await #expect(throws: PostgresError.self) { _ = try await waiter.value }
    #expect(cancelled?.code == .cancelled)
    await pool.release(held)
    #expect(try await pool.withConnection { try await $0.query("SELECT 1").count } == 1)
    await pool.close()
    let closed = await #expect(throws: PostgresError.self) { _ = try await pool.acquire() }
    #expect(closed?.code == .closed)
  }

  @Test("A failed connection attempt does not use up the pool")
  func failedAttempts() async throws {
    let pool = ConnectionPool(try await PostgresServer.shared().settings.with(database: "nowhere"), size: 1)
    for _ in 0..<3 {
      let error = await #expect(throws: PostgresError.self) { _ = try await pool.acquire() }
      #expect(error?.code == .databaseMissing)
    }
  }

  @Test(
    "An advisory lock keeps other transactions out, and is free again however its own ends",
    arguments: [AdvisoryLock.Key.single(.max), .pair(namespace: -1, hash: 7)])
  func exclusion(key: AdvisoryLock.Key) async throws {
    let database = try await PostgresServer.shared().database()
    let (first, second) = (try await database.connect(), try await database.connect())
    let lock = AdvisoryLock(key)
    func take(_ connection: Connection) async throws -> Bool {
      try await connection.transaction { try lock.tryToTake(in: $0) }
    }
    try await first.script("CREATE TABLE steps (n int)")
    // The lock is held while the second one tries: its refusal is written before the first one ends.
    let holder = Task {
      try await first.transaction { transaction in
        let isTaken = try lock.tryToTake(in: transaction)
        let again = try lock.tryToTake(in: transaction)
        while try transaction.query("SELECT FROM steps").isEmpty {}
        return isTaken && again
      }
    }
    let held = """
      SELECT FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      """
    while try await second.query(held).isEmpty { await Task.yield() }
    #expect(try await !take(second))
    try await second.script("INSERT INTO steps VALUES (1)")
    #expect(try await holder.value)
    #expect(try await take(second))
    await #expect(throws: Stop.self) {
      try await first.transaction { transaction in
        #expect(try lock.tryToTake(in: transaction))
        throw Stop()
      }
    }
    #expect(try await take(second))
    #expect(try await second.query(held).isEmpty)
  }
}
