internal import Postgres
internal import TestSupport
internal import Testing

@Suite("COPY in binary format")
struct CopyTests {
  private struct Stop: Error {}

  @Test("Every type survives a COPY in, and the server prints what was meant")
  func everyType() async throws {
    let database = try await PostgresServer.shared().database()
    let connection = try await database.connect()
    try await connection.script(
      """
      CREATE TABLE t (a text, b bytea, c smallint, d int, e bigint, f bool, g double precision, h timestamptz,
        i numeric, j jsonb, k text[])
      """)
    let count = try await connection.transaction { transaction in
      try transaction.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
        try writer.row(columns: 11)
        try writer.text("Größe 🌟\n\t\\N")
        try writer.bytes([0, 1, 255])
        try writer.int16(-7)
        try writer.int32(.min)
        try writer.int64(.max)
        try writer.bool(true)
        try writer.double(0.1)
        try writer.timestamp(microsecondsSince2000: 821_591_773_642_576)
        try writer.numeric("98.125")
        try writer.jsonb("{\"b\": [1, 2.50], \"a\": null}")
        try writer.textArray(["x", "", "y,\"z\""])
        try writer.row(columns: 11)
        for _ in 0..<11 { try writer.null() }
        try writer.row(columns: 11)
        try writer.textBytes(Array("bytes".utf8))
        for _ in 0..<9 { try writer.null() }
        try writer.textArray([])
      }
    }
    #expect(count == 3)
    let row = try await connection.query("SELECT *, h::text AS shown FROM t WHERE f")[0]
    #expect(row.columns == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "shown"])
    #expect(try row.string("a") == "Größe 🌟\n\t\\N")
    #expect(try row.bytes("b") == [0, 1, 255])
    #expect(try row.int("c") == -7)
    #expect(try row.int("d") == Int64(Int32.min))
    #expect(try row.int("e") == .max)
    #expect(try row.bool("f"))
    #expect(try row.double("g") == 0.1)
    #expect(try row.timestamp("h") == 821_591_773_642_576)
    #expect(try row.string("shown") == "2026-01-13 03:56:13.642576+00")
    #expect(try row.string("i") == "98.125")
    #expect(try row.string("j") == "{\"a\": null, \"b\": [1, 2.50]}")
    #expect(try row.string("k") == "{x,\"\",\"y,\\\"z\\\"\"}")
    let nulls = try await connection.query("SELECT num_nulls(a, b, c, d, e, f, g, h, i, j, k) FROM t ORDER BY 1")
    #expect(try nulls.map { try $0.int(0) } == [0, 9, 11])

