internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// The JSON documents that scripts read, member by member.
@Suite struct ContractTests {
  static let verify: JSONShape = """
    {"schema": 1, "in_sync": "boolean", "agent": "text",
     "source": {"kind": "commit|worktree", "commit": "id", "tree": "id"},
     "kinds": {
       "decisions": {"git": "integer", "rows": "integer", "findings": "integer", "git_digest": "digest", "row_digest": "digest"},
       "milestones": {"git": "integer", "rows": "integer", "findings": "integer", "git_digest": "digest", "row_digest": "digest"},
       "memory": {"git": "integer", "rows": "integer", "findings": "integer", "git_digest": "digest", "row_digest": "digest"},
       "portfolio_snaps": {"git": "integer", "rows": "integer", "findings": "integer", "git_digest": "digest", "row_digest": "digest"}},
     "findings": [{"class": "text", "severity": "error|warning|info", "kind": "decisions|milestones|memory|portfolio_snaps?",
       "path": "text?", "line": "integer?", "code": "text", "message": "text"}],
     "elapsed_ms": "number"}
    """

  static let counts = """
    {"missing": "integer", "stale": "integer", "orphaned": "integer", "duplicate": "integer", "corrupt_file": "integer",
     "corrupt_row": "integer", "counter_drift": "integer", "unbacked": "integer", "schema_drift": "integer",
     "checkpoint_drift": "integer"}
    """

  static let reconcile = JSONShape(
    stringLiteral: """
      {"schema": 1, "applied": "boolean", "differences": \(counts),
       "items": [{"class": "text", "kind": "decisions|milestones|memory|portfolio_snaps?", "key": "text",
         "fields": [{"name": "text", "git": "text?", "row": "text?"}]}],
       "repaired": \(counts), "remaining": "integer", "run_id": "text?"}
      """)

  static let provenance: JSONShape = #"{"provenance": {"commit": "id", "author": "text", "time": "text"}}"#

  static let sync: JSONShape = """
    {"schema": 1, "records": {"decisions": "integer", "milestones": "integer", "memory": "integer",
      "portfolio_snaps": "integer"},
     "recovered_from_history": "integer", "quarantined": "integer", "seconds": "number", "commit": "id"}
    """

  static let status: JSONShape = """
    {"schema": 1, "database": {"url": "text", "embedded": "boolean", "running": "boolean"},
     "redis": {"url": "text", "embedded": "boolean", "running": "boolean"}, "root": "text", "agent": "text"}
    """

  @Test("verify --json says what both sides hold, in sync and not")
  func verifyDocument() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let good = try await tree.expect(0, "verify", "--json").json()
    #expect(Self.verify.violations(in: good) == [])
    #expect(good["in_sync"] == .bool(true))
    #expect(good["agent"]?.text == "maven")
    #expect(good["source"]?["kind"]?.text == "worktree")
    #expect(good["source"]?["commit"]?.text == (try tree.git.git("rev-parse", "HEAD")))
    #expect(good["source"]?["tree"]?.text == (try tree.git.git("rev-parse", "HEAD^{tree}")))
    for (kind, count) in [("decisions", 6), ("milestones", 2), ("memory", 3)] {
      let side = try #require(good["kinds"]?[JSONString(kind)])
      #expect(side["git"]?.integer == count && side["rows"]?.integer == count && side["findings"]?.integer == 0)
      #expect(side["git_digest"] == side["row_digest"])
    }

