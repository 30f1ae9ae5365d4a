internal import Git
internal import Persistence
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@Suite struct ReconcileTests {
  @Test func anEmptyDatabaseIsFilledAndProvedEqual() async throws {
    let tree = try await MavenTree.sample()
    let before = try await tree.survey()
    #expect(before.counts[.missing] == 12)
    #expect(!before.isInSync)
    let outcome = try await tree.run("sync")
    #expect(outcome.inserted == [.decision: 6, .milestone: 3, .event: 3])
    let verification = try await tree.verification()
    #expect(verification.isInSync)
    #expect(verification.kinds.map(\.rows) == [6, 3, 3, 0])
    for kind in verification.kinds { #expect(kind.gitDigest == kind.rowDigest) }
  }

  /// What somebody can do in psql, the class it must be seen as, and whether something goes to quarantine.
  static let edits: [(sql: String, class: Difference.Class, count: Int, quarantined: Int)] = [
    ("UPDATE maven_decisions SET confidence = 12 WHERE id = 2", .stale, 1, 1),
    ("UPDATE maven_decisions SET reasoning = reasoning || ' ' WHERE id = 2", .stale, 1, 1),
    ("UPDATE maven_decisions SET metadata = metadata || '{\"x\": 1}'", .stale, 6, 6),
    ("UPDATE maven_decisions SET decided_at = decided_at + interval '1 microsecond' WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET asset = NULL WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET asset = '' WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET git_path = 'elsewhere', object_id = NULL WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET agent = 'other' WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET git_status = 'archived' WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_memory SET description = 'forged', event_type = 'X' WHERE id = 1", .stale, 1, 1),
    ("UPDATE maven_decisions SET confidence = 'NaN' WHERE id = 3", .corruptRow, 1, 1),
    ("UPDATE maven_decisions SET decided_at = 'infinity' WHERE id = 3", .corruptRow, 1, 1),
    ("DELETE FROM maven_milestones WHERE id = 2", .missing, 1, 0),
    ("DELETE FROM maven_memory", .missing, 3, 0),
    ("TRUNCATE maven_decisions CASCADE", .missing, 9, 0),
    (
      "INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at) VALUES ('decision_20990101_000000.md', 'buy', 'a', 'b', 1, 'low', now())",
      .orphaned, 1, 1
    ),
    ("INSERT INTO maven_memory (event_type, description) VALUES ('NOTE', 'never logged')", .orphaned, 1, 1),
    (
      "INSERT INTO maven_memory (event_type, description) SELECT event_type, description FROM maven_memory LIMIT 1",
      .duplicate, 1, 1
    ),
  ]

  @Test(arguments: edits.indices)
  func whatIsChangedByHandIsSeenExplainedRepairedAndKept(index: Int) async throws {
    let edit = Self.edits[index]
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(edit.sql)

    let survey = try await tree.survey()
    #expect(!survey.isInSync)
    #expect(survey.counts[edit.class] == edit.count, "\(edit.sql): \(survey.counts)")
    #expect(survey.repairable == edit.count, "\(edit.sql): \(survey.counts)")
    for difference in survey.differences where difference.class == .stale || difference.class == .corruptRow {
      #expect(!difference.fields.isEmpty)
      #expect(difference.provenance?.commit.description == (try tree.git.git("rev-parse", "HEAD")))
    }

    let outcome = try await tree.run()
    #expect(outcome.remaining == 0)
    #expect(outcome.quarantined == edit.quarantined, "\(edit.sql)")
    #expect(outcome.repaired[edit.class] == edit.count)
    #expect(
      try await tree.value("SELECT count(*) FROM maven_quarantine WHERE row_data IS NOT NULL")
        == String(edit.quarantined))
    #expect(try await tree.verification().isInSync)

    let dump = try tree.dump()
    let second = try await tree.run()
    #expect(second.survey.repairable == 0)
    #expect(second.quarantined == 0)
    // Only the run's own row is new.
    let added = Set(try tree.dump().split(separator: "\n")).subtracting(dump.split(separator: "\n"))
    #expect(added.count == 1 && added.first?.hasPrefix(second.run.id) == true, "\(added)")
  }

  @Test func aChangedFieldIsNamedWithBothValues() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12.50 WHERE id = 1")
    let survey = try await tree.survey()
    let item = try #require(survey.differences.first)
    #expect(item.key == MavenTree.decisionName(1))
    #expect(item.fields == [FieldDifference(name: "confidence", git: "80.0", row: "12.50")])
    #expect(item.provenance?.author.contains("@") == true)
  }

  @Test func aDuplicatedRowIsQuarantinedAndItsTradesMoveToTheOneThatStays() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      ALTER TABLE maven_decisions DROP CONSTRAINT maven_decisions_git_filename_key;
      INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, metadata, decided_at)
        SELECT git_filename, decision_type, asset, action, 'another text', confidence, risk_level, metadata, decided_at
        FROM maven_decisions WHERE id = 1;
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        SELECT max(id), 'manual', 'BTC', 'long', 'open', 10, now() FROM maven_decisions;
      """)
    let survey = try await tree.survey()
    #expect(survey.counts[.duplicate] == 1)
    #expect(survey.counts[.schemaDrift] == 1)
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.quarantined == 1)
    #expect(try await tree.value("SELECT decision_id FROM maven_trades") == "1")
    #expect(try await tree.value("SELECT row_data ->> 'reasoning' FROM maven_quarantine") == "another text")
    #expect(try await tree.verification().isInSync)
  }

  @Test func anOrphanTakesItsReferencesIntoQuarantineAndAdoptionBringsBothBack() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, metadata)
        VALUES ('decision_20260301_120000.md', 'buy', 'Bought', 'A bot wrote this', 61.5, 'HIGH', '2026-03-01T12:00:00Z', '{"bot": 7}');
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        SELECT max(id), 'manual', 'BTC', 'long', 'open', 10, now() FROM maven_decisions;
      INSERT INTO maven_memory (event_type, description, created_at) VALUES ('NOTE', E'Two lines\n---\nand a rule', '2026-03-01T12:00:01Z');
      """)
    let outcome = try await tree.run()
    #expect(outcome.quarantined == 2)
    #expect(try await tree.value("SELECT decision_id FROM maven_trades") == nil)

    let adoption = Adoption(
      repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
    let entries = try await adoption.entries()
    #expect(Set(entries.map(\.reason)) == ["orphaned"])
    let (adopted, proof) = try await adoption.adopt(entries.map(\.id).sorted())
    #expect(adopted.map(\.path) == [".moha/maven/decisions/decision_20260301_120000.md", ".moha/maven/session_log.md"])
    #expect(proof.remaining == 0)
    #expect(
      try await tree.value("SELECT d.reasoning FROM maven_trades t JOIN maven_decisions d ON d.id = t.decision_id")
        == "A bot wrote this")
    #expect(
      try await tree.value("SELECT description FROM maven_memory WHERE description LIKE 'Two%'")
        == "Two lines\n---\nand a rule")
    #expect(
      try await tree.value(
        "SELECT confidence || risk_level FROM maven_decisions WHERE git_filename = 'decision_20260301_120000.md'")
        == "61.5high")
    #expect(try await tree.verification().isInSync)
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("log", "--format=%s", "-1").hasPrefix("maven: 1 decision, 1 event"))
    await #expect { _ = try await adoption.adopt([entries[0].id]) } throws: {
      ($0 as? PersistenceError)?.code == .notFound
    }
    // As after a kill between the files and the mark in the quarantine.
    try await tree.sql("UPDATE maven_quarantine SET adopted_at = NULL, resolved_at = NULL")
    let (again, _) = try await adoption.adopt(entries.map(\.id).sorted())
    #expect(again.map(\.path) == adopted.map(\.path))
    #expect(try tree.git.git("log", "--oneline").split(separator: "\n").count == 2)
    #expect(try await tree.verification().isInSync)
  }

  @Test func aDroppedDatabaseIsADifferenceAndComesBack() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let maintenance = try await PostgresServer.shared().database().connect()
    let name = try #require(tree.database.settings.parameters["dbname"])
    _ = try await maintenance.execute("DROP DATABASE \(name) WITH (FORCE)")
    let survey = try await tree.survey()
    #expect(survey.counts[.missing] == 12 && survey.counts[.schemaDrift] == 1)
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.repaired[.missing] == 12)
    #expect(try await tree.verification().isInSync)
  }

  @Test func aForgedHashColumnDoesNotHideAForgedRow() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      ALTER TABLE maven_decisions ALTER COLUMN content_hash DROP EXPRESSION;
      UPDATE maven_decisions SET action = 'forged' WHERE id = 1;
      """)
    #expect(try await !tree.survey().isInSync)
    let outcome = try await tree.run()
    #expect(outcome.survey.counts[.stale] == 1 && outcome.survey.counts[.schemaDrift] == 1)
    #expect(outcome.remaining == 0)
    #expect(try await tree.value("SELECT row_data ->> 'action' FROM maven_quarantine") == "forged")
    #expect(try await tree.value("SELECT action FROM maven_decisions WHERE id = 1") == "Bought 1 BTC")
  }

  @Test func planningWritesNothingAnywhere() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 1 WHERE id = 1; DELETE FROM maven_memory")
    try tree.write("decisions/decision_20260210_000000.md", "not a decision")
    try tree.writeDecision(2, confidence: "3%")
    let (files, dump) = (try tree.fileDigests(), try tree.dump())
    let survey = try await tree.survey()
    #expect(survey.repairable > 0)
    _ = Report.dryRun(survey)
    _ = Verification(survey, elapsed: .zero).json
    #expect(try tree.fileDigests() == files)
    #expect(try tree.dump() == dump)
  }

  @Test func whatWasPlannedIsWhatIsDone() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 1 WHERE id = 1; DELETE FROM maven_memory WHERE id = 1")
    let planned = try await tree.survey()
    let done = try await tree.run()
    #expect(done.survey.counts == planned.counts)
    #expect(done.survey.differences.map(\.key) == planned.differences.map(\.key))
  }

  @Test func counterDriftIsReportedAndTheMinimalEditChangesOnlyTheValue() async throws {
    let tree = try await MavenTree.sample()
    let identity =
      "{\"name\":\"M\\u00e9\",  \"total_decisions\" :2,\n\t\"performance_tracking\": {\"total_decisions\": 0, \"x\": 1.50}}"
    try tree.write("identity.json", identity)
    try tree.git.commit("identity")
    let synced = try await tree.run("sync")
    #expect(synced.remaining == 0)
    let survey = try await tree.survey()
    #expect(survey.isInSync && survey.counts[.counterDrift] == 2)
    #expect(try tree.git.git("status", "--porcelain") == "")

    let outcome = try await tree.run()
    #expect(outcome.repaired[.counterDrift] == 2 && outcome.remaining == 0)
    let written = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/identity.json")]).stdoutText
    #expect(
      written
        == "{\"name\":\"M\\u00e9\",  \"total_decisions\" :6,\n\t\"performance_tracking\": {\"total_decisions\": 6, \"x\": 1.50}}"
    )
    // The correction is a commit like any other write.
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("show", "--format=%s", "--name-only", "HEAD").hasSuffix("\n.moha/maven/identity.json"))
    #expect(try await tree.run().survey.repairable == 0)
  }

  @Test func aQuarantinedRowWithASecretIsNotWrittenIntoGit() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let secret = "gh" + "p_" + String(repeating: "a1B2c3", count: 6)
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('decision_20260301_120000.md', 'buy', 'Bought', 'plain', 61.5, 'HIGH', '2026-03-01T12:00:00Z'),
          ('decision_20260301_120001.md', 'buy', 'Bought', 'token \(secret)', 61.5, 'HIGH', '2026-03-01T12:00:01Z');
      """)
    try await tree.run()
    let before = try tree.git.git("rev-parse", "HEAD")
    let adoption = Adoption(
      repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
    let ids = try await adoption.entries().map(\.id).sorted()
    #expect(ids.count == 2)
    await #expect { _ = try await adoption.adopt(ids) } throws: { ($0 as? PersistenceError)?.code == .secret }
    #expect(try tree.git.git("rev-parse", "HEAD") == before && tree.git.git("status", "--porcelain") == "")
  }

  @Test func aProofKeptEarlierTellsWhatHasChangedSince() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let proof = try await tree.verification().json
    let kept = try JSONValue.parse(proof.serialized())
    #expect(try await tree.verification().differences(from: kept) == [])
    try tree.writeDecision(7)
    try await tree.run("sync")
    let changes = try await tree.verification().differences(from: kept)
    #expect(changes.contains { $0.hasPrefix("decisions git: 6 in the proof, 7 now") })
    #expect(try await throwsCode(.invalidName) { _ = try await tree.verification().differences(from: [:]) })
  }

  @Test func aRestoreBuildsAnyCommitBesideTheLiveTables() async throws {
    let tree = try await MavenTree.sample()
    let first = try tree.git.git("rev-parse", "HEAD")
    try await tree.run("sync")
    try tree.writeDecision(7)
    try tree.git.commit("one more")
    try await tree.run("sync")
    let schema = try #require(SchemaName("past"))
    try await tree.run("sync", at: first, into: schema)
    #expect(try await tree.value("SELECT count(*) FROM past.maven_decisions") == "6")
    #expect(try await tree.value("SELECT count(*) FROM public.maven_decisions") == "7")
    #expect(try await tree.survey(at: first, schema: schema).isInSync)
    #expect(try await tree.verification().isInSync)
  }

  @Test func aTreeWithoutCommitsIsReadFromTheWorkingTree() async throws {
    let tree = try await MavenTree()
    try tree.writeDecision(1)
    try await tree.run("sync")
    let survey = try await tree.survey()
    #expect(survey.isInSync && survey.source.commit == nil)
    #expect(try await tree.value("SELECT source_commit FROM maven_decisions") == nil)
  }

  @Test func aCleanWorkingTreeAndItsCommitAreOneSource() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let (fromFiles, fromCommit) = (try await tree.verification(), try await tree.verification(at: "HEAD"))
    #expect(fromFiles.survey.source.tree == fromCommit.survey.source.tree)
    #expect(fromFiles.kinds.map(\.gitDigest) == fromCommit.kinds.map(\.gitDigest))
    #expect(fromCommit.isInSync)
  }

  @Test func manyRecordsGoThroughTheBulkPathAndKeepTheirIndexes() async throws {
    let tree = try await MavenTree()
    for index in 0..<2_500 {
      let second = String(100_000 + index).dropFirst()
      try tree.write(
        "decisions/decision_20260201_\(second)_\(index).md",
        MavenTree.decision(
          index,
          timestamp:
            "2026-02-01T10:\(String(100 + index / 60 % 60).dropFirst()):\(String(100 + index % 60).dropFirst()).\(index)+00:00"
        ))
    }
    try tree.git.commit("many")
    let outcome = try await tree.run("sync")
    #expect(outcome.inserted[.decision] == 2_500)
    #expect(try await tree.verification().isInSync)
  }

  private func throwsCode(_ code: PersistenceError.Code, _ body: () async throws -> Void) async throws -> Bool {
    do {
      try await body()
      return false
    } catch let error as PersistenceError {
      return error.code == code
    }
  }
}
