internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// The pages of `serve` beside a row that was forged, and without a database.
@Suite(.serialized) struct ServedPageTests {
  @Test("a forged row shows git's value on its page, with the difference; its run's page shows the fields")
  func forged() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    let tree = watched.tree
    let file = String(CommandTree.decisionFile(1).split(separator: "/").last ?? "")
    let good = try watched.get("/decisions/\(file)")
    #expect(good.contains("The file and the row say the same") && good.contains("80.0 %"), "\(good)")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12, action = 'Sold' WHERE id = 1")
    let page = try watched.get("/decisions/\(file)")
    #expect(page.contains("The row says something else than the file: confidence, action."), "\(page)")
    #expect(page.contains("80.0 %") && page.contains(">12<") && page.contains("dir=\"auto\">Bought<"))
    try await tree.expect(0, "reconcile")
    let run = try await tree.value("SELECT run_id FROM maven_reconcile_runs ORDER BY finished_at DESC LIMIT 1")
    let detail = try watched.get("/runs/\(run)")
    #expect(detail.contains("confidence: git 80.0, row 12; action: git Bought, row Sold"), "\(detail)")
    #expect(try watched.get("/decisions/\(file)").contains("The file and the row say the same"))
    // A file that is gone, and one that does not parse, are said; nothing is called the same.
    try tree.git.write(CommandTree.decisionFile(1), "no decision\n")
    #expect(try watched.get("/decisions/\(file)").contains("the file does not parse"))
  }

  @Test("with the database down the pages show what git has, with a notice, and the log tells it once")
  func withoutDatabase() async throws {
    let watched = try await WatchedTree.start()
    try await watched.kill(.postgres)
    // Figures that were added up before are shown for some seconds more, with their time.
    var overview = ""
    let deadline = ContinuousClock.now + .seconds(60)
    while !overview.contains("Decisions in git"), ContinuousClock.now < deadline {
      overview = try watched.get("/")
      try await Task.sleep(for: .milliseconds(200))
    }
    for part in [
      "cannot be compared", "Decisions in git", "6 in the working tree", "Milestones in git", "Step 2",
      "Newest log entries in git", "Event number 3.",
    ] {
      #expect(overview.contains(part), "\(part): \(overview)")
    }
    let log = try watched.get("/log")
    #expect(log.contains("Newest entries in git") && log.contains("Event number 1.") && log.contains("class=\"notice\""))
    let decisions = try watched.get("/decisions")
    #expect(decisions.contains("The newest files in git") && decisions.contains("buy BTC: Bought"))
    let file = String(CommandTree.decisionFile(1).split(separator: "/").last ?? "")
    #expect(try watched.get("/decisions/\(file)").contains("Momentum above support"))
  }

  @Test("serve starts the embedded database of its tree, and logs lines of logfmt")
  func embedded() async throws {
    let tree = try await CommandTree.sample()
    let folder = try TemporaryDirectory(prefix: "moha-state")
    try ChildProcess.runChecked("chmod", ["755", folder.path])
    let variables = ["MOHA_STATE_DIR": "\(folder.path)/state"]
    let port = try WatchedTree.freePort()
    let server = try RunningProgram(
      try Program.path(), ["serve", "--port", "\(port)"], environment: tree.environment.merging(variables) { $1 },
      workingDirectory: tree.git.path)
    defer { server.signal(SIGKILL) }
    var isRunning = false
    let deadline = ContinuousClock.now + .seconds(60)
    while !isRunning, ContinuousClock.now < deadline {
      let status = try await tree.runBare(["status", "--json"], environment: variables).json()
      isRunning = status["database"]?["running"] == .bool(true) && status["redis"]?["running"] == .bool(true)
    }
    server.signal(SIGTERM)
    let output = try await server.output()
    let down = try await tree.runBare(["down", "--quiet"], environment: variables)
    #expect(isRunning && output.status == 0 && down.status == 0, "\(output.everything) \(down.everything)")
  }

  @Test("what serve cannot start is logged as one line of logfmt, and the records are served all the same")
  func logged() async throws {
    let tree = try await CommandTree.sample()
    let port = try WatchedTree.freePort()
    // The state folder of the test cannot be reached by the servers' user, or is none.
    let server = try RunningProgram(
      try Program.path(), ["serve", "--port", "\(port)", "-v"],
      environment: tree.environment.merging(["MOHA_STATE_DIR": "/dev/null/state"]) { $1 },
      workingDirectory: tree.git.path)
    defer { server.signal(SIGKILL) }
    var answer: ChildProcess.Output?
    let deadline = ContinuousClock.now + .seconds(30)
    while answer?.status != 0, ContinuousClock.now < deadline {
      answer = try ChildProcess.run(
        "/bin/bash",
        ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port); printf 'GET /log HTTP/1.1\\r\\nHost: 127.0.0.1:\(port)\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"])
    }
    #expect(answer?.stdoutText.contains("Event number 3.") == true)
    server.signal(SIGTERM)
    let output = try await server.output()
    let lines = output.stderrText.split(separator: "\n").filter { !$0.hasPrefix("moha-sync: ") }
    #expect(!lines.isEmpty, "\(output.everything)")
    for line in lines {
      #expect(
        line.wholeMatch(of: /time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00) level=[a-z]+ msg=.*/) != nil, "\(line)")
    }
    #expect(lines.contains { $0.contains("the embedded Postgres is not started") && $0.contains("error=") }, "\(lines)")
  }
}
