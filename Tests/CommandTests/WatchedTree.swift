internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// A tree with a Postgres, a Redis and an MCP server of its own, which a test may stop and kill.
final class WatchedTree {
  let tree: CommandTree
  let postgres: PostgresServer
  let redis: RedisServer
  let port: Int
  private var server: RunningProgram

  private init(
    _ tree: CommandTree, _ postgres: PostgresServer, _ redis: RedisServer, _ port: Int, _ server: RunningProgram
  ) {
    (self.tree, self.postgres, self.redis, self.port, self.server) = (tree, postgres, redis, port, server)
  }

  /// All four layers up, and every row written.
  ///
  /// - Parameter shared: a Postgres that other tests use too, which must not be stopped.
  static func start(on shared: PostgresServer? = nil) async throws -> WatchedTree {
    let postgres = if let shared { shared } else { try await PostgresServer.start() }
    let redis = try await RedisServer.start()
    let tree = try await CommandTree.sample(server: postgres)
    try await tree.expect(0, "sync")
    let port = try freePort()
    let server = try tree.start("serve", "--port", "\(port)", "--redis", redis.url, "--quiet")
    let watched = WatchedTree(tree, postgres, redis, port, server)
    try await watched.waitUntilServing()
    return watched
  }

  deinit { server.signal(SIGKILL) }

  /// A port that nobody has now.
  static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
      }
    }
    try #require(status == 0)
    return Int(UInt16(bigEndian: address.sin_port))
  }

  func waitUntilServing() async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      if let answer = try? get("/healthz"), answer.hasPrefix("HTTP/1.1 200") { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    try #require(try get("/healthz").hasPrefix("HTTP/1.1 200"), "moha-sync serve does not answer")
  }

  // MARK: Asking

  /// The options that name the servers.
  var options: [String] { ["--redis", redis.url, "--mcp-url", "http://127.0.0.1:\(port)/mcp"] }

  func health(_ extra: String...) async throws -> ChildProcess.Output {
    try await tree.run(["health", "--json"] + options + extra)
  }

  func doctor(_ extra: String...) async throws -> ChildProcess.Output {
    try await tree.run(["doctor", "--json"] + options + extra)
  }

  /// One exchange over a connection of its own; the head and the body.
  func exchange(_ line: String, body: String = "", token: String? = nil) throws -> String {
    var head =
      "\(line) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n"
    head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    if let token { head += "Authorization: Bearer \(token)\r\n" }
    return try ChildProcess.runChecked(
      "/bin/bash",
      [
        "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$1\"; printf '%s' \"$2\" >&3; cat <&3", "bash", "\(port)",
        "\(head)\r\n\(body)",
      ]
    ).stdoutText
  }

  func get(_ path: String) throws -> String { try exchange("GET \(path)") }

  // MARK: Breaking

  enum Layer: String, CaseIterable, Sendable { case git, postgres, redis, mcp }

  private func process(_ folder: String) throws -> Int32 {
    try #require(Int32(try ChildProcess.runChecked("cat", ["\(folder)/pid"]).stdoutText.filter(\.isNumber)))
  }

  private func signal(_ layer: Layer, _ number: Int32) throws {
    switch layer {
    case .git: break
    case .postgres: #expect(Glibc.kill(try process(postgres.directory), number) == 0)
    case .redis: #expect(Glibc.kill(try process(String(redis.socket.dropLast(2))), number) == 0)
    case .mcp: server.signal(number)
    }
  }

  /// Stops a layer without ending it; of git, its HEAD goes, which makes it no repository, for root too.
  func pause(_ layer: Layer) throws {
    if layer == .git {
      return try ChildProcess.runChecked("mv", [tree.git.absolute(".git/HEAD"), "\(tree.git.base)/HEAD"]).ignored
    }
    try signal(layer, SIGSTOP)
  }

  func resume(_ layer: Layer) throws {
    if layer == .git {
      return try ChildProcess.runChecked("mv", ["\(tree.git.base)/HEAD", tree.git.absolute(".git/HEAD")]).ignored
    }
    try signal(layer, SIGCONT)
  }

  func kill(_ layer: Layer) async throws {
    switch layer {
    case .git: try pause(.git)
    case .postgres: try postgres.kill()
    case .redis: try redis.kill()
    case .mcp:
      server.signal(SIGKILL)
      _ = try await server.output()
    }
  }

  func revive(_ layer: Layer) async throws {
    switch layer {
    case .git: try resume(.git)
    case .postgres: try await postgres.restart()
    case .redis: try await redis.restart()
    case .mcp:
      server = try tree.start("serve", "--port", "\(port)", "--redis", redis.url, "--quiet")
      try await waitUntilServing()
    }
  }
}

extension ChildProcess.Output {
  /// For commands that are run for what they do.
  var ignored: Void { () }
}
