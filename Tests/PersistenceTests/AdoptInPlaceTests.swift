internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Rows that git lacks become records and stay where they are.
@Suite struct AdoptInPlaceTests {
  private func older() throws -> String {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    return try ChildProcess.runChecked("cat", ["/\(folder)/Fixtures/older-database.sql"]).stdoutText
  }

  /// A database of the older scripts with `count` decisions and twice as many events, of which the tree holds nothing.
  private func tree(_ count: Int) async throws -> MavenTree {
    let tree = try await MavenTree()
    try tree.write("session_log.md", "# Maven Session Log\n\n---\n\n")
    try tree.write("identity.json", #"{"name": "Maven", "total_decisions": 0}"#)
    try tree.git.commit("empty")
    try await tree.sql(older())
    try await tree.sql(
      """
      TRUNCATE maven_decisions, maven_memory, maven_trades, maven_insights RESTART IDENTITY CASCADE;
      INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, metadata,
          market_context, executed, execution_count, decided_at, created_at)
        SELECT format('decision_202602%s_080000.md', lpad(n::text, 2, '0')), CASE n % 2 WHEN 0 THEN 'buy' ELSE 'HOLD' END,
          CASE n % 3 WHEN 0 THEN NULL ELSE 'BTC' END, E'Line one\\r\\n\\n## Action\\nof ' || n, 'Because ' || n, n + 0.25, 'high',
          CASE n % 4 WHEN 0 THEN NULL ELSE jsonb_build_object('n', n) END, jsonb_build_object('vix', n), n % 3 = 0, n,
          timestamptz '2026-02-01T08:00:00Z' + n * interval '1 day', timestamptz '2026-02-01T08:00:03Z' + n * interval '1 day'
        FROM generate_series(1, \(count)) AS n;
      INSERT INTO maven_memory (event_type, description, metadata, related_decision_id, created_at)
        SELECT CASE n % 3 WHEN 0 THEN 'git_sync' WHEN 1 THEN 'NOTE' ELSE 'Mixed' END,
          CASE n % 5 WHEN 0 THEN E'a rule\\n\\n---\\n\\n## [2026-02-01T00:00:00Z] FORGED' ELSE 'same text' END, jsonb_build_object('n', n),
          1 + n % \(count), timestamptz '2026-02-01T08:00:00Z' + n * interval '1 hour'
        FROM generate_series(1, \(count * 2)) AS n;
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        SELECT id, 'manual', 'BTC', 'long', 'open', 10, now() FROM maven_decisions;
      CREATE TABLE maven_trading_signals (id serial PRIMARY KEY, decision_id integer REFERENCES maven_decisions ON DELETE SET NULL,
        memory_id integer NOT NULL REFERENCES maven_memory ON DELETE CASCADE);
      INSERT INTO maven_trading_signals (decision_id, memory_id) SELECT related_decision_id, id FROM maven_memory;
      CREATE TABLE was_decisions AS SELECT * FROM maven_decisions;
      CREATE TABLE was_memory AS SELECT * FROM maven_memory;
      CREATE TABLE was_signals AS SELECT * FROM maven_trading_signals;
      CREATE TABLE was_trades AS SELECT id, decision_id FROM maven_trades;
      """)
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    await connection.close()
    return tree
  }

  private func adoption(_ tree: MavenTree) throws -> Adoption {
    Adoption(repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
  }

  private func options() -> Reconciler.Options {
    var options = Reconciler.Options(command: "reconcile")
    options.correctsCounters = true
    options.patience = .zero
    return options
  }

  /// Rows that are not as they were, in the columns that are not the record's, or whose links are.
  private static let changed = """
    SELECT (SELECT count(*) FROM was_decisions w LEFT JOIN maven_decisions d USING (id, git_filename, market_context, executed,
        execution_count, decided_at, created_at) WHERE d.id IS NULL)
      || ' ' || (SELECT count(*) FROM was_memory w LEFT JOIN maven_memory m USING (id, event_type, description, metadata,
        related_decision_id, created_at) WHERE m.id IS NULL)
      || ' ' || (SELECT count(*) FROM was_signals w LEFT JOIN maven_trading_signals s USING (id, decision_id, memory_id) WHERE s.id IS NULL)
      || ' ' || (SELECT count(*) FROM was_trades w LEFT JOIN maven_trades t USING (id, decision_id) WHERE t.id IS NULL)
    """

  @Test("every row of an older database becomes a record and stays, with its id, bots' columns and links")
  func adopted() async throws {
    let tree = try await tree(12)
    let adoption = try adoption(tree)
    let (dump, files) = (try tree.dump(), try tree.fileDigests())
    let preview = try await adoption.orphans(of: tree.survey())
    #expect(preview.count == 36 && preview.allSatisfy { $0.obstacle == nil && $0.path != nil })
    #expect(preview.first?.path == ".moha/maven/decisions/decision_20260201_080000.md")
    #expect(try tree.dump() == dump && tree.fileDigests() == files)

    let (adopted, left, outcome) = try await adoption.adoptOrphans(options())
    #expect(adopted.map(\.path) == preview.map(\.path) && adopted.map(\.id) == preview.map(\.rowID))
    #expect(left.isEmpty && outcome.remaining == 0, "\(outcome.survey.differences.map(\.message))")
    #expect(try await tree.value(Self.changed) == "0 0 0 0")
    // What the record's form changes in a row is kept.
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason <> 'stale'") == "0")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE source_commit IS NULL") == "0")
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.kinds.map(\.rows) == [12, 0, 24, 0])
    let before = try tree.git.git("rev-parse", "HEAD")
    let again = try await adoption.adoptOrphans(options())
    #expect(again.adopted.isEmpty && again.outcome.survey.repairable == 0)
    #expect(try tree.git.git("rev-parse", "HEAD") == before && tree.git.git("status", "--porcelain") == "")

