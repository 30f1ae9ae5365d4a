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
}
