internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Cases of writing that broke comparable tools, by their numbers in the project's list.
@Suite struct WritingCaseTests {
  private func request(_ text: String = "Bought", key: String? = nil) throws -> RecordRequest {
    var json: [JSONValue.Member] = [
      .init("decision_type", "buy"), .init("asset", "BTC"), .init("action", .string(text)),
      .init("reasoning", "Because"), .init("confidence", 88), .init("risk_level", "low"),
    ]
    if let key { json.append(.init("idempotency_key", .string(key))) }
    return try RecordRequest(.decision, json: .object(json), now: Instant.now())
  }

  private func writer(_ tree: MavenTree) throws -> RecordWriter {
    RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
  }

  /// The index without the entries below `.moha`, which our commits keep equal to HEAD.
  private func foreignIndex(_ tree: MavenTree) throws -> [Substring] {
    try tree.git.git("ls-files", "--stage").split(separator: "\n").filter { !$0.contains("\t.moha/") }
  }

  private func foreignTree(_ tree: MavenTree, _ commit: String) throws -> [Substring] {
    try tree.git.git("ls-tree", "-r", commit).split(separator: "\n").filter { !$0.contains("\t.moha/") }
  }

  @Test func case1StagedWorkAndAMovedHeadStayOutOfTheCommit() async throws {
    let tree = try await MavenTree.sample()
    for file in ["src/a", "src/b", "top"] { try tree.git.write(file, "one\n") }
    try tree.git.commit("code")
    try tree.git.write("src/a", "staged\n")
    try tree.git.write("src/new", "staged too\n")
    try tree.git.git("add", "src/a", "src/new")
    try tree.git.git("rm", "-q", "--cached", "top")
    let index = try foreignIndex(tree)
    // The worker has read HEAD once; then a person commits one path, which moves HEAD and rewrites the index.
    let writer = try writer(tree)
    #expect(try await writer.write(request()).commit != nil)
    try tree.git.write("src/b", "two\n")
    try tree.git.git("commit", "-q", "-m", "a path", "--", "src/b")
    let moved = try foreignIndex(tree)
    #expect(moved != index)
    #expect(try await writer.write(request()).commit != nil)

    #expect(try foreignIndex(tree) == moved)
    #expect(try foreignTree(tree, "HEAD") == foreignTree(tree, "HEAD~1"))
    let changed = try tree.git.git("diff", "--name-only", "HEAD~1", "HEAD").split(separator: "\n")
    #expect(changed.count == 2 && changed.allSatisfy { $0.hasPrefix(".moha/") })
    // What was staged is what the person's next commit holds, and nothing of ours goes back in it.
    try tree.git.git("commit", "-q", "-m", "staged")
    let committed = try tree.git.git("diff", "--name-status", "HEAD~1", "HEAD").split(separator: "\n")
    #expect(committed == ["M\tsrc/a", "A\tsrc/new", "D\ttop"])
  }

  @Test func case2ACommitThatAPersonResetDoesNotComeBack() async throws {
    let tree = try await MavenTree.sample()
    let writer = try writer(tree)
    _ = try await writer.write(request("a mistake"))
    try tree.git.git("reset", "-q", "--hard", "HEAD~1")
    let kept = try await writer.write(request("after the reset"))
    let files = try tree.git.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/maven/decisions").split(separator: "\n")
    #expect(files.count == 7 && files.contains(Substring(kept.path)))
    #expect(try tree.git.git("show", "HEAD:\(kept.path)").contains("after the reset"))
    #expect(try tree.git.git("rev-list", "--count", "HEAD") == "2")
    #expect(kept.totalDecisions == 7)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func case2AHeadThatMovesAllTheTimeTakesEveryWriteAndKeepsThePersonsCommits() async throws {
    let tree = try await MavenTree.sample()
    let path = tree.git.path
    async let persons = Task {
      var commits = 0
      for number in 1...12 {
        let output = try ChildProcess.run(
          "git",
          [
            "-C", path, "-c", "user.name=P", "-c", "user.email=p@example.org", "commit", "-q", "--allow-empty", "-m",
            "p\(number)",
          ])
        if output.status == 0 { commits += 1 }
      }
      return commits
    }.value
    let writer = try writer(tree)
    for number in 1...12 { #expect(try await writer.write(request("w\(number)")).commit != nil) }
    let commits = try await persons
    #expect(commits > 0)
    #expect(try tree.git.git("log", "--format=%s").split(separator: "\n").count { $0.hasPrefix("p") } == commits)
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("\"total_decisions\": 18"))
    #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
  }

