internal import Postgres
internal import TestSupport
internal import Testing

@Suite("Settings and connecting")
struct SettingsTests {
  private func failure(_ settings: ConnectionSettings) async -> PostgresError? {
    await #expect(throws: PostgresError.self) { try await Connection(settings) }
  }

  @Test("A URL and keyword pairs are read as libpq reads them")
  func parsing() throws {
    let url = try ConnectionSettings(
      conninfo: "postgresql://me:p%40ss%3Aw%2Frd%25@h1:1,h2:2/base?application_name=x%20y&options=-c%20a%3Db")
    #expect(
      url.parameters == [
        "user": "me", "password": "p@ss:w/rd%", "host": "h1,h2", "port": "1,2", "dbname": "base",
        "application_name": "x y", "options": "-c a=b",
      ])
    let pairs = try ConnectionSettings(conninfo: "host=/tmp user='a b' password='it\\'s'")
    #expect(pairs.parameters["user"] == "a b")
    #expect(pairs.parameters["password"] == "it's")
    #expect(try ConnectionSettings(conninfo: "").parameters.isEmpty)
    #expect(url.with(database: "other").parameters["dbname"] == "other")
    let merged = url.merging(ConnectionSettings(parameters: ["port": "7", "user": ""]))
    #expect(merged.parameters["port"] == "7")
    #expect(merged.parameters["user"] == "me")
  }

  @Test("The redacted URL leaves the password out and means the same to libpq")
  func redactedURL() throws {
    let parameters = [
      "host": "/tmp/a dir", "port": "5433", "user": "ü/@", "password": "secret", "dbname": "a?b/c",
      "options": "-c x=y&z", "sslpassword": "secret",
    ]
    let url = ConnectionSettings(parameters: parameters).redactedURL
    #expect(!url.contains("secret"))
    let read = try ConnectionSettings(conninfo: url).parameters
    #expect(read == parameters.filter { !$0.key.hasSuffix("password") })
    for pair in [["host": "a,b", "port": "1,2"], ["host": "::1", "port": "5"], ["port": "5"], ["options": "x"], [:]] {
      #expect(try ConnectionSettings(conninfo: ConnectionSettings(parameters: pair).redactedURL).parameters == pair)
    }
  }

  @Test("psql accepts the URL as it is")
  func psql() async throws {
    let database = try await PostgresServer.shared().database()
    let output = try ChildProcess.runChecked("psql", ["-XAtc", "SELECT current_database()", database.url])
    #expect(output.stdoutText == "\(database.settings.parameters["dbname"] ?? "")\n")
  }

  @Test("A connection string that cannot be read is refused without being quoted")
  func unreadable() {
    let error = #expect(throws: PostgresError.self) {
      try ConnectionSettings(conninfo: "postgresql://me:s3cret%zz@host:port/")
    }
    #expect(error?.code == .invalidParameter)
    #expect(error.map { "\($0) \($0.debugDescription)".contains("s3cret") } == false)
  }

  @Test("A password of URL characters logs in, and neither it nor a wrong one shows in an error")
  func password() async throws {
    let server = try await PostgresServer.shared()
    let administrator = try await Connection(server.settings)
    let role = PostgresServer.passwordRole
    try await administrator.script("CREATE ROLE \(role) LOGIN PASSWORD 'p@ss:w/rd%'")
    let socket = (server.settings.parameters["host"] ?? "").split(separator: "/").joined(separator: "%2F")
    let url = "postgresql://\(role):p%40ss%3Aw%2Frd%25@%2F\(socket)/postgres"
    let connection = try await Connection(ConnectionSettings(conninfo: url))
    #expect(try await connection.query("SELECT current_user")[0].string(0) == role)

    let wrong = try ConnectionSettings(conninfo: url).merging(ConnectionSettings(parameters: ["password": "canary"]))
    let error = await failure(wrong)
    #expect(error?.code == .authenticationFailed)
    #expect(error?.sqlState?.rawValue == "28P01")
    #expect(error?.isTransient == false)
    var dumped = ""
    dump(wrong, to: &dumped)
    for text in [error?.description, error?.debugDescription, "\(wrong)", String(reflecting: wrong), dumped] {
      #expect(text?.contains("canary") == false)
    }
  }

  @Test("A missing database, a missing server and a wrong keyword are told apart")
  func refusals() async throws {
    let server = try await PostgresServer.shared()
    let missing = await failure(server.settings.with(database: "nowhere"))
    #expect(missing?.code == .databaseMissing)
    #expect(missing?.sqlState == .invalidCatalogName)
    let absent = await failure(ConnectionSettings(parameters: ["host": "/tmp/no-such-folder"]))
    #expect(absent?.code == .connectionFailed)
    #expect(absent?.isTransient == true)
    #expect(await failure(ConnectionSettings(parameters: ["no_such_keyword": "x"]))?.code == .connectionFailed)
  }

  @Test("Every session has the settings that this module relies on, and keeps the user's options")
  func session() async throws {
    let settings = try await PostgresServer.shared().settings.merging(
      ConnectionSettings(parameters: ["options": "-c statement_timeout=12345 -c timezone=America/New_York"]))
    let connection = try await Connection(settings)
    let row = try await connection.query(
      """
      SELECT current_setting('client_encoding') AS a, current_setting('TimeZone') AS b,
        current_setting('DateStyle') AS c, current_setting('application_name') AS d,
        current_setting('statement_timeout') AS e, current_setting('client_min_messages') AS f
      """)[0]
    #expect(try row.columns.map { try row.string($0) } == ["UTF8", "UTC", "ISO, YMD", "moha-sync", "12345ms", "warning"])
    #expect(await connection.serverVersion >= 130_000)
    #expect(try await connection.query("SELECT pg_backend_pid()")[0].int(0) == Int64(connection.backendPID))
  }

  @Test("What the database, the role and PGOPTIONS set never changes how values and names are read")
  func pinned() async throws {
    let database = try await PostgresServer.shared().database()
    let name = try #require(database.settings.parameters["dbname"])
    let first = try await database.connect()
    try await first.script(
      """
      ALTER DATABASE \(name) SET DateStyle = 'German, DMY'; ALTER DATABASE \(name) SET IntervalStyle = 'sql_standard';
      ALTER DATABASE \(name) SET bytea_output = 'escape'; ALTER DATABASE \(name) SET extra_float_digits = -15;
      ALTER DATABASE \(name) SET row_security = on; ALTER DATABASE \(name) SET statement_timeout = '1ms';
      ALTER DATABASE \(name) SET lock_timeout = '1ms'; ALTER DATABASE \(name) SET array_nulls = off;
      ALTER DATABASE \(name) SET idle_in_transaction_session_timeout = '1ms';
      ALTER DATABASE \(name) SET standard_conforming_strings = off;
      ALTER DATABASE \(name) SET default_transaction_isolation = 'serializable';
      ALTER DATABASE \(name) SET transform_null_equals = on;
      CREATE SCHEMA own; CREATE FUNCTION own.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'hijacked' $$;
      ALTER DATABASE \(name) SET search_path = nowhere, own, pg_temp, pg_catalog, public;
      """)
    await first.close()
    let settings = database.settings.merging(
      ConnectionSettings(parameters: ["options": "-c quote_all_identifiers=on -c timezone=Asia/Tokyo"]))
    let connection = try await Connection(settings)
    let row = try await connection.query(
      """
      SELECT quote_ident('plain') AS a, '2026-02-03T04:05:06Z'::timestamptz::text AS b, '1 day 2:00'::interval::text AS c,
        '\\xff'::bytea::text AS d, (0.1::float8 + 0.2::float8)::text AS e, current_setting('row_security') AS f,
        current_setting('statement_timeout') AS g, current_setting('lock_timeout') AS h,
        current_setting('idle_in_transaction_session_timeout') AS i, current_setting('transaction_isolation') AS j,
        ('{NULL}'::text[])[1] IS NULL AS k, (NULL = NULL) IS NULL AS l, lower('A') AS m, current_schema() AS n
      """)[0]
    #expect(
      try row.columns.map { try row.string($0) } == [
        "plain", "2026-02-03 04:05:06+00", "P1DT2H", "\\xff", "0.30000000000000004", "off", "0", "1min", "0",
        "read committed", "t", "t", "a", "own",
      ])
    #expect(try await connection.query("SELECT count(*) FROM generate_series(1, 300000)")[0].int(0) == 300_000)
  }

  @Test("A time limit of the connection's own options holds, and its end is told from a cancellation")
  func ownTimeLimit() async throws {
    let settings = try await PostgresServer.shared().settings.merging(
      ConnectionSettings(parameters: ["options": "-c statement_timeout=200"]))
    let connection = try await Connection(settings)
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(60)") }
    #expect(error?.code == .timedOut)
    #expect(error?.sqlState == .queryCanceled)
    #expect(error?.hint?.contains("statement_timeout") == true)
    #expect(await connection.isUsable)
  }

  @Test(
    "A URL as another library writes it names the same server",
    arguments: [
      "postgresql+asyncpg://u:p%40w@h:5433/d", "postgresql+psycopg2://u:p%40w@h:5433/d", "postgres://u:p%40w@h:5433/d",
      " \"postgresql://u:p%40w@h:5433/d\"\n", "'postgres+psycopg://u:p%40w@h:5433/d'",
      "jdbc:postgresql://h:5433/d?user=u&password=p%40w", "postgresql://u:p%40w@h:5433/d?pgbouncer=true&connection_limit=1",
      "POSTGRESQL://u:p%40w@h:5433/d?serverVersion=15&charset=utf8", "postgresql://u:p%40w@h:5433/d?pool_timeout=3",
    ])
  func dialects(url: String) throws {
    let settings = try ConnectionSettings(conninfo: url)
    #expect(
      settings.parameters == ["user": "u", "password": "p@w", "host": "h", "port": "5433", "dbname": "d"], "\(settings)")
    #expect(settings.schema == nil)
  }

  @Test("Parameters that mean something to libpq under another name, or to nobody but us, are understood")
  func parameters() throws {
    let prisma = try ConnectionSettings(conninfo: "postgresql://u@h/d?schema=sales&sslmode=require&connection_limit=5")
    #expect(prisma.schema == "sales" && prisma.parameters["sslmode"] == "require")
    #expect(!prisma.redactedURL.contains("sales"))
    let jdbc = try ConnectionSettings(conninfo: "jdbc:postgresql://h/d?currentSchema=a,b&ssl=true&ApplicationName=x")
    #expect(jdbc.schema == "a" && jdbc.parameters["sslmode"] == "require" && jdbc.parameters["application_name"] == "x")
    let options = try ConnectionSettings(conninfo: "postgresql://h/d?options=-c%20search_path%3Dx&ssl=disable")
    #expect(options.parameters["options"] == "-c search_path=x" && options.parameters["sslmode"] == "disable")
    let pairs = try ConnectionSettings(conninfo: " host=h password='a://b?schema=c' ")
    let question = try ConnectionSettings(conninfo: "postgresql+asyncpg://u:p?schema=w@h/d?schema=s")
    #expect(question.parameters["password"] == "p?schema=w" && question.schema == "s")
    #expect(pairs.parameters == ["host": "h", "password": "a://b?schema=c"] && pairs.schema == nil)
  }

  @Test(
    "What cannot be read is named without any part of a password",
    arguments: [
      ("mysql://u:canary@h/d", "mysql"),
      ("postgresql://u:canary@h/d?nonsense=1", "nonsense"), ("postgresql://u:canary@h:canary/d?canary@x", nil),
      ("canary", nil), ("postgresql://u:canary%zz@h/d", nil), ("https+canary://", "https+canary"),
      ("postgresql+x+y://u:canary@[::1/d", nil),
    ] as [(String, String?)])
  func refusedURLs(url: String, named: String?) {
    let error = #expect(throws: PostgresError.self) { try ConnectionSettings(conninfo: url) }
    #expect(error?.code == .invalidParameter)
    let words = "\(error?.description ?? "") \(error?.hint ?? "") \(error?.debugDescription ?? "")"
    if let named { #expect(words.contains(named)) } else { #expect(!words.contains("canary"), "\(words)") }
  }
}
