internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `tick`: all periodic work in one run.
@Suite struct TickTests {
  /// The shape of `tick --json`.
  private static let shape: JSONShape = #"""
    {"schema":1,"ok":"boolean","exit_code":"integer","agent":"text","commit":"id?",
     "steps":[{"name":"commit|rotate|reconcile|snapshot","status":"text","exit_code":"integer","duration_ms":"integer"}]}
    """#

  private func step(_ name: String, _ document: JSONValue) throws -> JSONValue {
    let steps: [JSONValue]? = if case .array(let steps)? = document["steps"] { steps } else { nil }
    return try #require(steps?.first { $0["name"]?.text == name })
  }

  /// Made up at run time, so that no scanner of this repository takes it for a real one.
  private var secret: String { "ghp_" + String(repeating: "a1B2c3", count: 6) }

  @Test("a tick commits, reconciles and says nothing; the next one finds nothing to do and says nothing either")
  func silent() async throws {
    let tree = try await CommandTree.sample()
    try tree.write(decision: 7)
    for _ in 1...2 {
      let output = try await tree.expect(0, "tick")
      #expect(output.everything == "")
      #expect(try tree.git.git("status", "--porcelain") == "")
    }
    // The counter that the seventh file left behind was corrected and committed too.
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("7"))
    try await tree.expect(0, "verify")
    let head = try tree.git.git("rev-parse", "HEAD")
    let third = try await tree.expect(0, "tick", "--json").json()
    #expect(Self.shape.violations(in: third) == [])
    #expect(third["commit"] == .null && third["push"] == .null && third["ping"] == .null)
    #expect(third["differences"]?["missing"]?.integer == 0)
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    let verbose = try await tree.expect(0, "tick", "-v").stdoutText
    #expect(verbose.contains("reconcile") && verbose.contains("in-sync"))
  }

  @Test("a log past its size is rotated, and its rows follow in the same tick")
  func rotates() async throws {
    let tree = try await CommandTree.sample()
    let output = try await tree.run(["tick", "--json"], environment: ["LOG_ROTATE_BYTES": "100"])
    #expect(output.status == 0, "\(output.everything)")
    let document = try output.json()
    #expect(try step("rotate", document)["status"]?.text == "rotated")
    #expect(try step("rotate", document)["events"]?.integer == 3)
    #expect(try tree.git.git("status", "--porcelain") == "")
    try await tree.expect(0, "verify")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "3")
    try tree.git.write(
      ".moha/maven/session_log.md", "# Log\n\n## [2026-02-03T10:00:01+00:00] NOTE\n\nanother\n\n---\n")
    try tree.git.write("moha-sync.yaml", "log:\n  rotate-bytes: 10\ntick:\n  timeout: 60\n")
    let second = try await tree.expect(0, "tick", "--json").json()
    #expect(try step("rotate", second)["events"]?.integer == 1)
    try tree.git.write("moha-sync.yaml", "log:\n  rotate-bytes: many\n")
    try await tree.expect(2, "tick")
  }

  @Test("a second tick at once ends with 11 and is silent under --quiet")
  func overlap() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "tick")
    try tree.write(decision: 7)
    try await tree.withDecisionsLocked {
      let first = try tree.start("tick")
      try await tree.waitUntilBlocked()
      let second = try await tree.expect(11, "tick", "--quiet")
      #expect(second.everything == "")
      #expect(try await tree.expect(11, "tick").stderrText.contains("tick.flock"))
      #expect(try await tree.expect(11, "tick", "--json").json()["error"]?["code"]?.text == "locked")
      first.signal(SIGTERM)
      #expect(try await first.output().status == 130)
    }
    try await tree.expect(0, "tick")
    try await tree.expect(0, "verify")
  }

  @Test("with the database down the commit is made, the exit code is 69, and the next tick heals")
  func databaseDown() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    try await tree.expect(0, "tick")
    try server.kill()
    try tree.write(decision: 7)
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 7}"#)
    let output = try await tree.expect(69, "tick")
    #expect(output.stdout.isEmpty)
    #expect(output.stderrText.split(separator: "\n").count == 1, "\(output.stderrText)")
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 1 decision")
    try await server.restart()
    #expect(try await tree.expect(0, "tick").everything == "")
    try await tree.expect(0, "verify")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
  }

  @Test("a server that is stopped does not hang the tick: the commit is made, and 69 comes within the limit")
  func databaseStopped() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    try await tree.expect(0, "tick")
    try tree.write(decision: 7)
    let process = try #require(
      Int32(try ChildProcess.runChecked("cat", ["\(server.directory)/pid"]).stdoutText.filter(\.isNumber)))
    // The process of the file is the server itself, or what became it.
    #expect(kill(process, SIGSTOP) == 0)
    let clock = ContinuousClock()
    let start = clock.now
    let output = try await tree.run("tick", "--timeout", "3", "--json")
    kill(process, SIGCONT)
    #expect(output.status == 69, "\(output.everything)")
    #expect(clock.now - start < .seconds(30))
    #expect(try step("commit", output.json())["status"]?.text == "committed")
    try await tree.expect(0, "tick")
    try await tree.expect(0, "verify")
  }

  @Test("a statement that waits longer than the limit is cancelled, and its transaction with it")
  func late() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "tick")
    try tree.write(decision: 7)
    try await tree.withDecisionsLocked {
      // The server answers others, so that it is not down.
      let output = try await tree.expect(1, "tick", "--timeout", "2")
      #expect(output.stderrText.contains("reconcile did not end within 2 s"), "\(output.stderrText)")
      #expect(output.stderrText.contains("it waited for Postgres"), "\(output.stderrText)")
    }
    #expect(
      try await tree.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") == "0")
    try await tree.expect(0, "tick")
    try await tree.expect(0, "verify")
  }

  @Test("a secret in a file: that file is left out, the rest is committed and reconciled, and the exit code is 12")
  func secretFile() async throws {
    let tree = try await CommandTree.sample()
    try tree.write(decision: 7)
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 7}"#)
    try tree.git.write(".moha/maven/notes.md", "the token is \(secret)\n")
    let output = try await tree.expect(12, "tick", "--quiet")
    #expect(output.stderrText.contains("notes.md, line 1") && !output.everything.contains(secret))
    #expect(try tree.git.git("status", "--porcelain") == "?? .moha/maven/notes.md")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
  }

  @Test("a broken file: every other record arrives, and the exit code is 3 with its path; a missing tree is 10")
  func partly() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(CommandTree.decisionFile(7), "no decision\n")
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 7}"#)
    let output = try await tree.expect(3, "tick")
    #expect(output.stderrText.contains(CommandTree.decisionFile(7)))
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha")])
    let gone = try await tree.expect(10, "tick", "--json").json()
    #expect(gone["exit_code"]?.integer == 10)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
  }

  @Test("more than one problem: the refusal wins over the server that is down, and both are said")
  func precedence() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/notes.md", "the token is \(secret)\n")
    let output = try await tree.runBare(["tick", "--database", "postgresql://nobody@/none?host=\(tree.git.base)"])
    #expect(output.status == 12, "\(output.everything)")
    #expect(output.stderrText.contains("notes.md") && output.stderrText.contains("reconcile: "))
  }
}
