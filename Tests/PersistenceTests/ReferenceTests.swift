internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What refers to a row, in our own tables and in users', when the row goes, comes back, is renamed or is one too many.
@Suite struct ReferenceTests {
  private static let name = MavenTree.decisionName(2)
  private static let file = ".moha/maven/decisions/\(name)"

  /// Tables of somebody's own that refer to decisions, one after the other with each row of ours.
  private static let signals = """
    CREATE SCHEMA "My desk";
    CREATE TABLE "My desk"."Signal" ("the key" text, part integer, "decision" bigint REFERENCES public.maven_decisions ON DELETE SET NULL,
      note text, PRIMARY KEY ("the key", part));
    INSERT INTO "My desk"."Signal" SELECT 'it''s ' || id, 7, id, 'mine' FROM maven_decisions;
    """

  private static let trades = """
    INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
      SELECT id, 'manual', 'BTC', 'long', 'open', 10, now() FROM maven_decisions, generate_series(1, 2) ORDER BY id;
    INSERT INTO maven_insights (insight_type, content, related_decision_id) SELECT 'trend', 'up', id FROM maven_decisions ORDER BY id;
    UPDATE maven_memory SET related_decision_id = 2;
    UPDATE maven_decisions SET executed = true, execution_count = id, market_context = jsonb_build_object('vix', id),
      created_at = '2026-02-03T00:00:00Z';
    """

