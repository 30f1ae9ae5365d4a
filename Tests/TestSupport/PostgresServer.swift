internal import Glibc
package import Postgres

/// A private PostgreSQL server on a Unix socket, which ends with the tests.
package final class PostgresServer: Sendable {
  /// Connects as the superuser `postgres` to the database `postgres`, without a password.
  package let settings: ConnectionSettings
  private let process: ServerProcess
  private let administration: ConnectionPool

  private static let sharedServer = Task { try await PostgresServer.start() }

  /// The server that all tests of this process share, started when first asked for.
  package static func shared() async throws -> PostgresServer {
    try await sharedServer.value
  }

  /// The same as a URL that psql accepts.
  package var url: String { settings.redactedURL }

  /// A role whose name is this logs in with its password (SCRAM); all others are trusted.
  package static let passwordRole = "moha_password_role"

  /// Makes a cluster and starts a server for one test, which may kill it.
  package static func start() async throws -> PostgresServer {
    let directory = try TemporaryDirectory.make(prefix: "moha-pg")
    do {
      let server = try await BlockingWork().run { try PostgresServer(in: directory) }
      try await server.waitUntilReady()
      return server
    } catch {
      // The watchdog removes the folder too, but does not run before the server has been started.
      TemporaryDirectory.remove(directory)
      throw error
    }
  }

  private init(in directory: String) throws {
    let binaries = try Self.binaries()
    let user = try Self.userPrefix(owning: directory)
    let data = "\(directory)/data"
    try ChildProcess.runChecked(
      "/usr/bin/env",
      user + [
        "\(binaries)/initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-sync",
      ], workingDirectory: "/")
    let access = "local all \(Self.passwordRole) scram-sha-256\nlocal all all trust\n"
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "printf '%s' \"$1\" >\"$2/pg_hba.conf\"", "sh", access, data])

    let options = [
      "listen_addresses=", "unix_socket_directories=\(directory)", "fsync=off",
      "full_page_writes=off", "max_connections=300", "shared_buffers=32MB", "lc_messages=C", "logging_collector=off",
    ]
    process = try ServerProcess(
      directory: directory,
      command: ["/usr/bin/env"] + user + ["\(binaries)/postgres", "-D", data] + options.flatMap { ["-c", $0] })
    settings = ConnectionSettings(parameters: [
      "host": directory, "user": "postgres", "dbname": "postgres", "sslmode": "disable",
    ])
    administration = ConnectionPool(settings, size: 1)
  }

  /// Makes an empty database, which is dropped when the last reference to it goes.
  package func database() async throws -> TestDatabase {
    let name = "test_\(UInt64.random(in: .min ... .max))"
    try await administration.withConnection {
      _ = try await $0.execute("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'")
    }
    return TestDatabase(settings: settings.with(database: name)) { [administration] in
      // A test may hold a connection longer than the last reference. A server that is gone has no database left to drop.
      for _ in 0..<300 {
        let users = try? await administration.withConnection {
          try await $0.query("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", [.text(name)]).first?.int(0)
        }
        guard let users, users > 0 else { break }
        try? await Task.sleep(for: .milliseconds(200))
      }
      try? await administration.withConnection {
        _ = try await $0.execute("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
      }
    }
  }

  /// Kills the server's main process as a power cut would.
  package func kill() throws {
    try process.kill()
  }

  /// Starts the server again after `kill()`, and waits until it accepts connections.
  package func restart() async throws {
    try process.restart()
    try await waitUntilReady()
  }

  /// The folder that holds the cluster, the socket and the file `log`.
  package var directory: String { process.directory }

  private func waitUntilReady() async throws {
    try await process.waitUntilReady {
      try await Connection(settings).close()
    }
  }

  /// Where `initdb` and `postgres` are: `pg_config` knows, and Debian has a folder for each version.
  private static func binaries() throws -> String {
    let found = try ChildProcess.run(
      "/bin/sh",
      [
        "-c",
        """
        for folder in "$(pg_config --bindir 2>/dev/null)" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
          if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then printf '%s' "$folder"; exit; fi
        done
        exit 1
        """,
      ])
    guard found.status == 0 else { throw ChildProcess.Failure(operation: "finding PostgreSQL's programs", status: ENOENT) }
    return found.stdoutText
  }

  /// The command that gives up root, which the server refuses, after handing over the folder; empty for others.
  static func userPrefix(owning directory: String) throws -> [String] {
    guard getuid() == 0 else { return [] }
    try ChildProcess.runChecked("chown", ["postgres:postgres", directory])
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
  }
}

/// A database of one test.
package final class TestDatabase: Sendable {
  package let settings: ConnectionSettings
  private let drop: @Sendable () async -> Void

  init(settings: ConnectionSettings, drop: @escaping @Sendable () async -> Void) {
    self.settings = settings
    self.drop = drop
  }

  deinit {
    Task { [drop] in await drop() }
  }

  /// A URL that psql accepts.
  package var url: String { settings.redactedURL }

  /// A new connection to it.
  package func connect() async throws -> Connection {
    try await Connection(settings)
  }

  /// Runs statements as somebody with psql would.
  package func run(_ script: String) async throws {
    let connection = try await connect()
    try await connection.script(script)
    await connection.close()
  }

  /// The rows of a query.
  package func rows(_ query: String) async throws -> [Row] {
    let connection = try await connect()
    let rows = try await connection.query(query)
    await connection.close()
    return rows
  }

  /// Everything that the database holds, as pg_dump prints it.
  package func dump() throws -> String {
    // Leases say who ran when, and nothing of the records.
    let output = try ChildProcess.runChecked("pg_dump", ["--dbname", url, "--exclude-table-data", "*.maven_fences"])
    // Newer versions wrap the dump in a random token.
    return output.stdoutText.split(separator: "\n").filter {
      !$0.hasPrefix("\\restrict") && !$0.hasPrefix("\\unrestrict")
    }
    .joined(separator: "\n")
  }
}
