internal import Glibc
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// Every command that ends by itself ends in time, and says what it was at.
@Suite struct TimeLimitTests {
  /// Runs `body` while nobody can read decisions.
  private func withDecisionsHidden(_ tree: CommandTree, _ body: () async throws -> Void) async throws {
    let connection = try await tree.database.connect()
    try await connection.script("BEGIN; LOCK TABLE maven_decisions IN ACCESS EXCLUSIVE MODE")
    do {
      try await body()
      await connection.close()
    } catch {
      await connection.close()
      throw error
    }
  }

  @Test("a comparison that waits for a lock is given up at its limit with exit 1: the server is not down")
  func locked() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await withDecisionsHidden(tree) {
      let clock = ContinuousClock()
      for command in [["verify"], ["reconcile"], ["reconcile", "--dry-run"], ["sync"]] {
        let start = clock.now
        let output = try await tree.run(command + ["--timeout", "1", "--json"])
        #expect(output.status == 1 && clock.now - start < .seconds(12), "\(command): \(output.everything)")
        let error = try output.json()["error"]
        #expect(error?["code"]?.text == "time-limit")
        let message = try #require(error?["message"]?.text)
        #expect(message.hasPrefix("\(command[0]) did not end within 1 s") && message.hasSuffix("it waited for Postgres"))
        #expect(error?["hint"]?.text?.contains("--timeout") == true)
      }
    }
    // Nothing of them is left behind, and the limit is only a limit.
    #expect(
      try await tree.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") == "0")
    try await tree.expect(0, "verify", "--timeout", "0")
    try await tree.expect(0, "--timeout", "600", "verify")
  }

  @Test("with a server that is stopped the limit ends in exit 69")
  func stopped() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    try await tree.expect(0, "sync")
    let process = try #require(
      Int32(try ChildProcess.runChecked("cat", ["\(server.directory)/pid"]).stdoutText.filter(\.isNumber)))
    #expect(kill(process, SIGSTOP) == 0)
    let output = try await tree.run("verify", "--timeout", "2")
    kill(process, SIGCONT)
    #expect(output.status == 69 && output.stderrText.contains("Postgres does not answer"), "\(output.everything)")
    try await tree.expect(0, "verify")
  }

  @Test("a limit that is no number, and one for a command that ends only when it is told to, are refused")
  func refused() async throws {
    let tree = try await CommandTree.sample()
    for arguments in [["verify", "--timeout", "soon"], ["verify", "--timeout", "-1"], ["verify", "--timeout", "999999999"]] {
      #expect(try await tree.run(arguments).status == 2, "\(arguments)")
    }
    for arguments in [["watch"], ["serve"], ["mcp"], ["lock", "run", "x"]] {
      let output = try await tree.run(arguments + ["--timeout", "5"] + (arguments[0] == "lock" ? ["--", "true"] : []))
      #expect(output.status == 2, "\(arguments): \(output.everything)")
    }
  }
}
