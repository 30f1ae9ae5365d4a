internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// What a person at a terminal reads: one style of errors, the words of the flags, JSON wherever it is asked for.
@Suite struct WordingTests {
  @Test(
    "every usage error has the program's style: a message, then a hint with a command that helps; the same in JSON",
    arguments: [
      ["verify", "--no-such-option"], ["sync", "--at"], ["decisions", "--limit", "0"], ["reconcile", "--dry-run", "--apply"],
      ["health", "--without", "none"], ["cache", "price", "--nothing"], ["no-such-command"],
    ])
  func usage(arguments: [String]) async throws {
    let tree = try await CommandTree.sample()
    let text = try await tree.runBare(arguments)
    let lines = text.stderrText.split(separator: "\n")
    #expect(text.status == 2 && lines.count == 2, "\(text.everything)")
    #expect(lines.first?.hasPrefix("moha-sync: ") == true && lines.last?.hasPrefix("hint: ") == true)
    #expect(lines.last?.contains("--help") == true && !text.stderrText.contains("Error:"), "\(text.stderrText)")
    let json = try await tree.runBare(arguments + ["--json"])
    #expect(json.status == 2 && json.stderr.isEmpty)
    #expect(try json.json()["error"]?["hint"]?.text?.contains("--help") == true, "\(json.everything)")
  }

  @Test("init and --version answer in JSON when asked")
  func documents() async throws {
    let tree = try await CommandTree()
    let version = try await tree.runBare(["--version", "--json"])
    #expect(try version.status == 0 && version.json()["version"]?.text?.isEmpty == false)
    #expect(try await tree.runBare(["--json", "--version"]).stdoutText == version.stdoutText)
    let made = try await tree.runBare(["init", "--json"])
    #expect(made.status == 0 && made.stderr.isEmpty, "\(made.everything)")
    guard case .array(let paths)? = try made.json()["made"] else { throw TestFailure("no list") }
    #expect(paths.contains(.string(".moha/maven/identity.json")) && paths.contains(.string("moha-sync.yaml")))
    let again = try await tree.runBare(["init", "--json"]).json()
    #expect(again["made"] == [] && again["kept"] == .array(paths))
  }

  @Test("outside a repository the hint names what makes one")
  func outside() async throws {
    let tree = try await CommandTree()
    let output = try await tree.runBare(["init"], folder: tree.git.base)
    #expect(output.status == 10 && output.stderrText.contains("`git init`"), "\(output.everything)")
  }

  @Test("faults of a record speak of the flags that were given, and an event takes --type")
  func flags() async throws {
    let tree = try await CommandTree.sample()
    let event = try await tree.run("record", "event", "--type", "NOTE", "--content", "by its type", "--json")
    #expect(event.status == 0, "\(event.everything)")
    #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log.md").contains("] NOTE\n\nby its type"))
    let missing = try await tree.run("record", "decision", "--asset", "BTC")
    for flag in ["--type is missing", "--action is missing", "--risk is missing", "--confidence is missing"] {
      #expect(missing.stderrText.contains(flag), "\(missing.stderrText)")
    }
    #expect(missing.status == 2 && !missing.stderrText.contains("_"))
    let foreign = try await tree.run("record", "milestone", "--type", "x", "--title", "t", "--description", "d", "--category", "c")
    #expect(foreign.status == 2 && foreign.stderrText.contains("--type is no argument of milestone"), "\(foreign.everything)")
  }

  @Test("a confidence that is a share of one is taken, with a warning on stderr")
  func fraction() async throws {
    let tree = try await CommandTree.sample()
    let output = try await tree.run(
      "record", "decision", "--type", "buy", "--asset", "BTC", "--action", "a", "--reasoning", "r", "--confidence", "0.8",
      "--risk", "low")
    #expect(output.status == 0 && output.stderrText.contains("0.8"), "\(output.everything)")
  }

  @Test("serve on a taken port: who has it, what to do, exit code 1, JSON too; one line each, no insides")
  func takenPort() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    let arguments = [
      "serve", "--port", "\(watched.port)", "--redis", watched.redis.url, "--database", watched.tree.database.url,
    ]
    let text = try await watched.tree.runBare(arguments)
    #expect(text.status == 1 && text.stdout.isEmpty, "\(text.everything)")
    let lines = text.stderrText.split(separator: "\n")
    #expect(lines.count == 2, "\(text.stderrText)")
    #expect(lines.first?.hasPrefix("moha-sync: 127.0.0.1:\(watched.port) is taken by process ") == true, "\(lines)")
    #expect(lines.last?.contains("--port") == true && !text.stderrText.contains("errno"))
    let json = try await watched.tree.runBare(arguments + ["--json"])
    #expect(try json.status == 1 && json.json()["error"]?["code"]?.text == "address-in-use", "\(json.everything)")
  }

  @Test("the summary of a commit counts what it lists")
  func summary() async throws {
    let tree = try await CommandTree()
    try await tree.runBare(["init"]).ignored
    let plan = try await tree.runBare(["commit", "--dry-run", "--json"]).json()
    #expect(plan["files"]?.integer == 4)
    #expect(plan["message"]?.text?.hasPrefix("maven: 2 files, identity, 1 log\n") == true, "\(plan)")
    try await tree.runBare(["commit"]).ignored
    try tree.write(decision: 1)
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 1}"#)
    let record = try await tree.runBare(["commit", "--dry-run", "--json"]).json()
    #expect(record["message"]?.text?.hasPrefix("maven: 1 decision\n") == true, "\(record)")
  }
}

private struct TestFailure: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
