internal import Git
internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A checkout that does not have every file of HEAD says nothing about the records that it lacks.
@Suite struct PartialCheckoutTests {
  /// How a checkout comes to lack files, as a script for the shell in the repository's top folder, and how many files.
  struct Way: CustomTestStringConvertible, Sendable {
    let name: String
    let script: String
    let count: Int
    var testDescription: String { name }

    init(_ name: String, _ count: Int, _ script: String) {
      (self.name, self.count, self.script) = (name, count, script)
    }
  }

  static let ways = [
    Way("one file by a pattern", 1, "git sparse-checkout set --no-cone '/*' '!/.moha/maven/decisions/decision_20260201_080012.md'"),
    Way("all decisions by a pattern", 6, "git sparse-checkout set --no-cone '/*' '!/.moha/maven/decisions/'"),
    Way("the log and identity.json", 2, "git sparse-checkout set --no-cone '/*' '!session_log.md' '!identity.json'"),
    Way("folders of a cone", 9, "git sparse-checkout set --cone .moha/maven/portfolio"),
    Way("the whole tree of the agent", 11, "git sparse-checkout set --cone src"),
    Way("folders of a sparse index", 9, "git sparse-checkout set --cone --sparse-index .moha/maven/portfolio"),
    Way("the whole tree with a sparse index", 11, "git sparse-checkout set --cone --sparse-index src"),
    Way(
      "a flag of its own, in a split index", 1,
      """
      git update-index --split-index; f=.moha/maven/decisions/decision_20260201_080013.md
      git update-index --skip-worktree $f; rm $f
      """),
  ]

  private func shell(_ tree: MavenTree, _ script: String) throws {
    try ChildProcess.runChecked("/bin/sh", ["-ec", script], workingDirectory: tree.git.path)
  }

  private static let rows =
    """
    SELECT string_agg(n::text, ' ') FROM (
      SELECT count(*) FROM maven_decisions UNION ALL SELECT count(*) FROM maven_memory
      UNION ALL SELECT count(*) FROM maven_milestones) AS c (n)
    """

  @Test("what a sparse checkout leaves out keeps its row, and the counters count it", arguments: ways)
  func leftOut(way: Way) async throws {
    let tree = try await MavenTree.sample()
    try tree.git.write("src/main.txt", "code\n")
    try tree.git.commit("code")
    try await tree.run("sync")
    try shell(tree, way.script)
    let head = try tree.git.git("rev-parse", "HEAD")

    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.repaired.values.allSatisfy { $0 == 0 })
    let count = way.count == 1 ? "1 file" : "\(way.count) files"
    #expect(outcome.survey.notes.contains { $0.contains("leaves \(count) of HEAD out") }, "\(outcome.survey.notes)")
    #expect(try await tree.value(Self.rows) == "6 3 3")
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "0")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE source_commit IS NULL") == "0")
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.survey.plan.counterDrift.isEmpty)
    #expect(try tree.git.git("rev-parse", "HEAD") == head)

    // A database that is lost gets all of them back.
    try await tree.sql("TRUNCATE maven_decisions, maven_memory, maven_milestones CASCADE")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value(Self.rows) == "6 3 3")
  }

  @Test("a file that was removed is gone, beside others that are left out")
  func removedBesideLeftOut() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try shell(
      tree,
      """
      git sparse-checkout set --no-cone '/*' '!/.moha/maven/decisions/decision_20260201_080012.md'
      rm .moha/maven/decisions/decision_20260201_080014.md
      """)
    let outcome = try await tree.run()
    #expect(outcome.quarantined == 1 && outcome.remaining == 0)
    #expect(try await tree.value("SELECT string_agg(right(git_filename, 5), ' ' ORDER BY 1) FROM maven_decisions") == "11.md 12.md 13.md 15.md 16.md")
  }

  @Test("counters are corrected to the files of HEAD that are left out, too")
  func counters() async throws {
    let tree = try await MavenTree.sample()
    try tree.write("identity.json", #"{"name": "Maven", "total_decisions": 9}"#)
    try tree.git.commit("a counter that is wrong")
    try await tree.run("sync")
    try shell(tree, "git sparse-checkout set --no-cone '/*' '!/.moha/maven/decisions/decision_20260201_08001[23].md'")
    var options = Reconciler.Options(command: "reconcile")
    options.correctsCounters = true
    _ = try await Reconciler(repository: tree.repository(), agent: tree.agent, database: tree.target()).run(options)
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains(#""total_decisions": 6"#))
  }

  @Test("with an index that cannot be read, nothing that is absent counts as removed")
  func damagedIndex() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try shell(
      tree,
      "rm .moha/maven/decisions/decision_20260201_080014.md; printf 'DIRC\\0\\0\\0\\011' | dd of=.git/index conv=notrunc 2>/dev/null"
    )
    let outcome = try await tree.run()
    #expect(outcome.quarantined == 0 && outcome.remaining == 0)
    #expect(outcome.survey.notes.contains { $0.contains("index cannot be read whole") }, "\(outcome.survey.notes)")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
  }

  @Test("a folder that is not there is no sparse checkout, whatever the index cannot say")
  func unmounted() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try shell(tree, "rm -r .moha; printf 'DIRC\\0\\0\\0\\011' | dd of=.git/index conv=notrunc 2>/dev/null")
    await #expect { try await tree.run() } throws: { ($0 as? PersistenceError)?.code == .treeMissing }
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
  }
}