  /// A tree whose database has bots' columns filled, and rows of all kinds that refer to each decision.
  private func tree(_ sql: String = "") async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(Self.trades + Self.signals + sql)
    return tree
  }

  /// Everything that refers to decisions, and what bots have put into the rows.
  private func links(_ tree: MavenTree) async throws -> String? {
    try await tree.value(
      """
      SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
        SELECT 'decision ' || id || executed || execution_count || (market_context::text) || created_at || git_filename
          FROM maven_decisions
        UNION ALL SELECT 'trade ' || id || ' ' || COALESCE(decision_id::text, '-') FROM maven_trades
        UNION ALL SELECT 'insight ' || id || ' ' || COALESCE(related_decision_id::text, '-') FROM maven_insights
        UNION ALL SELECT 'memory ' || id || ' ' || COALESCE(related_decision_id::text, '-') FROM maven_memory
        UNION ALL SELECT 'signal ' || "the key" || COALESCE("decision"::text, '-') FROM "My desk"."Signal") AS l (line)
      """)
  }

  @Test("a record that goes and comes back has its id, the columns of bots and every reference")
  func comesBack() async throws {
    let tree = try await tree()
    let before = try await links(tree)
    try tree.git.remove(Self.file)
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_trades WHERE decision_id IS NULL") == "2")
    #expect(
      try await tree.value(
        """
        SELECT string_agg((r ->> 'schema') || '.' || (r ->> 'table') || '.' || (r ->> 'column') || ' ' || (r -> 'keys')::text, '|' ORDER BY r ->> 'table')
        FROM maven_quarantine, jsonb_array_elements(referenced_by) AS r
        """)
        == #"My desk.Signal.decision [{"part": 7, "the key": "it's 2"}]|public.maven_insights.related_decision_id [{"id": 2}]|public.maven_memory.related_decision_id [{"id": 1}, {"id": 2}, {"id": 3}]|public.maven_trades.decision_id [{"id": 3}, {"id": 4}]"#
    )
    try tree.git.git("checkout", "--", ".")
    let outcome = try await tree.run()
    #expect((outcome.returned, outcome.relinked, outcome.remaining) == (1, 7, 0))
    #expect(try await links(tree) == before)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE resolved_at IS NULL") == "0")
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.run().survey.repairable == 0)
    // Ids that are given out go on behind those that there are.
    #expect(try await tree.value("SELECT nextval('maven_decisions_id_seq') > (SELECT max(id) FROM maven_decisions)") == "t")
  }

  @Test("a decision and what refers to it in our own tables may go and come back together, also in two steps")
  func together() async throws {
    let tree = try await tree(
      "ALTER TABLE maven_decisions ADD COLUMN follows integer REFERENCES maven_decisions; UPDATE maven_decisions SET follows = id - 1 WHERE id > 1;")
    let before = try await links(tree)
    let chain = "SELECT string_agg(id || '<' || COALESCE(follows::text, '-'), ' ' ORDER BY id) FROM maven_decisions"
    let chained = try await tree.value(chain)
    for index in [5, 6] { try tree.git.remove(".moha/maven/decisions/\(MavenTree.decisionName(index))") }
    #expect(try await tree.run().quarantined == 2)
    try tree.git.remove(".moha/maven/decisions/\(MavenTree.decisionName(4))")
    #expect(try await tree.run().quarantined == 1)
    try tree.git.git("checkout", "--", ".")
    let outcome = try await tree.run()
    #expect(outcome.returned == 3 && outcome.remaining == 0)
    #expect(try await links(tree) == before)
    #expect(try await tree.value(chain) == chained)
  }

  @Test("what somebody has pointed elsewhere meanwhile stays there, and an id that is taken is not")
  func elsewhere() async throws {
    let tree = try await tree()
    try tree.git.remove(Self.file)
    try await tree.run()
    try await tree.sql("UPDATE maven_trades SET decision_id = 5 WHERE id = 3")
    try tree.writeDecision(7)
    try await tree.run()
    try await tree.sql("UPDATE maven_decisions SET id = 2 WHERE git_filename = '\(MavenTree.decisionName(7))'")
    try tree.git.git("checkout", "--", Self.file)
    let outcome = try await tree.run()
    #expect((outcome.returned, outcome.relinked) == (1, 6))
    let id = try await tree.value("SELECT id FROM maven_decisions WHERE git_filename = '\(Self.name)'")
    #expect(id != "2")
    #expect(try await tree.value("SELECT string_agg(decision_id::text, ' ' ORDER BY id) FROM maven_trades WHERE id IN (3, 4)") == "5 \(id ?? "?")")
    #expect(try await tree.value("SELECT execution_count FROM maven_decisions WHERE git_filename = '\(Self.name)'") == "2")
    #expect(try await tree.verification().isInSync)
  }

  @Test("references without a constraint keep their number, and follow where the row has another one")
  func withoutConstraint() async throws {
    // As in a database that was adopted without the constraint.
    let tree = try await tree(
      """
      ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_decision_id_fkey;
      INSERT INTO maven_schema_exceptions (line) VALUES
        ('foreign-key maven_trades FOREIGN KEY (decision_id) REFERENCES maven_decisions(id) ON DELETE SET NULL');
      """)
    try tree.git.remove(Self.file)
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_trades WHERE decision_id = 2") == "2")
    try tree.writeDecision(7)
    try await tree.run()
    try await tree.sql("UPDATE maven_decisions SET id = 2 WHERE git_filename = '\(MavenTree.decisionName(7))'")
    try tree.git.git("checkout", "--", Self.file)
    #expect(try await tree.run().relinked == 7)
    #expect(
      try await tree.value(
        "SELECT count(*) FROM maven_trades t JOIN maven_decisions d ON d.id = t.decision_id WHERE d.git_filename = '\(Self.name)'")
        == "2")
  }

  /// References that forbid that a row goes, or that could not be made again.
  struct Obstacle: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let sql: String
    let words: [String]

    static let all = [
      Obstacle(
        testDescription: "ON DELETE CASCADE",
        sql: "CREATE TABLE theirs (id serial PRIMARY KEY, d integer CONSTRAINT theirs_d REFERENCES maven_decisions ON DELETE CASCADE)",
        words: ["1 row of public.theirs refers to it through constraint theirs_d", "CASCADE"]),
      Obstacle(
        testDescription: "ON DELETE RESTRICT",
        sql: "CREATE TABLE theirs (id serial PRIMARY KEY, d integer CONSTRAINT theirs_d REFERENCES maven_decisions ON DELETE RESTRICT)",
        words: ["theirs_d", "forbids"]),
      Obstacle(
        testDescription: "no action, at the end of the transaction",
        sql: "CREATE TABLE theirs (id serial PRIMARY KEY, d integer CONSTRAINT theirs_d REFERENCES maven_decisions DEFERRABLE INITIALLY DEFERRED)",
        words: ["theirs_d", "forbids"]),
      Obstacle(
        testDescription: "ON DELETE SET DEFAULT",
        sql: "CREATE TABLE theirs (id serial PRIMARY KEY, d integer DEFAULT 1 CONSTRAINT theirs_d REFERENCES maven_decisions ON DELETE SET DEFAULT)",
        words: ["theirs_d", "SET DEFAULT"]),
      Obstacle(
        testDescription: "several columns",
        sql: """
          ALTER TABLE maven_decisions ADD CONSTRAINT by_both UNIQUE (id, git_filename);
          CREATE TABLE theirs (d integer, name text, CONSTRAINT theirs_d FOREIGN KEY (name, d) REFERENCES maven_decisions (git_filename, id) ON DELETE SET NULL)
          """, words: ["theirs_d", "several columns"]),
      Obstacle(
        testDescription: "no primary key",
        sql: "CREATE TABLE theirs (d integer CONSTRAINT theirs_d REFERENCES maven_decisions ON DELETE SET NULL)",
        words: ["theirs_d", "primary key"]),
      Obstacle(
        testDescription: "a partitioned table",
        sql: """
          CREATE TABLE theirs (id serial, d integer CONSTRAINT theirs_d REFERENCES maven_decisions ON DELETE CASCADE, PRIMARY KEY (id, d)) PARTITION BY LIST (d);
          CREATE TABLE theirs_2 PARTITION OF theirs FOR VALUES IN (2)
          """, words: ["theirs_d", "CASCADE"]),
    ]
  }

  @Test("a row whose going would take rows of others with it, or links that could not be made again, stays", arguments: Obstacle.all)
  func stays(obstacle: Obstacle) async throws {
    let tree = try await tree(obstacle.sql + ";")
    let named = obstacle.sql.contains("name text")
    try await tree.sql(
      named
        ? "INSERT INTO theirs (d, name) SELECT id, git_filename FROM maven_decisions WHERE id = 2"
        : "INSERT INTO theirs (d) VALUES (2)")
    let before = try await links(tree)
    try tree.git.remove(Self.file)
    // One that nothing holds goes all the same.
    try tree.git.remove(".moha/maven/milestones/milestone_20260201_090001_step_1.md")
    for _ in 1...2 {
      let outcome = try await tree.run()
      let findings = outcome.survey.git.findings.filter { $0.code == "row-refused" }
      #expect(findings.count == 1 && outcome.remaining == 1)
      for word in obstacle.words { #expect(findings.first?.message.contains(word) == true, "\(findings)") }
      #expect(try await links(tree) == before)
      #expect(try await tree.value("SELECT count(*) || ' ' || min(d) FROM theirs") == "1 2")
    }
    #expect(try await tree.value("SELECT count(*) FROM maven_milestones") == "2")
    try await tree.sql("DROP TABLE theirs")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE id = 2") == "0")
  }

  @Test("a file that only changed its name keeps its row, and all that refers to it")
  func renamed() async throws {
    let tree = try await tree()
    let before = try await links(tree)
    let name = "decision_20260201_235959.md"
    try tree.git.git("mv", Self.file, ".moha/maven/decisions/\(name)")
    let survey = try await tree.survey()
    #expect(survey.repairable == 1 && survey.counts[.stale] == 1)
    #expect(survey.differences.first?.message == "renamed: the row has the name \(Self.name) and says the same")
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.quarantined == 0)
    #expect(try await links(tree) == before?.replacing(Self.name, with: name))
    #expect(try await tree.verification().isInSync)
  }

  @Test("many renames are no mass removal; two files that say the same are not told apart by guess")
  func manyRenames() async throws {
    let tree = try await tree()
    let before = try await tree.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM maven_decisions")
    for index in 1...6 {
      try tree.git.git(
        "mv", ".moha/maven/decisions/\(MavenTree.decisionName(index))", ".moha/maven/decisions/decision_2026030\(index)_000000.md")
    }
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM maven_decisions") == before)
    try tree.git.commit("renamed")
    let text = try tree.git.git("show", "HEAD:.moha/maven/decisions/decision_20260301_000000.md") + "\n"
    try tree.git.remove(".moha/maven/decisions/decision_20260301_000000.md")
    for index in 7...8 { try tree.write("decisions/decision_2026030\(index)_000000.md", text) }
    let survey = try await tree.survey()
    #expect(survey.counts[.missing] == 2 && survey.counts[.orphaned] == 1)
    // Which commit has the others is not in their rows yet, which is no difference.
    #expect(survey.counts[.stale] == 0)
  }

  @Test("of two rows for one record the one that stays gets what refers to the other, from every table")
  func duplicate() async throws {
    let tree = try await tree(
      """
      ALTER TABLE maven_decisions DROP CONSTRAINT maven_decisions_git_filename_key;
      INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, metadata, decided_at)
        SELECT git_filename, decision_type, asset, action, 'another text', confidence, risk_level, metadata, decided_at
        FROM maven_decisions WHERE id = 2;
      CREATE TABLE theirs (id serial PRIMARY KEY, d integer REFERENCES maven_decisions ON DELETE CASCADE);
      INSERT INTO theirs (d) SELECT max(id) FROM maven_decisions;
      INSERT INTO "My desk"."Signal" SELECT 'late', 1, max(id) FROM maven_decisions;
      """)
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT d FROM theirs") == "2")
    #expect(try await tree.value("SELECT \"decision\" FROM \"My desk\".\"Signal\" WHERE \"the key\" = 'late'") == "2")
  }

  @Test("an entry of an earlier version, which lists ids by table, brings its references back too")
  func earlierEntries() async throws {
    let tree = try await tree()
    let before = try await links(tree)
    try tree.git.remove(Self.file)
    try await tree.run()
    try await tree.sql(
      #"""
      UPDATE maven_quarantine SET referenced_by = '{"maven_trades": [3, 4], "maven_insights": [2], "maven_memory": [1, 2, 3]}'
      """#)
    try tree.git.git("checkout", "--", ".")
    #expect(try await tree.run().relinked == 6)
    #expect(try await links(tree)?.replacing("signal it's 2-", with: "signal it's 22") == before)
  }

  @Test("a column that was added while the row was away keeps its default, and one that is gone is left out")
  func changedTable() async throws {
    let tree = try await tree("ALTER TABLE maven_decisions ADD COLUMN mood text DEFAULT 'calm', ADD COLUMN gone text DEFAULT 'x'")
    try tree.git.remove(Self.file)
    try await tree.run()
    try await tree.sql("ALTER TABLE maven_decisions DROP COLUMN gone, ADD COLUMN later text NOT NULL DEFAULT 'new'; UPDATE maven_quarantine SET row_data = row_data || '{\"mood\": \"wild\"}'")
    try tree.git.git("checkout", "--", ".")
    #expect(try await tree.run().returned == 1)
    #expect(try await tree.value("SELECT mood || later || execution_count FROM maven_decisions WHERE id = 2") == "wildnew2")
  }
}
