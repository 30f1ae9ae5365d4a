import ArgumentParser
import EmbeddedServers
import Persistence
import Postgres
import Records

/// Starts the embedded servers of the repository.
struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Start the private Postgres and Redis of this repository.",
    discussion: """
      They listen on Unix sockets only and keep their files in a private state folder outside the repository \
      (MOHA_STATE_DIR, else below XDG_STATE_HOME or /var/lib). Commands start them by themselves when no database \
      is configured; run as root, the servers drop to an unprivileged user.
      """)

  @OptionGroup var options: GlobalOptions

  func run() async throws {
    let workspace = try await Workspace(options)
    let servers = workspace.servers
    let postgres = try await servers.startPostgres()
    let connection = try await Database(settings: ConnectionSettings(conninfo: postgres.url)).connectCreating()
      .connection
    await connection.close()
    let redis = try await startRedis(servers, postgres: postgres)
    if options.json { return try await Status.report(workspace, options: options) }
    if options.quiet { return }
    Output.write("postgres  \(postgres.url)\nredis     \(redis.url)\nstate     \(servers.stateDirectory)\n")
  }
}

extension Up {
  private func startRedis(
    _ servers: EmbeddedServers, postgres: PostgresEndpoint
  ) async throws -> RedisEndpoint {
    do {
      return try await servers.startRedis()
    } catch {
      guard error.code == .notInstalled else { throw error }
      // Redis only holds what may be lost: Postgres alone is worth having.
      throw CommandFailure(
        code: "embedded-notInstalled", message: "Postgres runs at \(postgres.url), but \(error.message)",
        hint: error.hint, status: .partlyDone)
    }
  }
}

/// Stops the embedded servers of the repository.
struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop the private Postgres and Redis of this repository.",
    discussion: "Their files stay. Only processes that these servers are known to be are ended.")

  @OptionGroup var options: GlobalOptions

  func run() async throws {
    let workspace = try await Workspace(options)
    try await workspace.servers.stop()
    if options.json { return try await Status.report(workspace, options: options) }
    if !options.quiet { Output.write("stopped\n") }
  }
}