    try tree.git.write(CommandTree.decisionFile(7), "# Decision Record\n\nnothing else\n")
    try await tree.sql("UPDATE maven_decisions SET reasoning = 'forged' WHERE id = 1; DELETE FROM maven_milestones")
    let bad = try await tree.expect(4, "verify", "--json").json()
    #expect(Self.verify.violations(in: bad) == [])
    #expect(bad["in_sync"] == .bool(false))
    #expect(bad["kinds"]?["decisions"]?["git_digest"] != bad["kinds"]?["decisions"]?["row_digest"])
    #expect(bad["kinds"]?["milestones"]?["rows"]?.integer == 0)
    #expect(bad["source"]?["tree"] != good["source"]?["tree"])
    guard case .array(let findings)? = bad["findings"] else { return }
    let corrupt = findings.first { $0["class"]?.text == "corrupt-file" }
    #expect(corrupt?["path"]?.text == CommandTree.decisionFile(7))
    #expect(findings.contains { $0["class"]?.text == "stale" && $0["kind"]?.text == "decisions" })
    #expect(findings.count { $0["class"]?.text == "missing" && $0["kind"]?.text == "milestones" } == 2)
  }

  @Test("verify --at names the commit it read")
  func verifyCommit() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync", "--at", "HEAD")
    try tree.write(decision: 7)
    let document = try await tree.expect(0, "verify", "--at", "HEAD", "--json").json()
    #expect(Self.verify.violations(in: document) == [])
    #expect(document["source"]?["kind"]?.text == "commit")
  }

  @Test("reconcile --json has the same members with and without --dry-run")
  func reconcileDocument() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12.00 WHERE id = 1")
    let head = try tree.git.git("rev-parse", "HEAD")

    let plan = try await tree.expect(4, "reconcile", "--dry-run", "--json").json()
    let run = try await tree.expect(0, "reconcile", "--json").json()
    let again = try await tree.expect(0, "reconcile", "--json").json()
    for document in [plan, run, again] { #expect(Self.reconcile.violations(in: document) == []) }
    for document in [plan, run] {
      #expect(document["differences"]?["stale"]?.integer == 1)
      guard case .array(let items)? = document["items"], let item = items.first else {
        Issue.record("no item")
        continue
      }
      #expect(items.count == 1)
      #expect(item["class"]?.text == "stale" && item["kind"]?.text == "decisions")
      #expect(item["key"]?.text == "decision_20260201_000001.md")
      #expect(item["fields"] == [["name": "confidence", "git": "80.0", "row": "12.00"]])
      #expect(Self.provenance.violations(in: item) == [])
      #expect(item["provenance"]?["commit"]?.text == head)
      #expect(item["provenance"]?["time"]?.text?.hasPrefix("2023-11-14T") == true)
    }
    #expect(plan["applied"] == .bool(false) && plan["remaining"]?.integer == 1 && plan["run_id"] == .null)
    #expect(run["applied"] == .bool(true) && run["remaining"]?.integer == 0)
    #expect(run["repaired"]?["stale"]?.integer == 1)
    #expect(again["items"] == [] && again["differences"]?["stale"]?.integer == 0)
    #expect(
      try await tree.value("SELECT count(*) FROM maven_reconcile_runs WHERE run_id = '\(run["run_id"]?.text ?? "")'")
        == "1")
  }

  @Test("sync --json and restore --json count the records, those of history too")
  func syncDocument() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(
      ".moha/maven/session_log.md",
      "# Maven Session Log\n\n---\n\n## [2026-02-01T10:00:03+00:00] NOTE\n\nEvent number 3.\n\n---\n\n")
    try tree.git.commit("compacted")
    let restored = try await tree.expect(0, "restore", "--json").json()
    #expect(Self.sync.violations(in: restored) == [])
    #expect(restored["records"] == ["decisions": 6, "milestones": 2, "memory": 3, "portfolio_snaps": 0])
    #expect(restored["recovered_from_history"]?.integer == 2)
    #expect(restored["commit"]?.text == (try tree.git.git("rev-parse", "HEAD")))
    let synced = try await tree.expect(0, "sync", "--json").json()
    #expect(Self.sync.violations(in: synced) == [])
    #expect(synced["records"] == restored["records"])
  }

  @Test("status --json names a database that psql accepts")
  func statusDocument() async throws {
    let tree = try await CommandTree.sample()
    let redis = "unix://\(tree.git.base)/no-such-socket"
    let status = try await tree.expect(0, "status", "--json", "--redis", redis).json()
    #expect(Self.status.violations(in: status) == [])
    #expect(status["database"]?["embedded"] == .bool(false) && status["database"]?["running"] == .bool(true))
    #expect(status["redis"]?["embedded"] == .bool(false) && status["redis"]?["running"] == .bool(false))
    #expect(status["root"]?.text == tree.git.path && status["agent"]?.text == "maven")
    let url = try #require(status["database"]?["url"]?.text)
    let output = try ChildProcess.runChecked("psql", ["-XAtc", "SELECT current_database()", url])
    #expect(output.stdoutText == (try await tree.value("SELECT current_database()")) + "\n")
  }

  @Test("global options mean the same before and after the command")
  func optionOrder() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.git.write(".moha/second/identity.json", "{}")
    let options = ["--json", "--root", tree.git.path, "--agent", "second", "--database=\(tree.database.url)"]
    let before = try await tree.runBare(options + ["verify"], folder: "/")
    let after = try await tree.runBare(["verify"] + options, folder: "/")
    let around = try await tree.runBare(Array(options[..<3]) + ["verify"] + Array(options[3...]), folder: "/")
    for output in [before, after, around] {
      #expect(output.status == 0, "\(output.everything)")
      let document = try output.json()
      #expect(Self.verify.violations(in: document) == [])
      #expect(document["agent"]?.text == "second")
      #expect(document["kinds"]?["decisions"]?["git"]?.integer == 0)
    }
  }

  @Test("an error is one JSON document on stdout with --json, else text on stderr; the codes are the same")
  func errors() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/decisions")])
    let unreachable = "postgresql:///records?host=\(tree.git.base)"
    let cases: [(arguments: [String], status: Int32, code: String)] = [
      (["verify", "--agent", "nobody"], 10, "tree-missing"),
      (["verify", "--root", tree.git.base], 10, "git-not-a-repository"),
      (["verify", "--database", unreachable], 69, "postgres-connection-failed"),
      (["reconcile", "--database", tree.database.url], 12, "mass-removal"),
      (["sync", "--at", "no-such-branch", "--database", tree.database.url], 2, "git-not-found"),
      (["verify", "--agent", "../x"], 2, "invalid-agent"),
    ]
    let shape: JSONShape = #"{"schema": 1, "error": {"code": "text", "message": "text", "hint": "text"}}"#
    for (arguments, status, code) in cases {
      let json = try await tree.runBare(arguments + ["--json"])
      #expect(json.status == status, "\(json.everything)")
      #expect(json.stderr.isEmpty, "\(json.stderrText)")
      let document = try json.json()
      #expect(shape.violations(in: document) == [], "\(arguments): \(document)")
      #expect(document["error"]?["code"]?.text == code)

      let text = try await tree.runBare(arguments)
      #expect(text.status == status && text.stdout.isEmpty)
      #expect(text.stderrText.hasPrefix("moha-sync: "), "\(text.stderrText)")
    }
  }

  @Test("a plan, a check, a listing and a status change no byte of the repository or the database")
  func readersWriteNothing() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 1}"#)
    try await tree.sql(
      "DELETE FROM maven_decisions WHERE id = 2; UPDATE maven_decisions SET action = 'x' WHERE id = 3; DROP TABLE maven_milestones CASCADE"
    )
    let (dump, files) = (try tree.dump(), try tree.fileDigests())
    try await tree.expect(4, "reconcile", "--dry-run")
    try await tree.expect(4, "reconcile", "--dry-run", "--at", "HEAD", "--json")
    try await tree.expect(4, "verify")
    try await tree.expect(4, "migrate", "--dry-run")
    try await tree.expect(0, "status")
    try await tree.expect(0, "history")
    try await tree.expect(0, "adopt")
    #expect(try tree.dump() == dump)
    #expect(try tree.fileDigests() == files)
  }
}
