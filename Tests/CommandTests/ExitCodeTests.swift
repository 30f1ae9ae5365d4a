internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// The exit codes that scripts rely on, each from a run of the program.
@Suite struct ExitCodeTests {
  @Test("0 when git and the database say the same, and when a run made them so")
  func inSync() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.expect(0, "verify")
    try await tree.expect(0, "reconcile", "--dry-run")
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "migrate", "--verify-only")
  }

  static let mistakes: [[String]] = [
    ["verify", "--no-such-option"], ["no-such-command"], ["reconcile", "--dry-run", "--apply"],
    ["reconcile", "--adopt", "--at", "HEAD"], ["verify", "--agent", "../maven"], ["verify", "--agent", "Maven"],
    ["migrate", "--to", "99"], ["migrate", "--to", "two"], ["verify", "--color=purple"], ["sync", "--into", "a;b"],
    ["verify", "--against", "no-such-file"], ["verify", "--root"], ["verify", "--database", "postgresql://%zz@h/d"],
  ]

  @Test("2 and a message for what the program cannot make sense of", arguments: mistakes)
  func usage(arguments: [String]) async throws {
    let tree = try await CommandTree.sample()
    let output = try await tree.runBare(arguments)
    #expect(output.status == 2, "\(output.everything)")
    #expect(output.stdout.isEmpty && !output.stderr.isEmpty)
    let json = try await tree.runBare(["--json"] + arguments)
    #expect(json.status == 2, "\(json.everything)")
    #expect(json.stderr.isEmpty, "\(json.stderrText)")
    #expect(try json.json()["error"]?["message"]?.text?.isEmpty == false)
  }

  @Test("0 for help and version, on stdout")
  func help() async throws {
    let tree = try await CommandTree()
    for arguments in [["--help"], ["help", "sync"], ["reconcile", "--help"], ["--version"], []] {
      let output = try await tree.runBare(arguments)
      #expect(
        output.status == 0 && !output.stdout.isEmpty && output.stderr.isEmpty, "\(arguments): \(output.everything)")
    }
    let help = try await tree.runBare(["--help"]).stdoutText
    for code in ["2", "3", "4", "10", "11", "12", "69", "130"] {
      #expect(help.split(separator: "\n").contains { $0.drop { $0 == " " }.hasPrefix(code + " ") }, "exit code \(code)")
    }
  }

  /// Files that cannot become decisions.
  static let broken: [(name: String, bytes: [UInt8])] = [
    (
      "malformed",
      Array(CommandTree.decision(7).replacing("**Timestamp:** 2026", with: "**Timestamp:** soon, 2026").utf8)
    ),
    ("truncated", Array(CommandTree.decision(8).utf8.prefix { $0 != UInt8(ascii: "}") })),
    ("not UTF-8", Array(CommandTree.decision(9).utf8) + [0xC3, 0x28, 0x0A]),
  ]

  @Test("3 with a malformed, a truncated and a non-UTF-8 file: every other record arrives, and the counts add up")
  func partlyDone() async throws {
    let tree = try await CommandTree.sample()
    for (index, file) in Self.broken.enumerated() {
      try tree.git.write(Array(CommandTree.decisionFile(7 + index).utf8), file.bytes)
    }
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 9}"#)
    try tree.git.commit("three broken files")

    let sync = try await tree.expect(3, "sync", "--json").json()
    #expect(sync["records"]?["decisions"]?.integer == 6)
    #expect(sync["quarantined"]?.integer == 3)
    let errors = try findings(sync).filter { $0["severity"]?.text == "error" }
    #expect(Set(errors.compactMap { $0["path"]?.text }).sorted() == (7...9).map(CommandTree.decisionFile))
    #expect(errors.allSatisfy { $0["class"]?.text == "corrupt-file" && $0["kind"]?.text == "decisions" })
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")

    let verify = try await tree.expect(3, "verify", "--json").json()
    let decisions = try #require(verify["kinds"]?["decisions"])
    let counts = ["git", "rows", "findings"].compactMap { decisions[JSONString($0)]?.integer }
    #expect(counts == [9, 6, 3])
    #expect(verify["kinds"]?["milestones"]?["rows"]?.integer == 2)
    #expect(verify["kinds"]?["memory"]?["rows"]?.integer == 3)

    // The files stay as they are, and nobody tries them again and again.
    for (index, file) in Self.broken.enumerated() {
      let bytes = try ChildProcess.runChecked("cat", [tree.git.absolute(CommandTree.decisionFile(7 + index))]).stdout
      #expect(bytes == file.bytes, "\(file.name)")
    }
    let second = try await tree.expect(3, "sync", "--json").json()
    #expect(second["quarantined"]?.integer == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "3")

    for index in 7...9 { try tree.write(decision: index) }
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "verify")
  }

  private func findings(_ document: JSONValue) throws -> [JSONValue] {
    let findings: [JSONValue]? = if case .array(let findings)? = document["findings"] { findings } else { nil }
    return try #require(findings)
  }

  @Test("4 when verify, a dry run or a check of the schema finds differences")
  func differences() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(4, "verify")
    try await tree.expect(4, "reconcile", "--dry-run")
    try await tree.expect(4, "migrate", "--verify-only")
    try await tree.expect(0, "sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12 WHERE id = 1")
    try await tree.expect(4, "verify")
    try await tree.expect(4, "reconcile", "--dry-run")
    try await tree.sql("DROP INDEX maven_decisions_decided_at")
    try await tree.expect(4, "migrate", "--verify-only")
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "verify")
  }

  @Test("4 when the state differs from a proof kept earlier, and 0 when it does not")
  func proof() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let proof = try await tree.expect(0, "verify", "--json")
    try tree.git.write("proof.json", proof.stdoutText)
    try await tree.expect(0, "verify", "--against", "proof.json")
    try tree.write(decision: 2, reasoning: "Thought again")
    try await tree.expect(0, "sync")
    try await tree.expect(0, "verify")
    let changed = try await tree.expect(4, "verify", "--against", "proof.json", "--json").json()
    #expect(changed["in_sync"] == .bool(true))
    guard case .array(let sentences)? = changed["changed_since_proof"] else {
      Issue.record("no list of changes")
      return
    }
    #expect(sentences.count == 2)
  }

  @Test("10 in a folder that is no repository, and for an agent without a tree")
  func noTree() async throws {
    let tree = try await CommandTree.sample()
    try ChildProcess.runChecked("mkdir", ["\(tree.git.base)/plain"])
    for command in [
      "sync", "reconcile", "verify", "status", "history", "adopt", "migrate", "up", "down", "init", "decisions",
      "performance",
      "report",
    ] {
      let output = try await tree.runBare([
        command, "--root", "\(tree.git.base)/plain", "--database", tree.database.url,
      ])
      #expect(output.status == 10, "\(command): \(output.everything)")
    }
    for command in ["sync", "reconcile", "verify"] {
      try await tree.expect(10, command, "--agent", "nobody")
      try await tree.expect(10, command, "--root", "\(tree.git.base)/no-such-folder")
    }
    #expect(try await tree.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'maven%'") == "0")
  }

  @Test("11 while another run holds the repository's lock; a reader does not mind")
  func repositoryLocked() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let descriptor = open(tree.git.absolute(".git/moha-sync/run.flock"), O_RDWR | O_CLOEXEC)
    try #require(descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    let dump = try tree.dump()
    for command in ["sync", "reconcile"] {
      let output = try await tree.expect(11, command, "--json").json()
      #expect(output["error"]?["code"]?.text == "locked")
    }
    #expect(try tree.dump() == dump)
    try await tree.expect(0, "verify")
    try await tree.expect(0, "reconcile", "--dry-run")
    close(descriptor)
    try await tree.expect(0, "reconcile")
  }

  @Test("11 while a run from another clone works on the same database")
  func databaseLocked() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let clone = "\(tree.git.base)/clone"
    try tree.git.git("clone", "--quiet", tree.git.path, clone)
    try tree.write(decision: 7)
    try await tree.withDecisionsLocked {
      let first = try tree.start("reconcile")
      try await tree.waitUntilBlocked()
      let second = try await tree.runBare(["reconcile", "--json", "--root", clone, "--database", tree.database.url])
      #expect(second.status == 11, "\(second.everything)")
      first.signal(SIGKILL)
      #expect(try await first.output().status == 128 + SIGKILL)
    }
  }

  @Test("12 when a plan would take out most rows, and nothing is changed until the number is named")
  func massRemoval() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/decisions")])
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 0}"#)
    try tree.git.commit("gone")
    let dump = try tree.dump()
    for command in ["sync", "reconcile"] {
      let error = try await tree.expect(12, command, "--json").json()["error"]
      #expect(error?["code"]?.text == "mass-removal")
      #expect(error?["message"]?.text?.contains("6 of 6 decisions") == true)
      // A refusal must not print the command that it refuses.
      #expect(error?["hint"]?.text?.contains("--allow-removals 6") == false)
    }
    try await tree.expect(12, "reconcile", "--allow-removals", "5")
    #expect(try tree.dump() == dump)
    try await tree.expect(0, "reconcile", "--allow-removals", "6")
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE row_data IS NOT NULL") == "6")
  }

  @Test("69 when no server answers, with nothing on stdout but JSON")
  func serviceDown() async throws {
    let tree = try await CommandTree.sample()
    let url = "postgresql:///records?host=\(tree.git.base)"
    for command in ["sync", "reconcile", "verify", "migrate", "adopt"] {
      let output = try await tree.runBare([command, "--database", url])
      #expect(output.status == 69, "\(command): \(output.everything)")
      #expect(output.stdout.isEmpty)
    }
    // `status` reports what is down instead of failing.
    let status = try await tree.runBare(["status", "--json", "--database", url])
    #expect(status.status == 0, "\(status.everything)")
    #expect(try status.json()["database"]?["running"] == .bool(false))
  }

  @Test("a schema that a newer program has migrated is refused untouched")
  func newerSchema() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql("INSERT INTO maven_migrations (version, name, sha256) VALUES (99, '0099_later', '00')")
    try tree.write(decision: 7)
    let dump = try tree.dump()
    for command in ["sync", "reconcile", "verify", "migrate"] {
      let error = try await tree.expect(1, command, "--json").json()["error"]
      #expect(error?["code"]?.text == "schema-newer")
      #expect(error?["message"]?.text?.contains("99") == true)
    }
    #expect(try tree.dump() == dump)
  }
}
