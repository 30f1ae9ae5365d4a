internal import TestSupport
internal import Testing

/// A tree, its database, a Redis of the test's own, and the program on all three.
struct RedisScene {
  let tree: CommandTree
  let server: RedisServer

  init() async throws {
    tree = try await CommandTree.sample()
    server = try await RedisServer.start()
  }

  /// The servers are named in the environment, so that arguments may end with what follows `--`.
  func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> ChildProcess.Output {
    let servers = ["REDIS_URL": server.url, "DATABASE_URL": tree.database.url]
    return try await tree.runBare(arguments, environment: servers.merging(environment) { $1 })
  }

  @discardableResult
  func expect(
    _ status: Int32, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> ChildProcess.Output {
    let output = try await run(arguments)
    #expect(output.status == status, "\(arguments): \(output.everything)", sourceLocation: sourceLocation)
    return output
  }
}
