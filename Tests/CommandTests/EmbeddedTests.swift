internal import Records
internal import TestSupport
internal import Testing

/// The program without a configured server: a private one of the repository.
@Suite struct EmbeddedTests {
  /// Runs `body` with a tree and variables that name a state folder, and stops what it started on every path.
  private func withState(_ body: (CommandTree, [String: String]) async throws -> Void) async throws {
    let tree = try await CommandTree.sample()
    let folder = try TemporaryDirectory(prefix: "moha-state")
    // The servers' user has to pass through.
    try ChildProcess.runChecked("chmod", ["755", folder.path])
    let variables = ["MOHA_STATE_DIR": "\(folder.path)/state"]
    func down() async throws {
      let output = try await tree.runBare(["down", "--quiet"], environment: variables)
      #expect(output.status == 0, "\(output.everything)")
    }
    do {
      try await body(tree, variables)
    } catch {
      try await down()
      throw error
    }
    try await down()
  }

  @Test("with nothing configured a command starts the database, which keeps its rows over down")
  func onDemand() async throws {
    try await withState { tree, variables in
      func run(_ arguments: String...) async throws -> ChildProcess.Output {
        try await tree.runBare(arguments, environment: variables)
      }
      let before = try await run("status", "--json").json()
      #expect(ContractTests.status.violations(in: before) == [])
      #expect(before["database"]?["embedded"] == .bool(true) && before["database"]?["running"] == .bool(false))
      #expect(
        try ChildProcess.run("ls", [try #require(variables["MOHA_STATE_DIR"])]).status != 0, "status made something")

      let synced = try await run("sync", "--json")
      #expect(synced.status == 0, "\(synced.everything)")
      #expect(try synced.json()["records"]?["decisions"]?.integer == 6)
      let status = try await run("status", "--json").json()
      #expect(ContractTests.status.violations(in: status) == [])
      #expect(status["database"]?["running"] == .bool(true) && status["redis"]?["running"] == .bool(false))
      let url = try #require(status["database"]?["url"]?.text)
      let rows = try ChildProcess.run("psql", ["-XAtc", "SELECT count(*) FROM maven_decisions", url])
      #expect(rows.stdoutText == "6\n", "\(rows.everything)")

      let stopped = try await run("down", "--json").json()
      #expect(ContractTests.status.violations(in: stopped) == [])
      #expect(stopped["database"]?["running"] == .bool(false))
      let verify = try await run("verify")
      #expect(verify.status == 0, "\(verify.everything)")
    }
  }

  @Test("$(moha-sync up) ends while both servers run on, and a second up is fine")
  func up() async throws {
    try await withState { tree, variables in
      let script = "out=$('\(try Program.path())' up 2>&1) || exit; printf '%s' \"$out\""
      let first = try await Program.run(
        ["/bin/sh", "-c", script], environment: tree.environment.merging(variables) { $1 }, folder: tree.git.path)
      #expect(first.status == 0, "\(first.everything)")
      #expect(first.stdoutText.contains("postgresql://"))
      let second = try await tree.runBare(["up", "--json"], environment: variables)
      #expect(second.status == 0, "\(second.everything)")
      let document = try second.json()
      #expect(ContractTests.status.violations(in: document) == [])
      #expect(document["database"]?["running"] == .bool(true) && document["redis"]?["running"] == .bool(true))
      let url = try #require(document["redis"]?["url"]?.text)
      #expect(url.hasPrefix("unix://"), "\(url)")
      let pong = try ChildProcess.run(
        "redis-cli", ["-s", String(url.dropFirst("unix://".count).prefix { $0 != "?" }), "PING"])
      #expect(pong.stdoutText == "PONG\n", "\(pong.everything)")
    }
  }
}
