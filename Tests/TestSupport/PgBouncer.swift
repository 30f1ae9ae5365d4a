package import Postgres

/// A pgbouncer in transaction mode in front of a test's server, on a Unix socket of its own; it ends with the tests.
package final class PgBouncer: Sendable {
  private let process: ServerProcess
  private let settings: ConnectionSettings

  /// Starts one that keeps at most `poolSize` sessions of the server for each database.
  package static func start(_ server: PostgresServer, poolSize: Int) async throws -> PgBouncer {
    let directory = try TemporaryDirectory.make(prefix: "moha-pgb")
    do {
      let pooler = try await BlockingWork().run { try PgBouncer(server, poolSize: poolSize, in: directory) }
      try await pooler.process.waitUntilReady { try await Connection(pooler.settings).close() }
      return pooler
    } catch {
      TemporaryDirectory.remove(directory)
      throw error
    }
  }

  private init(_ server: PostgresServer, poolSize: Int, in directory: String) throws {
    let user = try PostgresServer.userPrefix(owning: directory)
    let configuration = """
      [databases]
      * = host=\(server.directory) user=postgres
      [pgbouncer]
      listen_addr =
      listen_port = 6432
      unix_socket_dir = \(directory)
      auth_type = any
      pool_mode = transaction
      default_pool_size = \(poolSize)
      max_client_conn = 400

      """
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "printf '%s' \"$1\" >\"$2/pgbouncer.ini\"", "sh", configuration, directory])
    process = try ServerProcess(
      directory: directory, command: ["/usr/bin/env"] + user + ["/usr/sbin/pgbouncer", "\(directory)/pgbouncer.ini"])
    settings = server.settings.merging(ConnectionSettings(parameters: ["host": directory, "port": "6432"]))
  }

  /// The same database by way of the pooler.
  package func settings(of database: TestDatabase) -> ConnectionSettings {
    database.settings.merging(
      ConnectionSettings(parameters: ["host": process.directory, "port": "6432"]))
  }
}
