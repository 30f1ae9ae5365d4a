internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A clone that lacks some of history: what cannot be looked at stays, and nothing is fetched.
@Suite struct PartialCloneTests {
  /// A tree whose log was compacted and one of whose decisions was deleted, and a database that knows all of it.
  private func origin() async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try tree.write("session_log.md", MavenTree.log(entries: 2...3))
    try tree.git.remove("\(tree.root)/decisions/\(MavenTree.decisionName(6))")
    try tree.git.commit("compacted")
    try tree.write("session_log.md", MavenTree.log(entries: 3...3))
    try tree.write("identity.json", #"{"total_decisions": 5}"#)
    try tree.git.commit("compacted again")
    try tree.git.git("config", "uploadpack.allowFilter", "true")
    try await tree.run("sync", restoringDeletedFiles: true)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "2")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_status = 'archived'") == "1")
    return tree
  }

  /// A clone of it, with the same database or an empty one.
  private func clone(
    _ origin: MavenTree, _ arguments: [String], database: TestDatabase? = nil
  ) async throws -> MavenTree {
    let scratch = try GitScratch(isInitialized: false)
    try scratch.git(["clone", "-q"] + arguments + ["file://\(origin.git.path)", "."])
    return try await MavenTree(git: scratch, database: database)
  }

  /// How many objects that its commits name a clone lacks.
  private func missing(_ tree: MavenTree) throws -> Int {
    try tree.git.git("rev-list", "--objects", "--all", "--missing=print").split(separator: "\n").count {
      $0.hasPrefix("?")
    }
  }

  @Test(
    "archived rows stay where their history is not there, and a note says how to get it",
    arguments: [
      (["--filter=blob:none"], "git fetch --refetch --no-filter"),
      (["--filter=tree:0"], "git fetch --refetch --no-filter"),
      (["--filter=blob:limit=10"], "git fetch --refetch --no-filter"), (["--depth=1"], "git fetch --unshallow"),
      (["--depth=2"], "git fetch --unshallow"), (["--depth=1", "--filter=blob:none"], "git fetch --unshallow"),
    ])
  func fullDatabase(arguments: [String], remedy: String) async throws {
    let origin = try await origin()
    let tree = try await clone(origin, arguments, database: origin.database)
    let lacking = try missing(tree)
    let rows = """
      SELECT string_agg(r, '|' ORDER BY r) FROM (
        SELECT (m.event_key, m.git_status, m.archived_commit)::text FROM maven_memory m
        UNION ALL SELECT (d.git_filename, d.git_status, d.archived_commit)::text FROM maven_decisions d) AS r (r)
      """
    let before = try await tree.value(rows)
    for command in ["sync", "reconcile"] {
      let outcome = try await tree.run(command)
      #expect(outcome.remaining == 0 && !outcome.survey.hasErrors)
      #expect(outcome.survey.notes.contains { $0.contains(remedy) }, "\(outcome.survey.notes)")
      #expect(try await tree.value(rows) == before)
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "0")
    }
    #expect(try await tree.verification().isInSync)
    // Nothing was fetched by us.
    #expect(try missing(tree) == lacking)
    // The remedy is one.
    for command in remedy.contains("unshallow") ? ["--unshallow", "--refetch --no-filter"] : ["--refetch --no-filter"] {
      try tree.git.git(["fetch", "-q"] + command.split(separator: " ").map(String.init))
    }
    #expect(try missing(tree) == 0)
    let outcome = try await tree.run()
    #expect(outcome.survey.notes.isEmpty && outcome.remaining == 0)
    #expect(try await tree.value(rows) == before)
  }

  @Test(
    "an empty database is filled with what the clone has",
    arguments: [
      ["--filter=blob:none"], ["--filter=tree:0"], ["--depth=1"],
    ])
  func emptyDatabase(arguments: [String]) async throws {
    let origin = try await origin()
    let tree = try await clone(origin, arguments)
    let outcome = try await tree.run("sync", restoringDeletedFiles: true)
    #expect(outcome.remaining == 0 && !outcome.survey.hasErrors && !outcome.survey.notes.isEmpty)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_status = 'current'") == "5")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'current'") == "1")
  }

  @Test("a file of HEAD that is not there is an error with its path and the command that brings it")
  func head() async throws {
    let origin = try await origin()
    let tree = try await clone(origin, ["--filter=blob:none", "--bare"], database: origin.database)
    let outcome = try await tree.run("sync", at: "HEAD")
    let errors = outcome.survey.git.findings.filter { $0.code == "object-missing" }
    let paths = outcome.survey.source.entries.map { RecordPath($0.path.bytes) }
    #expect(errors.map(\.path) == paths && !paths.isEmpty)
    #expect(errors.allSatisfy { $0.severity == .error && $0.message.contains("`git fetch --refetch --no-filter`") })
    #expect(outcome.remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "2")
    try tree.git.git("fetch", "-q", "--refetch", "--no-filter")
    #expect(try await tree.run("sync", at: "HEAD").survey.hasErrors == false)
    #expect(try await tree.verification(at: "HEAD").isInSync)
  }

  @Test("one missing file among others leaves the others to be restored")
  func oneFile() async throws {
    let origin = try await origin()
    let tree = try await clone(origin, ["--filter=blob:none"])
    // A checkout brings what it checks out; this commit was made elsewhere, and only its trees came.
    try origin.writeDecision(8)
    try origin.writeDecision(1, reasoning: "changed")
    try origin.git.commit("more")
    try tree.git.git("fetch", "-q")
    let outcome = try await tree.run("sync", at: "origin/main")
    #expect(
      outcome.survey.git.findings.filter { $0.code == "object-missing" }.map(\.path.text)
        == [1, 8].map { "\(tree.root)/decisions/\(MavenTree.decisionName($0))" })
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "4")
  }

  @Test("in a clone that should be whole, a missing version of the log is an error, and everything else is restored")
  func damagedHistory() async throws {
    let tree = try await origin()
    let blob = try tree.git.git("rev-parse", "HEAD~1:\(tree.root)/session_log.md")
    try tree.git.remove(".git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))")
    let before = try await tree.value("SELECT string_agg(m::text, '|' ORDER BY id) FROM maven_memory m")
    // What the version said is remembered from when it was there.
    #expect(try await tree.run().survey.repairable == 0)
    #expect(try await tree.value("SELECT string_agg(m::text, '|' ORDER BY id) FROM maven_memory m") == before)
    try tree.git.remove(".git/moha-sync/log-history-maven")
    let outcome = try await tree.run()
    let errors = outcome.survey.git.findings.filter { $0.severity == .error }
    #expect(errors.map(\.code) == ["history-incomplete"] && errors.allSatisfy { $0.message.contains("git fsck") })
    #expect(outcome.remaining == 0)
    #expect(try await tree.value("SELECT string_agg(m::text, '|' ORDER BY id) FROM maven_memory m") == before)
  }
}
