internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// What `watch` prints when other processes write.
@Suite(.timeLimit(.minutes(8))) struct WatchTests {
  /// A tree, a Redis, and listeners whose lines go to files.
  private struct Scene {
    let tree: CommandTree
    let server: RedisServer

    init() async throws {
      tree = try await CommandTree.sample()
      server = try await RedisServer.start()
    }

    var variables: [String: String] { ["REDIS_URL": server.url, "DATABASE_URL": tree.database.url] }

    func start(_ arguments: String, to file: String) throws -> RunningProgram {
      try RunningProgram(
        "/bin/sh", ["-c", "exec '\(try Program.path())' watch \(arguments) >'\(tree.git.base)/\(file)'"],
        environment: tree.environment.merging(variables) { $1 }, workingDirectory: tree.git.path, timeout: .seconds(230)
      )
    }

    func lines(_ file: String) throws -> [String] {
      try ChildProcess.runChecked("cat", ["\(tree.git.base)/\(file)"]).stdoutText.split(separator: "\n").map(
        String.init)
    }

    func isListening(_ count: Int) throws -> Bool {
      try server.cli("PUBSUB", "NUMSUB", "moha:maven:records").hasSuffix("\n\(count)")
    }

    /// Waits for the condition; false where it does not come true.
    func waits(_ limit: Duration = .seconds(90), for condition: () throws -> Bool) async throws -> Bool {
      let deadline = ContinuousClock.now + limit
      while try !condition() {
        if ContinuousClock.now > deadline { return false }
        try await Task.sleep(for: .milliseconds(20))
      }
      return true
    }

    func run(_ arguments: String...) async throws -> JSONValue {
      let output = try await tree.runBare(arguments + ["--json"], environment: variables)
      #expect(output.status == 0, "\(output.everything)")
      return try output.json()
    }

    /// Writes until a write is told: a machine that is too busy for that may take longer than a write waits.
    func untilHeard(in file: String, _ write: (Int) async throws -> String?) async throws -> String {
      for attempt in 0..<10 {
        let commit = try #require(try await write(attempt))
        if try await waits(.seconds(5), for: { try lines(file).contains { $0.contains(commit) } }) { return commit }
      }
      return try #require(nil as String?, "no write was heard of")
    }
  }

  @Test("each committed record is one line, also after Redis was killed and started again")
  func events() async throws {
    let scene = try await Scene()
    let tree = scene.tree
    let all = try scene.start("--json", to: "all")
    let milestones = try scene.start("--kind milestone", to: "milestones")
    try #require(try await scene.waits { try scene.isListening(2) })
    let event = try await scene.untilHeard(in: "all") { attempt in
      let write = ["record", "event", "--event", "NOTE", "--content", "heard", "--idempotency-key", "\(attempt)"]
      let first = try await tree.runBare(write + ["--json"], environment: scene.variables).json()
      // The same once more is no other record.
      let second = try await tree.runBare(write + ["--json"], environment: scene.variables).json()
      #expect(second["data"]?["repeated"] == .bool(true))
      return first["commit"]?.text
    }
    #expect(try scene.server.cli("PUBLISH", "moha:maven:records", "\u{1B}[2J no event").hasSuffix("2"))

    try scene.server.kill()
    let unheard = try await scene.run("record", "event", "--event", "NOTE", "--content", "while Redis is away")
    #expect(unheard["success"] == .bool(true) && unheard["git_persisted"] == .bool(true))
    try await scene.server.restart()
    try #require(try await scene.waits { try scene.isListening(2) })
    let milestone = try await scene.untilHeard(in: "all") { attempt in
      try await scene.run(
        "record", "milestone", "--title", "Step \(attempt)", "--description", "Done", "--category", "trading")[
          "commit"]?.text
    }
    let commit = try await scene.untilHeard(in: "all") { attempt in
      try tree.write(decision: 10 + attempt)
      return try await scene.run("commit")["commit"]?.text
    }
    let ticked = try await scene.untilHeard(in: "all") { attempt in
      try tree.write(decision: 30 + attempt)
      _ = try await scene.run("tick")
      // After it there may be one of the corrected counter.
      return try tree.git.git("log", "-1", "--format=%H", "--", CommandTree.decisionFile(30 + attempt))
    }
    let isShown = try await scene.waits { try scene.lines("milestones").contains { $0.contains(milestone.prefix(10)) } }
    #expect(isShown)

    for program in [all, milestones] { program.signal(SIGINT) }
    let output = try await all.output()
    #expect(output.status == 130, "\(output.everything)")
    #expect(try await milestones.output().status == 130)
    let lines = try scene.lines("all").map { try JSONValue.parse($0) }
    #expect(Set(lines.map { $0["commit"]?.text }).count == lines.count, "\(lines)")
    for (heard, kind) in [(event, "event"), (milestone, "milestone"), (commit, "decision"), (ticked, "decision")] {
      #expect(lines.first { $0["commit"]?.text == heard }?["kind"]?.text == kind)
    }
    let shape: JSONShape = #"{"schema": 1, "kind": "text", "path": "text", "commit": "id", "agent": "maven"}"#
    for line in lines {
      #expect(shape.violations(in: line) == [])
      // Git had the record when it was told.
      let (commit, path) = (try #require(line["commit"]?.text), try #require(line["path"]?.text))
      _ = try tree.git.git("cat-file", "-e", "\(commit):\(path)")
    }
    #expect(!lines.contains { $0["commit"] == unheard["commit"] })
    #expect(try scene.lines("milestones").allSatisfy { $0.hasPrefix("milestone") })
    #expect(!output.hasEscapeCode)
  }

  @Test("a record of an MCP client is told as well, and the protocol's stream carries nothing of it")
  func server() async throws {
    let scene = try await Scene()
    let watch = try scene.start("--json", to: "all")
    try #require(try await scene.waits { try scene.isListening(1) })
    let requests = """
      {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},\
      "clientInfo":{"name":"test","version":"1"}}}
      {"jsonrpc":"2.0","method":"notifications/initialized"}
      {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"maven_log_event","arguments":\
      {"event_type":"NOTE","content":"told"}}}

      """
    try scene.tree.git.write("requests", requests)
    let commit = try await scene.untilHeard(in: "all") { _ in
      let output = try await Program.run(
        ["/bin/sh", "-c", "'\(try Program.path())' mcp <requests"],
        environment: scene.tree.environment.merging(scene.variables) { $1 }, folder: scene.tree.git.path)
      #expect(output.status == 0, "\(output.everything)")
      let answers = try output.stdoutText.split(separator: "\n").map { try JSONValue.parse(String($0)) }
      #expect(answers.compactMap { $0["id"]?.integer } == [1, 2], "\(output.everything)")
      return try scene.tree.git.git("rev-parse", "HEAD")
    }
    watch.signal(SIGINT)
    #expect(try await watch.output().status == 130)
    let line = try #require(try scene.lines("all").first { $0.contains(commit) })
    #expect(try JSONValue.parse(line)["kind"]?.text == "event")
  }
}
