internal import Glibc
internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Statements, parameters and rows")
struct StatementTests {
  private struct Stop: Error {}

  private func connect() async throws -> Connection {
    try await Connection(PostgresServer.shared().settings)
  }

  @Test("Every kind of value arrives as it was given")
  func values() async throws {
    let row = try await connect().query(
      """
      SELECT $1::text AS a, $2::bigint AS b, $3::bool AS c, $4::bytea AS d, $5::double precision AS e, $6::jsonb AS f,
        $7::numeric AS g, $8::timestamptz AS h, $9::text[] = ARRAY['x', NULL, 'a"b\\c,{}', '', 'NULL'] AS i,
        $10::bigint[] = ARRAY[1, -2]::bigint[] AS j, $11::bytea[] = ARRAY['\\x00ff'::bytea, ''] AS k, $12::int AS l
      """,
      [
        .text("a'b\"c\\ 🌟"), .int(.min), .bool(true), .bytes([0, 39, 255]), .double(0.1), .json("{\"x\": 1}"),
        .numeric("-0.0001"), .timestamp(microsecondsSince2000: -1),
        .textArray(["x", nil, "a\"b\\c,{}", "", "NULL"]), .intArray([1, -2]), .bytesArray([[0, 255], []]), .null,
      ])[0]
    #expect(try row.string("a") == "a'b\"c\\ 🌟")
    #expect(try row.int("b") == .min)
    #expect(try row.bool("c"))
    #expect(try row.bytes("d") == [0, 39, 255])
    #expect(try row.double("e") == 0.1)
    #expect(try row.string("f") == "{\"x\": 1}")
    #expect(try row.string("g") == "-0.0001")
    #expect(try row.timestamp("h") == -1)
    for name in ["i", "j", "k"] { #expect(try row.bool(name)) }
    #expect(try row.isNull("l"))
    #expect(try row.optionalInt("l") == nil)
  }

  @Test(
    "A timestamp is the same instant for the server, in text and back",
    arguments: [
      0, -1, 1, 821_591_773_642_576, -63_082_281_600_000_000, -211_813_488_000_000_000, 9_223_371_331_199_999_999,
      -62_000_000_000_000_000, 5_097_600_000_000, 252_374_400_000_000_000, .max, .min,
    ] as [Int64])
  func timestamps(value: Int64) async throws {
    let connection = try await connect()
    let row = try await connection.query("SELECT $1::timestamptz", [.timestamp(microsecondsSince2000: value)])[0]
    #expect(try row.timestamp(0) == value)
    // The server's own binary form is the judge of both directions.
    let field = try await connection.perform { session in
      var field: Int64?
      let literal = try row.string(0)
      try session.copyOut("COPY (SELECT '\(literal)'::timestamptz) TO STDOUT (FORMAT binary)") {
        field = try $0.int64(0)
      }
      return field
    }
    #expect(field == value)
  }

  @Test("U+0000 in a parameter, a statement or a setting is refused, not cut off")
  func nul() async throws {
    let connection = try await connect()
    for value in [Value.text("a\0b"), .json("\"\0\""), .textArray(["a", "\0"])] {
      let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT $1::text", [value]) }
      #expect(error?.code == .invalidParameter)
    }
    let statement = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1\0 + 1") }
    #expect(statement?.code == .invalidParameter)
    #expect(throws: PostgresError.self) { try Identifier.quoted("a\0b") }
    let settings = try await PostgresServer.shared().settings.with(database: "postgres\0x")
    let refused = await #expect(throws: PostgresError.self) { try await Connection(settings) }
    #expect(refused?.code == .invalidParameter)
    var encoder = BinaryRowEncoder()
    try encoder.row(columns: 1)
    #expect(throws: PostgresError.self) { try encoder.text("a\0b") }
  }

  @Test("A getter refuses null, another type and a column that is not there")
  func mismatches() async throws {
    let row = try await connect().query("SELECT 'x' AS a, NULL AS b, 1.5 AS c")[0]
    let attempts: [() throws -> Void] = [
      { _ = try row.int("a") }, { _ = try row.bool("a") }, { _ = try row.bytes("a") }, { _ = try row.timestamp("a") },
      { _ = try row.string("b") }, { _ = try row.int("c") }, { _ = try row.string("d") }, { _ = try row.string(3) },
      { _ = try row.isNull(-1) },
    ]
    for attempt in attempts {
      let error = #expect(throws: PostgresError.self) { try attempt() }
      #expect(error?.code == .unexpectedValue)
    }
  }

  @Test("An identifier is quoted as the server quotes it", arguments: ["a", "A b", "\"", "a\"\"b", "größe", "select"])
  func identifiers(name: String) async throws {
    let quoted = try Identifier.quoted(name)
    #expect(try await connect().query("SELECT 1 AS \(quoted)")[0].columns == [name])
  }

  @Test("A million rows stream in bounded memory")
  func streaming() async throws {
    let connection = try await connect()
    let (count, sum, growth) = try await connection.perform { session in
      var (count, sum): (Int64, Int64) = (0, 0)
      let before = residentPages()
      try session.forEachRow("SELECT n, repeat('x', 100) FROM generate_series(1, 1000000) AS n") { row in
        count += 1
        sum += try row.int(0)
      }
      return (count, sum, residentPages() - before)
    }
    #expect(count == 1_000_000)
    #expect(sum == 500_000_500_000)
    // The rows hold 100 MB; other tests run in this process meanwhile.
    #expect(growth * 4096 < 60 << 20)
  }

  @Test("A closure that stops a stream gets its error, and the connection stays usable, in a transaction or not")
  func stoppedStream() async throws {
    let connection = try await connect()
    let sql = "SELECT generate_series(1, 200000)"
    await #expect(throws: Stop.self) {
      try await connection.perform { try $0.forEachRow(sql) { _ in throw Stop() } }
    }
    #expect(await connection.isUsable)
    let answer = try await connection.transaction { transaction in
      #expect(throws: Stop.self) { try transaction.forEachRow(sql) { _ in throw Stop() } }
      return try transaction.query("SELECT 1")[0].int(0)
    }
    #expect(answer == 1)
  }

