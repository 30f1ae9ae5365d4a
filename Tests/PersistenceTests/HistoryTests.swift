internal import Git
internal import Persistence
internal import Records
internal import TestSupport
internal import Testing

@Suite struct HistoryTests {
  @Test func entriesThatCompactionRemovedComeBackWithTheLastCommitThatHeldThem() async throws {
    let tree = try await MavenTree.sample()
    let first = try tree.git.git("rev-parse", "HEAD")
    try tree.write(
      "session_log.md",
      "# Log\n\n## Archive: Day 1 (2026-02-01) - Start\n\n- **NOTE** [10:00Z]: three notes\n\n---\n\n"
        + MavenTree.entry(4))
    try tree.git.commit("compacted")
    try await tree.run("sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "5")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "3")
    #expect(
      try await tree.value(
        "SELECT DISTINCT encode(archived_commit, 'hex') FROM maven_memory WHERE git_status = 'archived'") == first)
    let verification = try await tree.verification()
    #expect(verification.isInSync)
    #expect(verification.kinds.first { $0.kind == .event }?.git == 5)
  }

  @Test func compactionAfterASyncArchivesRowsInsteadOfOrphaningThem() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.write("session_log.md", MavenTree.log(entries: 3...3))
    try tree.git.commit("compacted")
    let survey = try await tree.survey()
    #expect(survey.counts[.orphaned] == 0)
    #expect(survey.counts[.stale] == 2)
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "2")
    // A rebuild from nothing gives the same.
    let digest = try await tree.verification().kinds.map(\.rowDigest)
    try await tree.sql("TRUNCATE maven_decisions, maven_milestones, maven_memory CASCADE")
    try await tree.run("sync")
    #expect(try await tree.verification().kinds.map(\.rowDigest) == digest)
  }

  @Test func compactionThatIsNotCommittedYetLosesNothingEither() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.write("session_log.md", MavenTree.log(entries: 2...2))
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "2")
    #expect(try await tree.verification().isInSync)
  }

  @Test func anAppendedLogRecoversNothingFromItsShorterVersions() async throws {
    let tree = try await MavenTree.sample()
    for count in 4...8 {
      try tree.write("session_log.md", MavenTree.log(entries: 1...count))
      try tree.git.commit("appended")
    }
    try await tree.run("sync")
    #expect(
      try await tree.value(
        "SELECT count(*) || ' ' || count(*) FILTER (WHERE git_status = 'archived') FROM maven_memory") == "8 0")
  }

  @Test func aMergedBranchGivesItsEntriesTooThoughTheMergeDroppedThem() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("checkout", "-q", "-b", "side")
    try tree.write("session_log.md", MavenTree.log(entries: 1...3) + MavenTree.entry(9))
    try tree.git.commit("side entry")
    try tree.git.git("checkout", "-q", "main")
    try tree.write("session_log.md", MavenTree.log(entries: 1...3) + MavenTree.entry(5))
    try tree.git.commit("main entry")
    tree.git.setDate()
    try tree.git.git("merge", "-q", "-s", "ours", "-m", "merge", "side")
    try await tree.run("sync")
    #expect(
      try await tree.value("SELECT git_status FROM maven_memory WHERE description = 'Event number 9.'") == "archived")
    #expect(try await tree.verification().isInSync)
  }

  @Test func deletedFilesComeBackOnRequestAndStayInSync() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.remove(".moha/maven/decisions/\(MavenTree.decisionName(2))")
    try tree.git.commit("deleted by mistake")
    try await tree.run("sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "5")
    let outcome = try await tree.run("sync", restoringDeletedFiles: true)
    #expect(outcome.inserted == [.decision: 1])
    #expect(
      try await tree.value(
        "SELECT git_status || ' ' || (archived_commit IS NOT NULL) FROM maven_decisions WHERE git_filename = '\(MavenTree.decisionName(2))'"
      ) == "archived true")
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.run().survey.rowDifferences == 0)
    // Brought back in git, it is current again.
    try tree.writeDecision(2)
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_status = 'current'") == "6")
  }

  @Test func theListOfChangesNamesRecordsFieldsAndEvents() async throws {
    let tree = try await MavenTree.sample()
    let first = try tree.git.git("rev-parse", "HEAD")
    try tree.writeDecision(1, confidence: "50%")
    try tree.writeDecision(7)
    try tree.write("session_log.md", MavenTree.log(entries: 2...4))
    let second = try tree.git.commit("changes")
    let history = RecordHistory(repository: try tree.repository(), agent: tree.agent)
    let steps = try await history.steps(from: first, to: "HEAD", limit: 10)
    #expect(steps.map(\.commit.id.description) == [second])
    let changes = try #require(steps.first?.changes)
    #expect(
      changes.contains {
        $0.action == .changed && $0.key == MavenTree.decisionName(1) && $0.fields.map(\.name) == ["confidence"]
      })
    #expect(changes.contains { $0.action == .added && $0.key == MavenTree.decisionName(7) })
    #expect(changes.filter { $0.kind == "memory" }.map(\.action) == [.added, .removed])
    #expect(try await history.steps(from: nil, to: "HEAD", limit: 10).count == 2)
  }

  @Test func rotatingTheLogKeepsEveryEventsIdentity() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let keys = try await tree.value("SELECT string_agg(event_key, ',' ORDER BY event_key) FROM maven_memory")
    try tree.write("session_log.md", MavenTree.log(entries: 3...3))
    try tree.write("session_log/2026-02.md", MavenTree.log(entries: 1...2))
    try tree.git.commit("rotated")
    try await tree.run()
    #expect(try await tree.value("SELECT string_agg(event_key, ',' ORDER BY event_key) FROM maven_memory") == keys)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status <> 'current'") == "0")
    #expect(
      try await tree.value("SELECT count(*) FROM maven_memory WHERE git_path LIKE '%session_log/2026-02.md'") == "2")
  }
}
