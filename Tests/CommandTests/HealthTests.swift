internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `health` and the server's probes, with every layer up, stopped and killed.
///
/// One after another: each has servers of its own, and what is measured here is time.
@Suite(.serialized) struct HealthTests {
  private static let layer =
    #"{"status":"ok|degraded|down","code":"text","detail":"text","hint":"text?","fault":"boolean","latency_ms":"number"}"#
  static let shape = JSONShape(
    stringLiteral:
      #"{"schema":1,"healthy":"boolean","layers":{"git":\#(layer),"postgres":\#(layer),"redis":\#(layer),"mcp":\#(layer)}}"#
  )

  /// Real answers come within two seconds; a busy machine gets more.
  private static let limit = Duration.seconds(15)

  private func timed(
    _ body: () async throws -> ChildProcess.Output
  ) async throws -> ChildProcess.Output {
    let start = ContinuousClock.now
    let output = try await body()
    #expect(ContinuousClock.now - start < HealthTests.limit)
    return output
  }

  private func state(_ document: JSONValue, _ layer: WatchedTree.Layer) -> (
    status: String?, code: String?, hint: String?
  ) {
    let found = document["layers"]?[JSONString(layer.rawValue)]
    return (found?["status"]?.text, found?["code"]?.text, found?["hint"]?.text)
  }

  /// What each layer is called when it is killed, and when it is stopped.
  private static let codes: [WatchedTree.Layer: (killed: String, paused: String)] = [
    .git: ("git-unreadable", "git-unreadable"), .postgres: ("postgres-connection-failed", "no-answer"),
    .redis: ("redis-connection-failed", "no-answer"), .mcp: ("mcp-not-running", "no-answer"),
  ]

  @Test("each layer in turn, killed and stopped, is named with its code and a hint; the others are as before")
  func inTurn() async throws {
    let watched = try await WatchedTree.start()
    let good = try await watched.health()
    #expect(good.status == 0, "\(good.everything)")
    #expect(HealthTests.shape.violations(in: try good.json()) == [])
    #expect(try good.json()["healthy"] == .bool(true))
    for layer in WatchedTree.Layer.allCases {
      let codes = try #require(HealthTests.codes[layer])
      for isKill in [true, false] {
        if isKill { try await watched.kill(layer) } else { try watched.pause(layer) }
        let (health, doctor): (ChildProcess.Output, ChildProcess.Output)
        do {
          health = try await timed { try await watched.health() }
          doctor = try await timed { try await watched.doctor() }
        } catch {
          if !isKill { try watched.resume(layer) }
          throw error
        }
        if isKill { try await watched.revive(layer) } else { try watched.resume(layer) }
        let status: Int32 = layer == .git ? 10 : 69
        #expect(health.status == status, "\(layer): \(health.everything)")
        let document = try health.json()
        #expect(HealthTests.shape.violations(in: document) == [])
        #expect(document["healthy"] == .bool(false))
        for other in WatchedTree.Layer.allCases {
          let found = state(document, other)
          #expect(found.status == (other == layer ? "down" : "ok"), "\(layer) was broken: \(document)")
          if other == layer {
            #expect(found.code == (isKill ? codes.killed : codes.paused), "\(document)")
            #expect(found.hint?.isEmpty == false)
          }
        }
        #expect(doctor.status == status, "\(layer): \(doctor.everything)")
        let worst = try DoctorTests.findings(doctor).filter { $0["severity"]?.text == "error" }
        #expect(worst.compactMap { $0["area"]?.text } == [layer.rawValue], "\(doctor.everything)")
        #expect(worst.first?["hint"]?.text?.isEmpty == false)
      }
    }
    let after = try await watched.health()
    #expect(after.status == 0, "\(after.everything)")
  }

  @Test("all layers stopped at once: all are named, in the time of one, and git's exit code wins")
  func together() async throws {
    let watched = try await WatchedTree.start()
    for layer in WatchedTree.Layer.allCases { try watched.pause(layer) }
    defer { for layer in WatchedTree.Layer.allCases { try? watched.resume(layer) } }
    let health = try await timed { try await watched.health() }
    #expect(health.status == 10, "\(health.everything)")
    for layer in WatchedTree.Layer.allCases { #expect(state(try health.json(), layer).status == "down") }
    let doctor = try await timed { try await watched.doctor() }
    #expect(doctor.status == 10, "\(doctor.everything)")
    let areas = try DoctorTests.findings(doctor).filter { $0["severity"]?.text == "error" }.compactMap {
      $0["area"]?.text
    }
    #expect(Set(areas) == ["git", "postgres", "redis", "mcp"])
  }

  @Test(
    "the server's probes: alive whatever is down, ready as long as git can be read; its own look at the layers agrees")
  func probes() async throws {
    let watched = try await WatchedTree.start()
    #expect(try watched.get("/readyz").hasPrefix("HTTP/1.1 200"))
    try await watched.kill(.postgres)
    try await watched.kill(.redis)
    #expect(try watched.get("/healthz").hasPrefix("HTTP/1.1 200"))
    let ready = try watched.get("/readyz")
    #expect(ready.hasPrefix("HTTP/1.1 200") && ready.contains(#""ready":true"#), "\(ready)")
    #expect(ready.contains(#""down":["postgres","redis"]"#), "\(ready)")
    let layers = try MetricsTests.samples(watched.get("/metrics")).filter { $0.name == "moha_layer_up" }
    #expect(
      layers.map { "\($0.labels["layer"] ?? "") \($0.value)" } == ["git 1.0", "postgres 0.0", "redis 0.0", "mcp 1.0"])
    try await watched.kill(.git)
    defer { try? watched.resume(.git) }
    let unready = try watched.get("/readyz")
    #expect(unready.hasPrefix("HTTP/1.1 503") && unready.contains(#""down":["git","postgres","redis"]"#), "\(unready)")
    #expect(try watched.get("/healthz").hasPrefix("HTTP/1.1 200"))
  }