    let read = try await connection.perform { session in
      var seen: [String] = []
      let rows = try session.copyOut("COPY (SELECT * FROM t ORDER BY f, a) TO STDOUT (FORMAT binary)") { row in
        seen.append(try row.optionalString(0) ?? "null")
        guard try !row.isNull(1) else { return }
        #expect(row.count == 11)
        #expect(try row.bytes(1) == [0, 1, 255])
        #expect(try row.int64(2) == -7)
        #expect(try row.int64(3) == Int64(Int32.min))
        #expect(try row.int64(4) == .max)
        #expect(try row.bool(5))
        #expect(try row.double(6) == 0.1)
        #expect(try row.int64(7) == 821_591_773_642_576)
        #expect(try row.numeric(8) == "98.125")
        #expect(try row.jsonb(9) == "{\"a\": null, \"b\": [1, 2.50]}")
        #expect(throws: PostgresError.self) { try row.int64(0) }
        #expect(throws: PostgresError.self) { try row.bool(11) }
      }
      #expect(rows == 3)
      return seen
    }
    #expect(read == ["Größe 🌟\n\t\\N", "bytes", "null"])
  }

  @Test(
    "A numeric goes to the server and back without a change",
    arguments: [
      "0", "0.00", "-0.0001", "98.125", "1e40", "1" + String(repeating: "0", count: 40), "1e-30", "-12345.6789",
      "9999", "10000", "10001.0001", "0.1", "0.00010", "123456789012345678901234567890.123456789012345678901234567890",
      "-0", "+5", "5.", ".5", "12e3", "1.50e1", "1e-16383", "NaN", "Infinity", "-Infinity", "999.99", "99990000.00009999",
    ])
  func numericEdges(text: String) async throws {
    try await compareNumerics([text])
  }

  @Test("Random numerics agree with the server's own reading of their text", arguments: 1...3)
  func randomNumerics(seed: UInt64) async throws {
    var random = SplitMix64(state: seed)
    let texts = (0..<400).map { _ in
      let digits = { (count: Int) in (0..<count).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined() }
      let integer = digits(Int.random(in: 1...30, using: &random))
      let fraction = digits(Int.random(in: 0...30, using: &random))
      let exponent = Int.random(in: 0...3, using: &random) == 0 ? "e\(Int.random(in: -40...40, using: &random))" : ""
      return (Bool.random(using: &random) ? "-" : "") + integer + (fraction.isEmpty ? "" : "." + fraction) + exponent
    }
    try await compareNumerics(texts)
  }

  /// Checks that our binary form is, byte for byte, the server's for the same text, and that we read it back as
  /// the server prints it.
  private func compareNumerics(_ texts: [String]) async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE t (position int, ours numeric, text text)")
    try await connection.perform { session in
      try session.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
        for (position, text) in texts.enumerated() {
          try writer.row(columns: 3)
          try writer.int32(Int32(position))
          try writer.numeric(text)
          try writer.text(text)
        }
      }
      let differing = try session.query(
        "SELECT text FROM t WHERE numeric_send(ours) IS DISTINCT FROM numeric_send(text::numeric)")
      #expect(try differing.map { try $0.string(0) } == [])
      let select = "SELECT ours, ours::text AS shown FROM t"
      try session.copyOut("COPY (\(select)) TO STDOUT (FORMAT binary)") { row in
        let (ours, shown) = (try row.numeric(0), try row.string(1))
        #expect(ours == shown)
      }
    }
  }

  @Test("What is no number is refused before it is sent", arguments: ["", "-", ".", "1e", "e5", "1x", "1 ", "--1", "0x10", "1e999999"])
  func notNumeric(text: String) {
    var encoder = BinaryRowEncoder()
    #expect(throws: PostgresError.self) {
      try encoder.row(columns: 1)
      try encoder.numeric(text)
    }
  }

  @Test("Chunks that were encoded elsewhere arrive between rows of the writer's own")
  func rawChunks() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE t (n int)")
    var encoder = BinaryRowEncoder()
    for number: Int32 in 10..<20 {
      try encoder.row(columns: 1)
      try encoder.int32(number)
    }
    let chunk = encoder.takeChunk()
    #expect(encoder.bytes.isEmpty)
    let count = try await connection.perform { session in
      try session.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
        try writer.row(columns: 1)
        try writer.int32(1)
        try writer.raw(chunk: chunk)
        try writer.row(columns: 1)
        try writer.int32(2)
      }
    }
    #expect(count == 12)
    #expect(try await connection.query("SELECT sum(n) FROM t")[0].int(0) == 148)
  }

  @Test("An error of the body ends the COPY without a row and leaves the connection usable")
  func bodyThrows() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE t (n int)")
    await #expect(throws: Stop.self) {
      try await connection.perform { session in
        try session.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
          try writer.row(columns: 1)
          try writer.int32(1)
          throw Stop()
        }
      }
    }
    #expect(await connection.isUsable)
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
  }

  @Test("An error of the server ends the COPY with its SQLSTATE and leaves the connection usable")
  func serverRefuses() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE t (n int CHECK (n < 50000))")
    let error = await #expect(throws: PostgresError.self) {
      try await connection.perform { session in
        try session.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
          for number: Int32 in 0..<200_000 {
            try writer.row(columns: 1)
            try writer.int32(number)
          }
        }
      }
    }
    #expect(error?.code == .constraintViolation)
    #expect(error?.constraint == "t_n_check")
    #expect(try await connection.query("SELECT count(*) FROM t")[0].int(0) == 0)
  }

  @Test("Rows whose fields do not add up are refused")
  func fieldCount() {
    var encoder = BinaryRowEncoder()
    #expect(throws: PostgresError.self) { try encoder.int32(1) }
    #expect(throws: PostgresError.self) {
      try encoder.row(columns: 2)
      try encoder.int32(1)
      try encoder.row(columns: 2)
    }
  }

  @Test("A COPY that is cut short by its reader leaves the connection usable, in and outside of a transaction")
  func readerStops() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    let sql = "COPY (SELECT generate_series(1, 300000)) TO STDOUT (FORMAT binary)"
    await #expect(throws: Stop.self) {
      try await connection.perform { try $0.copyOut(sql) { _ in throw Stop() } }
    }
    #expect(await connection.isUsable)
    let answer = try await connection.transaction { transaction in
      #expect(throws: Stop.self) { try transaction.copyOut(sql) { _ in throw Stop() } }
      return try transaction.query("SELECT 1")[0].int(0)
    }
    #expect(answer == 1)
  }

  @Test("A statement that is no binary COPY in that direction is refused, and the connection stays usable")
  func wrongStatement() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE t (n int)")
    for sql in ["SELECT 1", "COPY t TO STDOUT (FORMAT binary)", "COPY t FROM STDIN"] {
      let error = await #expect(throws: PostgresError.self) {
        try await connection.perform { try $0.copyIn(sql) { _ in } }
      }
      #expect(error?.code == .invalidParameter)
      #expect(await connection.isUsable)
    }
  }
}

/// A small seeded generator.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
