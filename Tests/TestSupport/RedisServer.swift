internal import Glibc

/// A private Redis server on a Unix socket, without persistence, which ends with the tests.
package final class RedisServer: Sendable {
  private let process: ServerProcess
  private let password: String?

  private static let sharedServer = Task { try await RedisServer.start() }

  /// The server that all tests of this process share, started when first asked for.
  package static func shared() async throws -> RedisServer {
    try await sharedServer.value
  }

  /// The socket's path.
  package var socket: String { "\(process.directory)/s" }

  /// `unix://…`, without the password.
  package var url: String { "unix://\(socket)" }

  /// Starts a server for one test, which may kill it.
  ///
  /// - Parameter configuration: More of redis-server's options, such as `["--maxmemory", "2mb"]`.
  package static func start(password: String? = nil, configuration: [String] = []) async throws -> RedisServer {
    let server = try RedisServer(in: TemporaryDirectory.make(prefix: "moha-redis"), password, configuration)
    try await server.waitUntilReady()
    return server
  }

  private init(in directory: String, _ password: String?, _ configuration: [String]) throws {
    self.password = password
    var command = [
      "redis-server", "--port", "0", "--unixsocket", "\(directory)/s", "--unixsocketperm", "700", "--dir", directory,
      "--save", "", "--appendonly", "no", "--daemonize", "no",
    ]
    if let password { command += ["--requirepass", password] }
    process = try ServerProcess(directory: directory, command: command + configuration)
  }

  package func kill() throws {
    try process.kill()
  }

  /// Stops the server in the middle of whatever it does; it answers nobody until `resume()`.
  package func pause() throws {
    try process.signal(SIGSTOP)
  }

  package func resume() throws {
    try process.signal(SIGCONT)
  }

  /// Starts the server again after `kill()`, empty, and waits until it accepts connections.
  package func restart() async throws {
    try process.restart()
    try await waitUntilReady()
  }

  /// Runs `redis-cli`; its output without the line end.
  package func cli(_ arguments: String...) throws -> String {
    var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
    environment["REDISCLI_AUTH"] = password
    let output = try ChildProcess.run("redis-cli", ["-s", socket] + arguments, environment: environment)
    return String(output.stdoutText.split(separator: "\n").joined(separator: "\n"))
  }

  private func waitUntilReady() async throws {
    try await process.waitUntilReady {
      guard try cli("PING").hasSuffix("PONG") else {
        throw ChildProcess.Failure(operation: "redis-cli PING", status: 1)
      }
    }
  }
}