  @Test("outside a repository, and with a broken configuration, the other layers are asked all the same")
  func withoutRepository() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    let outside = try await watched.tree.runBare(
      ["health", "--timeout", "60", "--json", "--database", watched.tree.database.url] + watched.options, folder: watched.tree.git.base)
    #expect(outside.status == 10, "\(outside.everything)")
    #expect(state(try outside.json(), .git).code == "git-not-a-repository")
    #expect(try state(outside.json(), .postgres).status == "ok" && state(outside.json(), .redis).status == "ok")
    try watched.tree.git.write("moha-sync.yaml", "database: [\n")
    let broken = try await watched.health("--timeout", "60")
    #expect(broken.status == 2, "\(broken.everything)")
    #expect(try state(broken.json(), .git).status == "ok" && state(broken.json(), .mcp).status == "ok")
    #expect(state(try broken.json(), .postgres).code == "configuration")
  }

  @Test("what needs a look is degraded: exit 3; what is left out is not asked")
  func degraded() async throws {
    let tree = try await CommandTree.sample()
    let never = try await tree.run("health", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(never.status == 3, "\(never.everything)")
    #expect(state(try never.json(), .postgres).code == "never-synced")
    #expect(try never.json()["layers"]?["redis"] == nil && never.json()["layers"]?["mcp"] == nil)
    try await tree.expect(0, "sync")
    try await tree.expect(0, "health", "--timeout", "60", "--without", "redis,mcp")
    try tree.git.git("checkout", "--quiet", "--detach")
    let detached = try await tree.run("health", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(try detached.status == 3 && state(detached.json(), .git).code == "git-detached", "\(detached.everything)")
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven")])
    let gone = try await tree.run("health", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(try gone.status == 10 && state(gone.json(), .git).code == "tree-missing", "\(gone.everything)")
    for arguments in [["--without", "mpc"], ["--without", "git,postgres,redis,mcp"], ["--mcp-url", "nonsense"]] {
      #expect(try await tree.run(["health"] + arguments).status == 2)
    }
    let text = try await tree.run("health", "--timeout", "60", "--without", "redis,mcp")
    #expect(text.stdoutText.contains("tree-missing; hint: ") && !text.hasEscapeCode)
  }

  @Test(
    "a repository of another owner: the hint is the exact line that trusts it",
    .enabled(if: geteuid() == 0, "only root can give a folder away"))
  func ownership() async throws {
    let tree = try await CommandTree.sample()
    try ChildProcess.runChecked("chown", ["-R", "nobody", tree.git.path])
    let output = try await tree.run("health", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(output.status == 10, "\(output.everything)")
    let git = state(try output.json(), .git)
    #expect(git.code == "git-ownership")
    #expect(git.hint == "git config --global --add safe.directory \(tree.git.path)")
  }

  @Test("what was not started and need not be is off and no fault; --require, a named server and a crash make it one")
  func notStarted() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let port = try WatchedTree.freePort()
    let variables = ["MAVEN_MCP_PORT": "\(port)"]
    let health = try await tree.run(["health", "--timeout", "60", "--json"], environment: variables)
    #expect(health.status == 0, "\(health.everything)")
    let document = try health.json()
    #expect(HealthTests.shape.violations(in: document) == [])
    #expect(document["healthy"] == .bool(true))
    for layer in [WatchedTree.Layer.redis, .mcp] {
      #expect(state(document, layer).status == "down")
      #expect(document["layers"]?[JSONString(layer.rawValue)]?["fault"] == .bool(false))
    }
    let doctor = try await tree.run(["doctor", "--timeout", "60", "--json"], environment: variables)
    #expect(doctor.status == 0, "\(doctor.everything)")
    #expect(try DoctorTests.findings(doctor).allSatisfy { ["ok", "info"].contains($0["severity"]?.text) })
    let text = try await tree.run(["health"], environment: variables).stdoutText
    #expect(text.contains("mcp       off ") && text.contains("redis     off "), "\(text)")
    for arguments in [
      ["--require", "redis"], ["--require", "mcp,git"], ["--mcp-url", "http://127.0.0.1:\(port)"],
      ["--redis", "unix://\(tree.git.base)/none"],
    ] {
      for command in ["health", "doctor"] {
        let output = try await tree.run([command] + arguments, environment: variables)
        #expect(output.status == 69, "\(command) \(arguments): \(output.everything)")
      }
    }
    #expect(try await tree.run(["health", "--require", "redis", "--without", "redis"]).status == 2)
    #expect(try await tree.run(["health", "--require", "nothing"]).status == 2)
    let report = try await tree.run(["report"], environment: variables).stdoutText
    #expect(report.hasPrefix("Git and the database said the same after the last sync, at "), "\(report)")
    #expect(report.contains("mcp       off") && !report.contains("serving agent"), "\(report)")
  }

  @Test("a server of another tree, or of another agent, is not taken for this tree's")
  func otherTree() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    let other = try await CommandTree.sample()
    try await other.expect(0, "sync")
    let url = "http://127.0.0.1:\(watched.port)"
    let own = try await watched.health("--timeout", "60")
    #expect(own.status == 0, "\(own.everything)")
    let foreign = try await other.run("health", "--timeout", "60", "--json", "--without", "redis", "--mcp-url", url)
    #expect(foreign.status == 69, "\(foreign.everything)")
    #expect(state(try foreign.json(), .mcp).code == "mcp-other-tree")
    let report = try await other.run(["report", "--json"], environment: ["MAVEN_MCP_PORT": "\(watched.port)"]).json()
    #expect(report["layers"]?["mcp"]?["code"]?.text == "mcp-other-tree", "\(report["layers"] ?? .null)")
    try watched.tree.git.write(".moha/second/identity.json", "{}")
    let agent = try await watched.health("--agent", "second", "--timeout", "60")
    #expect(state(try agent.json(), .mcp).code == "mcp-other-tree", "\(agent.everything)")
    // Nothing of the path can be read by whoever reaches the server.
    let sign = try watched.get("/healthz")
    #expect(!sign.contains(watched.tree.git.path) && sign.contains("\"serves\":\""), "\(sign)")
  }

  @Test("a Redis or a Postgres that answers and takes no writes is degraded, and says why")
  func readOnly() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let replica = try await RedisServer.start(configuration: ["--replicaof", "127.0.0.1", "1"])
    let full = try await RedisServer.start(configuration: ["--maxmemory", "1"])
    let lonely = try await RedisServer.start(configuration: ["--min-replicas-to-write", "1"])
    for (redis, reason) in [(replica, "READONLY"), (full, "OOM"), (lonely, "NOREPLICAS")] {
      let output = try await tree.run("health", "--timeout", "60", "--json", "--without", "mcp", "--redis", redis.url)
      #expect(output.status == 3, "\(output.everything)")
      let layer = try output.json()["layers"]?["redis"]
      #expect(layer?["status"]?.text == "degraded" && layer?["code"]?.text == "redis-read-only")
      #expect(layer?["detail"]?.text?.contains(reason) == true, "\(output.everything)")
    }
    #expect(try lonely.cli("EXISTS", "moha:health") == "0")
    try await tree.sql(
      "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END$$")
    let output = try await tree.run("health", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(output.status == 3, "\(output.everything)")
    #expect(state(try output.json(), .postgres).code == "read-only")
    let doctor = try await tree.run("doctor", "--timeout", "60", "--json", "--without", "redis,mcp")
    #expect(doctor.status == 69, "\(doctor.everything)")
    #expect(try DoctorTests.findings(doctor).count { $0["code"]?.text == "read-only" } == 1)
  }

  @Test("a program that is not ours on the port is called so")
  func foreign() async throws {
    let tree = try await CommandTree.sample()
    let port = try WatchedTree.freePort()
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
    let program = """
      import socket, sys
      server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      server.bind(("127.0.0.1", int(sys.argv[1]))); server.listen()
      while True:
        client, _ = server.accept(); client.recv(4096); client.sendall(sys.argv[2].encode()); client.close()
      """
    let other = try RunningProgram("python3", ["-c", program, "\(port)", answer], timeout: .seconds(60))
    defer { other.signal(SIGKILL) }
    let arguments = ["health", "--timeout", "60", "--json", "--without", "git,postgres,redis", "--mcp-url", "http://127.0.0.1:\(port)"]
    var code: String?
    let deadline = ContinuousClock.now + .seconds(20)
    repeat {
      let output = try await tree.runBare(arguments)
      #expect(output.status == 69, "\(output.everything)")
      code = state(try output.json(), .mcp).code
    } while code == "mcp-not-running" && ContinuousClock.now < deadline
    #expect(code == "mcp-foreign")
    let doctor = try await tree.runBare(
      ["doctor", "--timeout", "60", "--json", "--without", "git,postgres,redis", "--mcp-url", "http://127.0.0.1:\(port)"])
    let finding = try DoctorTests.findings(doctor).first { $0["code"]?.text == "mcp-foreign" }
    #expect(finding?["cause"]?.text?.contains("(python3) listens there") == true, "\(doctor.everything)")
  }
}
