internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Cases that broke comparable tools, by their numbers in the project's list.
@Suite struct FailureCaseTests {
  private func code(_ body: () async throws -> Void) async throws -> PersistenceError.Code? {
    do {
      try await body()
      return nil
    } catch let error as PersistenceError {
      return error.code
    }
  }

  @Test func case5AHolderThatLostTheLockWhileItSleptIsRefusedAndNothingIsAppliedTwice() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12 WHERE git_filename = '\(MavenTree.decisionName(2))'")
    // The holder has its lock, its token and its plan, and sleeps. Its lock is taken from it.
    let connection = try await tree.database.connect()
    let survey = try await tree.survey()
    let fence = try await FencingToken.current("reconcile/maven", schema: .public, on: connection)
    #expect(try await tree.run().quarantined == 1)
    let dump = try tree.dump()
    #expect(try await code { try await tree.apply(survey, connection: connection, fence: fence) } == .locked)
    #expect(try tree.dump() == dump)
    await connection.close()
  }

  @Test func case5ATokenIsGoodForOneWriteAlsoInATableThatWasEmptied() async throws {
    let tree = try await MavenTree.sample()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    func current() async throws -> FencingToken {
      try await FencingToken.current("test", schema: .public, on: connection)
    }
    func exchange(_ token: FencingToken) async throws -> PersistenceError.Code? {
      try await code {
        _ = try await connection.transaction { try token.exchange($0, holder: "test", schema: .public) }
      }
    }
    let first = try await current()
    #expect(try await exchange(first) == nil)
    #expect(try await exchange(first) == .locked)
    let second = try await current()
    try await connection.script("TRUNCATE maven_fences")
    #expect(try await exchange(second) == .locked)
    let third = try await current()
    #expect(third == first)
    #expect(try await exchange(third) == nil)
    #expect(try await exchange(second) == .locked)
    #expect(try await exchange(first) == .locked)
    await connection.close()
  }

  @Test func case6AnAgentsFolderThatIsGoneRemovesNothing() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let dump = try tree.dump()
    try ChildProcess.runChecked("mv", [tree.git.absolute(".moha"), tree.git.absolute("elsewhere")])
    #expect(try await code { try await tree.run() } == .treeMissing)
    #expect(try await code { try await tree.run("sync") } == .treeMissing)
    #expect(try tree.dump() == dump)
  }

  @Test func case6AFolderThatCannotBeReadRemovesNothing() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let dump = try tree.dump()
    // Root reads what chmod forbids; a link in place of the folder cannot be entered by anybody.
    try ChildProcess.runChecked("mv", [tree.git.absolute(".moha/maven/decisions"), tree.git.absolute("elsewhere")])
    try ChildProcess.runChecked(
      "ln", ["-s", tree.git.absolute("elsewhere"), tree.git.absolute(".moha/maven/decisions")])
    #expect(try await code { try await tree.run() } == .treeUnreadable)
    #expect(try tree.dump() == dump)
  }

  @Test func case6AFileThatCannotBeReadKeepsItsRow() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let file = tree.git.absolute(".moha/maven/decisions/\(MavenTree.decisionName(3))")
    try ChildProcess.runChecked("rm", [file])
    try ChildProcess.runChecked("ln", ["-s", "/etc/hostname", file])
    let outcome = try await tree.run()
    #expect(outcome.survey.hasErrors && outcome.survey.counts[.orphaned] == 0)
    #expect(
      try await tree.value("SELECT git_status FROM maven_decisions WHERE git_filename = '\(MavenTree.decisionName(3))'")
        == "unreadable")
    #expect(try await tree.run().survey.repairable == 0)
    try ChildProcess.runChecked("rm", [file])
    try tree.writeDecision(3)
    try await tree.run()
    #expect(try await tree.verification().isInSync)
  }

  @Test func anUnreadableLogEntryIsQuarantinedAndTheOthersSync() async throws {
    let tree = try await MavenTree.sample()
    let bytes =
      Array(MavenTree.log(entries: 1...2).utf8) + Array("## [2026-02-01T11:00:00+00:00] NOTE\n\nbad ".utf8) + [0xFF]
      + Array(" byte\n\n---\n\n".utf8) + Array(MavenTree.entry(5).utf8)
    try tree.git.write(Array(".moha/maven/session_log.md".utf8), bytes)
    try tree.git.commit("bad entry")
    let outcome = try await tree.run("sync")
    #expect(outcome.survey.hasErrors)
    let memory = try #require(try await tree.verification().kinds.first { $0.kind == .event })
    #expect((memory.git, memory.rows, memory.findings) == (5, 4, 1))
    #expect(try await tree.value("SELECT position('\\xff'::bytea IN raw_bytes) > 0 FROM maven_quarantine") == "t")
    try tree.git.write(Array(".moha/maven/session_log.md".utf8), bytes + Array(MavenTree.entry(6).utf8))
    #expect(try await tree.run().quarantined == 0)
  }

  @Test func case7AnEmptyTreeIsRefusedUntilTheNumberIsNamed() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let dump = try tree.dump()
    for folder in ["decisions", "milestones"] {
      try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/\(folder)")])
    }
    try tree.git.commit("all gone")
    #expect(try await code { try await tree.run() } == .massRemoval)
    #expect(try await code { try await tree.run("sync") } == .massRemoval)
    #expect(try await code { try await tree.run(allowing: 8) } == .massRemoval)
    #expect(try tree.dump() == dump)
    let outcome = try await tree.run(allowing: 9)
    #expect(outcome.quarantined == 9)
    #expect(
      try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason = 'orphaned' AND row_data IS NOT NULL")
        == "9")
    #expect(try await tree.verification().isInSync)
  }

  @Test func case7AnIgnoreRuleThatHidesHalfOfManyRecordsIsRefusedAndASmallDeletionIsNot() async throws {
    let tree = try await MavenTree()
    for index in 1...49 {
      try tree.write("decisions/decision_20260201_0900\(10 + index).md", MavenTree.decision(index))
    }
    try tree.git.commit("many")
    try await tree.run("sync")
    for index in 1...21 { try tree.git.remove(".moha/maven/decisions/decision_20260201_0900\(10 + index).md") }
    #expect(try await code { try await tree.run() } == .massRemoval)
    try tree.git.git("checkout", "--", ".")
    for index in 1...19 { try tree.git.remove(".moha/maven/decisions/decision_20260201_0900\(10 + index).md") }
    #expect(try await tree.run().quarantined == 19)
  }

  @Test func case7AllOfAnAgentWithThreeRecordsIsRefused() async throws {
    let tree = try await MavenTree()
    try tree.writeDecision(1)
    try tree.writeDecision(2)
    try tree.writeMilestone(1)
    try tree.write("identity.json", "{}")
    try tree.git.commit("three")
    try await tree.run("sync")
    for folder in ["decisions", "milestones"] {
      try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/\(folder)")])
    }
    #expect(try await code { try await tree.run() } == .massRemoval)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "2")
  }

  @Test func case8RowsThatWereNeverInGitAreQuarantinedOrLeftAloneNeverDeleted() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, market_context)
        VALUES ('never', 'buy', 'a', 'b', 1, 'low', now(), '{"vix": 17}');
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, opened_at) VALUES ('manual', 'BTC', 'long', 'open', 10, now());
      INSERT INTO maven_insights (insight_type, content) VALUES ('trend', 'up');
      """)
    let survey = try await tree.survey()
    #expect(survey.counts[.orphaned] == 1 && survey.counts[.unbacked] == 2)
    try await tree.run()
    #expect(try await tree.value("SELECT row_data -> 'market_context' ->> 'vix' FROM maven_quarantine") == "17")
    #expect(
      try await tree.value("SELECT (SELECT count(*) FROM maven_trades) + (SELECT count(*) FROM maven_insights)") == "2")
    #expect(try await tree.verification().isInSync)
  }

  @Test func case9TheSameKeyUnderTwoAgentsIsTwoRecords() async throws {
    let maven = try await MavenTree.sample()
    let other = try await MavenTree(agent: #require(Agent("atlas")), git: maven.git, database: maven.database)
    for index in 1...6 { try other.writeDecision(index, reasoning: "Another mind") }
    try other.write("session_log.md", MavenTree.log(entries: 1...3))
    try maven.git.commit("two agents")
    try await maven.run("sync")
    try await other.run("sync")
    #expect(try await maven.value("SELECT count(*) FROM maven_decisions") == "12")
    try maven.git.remove(".moha/atlas/decisions/\(MavenTree.decisionName(1))")
    try await other.run()
    try await maven.run()
    #expect(
      try await maven.value("SELECT count(*) || ' ' || count(*) FILTER (WHERE agent = 'maven') FROM maven_decisions")
        == "11 6")
    #expect(try await maven.verification().isInSync)
    #expect(try await other.verification().isInSync)
  }

  @Test func case12OffsetsAndTimeZonesAreTheSameInstant() async throws {
    let tree = try await MavenTree()
    let spellings = [
      "2026-03-08T03:30:00-04:00", "2026-03-08T07:30:00Z", "2026-03-08 07:30:00", "2026-03-08T09:00:00.000+01:30",
      "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2099-01-01T00:00:00Z",
    ]
    for (index, spelling) in spellings.enumerated() {
      try tree.write("decisions/decision_20260308_07300\(index).md", MavenTree.decision(index, timestamp: spelling))
    }
    try tree.git.commit("times")
    try await tree.sql(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''America/New_York''', current_database()); END $$")
    try await tree.run("sync")
    #expect(try await tree.value("SELECT count(DISTINCT decided_at) FROM maven_decisions") == "4")
    #expect(try await tree.run().survey.repairable == 0)
    // A row from the future does not win over git.
    try await tree.sql("UPDATE maven_decisions SET action = 'newer', updated_at = '2199-01-01' WHERE id = 1")
    try await tree.run()
    #expect(try await tree.value("SELECT action FROM maven_decisions WHERE id = 1") == "Bought 0 BTC")
  }

  @Test func case13TouchIsNothingAndNewBytesWithTheOldTimeAndSizeAreFound() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let file = tree.git.absolute(".moha/maven/decisions/\(MavenTree.decisionName(3))")
    try ChildProcess.runChecked("touch", [file])
    #expect(try await tree.survey().repairable == 0)
    try ChildProcess.runChecked(
      "sh",
      [
        "-c",
        "cp -p '\(file)' /tmp/moha-case13-$$ && sed -i 's/Momentum/momentum/' '\(file)' && touch -r /tmp/moha-case13-$$ '\(file)' && rm /tmp/moha-case13-$$",
      ])
    let survey = try await tree.survey()
    #expect(survey.counts[.stale] == 1)
    #expect(survey.differences.first?.fields.contains { $0.name == "reasoning" } == true)
  }

  @Test func case15NullAndEmptyDifferAndNullEqualsNull() async throws {
    let tree = try await MavenTree()
    try tree.write(
      "decisions/decision_20260201_000001.md", MavenTree.decision(1).replacing("**Asset:** BTC\n", with: ""))
    try tree.git.commit("no asset")
    try await tree.run("sync")
    #expect(try await tree.value("SELECT asset IS NULL FROM maven_decisions") == "t")
    #expect(try await tree.verification().isInSync)
    try await tree.sql("UPDATE maven_decisions SET asset = ''")
    #expect(try await tree.survey().counts[.stale] == 1)
  }

  @Test func case15IdenticalEntriesAreOneRowAndReported() async throws {
    let tree = try await MavenTree()
    try tree.write("session_log.md", MavenTree.log(entries: 1...3) + MavenTree.entry(2) + MavenTree.entry(2))
    try tree.git.commit("repeated by a merge")
    let outcome = try await tree.run("sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "3")
    #expect(outcome.survey.git.findings.count { $0.code == "duplicate-entry" } == 2)
    #expect(try await tree.verification().isInSync)
  }

  @Test(arguments: [
    ("malformed", "no decision at all\n"),
    ("truncated", String(MavenTree.decision(4).utf8.prefix(260)) ?? ""),
    ("untitled", MavenTree.decision(4).replacing("# Decision Record\n", with: "")),
    ("conflict", MavenTree.decision(4, reasoning: "<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> side")),
    ("empty", ""),
    ("bytes", "\u{fffd}"),
  ])
  func case16OneBadFileIsQuarantinedAndTheOthersSync(name: String, text: String) async throws {
    let tree = try await MavenTree.sample()
    let file = ".moha/maven/decisions/\(MavenTree.decisionName(4))"
    let bytes = name == "bytes" ? Array(MavenTree.decision(4).utf8) + [0xFF, 0xFE, 0x0A] : Array(text.utf8)
    try tree.git.write(Array(file.utf8), bytes)
    try tree.git.commit(name)
    let files = try tree.fileDigests()
    let outcome = try await tree.run("sync")
    #expect(outcome.survey.hasErrors && outcome.remaining == 0)
    let verification = try await tree.verification()
    let decisions = try #require(verification.kinds.first)
    #expect((decisions.git, decisions.rows, decisions.findings) == (6, 5, 1))
    #expect(!verification.isInSync && verification.survey.rowDifferences == 0)
    #expect(verification.survey.git.findings.contains { $0.severity == .error && $0.path.text == file })
    let connection = try await tree.database.connect()
    #expect(try await connection.query("SELECT raw_bytes FROM maven_quarantine").first?.bytes(0) == bytes)
    #expect(
      try tree.fileDigests().split(separator: "\n").filter {
        !$0.contains("moha-sync/run.flock") && !$0.contains("moha-sync/log-history-") && !$0.contains("moha-sync/rows-")
      }
        == files.split(separator: "\n").filter { !$0.contains("moha-sync.lock") })

    // No retry loop: a second run adds nothing. Mended, the record arrives and the quarantine is resolved.
    #expect(try await tree.run().quarantined == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "1")
    try tree.writeDecision(4)
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE resolved_at IS NULL") == "0")
  }

  @Test func case16TheRowOfTheLastGoodVersionStaysMarked() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.write("decisions/\(MavenTree.decisionName(4))", "cut")
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0)
    #expect(
      try await tree.value(
        "SELECT git_status || ' ' || action FROM maven_decisions WHERE git_filename = '\(MavenTree.decisionName(4))'")
        == "unreadable Bought 4 BTC")
    let decisions = try #require(try await tree.verification().kinds.first)
    #expect((decisions.git, decisions.rows, decisions.findings) == (6, 5, 1))
    try tree.writeDecision(4)
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_status = 'current'") == "6")
  }

  @Test func case17NulInABodyAndNamesThatLookAlike() async throws {
    let tree = try await MavenTree()
    let nul = Array(MavenTree.decision(1, reasoning: "before\u{0}after ␛ end").utf8)
    try tree.git.write(Array(".moha/maven/decisions/decision_20260201_000001.md".utf8), nul)
    let composed = Array(".moha/maven/milestones/2026-01-01-caf\u{e9}.md".utf8)
    let decomposed = Array(".moha/maven/milestones/2026-01-01-cafe\u{301}.md".utf8)
    try tree.git.write(composed, Array("# Milestone: One\n\n**Date:** 2026-01-01\n".utf8))
    try tree.git.write(decomposed, Array("# Milestone: Two\n\n**Date:** 2026-01-01\n".utf8))
    try tree.git.write(
      Array(".moha/maven/milestones/bad-".utf8) + [0xFF] + Array(".md".utf8),
      Array("# Milestone: Three\n\n**Date:** 2026-01-02\n".utf8))
    try tree.git.commit("odd bytes")
    let outcome = try await tree.run("sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_milestones") == "3")
    #expect(try await tree.value("SELECT reasoning FROM maven_decisions") == "before␛0after ␛␛ end")
    #expect(outcome.survey.git.findings.contains { $0.code == "look-alike-paths" })
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.run().survey.repairable == 0)
  }

  @Test func case18RewrittenHistoryIsSaidAloudAndNothingIsCalledDeleted() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.git.git("checkout", "-q", "--orphan", "fresh")
    try tree.git.commit("the same files, another history")
    try tree.git.git("branch", "-q", "-D", "main")
    try tree.git.git("reflog", "expire", "--expire=now", "--all")
    try tree.git.git("gc", "-q", "--prune=now")
    let survey = try await tree.survey()
    #expect(survey.counts[.orphaned] == 0 && survey.counts[.missing] == 0)
    #expect(survey.counts[.checkpointDrift] == 1)
    #expect(survey.notes.contains { $0.contains("does not have") })
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.survey().counts[.checkpointDrift] == 0)
    #expect(try await tree.value("SELECT count(DISTINCT source_commit) FROM maven_decisions") == "1")
  }

  @Test func case20AnOldDumpWithItsSyncStateIsNoticedAndCreationTimesComeFromTheRecords() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let old = try ChildProcess.runChecked("pg_dump", ["--clean", "--if-exists", "--dbname", tree.database.url]).stdout
    try tree.writeDecision(7)
    try tree.writeDecision(1, confidence: "20%")
    try tree.git.commit("later")
    try await tree.run("sync")
    let restored = try ChildProcess.run("psql", ["-q", "--dbname", tree.database.url], input: old)
    #expect(restored.status == 0)
    let survey = try await tree.survey()
    #expect(survey.counts[.missing] == 1 && survey.counts[.stale] == 1)
    try await tree.run()
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE created_at <> decided_at") == "0")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE created_at <> event_at") == "0")
  }

  @Test func case10ARowWrittenBetweenPlanAndApplyIsNotTaken() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 1 WHERE id = 1")
    let survey = try await tree.survey()
    try await tree.sql("UPDATE maven_decisions SET confidence = 2 WHERE id = 1")
    let applier = try #require(try await tree.target().connect())
    await #expect {
      try await tree.apply(survey, connection: applier.connection)
    } throws: { ($0 as? PersistenceError)?.code == .changedMeanwhile }
    #expect(try await tree.value("SELECT confidence FROM maven_decisions WHERE id = 1") == "2")
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "0")
  }

  @Test func twoRunsAtOnceDoNotMeet() async throws {
    let tree = try await MavenTree.sample()
    let lock = try RunLock(of: tree.repository())
    #expect(try await code { try await tree.run() } == .locked)
    withExtendedLifetime(lock) {}
  }

  @Test func aRunOnAnotherCloneIsKeptOutByTheDatabase() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let holder = try await tree.database.connect()
    let lease = RunLease(scope: "reconcile/maven", owner: "other", holder: "another clone", schema: .public)
    try await lease.hold(on: holder, settings: tree.database.settings) { _ in
      let refused = try await code { try await tree.run() }
      #expect(refused == .locked)
    }
    #expect(try await tree.run().remaining == 0)
  }

  @Test func anOlderDatabasesRowsAreClaimedByTheirRecords() async throws {
    let tree = try await MavenTree()
    let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
    try await tree.sql(try ChildProcess.runChecked("cat", ["\(folder)/Fixtures/older-database.sql"]).stdoutText)
    try tree.write(
      "decisions/decision_20260201_080000.md",
      MavenTree.decision(1, confidence: "98.125%", timestamp: "2026-02-01T08:00:00Z"))
    try tree.write("decisions/decision_20260202_090000.md", MavenTree.decision(2, timestamp: "2026-02-02T09:00:00Z"))
    try tree.write("decisions/decision_20260203_100000.md", MavenTree.decision(3, timestamp: "2026-02-03T10:00:00Z"))
    try tree.write(
      "session_log.md",
      "# Log\n\n## [2026-01-05T10:00:00+00:00] GIT_SYNC\n\nSynced three files\n\n**Metadata:** {\"files\": 3}\n\n---\n\n## [2026-01-06T10:00:00+00:00] NOTE\n\nRemember the funding rate\n\n---\n"
    )
    try tree.git.commit("tree")
    let outcome = try await tree.run("sync")
    #expect(outcome.survey.counts[.orphaned] == 0)
    #expect(try await tree.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM maven_decisions") == "1,2,3")
    #expect(try await tree.value("SELECT confidence FROM maven_decisions WHERE id = 1") == "98.125")
    #expect(try await tree.value("SELECT count(*) FROM maven_trades WHERE decision_id IS NOT NULL") == "2")
    // The event's own time has a column of its own, and the row keeps the insert's; the repeated row is in quarantine.
    #expect(
      try await tree.value("SELECT string_agg((event_at AT TIME ZONE 'UTC')::date::text, ' ' ORDER BY id) FROM maven_memory")
        == "2026-01-05 2026-01-06")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE created_at > event_at") == "2")
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason = 'duplicate'") == "1")
    #expect(try await tree.verification().isInSync)
  }

  @Test(arguments: 1...6)
  func randomEditsOfBothSidesConvergeAndLoseNothing(seed: Int) async throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let tree = try await MavenTree.sample()
    for _ in 0..<6 {
      for _ in 0..<3 {
        let index = Int.random(in: 1...9, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: try tree.writeDecision(index, confidence: "\(Int.random(in: 2...99, using: &random))%")
        case 1: try? tree.git.remove(".moha/maven/decisions/\(MavenTree.decisionName(index))")
        case 2: try tree.write("decisions/\(MavenTree.decisionName(index))", "broken \(index)")
        case 3: try tree.write("session_log.md", MavenTree.log(entries: index...(index + 2)))
        case 4: try tree.git.commit("step")
        case 5:
          try? await tree.sql(
            "UPDATE maven_decisions SET reasoning = 'r\(index)' WHERE git_filename = '\(MavenTree.decisionName(index))'"
          )
        case 6: try? await tree.sql("DELETE FROM maven_memory WHERE id % 3 = \(index % 3)")
        default:
          try? await tree.sql("INSERT INTO maven_memory (event_type, description) VALUES ('NOTE', 'bot \(index)')")
        }
      }
      let outcome = try await tree.run(allowing: 1_000)
      #expect(outcome.remaining == 0)
      let verification = try await tree.verification()
      #expect(verification.survey.repairable == 0, "\(verification.survey.differences.map(\.key))")
      for kind in verification.kinds {
        #expect(kind.gitDigest == kind.rowDigest)
        #expect(kind.git == kind.rows + kind.findings)
      }
    }
    // The database equals a rebuild from git, rows kept of files that do not parse aside.
    let digest = try await tree.verification().kinds.map(\.rowDigest)
    try await tree.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    try await tree.run("sync")
    #expect(try await tree.verification().kinds.map(\.rowDigest) == digest)
  }
}