  @Test("A stream that fails on the server after some rows throws its error")
  func failingStream() async throws {
    let connection = try await connect()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.perform { try $0.forEachRow("SELECT 1 / (500 - n) FROM generate_series(1, 1000) n") { _ in } }
    }
    #expect(error?.sqlState?.rawValue == "22012")
    #expect(await connection.isUsable)
  }

  @Test("A streaming closure cannot start another statement on the connection")
  func reentrance() async throws {
    let connection = try await connect()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.perform { session in
        try session.forEachRow("SELECT 1") { _ in _ = try session.query("SELECT 2") }
      }
    }
    #expect(error?.code == .protocolViolation)
    #expect(await connection.isUsable)
  }

  @Test("A prepared statement is planned once, and survives DISCARD ALL and a changed result type")
  func preparedStatements() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TEMPORARY TABLE t (n int); INSERT INTO t VALUES (1)")
    let prepared = "SELECT count(*) FROM pg_prepared_statements"
    let counts = try await connection.perform { session in
      for _ in 0..<3 { _ = try session.queryPrepared("SELECT * FROM t") }
      let once = try session.query(prepared)[0].int(0)
      try session.script("ALTER TABLE t ADD COLUMN m int DEFAULT 7")
      let changed = try session.queryPrepared("SELECT * FROM t")[0].int("m")
      try session.script("DEALLOCATE ALL")
      let forgotten = try session.queryPrepared("SELECT * FROM t").count
      return [once, changed, Int64(forgotten)]
    }
    #expect(counts == [1, 7, 1])
  }

  @Test("No more than 64 statements stay prepared, and the one used last stays")
  func statementCache() async throws {
    let connection = try await connect()
    let (count, isKept) = try await connection.perform { session in
      for number in 0..<100 {
        _ = try session.queryPrepared("SELECT 'keep'")
        _ = try session.queryPrepared("SELECT \(number)")
      }
      let rows = try session.query("SELECT statement FROM pg_prepared_statements")
      return (rows.count, try rows.contains { try $0.string(0) == "SELECT 'keep'" })
    }
    #expect(count == 64)
    #expect(isKept)
  }

  @Test("Many parameter sets go in one pipeline, and count their rows")
  func pipeline() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TEMPORARY TABLE t (n int PRIMARY KEY, s text)")
    let upsert = "INSERT INTO t VALUES ($1, $2) ON CONFLICT (n) DO UPDATE SET s = excluded.s"
    let affected = try await connection.transaction { transaction in
      let sets = (0..<3000).map { [Value.int($0 % 2000), .text("value \($0)")] }
      return try transaction.executeMany(upsert, sets)
    }
    #expect(affected == 3000)
    let row = try await connection.query("SELECT count(*), max(s) FILTER (WHERE n = 999) FROM t")[0]
    #expect(try row.int(0) == 2000)
    #expect(try row.string(1) == "value 2999")
    #expect(try await connection.perform { try $0.executeMany(upsert, []) } == 0)
  }

  @Test("A pipeline that fails names the set, undoes all of them and leaves the connection usable", arguments: [1, 300, 700])
  func failingPipeline(position: Int) async throws {
    let connection = try await connect()
    try await connection.script("CREATE TEMPORARY TABLE t (n int CHECK (n >= 0))")
    for bad in [Value.int(-1), .text("a\0b")] {
      let error = await #expect(throws: PostgresError.self) {
        try await connection.perform { session in
          let sets = (1...700).map { $0 == position ? [bad] : [Value.int(Int64($0))] }
          try session.executeMany("INSERT INTO t VALUES ($1)", sets)
        }
      }
      #expect(error?.operation.hasSuffix("set \(position)") == true)
      #expect(await connection.isUsable)
      #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
    }
  }

  /// Pages of this process that are in memory.
  private func residentPages() -> Int {
    let fields = (try? ChildProcess.run("cat", ["/proc/\(getpid())/statm"]).stdoutText)?.split(separator: " ")
    return fields.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0
  }
}
