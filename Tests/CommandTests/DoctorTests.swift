internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `doctor`: what it finds, and what `--fix` does and leaves.
@Suite struct DoctorTests {
  private static let shape: JSONShape = #"""
    {"schema":1,"healthy":"boolean","exit_code":"integer",
     "findings":[{"area":"text","code":"text","severity":"ok|info|warning|error","found":"text","cause":"text?",
       "hint":"text?","fixable":"boolean"}]}
    """#

  static func findings(_ output: ChildProcess.Output) throws -> [JSONValue] {
    let document = try output.json()
    #expect(shape.violations(in: document) == [])
    #expect(document["exit_code"]?.integer == Int(output.status))
    guard case .array(let findings)? = document["findings"] else { return [] }
    return findings
  }

  private func run(_ tree: CommandTree, _ extra: String...) async throws -> ChildProcess.Output {
    try await tree.run(["doctor", "--timeout", "300", "--json", "--without", "redis,mcp"] + extra)
  }

  private func finding(_ code: String, _ output: ChildProcess.Output) throws -> JSONValue? {
    try DoctorTests.findings(output).first { $0["code"]?.text == code }
  }

  private func fixes(_ output: ChildProcess.Output) throws -> [String: Bool] {
    guard case .array(let fixes)? = try output.json()["fixes"] else { return [:] }
    return Dictionary(fixes.map { ($0["fix"]?.text ?? "", $0["done"] == .bool(true)) }) { $1 }
  }

  @Test("nothing wrong: exit 0, and nothing is changed by the look or by --fix")
  func well() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "tick")
    let (files, rows) = (try tree.fileDigests(), try tree.dump())
    let output = try await run(tree)
    #expect(output.status == 0, "\(output.everything)")
    #expect(try output.json()["healthy"] == .bool(true))
    let areas = Set(try DoctorTests.findings(output).compactMap { $0["area"]?.text })
    #expect(areas == ["git", "records", "secrets", "postgres", "schedule", "configuration", "machine"])
    #expect(try await run(tree, "--fix").status == 0)
    #expect(try tree.fileDigests() == files && tree.dump() == rows)
  }

  @Test("a stale lock of git's is named with its age and removed by --fix; one that is held is left")
  func locks() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "tick")
    let lock = tree.git.absolute(".git/index.lock")
    try ChildProcess.runChecked("touch", ["-d", "10 minutes ago", lock])
    let stale = try await run(tree)
    #expect(stale.status == 11, "\(stale.everything)")
    #expect(try finding("stale-lock", stale)?["found"]?.text?.contains("index.lock is 6") == true)
    #expect(access(lock, F_OK) == 0, "a look removed it")
    let fixed = try await run(tree, "--fix")
    #expect(fixed.status == 0, "\(fixed.everything)")
    #expect(try fixes(fixed) == ["remove stale locks of git's": true])
    #expect(access(lock, F_OK) != 0)

    let descriptor = open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try ChildProcess.runChecked("touch", ["-d", "10 minutes ago", lock])
    let held = try await run(tree, "--fix")
    #expect(held.status == 11, "\(held.everything)")
    #expect(try finding("lock-held", held)?["found"]?.text?.contains("process \(getpid()) has it open") == true)
    #expect(access(lock, F_OK) == 0)
  }

  @Test("a write whose writer was killed is named, and finished by --fix: committed, counted and in its row")
  func unfinished() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "tick")
    let content = CommandTree.decision(7)
    try tree.write(decision: 7)
    // What a writer leaves that was killed between its file and its commit.
    let head = "{\"path\":\"\(CommandTree.decisionFile(7))\",\"pid\":1,\"start\":\"no-boot-1\",\"action\":\"create\"}"
    try tree.git.write(".git/moha-sync/journal/1-1", "\(head)\n\(content)")
    let found = try await run(tree)
    #expect(try finding("unfinished-writes", found)?["found"]?.text?.contains(CommandTree.decisionFile(7)) == true)
    let fixed = try await run(tree, "--fix")
    #expect(fixed.status == 0, "\(fixed.everything)")
    #expect(try fixes(fixed) == ["finish the writes of killed processes": true, "write the missing rows": true])
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("7"))
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
  }

  @Test("rows that are behind are written by --fix; rows that were changed by hand are left to a person")
  func rows() async throws {
    let tree = try await CommandTree.sample()
    let never = try await run(tree, "--fix")
    #expect(never.status == 0, "\(never.everything)")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
    try await tree.sql("DELETE FROM maven_decisions WHERE id = 1")
    let behind = try await run(tree)
    #expect(behind.status == 4, "\(behind.everything)")
    #expect(try finding("rows-behind", behind)?["fixable"] == .bool(true))
    #expect(try await run(tree, "--fix").status == 0)
    try await tree.sql("UPDATE maven_decisions SET reasoning = 'by hand' WHERE id = 2")
    let dump = try tree.dump()
    let differs = try await run(tree, "--fix")
    #expect(differs.status == 4, "\(differs.everything)")
    #expect(try finding("rows-differ", differs)?["hint"]?.text == "moha-sync reconcile --dry-run")
    #expect(try tree.dump() == dump, "--fix touched rows that a person changed")
  }

  @Test("a schema that lacks an object is named and repaired; one that lacks a migration is migrated")
  func schema() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "migrate", "--to", "2")
    let pending = try await run(tree)
    #expect(try finding("migrations-pending", pending)?["fixable"] == .bool(true), "\(pending.everything)")
    #expect(try await run(tree, "--fix").status == 0)
    try await tree.sql("DROP TABLE maven_insights CASCADE")
    let drifted = try await run(tree)
    #expect(drifted.status == 4, "\(drifted.everything)")
    #expect(try finding("schema-drift", drifted)?["hint"]?.text == "moha-sync migrate --repair")
    let fixed = try await run(tree, "--fix")
    #expect(fixed.status == 0, "\(fixed.everything)")
    try await tree.expect(0, "migrate", "--verify-only")
  }

  @Test("a broken record, a wrong counter and a misspelt setting are named; --fix changes none of the files")
  func files() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.git.write(CommandTree.decisionFile(7), "# Decision Record\n\n**Timestamp:** never\n")
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 2}"#)
    try tree.git.write(
      "moha-sync.yaml", "# settings\ntick:\n  timeout: 30\n  metric: x\ndatabse:\n  url: x\nnonsense: 1\n")
    let files = try tree.fileDigests()
    let output = try await run(tree, "--fix")
    #expect(output.status == 3, "\(output.everything)")
    #expect(try finding("corrupt-files", output)?["found"]?.text?.contains(CommandTree.decisionFile(7)) == true)
    #expect(try finding("counter-drift", output)?["found"]?.text?.contains("total_decisions") == true)
    let unknown = try DoctorTests.findings(output).filter { $0["code"]?.text == "unknown-key" }
    #expect(unknown.compactMap { $0["hint"]?.text }.prefix(2) == ["write tick.metrics", "write database.url"])
    #expect(unknown.count == 3 && unknown[2]["found"]?.text?.contains("line 7") == true)
    let after = try tree.fileDigests()
    #expect(after == files, "\(after.split(separator: "\n").filter { !files.contains($0) })")
  }

  @Test("the doctor's list of settings is what the program reads")
  func keys() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let source = try ChildProcess.runChecked("cat", ["\(root)/Sources/moha-sync/Settings.swift"]).stdoutText
    let list = try #require(source.firstRange(of: "static let keys = ["))
    let end = try #require(source[list.upperBound...].firstIndex(of: "]"))
    func keys(_ text: Substring) -> Set<String> {
      let words = text.split(separator: "\"").map { String($0) }
      return Set(
        words.filter { word in
          let parts = word.split(separator: ".", omittingEmptySubsequences: false)
          return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isLowercase || $0 == "-" } }
            && word != "moha-sync.yaml"
        })
    }
    let known = keys(source[list.upperBound..<end])
    try #require(known.count > 15)
    #expect(known == keys(source[..<list.lowerBound]).union(keys(source[end...])))
  }

  @Test("what `init` shows as settings, the doctor knows as such")
  func settings() async throws {
    let tree = try await CommandTree.sample()
    let initial = try await tree.runBare(["init"])
    #expect(initial.status == 0, "\(initial.everything)")
    // The file of `init`, with every comment taken off its settings.
    let text = try ChildProcess.runChecked(
      "sed", ["-E", "s/^# ([a-z]+:|  .*)$/\\1/", tree.git.absolute("moha-sync.yaml")])
    let lines = text.stdoutText.split(separator: "\n").filter { !$0.hasPrefix("#") }
    try #require(lines.count > 10, "\(lines)")
    try tree.git.write("moha-sync.yaml", lines.joined(separator: "\n") + "\n")
    try await tree.expect(0, "migrate")
    let output = try await run(tree)
    #expect(try finding("unknown-key", output) == nil, "\(output.everything)")
    #expect(try finding("configuration", output)?["severity"]?.text == "ok", "\(output.everything)")
  }

  @Test("files with secrets that others can read are closed by --fix, and nothing else of them changes")
  func secrets() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let token = "\(tree.git.base)/.moha-token"
    try ChildProcess.runChecked("/bin/sh", ["-c", "umask 022; echo 0123456789abcdef >\"$1\"", "sh", token])
    try tree.git.write("moha-sync.yaml", "redis:\n  url: redis://:canary-word@localhost:1/0\n")
    try ChildProcess.runChecked("chmod", ["644", tree.git.absolute("moha-sync.yaml")])
    let found = try await run(tree)
    #expect(found.status == 12, "\(found.everything)")
    #expect(try finding("token-file-readable", found) != nil)
    let readable = try DoctorTests.findings(found).first { $0["area"]?.text == "configuration" }
    #expect(readable?["code"]?.text == "configuration-readable" && readable?["fixable"] == .bool(true))
    #expect(!found.everything.contains("canary") && !found.everything.contains("0123456789abcdef"))
    let fixed = try await run(tree, "--fix")
    #expect(fixed.status == 0, "\(fixed.everything)")
    let modes = try ChildProcess.runChecked("stat", ["-c", "%a", token, tree.git.absolute("moha-sync.yaml")])
    #expect(modes.stdoutText == "600\n600\n")
  }

  @Test("Redis: rate limits without an expiry and a policy that evicts locks are named")
  func redis() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let redis = try await RedisServer.start(configuration: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"])
    for key in 1...3 { _ = try redis.cli("SET", "ratelimit:api:\(key)", "1") }
    _ = try redis.cli("SET", "ratelimit:api:4", "1", "EX", "60")
    let arguments = ["doctor", "--timeout", "300", "--json", "--without", "mcp", "--redis", redis.url]
    let output = try await tree.run(arguments)
    #expect(output.status == 3, "\(output.everything)")
    #expect(try finding("ratelimit-without-expiry", output)?["found"]?.text?.hasPrefix("3 keys") == true)
    #expect(try finding("eviction-policy", output)?["found"]?.text?.contains("allkeys-lru") == true)
  }

  @Test("the periodic run: none, one that failed, one long ago")
  func schedule() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    #expect(try finding("not-scheduled", try await run(tree))?["severity"]?.text == "info")
    try tree.git.write(CommandTree.decisionFile(7), "no decision\n")
    try await tree.expect(3, "tick")
    let failed = try await run(tree)
    #expect(
      try finding("tick-failed", failed)?["found"]?.text?.contains("exit code 3 (reconcile)") == true,
      "\(failed.everything)")
    try tree.git.remove(CommandTree.decisionFile(7))
    try await tree.expect(0, "tick")
    try ChildProcess.runChecked(
      "sed",
      ["-i", "s/\"finished\":[0-9]*/\"finished\":1700000000/", tree.git.absolute(".git/moha-sync/tick-maven.json")])
    let late = try await run(tree)
    #expect(try finding("tick-late", late) != nil && late.status == 3, "\(late.everything)")
  }

  @Test("embedded servers that do not run, or have crashed, are started by --fix, and the rows are written")
  func embedded() async throws {
    let tree = try await CommandTree.sample()
    let folder = try TemporaryDirectory(prefix: "moha-state")
    // The servers' user has to pass through.
    try ChildProcess.runChecked("chmod", ["755", folder.path])
    let state = "\(folder.path)/state"
    func doctor(_ extra: String...) async throws -> ChildProcess.Output {
      try await tree.runBare(
        ["doctor", "--timeout", "300", "--json", "--without", "mcp"] + extra, environment: ["MOHA_STATE_DIR": state])
    }
    func down() async throws {
      let output = try await tree.runBare(["down", "--quiet"], environment: ["MOHA_STATE_DIR": state])
      #expect(output.status == 0, "\(output.everything)")
    }
    do {
      let before = try await doctor()
      // Not started yet is no fault: a command that needs them starts them.
      #expect(before.status == 0, "\(before.everything)")
      #expect(try ChildProcess.run("ls", [state]).status != 0, "a look made something")
      let fixed = try await doctor("--fix")
      #expect(fixed.status == 0, "\(fixed.everything)")
      #expect(try fixes(fixed) == ["start the embedded servers": true, "write the missing rows": true])
      let pid = try ChildProcess.runChecked("head", ["-n", "1", "\(state)/data/postmaster.pid"]).stdoutText
      #expect(kill(try #require(Int32(pid.filter(\.isNumber))), SIGKILL) == 0)
      var crashed = try await doctor()
      let deadline = ContinuousClock.now + .seconds(20)
      while try finding("crashed", crashed) == nil, ContinuousClock.now < deadline { crashed = try await doctor() }
      #expect(crashed.status == 69, "\(crashed.everything)")
      #expect(try finding("postgres-pid-stale", crashed)?["hint"]?.text == "moha-sync up")
      let again = try await doctor("--fix")
      #expect(again.status == 0, "\(again.everything)")
    } catch {
      try await down()
      throw error
    }
    try await down()
  }
}
