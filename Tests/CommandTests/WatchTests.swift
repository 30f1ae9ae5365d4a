internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// What `watch` prints when other processes write.
@Suite(.timeLimit(.minutes(3))) struct WatchTests {
  private func until(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(90)
    while try !condition() {
      try #require(ContinuousClock.now < deadline, "\(what) never came true")
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test("each committed record is one line, also after Redis was killed and started again")
  func events() async throws {
    let tree = try await CommandTree.sample()
    let server = try await RedisServer.start()
    let variables = ["REDIS_URL": server.url]
    func start(_ arguments: String...) throws -> RunningProgram {
      try RunningProgram(
        try Program.path(), arguments, environment: tree.environment.merging(variables) { $1 },
        workingDirectory: tree.git.path, timeout: .seconds(170))
    }
    func listeners(_ count: Int) throws -> Bool {
      try server.cli("PUBSUB", "NUMSUB", "moha:maven:records").hasSuffix("\n\(count)")
    }
    func record(_ arguments: String...) async throws -> JSONValue {
      let output = try await tree.runBare(
        ["record"] + arguments + ["--json", "--database", tree.database.url], environment: variables)
      #expect(output.status == 0, "\(output.everything)")
      return try output.json()
    }
    let all = try start("watch", "--json")
    let milestones = try start("watch", "--kind", "milestone")
    try await until("both listen") { try listeners(2) }
    let event = try await record("event", "--event", "NOTE", "--content", "first", "--idempotency-key", "k")
    _ = try await record("event", "--event", "NOTE", "--content", "first", "--idempotency-key", "k")
    #expect(try server.cli("PUBLISH", "moha:maven:records", "\u{1B}[2J no event").hasSuffix("2"))

    try server.kill()
    let unheard = try await record("event", "--event", "NOTE", "--content", "while Redis is away")
    #expect(unheard["success"] == .bool(true) && unheard["git_persisted"] == .bool(true))
    try await server.restart()
    try await until("both listen again") { try listeners(2) }
    let milestone = try await record("milestone", "--title", "Step", "--description", "Done", "--category", "trading")
    try tree.write(decision: 7)
    let commit = try await tree.runBare(["commit", "--json"], environment: variables).json()

    try tree.write(decision: 8)
    let tick = try await tree.runBare(["tick", "--json", "--database", tree.database.url], environment: variables)
    #expect(tick.status == 0, "\(tick.everything)")

    for program in [all, milestones] { program.signal(SIGINT) }
    let output = try await all.output()
    #expect(output.status == 130, "\(output.everything)")
    let lines = try output.stdoutText.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    let commits = [event["commit"]?.text, milestone["commit"]?.text, commit["commit"]?.text]
    #expect(lines.prefix(3).map { $0["commit"]?.text } == commits)
    #expect(lines.prefix(4).map { $0["kind"]?.text } == ["event", "milestone", "decision", "decision"])
    #expect(lines.dropFirst(2).prefix(2).map { $0["path"]?.text } == [7, 8].map(CommandTree.decisionFile))
    let shape: JSONShape = #"{"schema": 1, "kind": "text", "path": "text", "commit": "id", "agent": "maven"}"#
    for line in lines {
      #expect(shape.violations(in: line) == [])
      // Git had the record when it was told.
      let (commit, path) = (try #require(line["commit"]?.text), try #require(line["path"]?.text))
      _ = try tree.git.git("cat-file", "-e", "\(commit):\(path)")
    }
    #expect(!output.hasEscapeCode)
    let text = try await milestones.output()
    #expect(text.status == 130)
    #expect(text.stdoutText.split(separator: "\n").count == 1 && text.stdoutText.hasPrefix("milestone"), "\(text.everything)")
  }
}
