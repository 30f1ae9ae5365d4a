internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Errors")
struct ErrorTests {
  @Test(
    "An SQLSTATE has its code",
    arguments: [
      ("42P01", .undefinedTable), ("23505", .constraintViolation), ("23502", .constraintViolation),
      ("40001", .serializationFailure), ("40P01", .serializationFailure), ("42501", .insufficientPrivilege),
      ("57014", .timedOut), ("53100", .diskFull), ("25006", .readOnly), ("57P03", .serverStarting),
      ("3D000", .databaseMissing), ("28P01", .authenticationFailed), ("55P03", .lockNotAvailable),
      ("08P01", .protocolViolation), ("08006", .connectionLost), ("P0001", .server), ("42601", .server),
    ] as [(String, PostgresError.Code)])
  func codes(state: String, code: PostgresError.Code) async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    let error = await #expect(throws: PostgresError.self) {
      try await connection.script("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '\(state)', MESSAGE = 'x'; END $$")
    }
    #expect(error?.code == code)
    #expect(error?.sqlState?.rawValue == state)
    let isTransient = ["40", "08", "57"].contains(state.prefix(2)) && !["57014", "08P01"].contains(state) || state == "55P03"
    #expect(error?.isTransient == isTransient)
  }

  @Test("A violated constraint names schema, table and constraint, and shows the row only in the debugging text")
  func constraint() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script("CREATE TEMPORARY TABLE people (name text CONSTRAINT one_name UNIQUE)")
    let error = await #expect(throws: PostgresError.self) {
      try await connection.perform { session in
        for _ in 0..<2 { try session.execute("INSERT INTO people VALUES ($1)", [.text("canary")]) }
      }
    }
    #expect(error?.constraint == "one_name")
    #expect(error?.table == "people")
    #expect(error?.description.contains("canary") == false)
    #expect(error?.debugDescription.contains("canary") == true)
  }

  @Test(
    "No description shows a parameter",
    arguments: [
      "SELECT $1::int", "SELECT $1::timestamptz", "SELECT $1::jsonb", "SELECT $1::uuid", "SELECT $1::numeric",
      "SELECT pg_temp.complain($1)", "SELECT $1::text::bool", "SELECT ('{' || $1 || '\"')::text[]",
    ])
  func parameters(sql: String) async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    try await connection.script(
      """
      CREATE FUNCTION pg_temp.complain(t text) RETURNS void LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''not liked: %'', t; END'
      """)
    let error = await #expect(throws: PostgresError.self) { try await connection.query(sql, [.text("canary")]) }
    #expect(error?.description.contains("canary") == false)
    #expect(error?.code == .server)
  }

  @Test("A statement's secret shows in no description")
  func secretInStatement() async throws {
    let connection = try await Connection(PostgresServer.shared().settings)
    let error = await #expect(throws: PostgresError.self) {
      try await connection.script("ALTER ROLE nobody_at_all PASSWORD 'canary'")
    }
    #expect(error?.description == "executing ALTER: role \"nobody_at_all\" does not exist (SQLSTATE 42704)")
  }
}