  @Test(arguments: ["index.lock", "HEAD.lock", "refs/heads/main.lock"])
  func case3AFreshLockOfSomebodyElseMeansBusyAndNothingIsWritten(_ name: String) async throws {
    let tree = try await MavenTree.sample()
    let writer = try writer(tree)
    _ = try await writer.write(request("first"))
    let before = try tree.fileDigests()
    try tree.git.write(".git/\(name)", "")
    await #expect { _ = try await writer.write(request()) } throws: { ($0 as? GitError)?.code == .locked }
    #expect(try ChildProcess.run("test", ["-e", tree.git.absolute(".git/\(name)")]).status == 0)
    try tree.git.remove(".git/\(name)")
    #expect(try tree.fileDigests() == before)
    #expect(try await writer.write(request()).commit != nil)
    // One that a program left behind long ago, and that nobody has open, is in nobody's way.
    try tree.git.write(".git/\(name)", "")
    try ChildProcess.runChecked("touch", ["-d", "2 hours ago", tree.git.absolute(".git/\(name)")])
    #expect(try await writer.write(request()).commit != nil)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func case11AnOlderTreeTakesNothingBackFromNewerRows() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let older = try tree.git.git("rev-parse", "HEAD")
    try tree.writeDecision(2, confidence: "95.0%")
    try tree.writeDecision(7)
    try tree.write("session_log.md", MavenTree.log(entries: 1...4))
    try tree.git.commit("newer")
    try await tree.run()
    let dump = try tree.dump()

    // Another clone of last week runs its job against the same database, and so does a backup that lacks the commit.
    try tree.git.git("branch", "newer")
    try tree.git.git("reset", "-q", "--hard", older)
    let outcome = try await tree.run()
    #expect(outcome.remaining == 3 && outcome.quarantined == 0)
    #expect(outcome.survey.notes.contains { $0.contains("3 rows come from newer commits") })
    #expect(try await tree.verification().isInSync == false)
    func rows(_ dump: String) -> [Substring] { dump.split(separator: "\n").filter { !$0.contains("reconcile") } }
    #expect(try rows(tree.dump()) == rows(dump))

    let backup = try GitScratch(isInitialized: false)
    try ChildProcess.runChecked("git", ["clone", "-q", "--single-branch", "file://\(tree.git.path)", backup.path])
    let lagging = try await MavenTree(git: backup, database: tree.database)
    #expect(try await lagging.run().remaining == 3)
    #expect(try rows(tree.dump()) == rows(dump))

    // What is repaired meanwhile is what does not take anything back.
    try await tree.sql("DELETE FROM maven_milestones WHERE title = 'Step 1'")
    #expect(try await tree.run().inserted[.milestone] == 1)

    // Naming the commit means it; nothing is lost by it.
    #expect(try await tree.run(at: "HEAD").quarantined == 3)
    #expect(try await tree.verification().isInSync)
    try tree.git.git("reset", "-q", "--hard", "newer")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.verification().isInSync)
  }

  @Test func case11AnOldRowIsNotWrittenOverANewerFile() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.writeDecision(2, confidence: "95.0%")
    try tree.git.commit("newer")
    try await tree.run()
    let adoption = Adoption(
      repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
    let stale = try #require(try await adoption.entries().first { $0.reason == "stale" })
    let before = try tree.git.git("rev-parse", "HEAD")
    await #expect { _ = try await adoption.adopt([stale.id]) } throws: {
      ($0 as? PersistenceError)?.code == .conflict
    }
    #expect(try tree.git.git("rev-parse", "HEAD") == before && tree.git.git("status", "--porcelain") == "")
    #expect(try await tree.verification().isInSync)
  }
}
