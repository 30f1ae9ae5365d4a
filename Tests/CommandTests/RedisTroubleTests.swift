internal import Records
internal import TestSupport
internal import Testing

/// A Redis in any state takes nothing from what is kept in git and in the database: I7 of the invariants.
@Suite(.timeLimit(.minutes(8))) struct RedisTroubleTests {
  enum Trouble: String, CaseIterable {
    case killed, stopped, full, flushed, refusing

    func befall(_ server: RedisServer) throws {
      switch self {
      case .killed: try server.kill()
      case .stopped: try server.pause()
      case .full: #expect(try server.cli("CONFIG", "SET", "maxmemory", "1") == "OK")
      case .flushed: #expect(try server.cli("FLUSHALL") == "OK")
      case .refusing: #expect(try server.cli("CONFIG", "SET", "requirepass", "another") == "OK")
      }
    }
  }

  private static let commands: [[String]] = [
    ["record", "event", "--event", "NOTE", "--content", "Recorded all the same", "--idempotency-key", "k"],
    ["record", "event", "--event", "NOTE", "--content", "Recorded all the same", "--idempotency-key", "k"],
    ["commit"], ["reconcile"], ["verify"], ["status"], ["decisions"], ["search", "Recorded"], ["performance"],
    ["report"], ["tick"], ["verify"],
  ]

  @Test(
    "what does not need Redis gives the same codes and the same records in every state", arguments: Trouble.allCases)
  func commands(trouble: Trouble) async throws {
    let scene = try await RedisScene()
    try await scene.expect(0, "sync")
    // There is something to lose, and the periodic run knows of it.
    _ = try scene.server.cli("SET", "market:BTC:price", "64000", "EX", "60")
    try trouble.befall(scene.server)
    try scene.tree.write(decision: 40)
    for command in Self.commands {
      let output = try await scene.run(command + ["--json"])
      #expect(output.status == 0, "\(command): \(output.everything)")
    }
    #expect(try scene.tree.git.git("status", "--porcelain") == "")
    #expect(try await scene.tree.value("SELECT count(*)::text FROM maven_decisions") == "7")
    #expect(
      try await scene.tree.value("SELECT count(*)::text FROM maven_memory WHERE description = 'Recorded all the same'")
        == "1")
    if trouble == .stopped { try scene.server.resume() }
  }

  @Test("an MCP client reads and writes in every state", arguments: Trouble.allCases)
  func client(trouble: Trouble) async throws {
    let scene = try await RedisScene()
    try scene.tree.git.write(".moha/maven/infrastructure.json", #"{"broker": "none"}"#)
    try scene.tree.git.write(".moha/maven/personas/v1.md", "# Persona\n\nCareful.\n")
    try scene.tree.git.commit("documents")
    try await scene.expect(0, "sync")
    try trouble.befall(scene.server)
    func call(_ id: Int, _ name: String, _ arguments: JSONValue = .emptyObject) -> String {
      request(id, "tools/call", ["name": .string(name), "arguments": arguments])
    }
    func request(_ id: Int, _ method: String, _ parameters: JSONValue) -> String {
      let message: JSONValue = [
        "jsonrpc": "2.0", "id": .integer(id), "method": .string(method), "params": parameters,
      ]
      return message.text()
    }
    let reads = ["identity", "memory", "personality", "infrastructure"].enumerated().map { index, name in
      request(index + 2, "resources/read", ["uri": .string("maven://\(name)")])
    }
    let lines =
      [
        request(
          1, "initialize",
          [
            "protocolVersion": "2025-06-18", "capabilities": .emptyObject,
            "clientInfo": ["name": "test", "version": "1"],
          ]),
        #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
      ] + reads + [
        call(6, "maven_get_stats"), call(7, "maven_search", ["query": "Momentum"]),
        call(8, "maven_log_event", ["event_type": "NOTE", "content": "Told to a client"]),
      ]
    try scene.tree.git.write("../requests", lines.joined(separator: "\n") + "\n")
    let output = try await Program.run(
      ["/bin/sh", "-c", "'\(try Program.path())' mcp <../requests"],
      environment: scene.tree.environment.merging(
        ["REDIS_URL": scene.server.url, "DATABASE_URL": scene.tree.database.url]) { $1 },
      folder: scene.tree.git.path)
    #expect(output.status == 0, "\(output.everything)")
    let answers = try output.stdoutText.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    #expect(Set(answers.compactMap { $0["id"]?.integer }) == Set(1...8), "\(output.everything)")
    for answer in answers {
      #expect(answer["error"] == nil && answer["result"]?["isError"] != .bool(true), "\(answer.text())")
    }
    #expect(try scene.tree.git.git("status", "--porcelain") == "")
    try await scene.expect(0, "verify")
    if trouble == .stopped { try scene.server.resume() }
  }
}
