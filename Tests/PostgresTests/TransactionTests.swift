internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Transactions")
struct TransactionTests {
  private struct Stop: Error {}

  @Test("A transaction commits when its body returns")
  func commits() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script("CREATE TABLE t (n int)")
    let inserted = try await connection.transaction { transaction in
      try transaction.execute("INSERT INTO t VALUES ($1), ($2)", [.int(1), .int(2)])
    }
    #expect(inserted == 2)
    let other = try await database.connect()
    #expect(try await other.query("SELECT count(*) FROM t")[0].int(0) == 2)
  }

  @Test("A transaction rolls back when its body throws, and the connection stays usable")
  func rollsBack() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script("CREATE TABLE t (n int)")
    await #expect(throws: Stop.self) {
      try await connection.transaction { transaction in
        try transaction.execute("INSERT INTO t VALUES (1)")
        throw Stop()
      }
    }
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
    #expect(await connection.isUsable)
  }

  @Test("A hidden failure of a statement cannot pass for a commit")
  func hiddenFailure() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { transaction in
        _ = try? transaction.execute("SELECT * FROM missing")
      }
    }
    #expect(error?.code == .transactionAborted)
    #expect(error?.sqlState == .undefinedTable)
    #expect(await connection.isUsable)
  }

  @Test("A savepoint undoes its own statements alone")
  func savepoint() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script("CREATE TABLE t (n int PRIMARY KEY)")
    try await connection.transaction { transaction in
      try transaction.execute("INSERT INTO t VALUES (1)")
      #expect(throws: PostgresError.self) {
        try transaction.savepoint {
          try transaction.execute("INSERT INTO t VALUES (2)")
          try transaction.execute("INSERT INTO t VALUES (1)")
        }
      }
      try transaction.savepoint { try transaction.execute("INSERT INTO t VALUES (3)") }
    }
    let numbers = try await connection.query("SELECT n FROM t ORDER BY n").map { try $0.int(0) }
    #expect(numbers == [1, 3])
  }

  @Test("Two serializable transactions that contradict each other end in a transient serialization failure")
  func serialization() async throws {
    let database = try await PostgresServer.shared().database()
    let (first, second) = (try await database.connect(), try await database.connect())
    try await first.script("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM t; INSERT INTO t VALUES (1)"
    try await first.script(begin)
    try await second.script(begin)
    try await first.script("COMMIT")
    let error = await #expect(throws: PostgresError.self) { try await second.script("COMMIT") }
    #expect(error?.code == .serializationFailure)
    #expect(error?.isTransient == true)
  }

  @Test("A read-only transaction refuses to write")
  func readOnly() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction(readOnly: true) { try $0.script("CREATE TABLE t ()") }
    }
    #expect(error?.code == .readOnly)
  }

  @Test("A deferred constraint fails the commit with its own error, since the outcome is known")
  func deferredConstraint() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { try $0.execute("INSERT INTO t VALUES (1), (1)") }
    }
    #expect(error?.code == .constraintViolation)
    #expect(error?.constraint == "t_n_key")
    #expect(await connection.isUsable)
  }

  @Test("A connection that breaks in COMMIT leaves the outcome unknown")
  func unknownOutcome() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    // A deferred trigger runs inside of COMMIT, and ends the server's process there.
    try await connection.script(
      """
      CREATE TABLE t (n int);
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION die()
      """)
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
    }
    #expect(error?.code == .commitOutcomeUnknown)
    #expect(error?.isTransient == false)
    #expect(await connection.isUsable == false)
  }

  @Test("A body cannot begin a transaction inside of another one")
  func nesting() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.perform { session in
        try session.transaction { _ in try session.transaction { _ in } }
      }
    }
    #expect(error?.code == .protocolViolation)
    #expect(await connection.isUsable)
  }

  @Test("A transaction that a session leaves open is rolled back")
  func leftOpen() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.perform { try $0.script("BEGIN; CREATE TABLE t ()") }
    #expect(try await connection.query("SELECT 1 FROM pg_tables WHERE tablename = 't'").isEmpty)
  }
}