    // The records alone are enough for all that is theirs.
    let digests = verification.kinds.map(\.rowDigest)
    try await tree.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    try await tree.run("sync")
    #expect(try await tree.verification().kinds.map(\.rowDigest) == digests)
  }

  @Test("what cannot be a record stays and is named, and the others are adopted")
  func left() async throws {
    let tree = try await tree(3)
    let secret = "gh" + "p_" + String(repeating: "a1B2c3", count: 6)
    try await tree.sql(
      """
      UPDATE maven_memory SET description = 'token \(secret)' WHERE id = 1;
      UPDATE maven_decisions SET git_filename = 'never' WHERE id = 2;
      INSERT INTO maven_milestones (git_filename, title, description) VALUES ('milestone_20260201_000000_x.md', 'Without a time', 'd');
      """)
    let (adopted, left, outcome) = try await adoption(tree).adoptOrphans(options())
    #expect(adopted.count == 8 && outcome.remaining == 2)
    #expect(left.map(\.kind) == [.milestone, .event] && left[0].obstacle?.contains("achieved_at") == true)
    #expect(left[1].obstacle?.contains(secret) == false)
    #expect(try await tree.value("SELECT count(*) || ' ' || count(event_key) FROM maven_memory") == "6 5")
    // A name that no record can have becomes one of its time, and not one that another row has.
    #expect(
      try await tree.value("SELECT string_agg(git_filename, ' ' ORDER BY id) FROM maven_decisions")
        == "decision_20260201_080000.md decision_20260203_080000_2.md decision_20260203_080000.md")
    #expect(try await tree.value("SELECT execution_count FROM maven_decisions WHERE id = 2") == "2")
    #expect(try !tree.git.git("log", "-p").contains(secret))
    #expect(try await adoption(tree).adoptOrphans(options()).adopted.isEmpty)
  }

  @Test("a row that comes back from quarantine by its number has what it had")
  func fromQuarantine() async throws {
    let tree = try await tree(3)
    try await tree.sql("ALTER TABLE maven_trading_signals DROP COLUMN memory_id")
    #expect(try await tree.run(allowing: 9).quarantined == 9)
    let adoption = try adoption(tree)
    let (adopted, outcome) = try await adoption.adopt(try await adoption.entries().map(\.id).sorted())
    #expect(adopted.count == 9 && outcome.returned == 9 && outcome.remaining == 0)
    #expect(
      try await tree.value(
        """
        SELECT (SELECT count(*) FROM was_decisions JOIN maven_decisions d USING (id, git_filename, market_context, executed,
          execution_count, decided_at, created_at))
        || ' ' || (SELECT count(*) FROM was_memory w JOIN maven_memory m USING (id, event_type, description, metadata, related_decision_id,
          created_at)) || ' ' || (SELECT count(*) FROM was_signals JOIN maven_trading_signals USING (id, decision_id))
        || ' ' || (SELECT count(*) FROM was_trades JOIN maven_trades USING (id, decision_id))
        """) == "3 6 6 3")
    #expect(try await tree.verification().isInSync)
    await #expect { _ = try await adoption.adopt([adopted[0].id]) } throws: { ($0 as? PersistenceError)?.code == .notFound }
  }
}
