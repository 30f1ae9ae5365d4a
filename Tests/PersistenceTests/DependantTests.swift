internal import Postgres
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What users built on the tables and functions survives every migration and repair.
@Suite struct DependantTests {
  private static let fixtures = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Fixtures"

  /// A database of the older scripts.
  private func older() async throws -> MavenTree {
    let tree = try await MavenTree()
    try await tree.sql(ChildProcess.runChecked("cat", ["\(DependantTests.fixtures)/older-database.sql"]).stdoutText)
    return tree
  }

  private func role() -> String { "role_\(UInt32.random(in: .min ... .max))" }

  @Test("views, materialized views, functions, rules, triggers and policies on changing columns come back as they were")
  func everyKind() async throws {
    let tree = try await older()
    let reader = role()
    try await tree.sql(
      """
      CREATE ROLE \(reader);
      CREATE SCHEMA reporting;
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO \(reader);
      CREATE VIEW reporting.risky WITH (security_barrier = true) AS
        SELECT id, confidence, asset FROM maven_decisions WHERE risk_level <> 'low' WITH LOCAL CHECK OPTION;
      ALTER VIEW reporting.risky ALTER COLUMN asset SET DEFAULT 'BTC';
      CREATE VIEW reporting."Odd ""na"" me" AS SELECT asset AS "an asset" FROM reporting.risky;
      CREATE MATERIALIZED VIEW reporting.stored AS
        SELECT r.id, d.git_filename FROM reporting.risky r JOIN maven_decisions d USING (id);
      CREATE UNIQUE INDEX stored_id ON reporting.stored (id);
      CREATE MATERIALIZED VIEW reporting.empty AS SELECT margin_utilization_pct FROM maven_portfolio_snapshots WITH NO DATA;
      CREATE MATERIALIZED VIEW reporting.value AS SELECT max(margin_utilization_pct) AS most FROM maven_portfolio_snapshots;
      COMMENT ON MATERIALIZED VIEW reporting.value IS 'the most';
      CREATE FUNCTION reporting.confident(lowest numeric) RETURNS SETOF text LANGUAGE sql STABLE
        BEGIN ATOMIC SELECT git_filename FROM maven_decisions WHERE confidence >= lowest; END;
      REVOKE EXECUTE ON FUNCTION reporting.confident(numeric) FROM PUBLIC;
      CREATE FUNCTION reporting.all_risky() RETURNS SETOF reporting.risky LANGUAGE sql STABLE AS 'SELECT * FROM reporting.risky';
      CREATE VIEW reporting.twice AS SELECT count(*) AS n FROM reporting.confident(50), reporting.all_risky();
      CREATE TABLE reporting.log (note text);
      CREATE RULE note AS ON INSERT TO maven_decisions WHERE NEW.confidence > 99 DO ALSO INSERT INTO reporting.log VALUES ('sure');
      CREATE FUNCTION reporting.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER sure BEFORE UPDATE OF confidence ON maven_decisions FOR EACH ROW WHEN (NEW.confidence > 90)
        EXECUTE FUNCTION reporting.touch();
      ALTER TABLE maven_decisions DISABLE TRIGGER sure;
      CREATE POLICY modest ON maven_decisions FOR SELECT TO \(reader) USING (confidence < 99);
      CREATE VIEW words AS SELECT id, search_vector FROM maven_memory WHERE search_vector @@ to_tsquery('english', 'funding');
      REVOKE ALL ON reporting.twice FROM \(reader);
      GRANT SELECT (id), UPDATE (asset) ON reporting.risky TO PUBLIC;
      """)
    let connection = try await tree.database.connect()
    let before = try await state(tree, reader)
    _ = try await Migrator(schema: .public).migrate(connection)
    #expect(try await state(tree, reader) == before)
    try await tree.sql("REFRESH MATERIALIZED VIEW CONCURRENTLY reporting.stored")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
      VALUES ('new.md', 'x', 'y', 'z', 99.5, 'HIGH', now())
      """)
    #expect(try await tree.value("SELECT note FROM reporting.log") == "sure")

    // What was changed by hand is mended under them, and they are there still.
    let after = try await state(tree, reader)
    for statement in [
      "DROP POLICY modest ON maven_decisions; DROP RULE note ON maven_decisions; DROP TRIGGER sure ON maven_decisions",
      "CREATE VIEW hashes AS SELECT id, content_hash FROM maven_decisions; CREATE INDEX by_hash ON maven_decisions (content_hash)",
      "ALTER TABLE maven_decisions ALTER COLUMN content_hash DROP EXPRESSION",
    ] { try await tree.sql(statement) }
    #expect(try await Migrator(schema: .public).repair(connection) == [])
    #expect(try await tree.value("SELECT count(content_hash) FROM hashes") == "4")
    #expect(try await tree.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_hash'") == "1")
    #expect(
      try await state(tree, reader).filter { !$0.contains("by_hash") && !$0.contains("hashes") }
        == after.filter { !$0.contains("note") && !$0.contains("sure") && !$0.contains("modest") })
    try await tree.sql("DROP OWNED BY \(reader); DROP ROLE \(reader)")
  }

  /// Every object of the users, with its definition, owner, privileges, options and comment, a line each.
  private func state(_ tree: MavenTree, _ reader: String) async throws -> [String] {
    let lines = try await tree.value(
      """
      SELECT string_agg(line, E'\\n' ORDER BY line) FROM (SELECT replace(regexp_replace(line,
        '::(text|numeric)|[() \\n]', '', 'g'), 'snapshots', 'snaps') AS line FROM (
        SELECT concat_ws(' | ', c.oid::regclass, c.relkind, c.relispopulated, c.relowner::regrole, c.reloptions,
          (SELECT string_agg(e::text, ',' ORDER BY e::text) FROM aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) e),
          obj_description(c.oid), (SELECT string_agg(concat_ws(' ', attname, attacl, pg_get_expr(adbin, adrelid)), ','
            ORDER BY attnum) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid = c.oid AND attnum > 0),
          pg_get_viewdef(c.oid)) AS line
        FROM pg_class c
        WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)
          AND c.relname NOT LIKE 'maven%'
        UNION ALL SELECT concat_ws(' | ', indexrelid::regclass, pg_get_indexdef(indexrelid)) FROM pg_index
        WHERE indrelid::regclass::text LIKE 'reporting%' OR indexrelid::regclass::text = 'by_hash'
        UNION ALL SELECT concat_ws(' | ', oid::regprocedure, proowner::regrole, proacl, pg_get_functiondef(oid))
        FROM pg_proc WHERE pronamespace = 'reporting'::regnamespace
        UNION ALL SELECT concat_ws(' | ', polname, polroles::regrole[], pg_get_expr(polqual, polrelid)) FROM pg_policy
        UNION ALL SELECT concat_ws(' | ', tgname, tgenabled, pg_get_triggerdef(oid))
        FROM pg_trigger WHERE tgname = 'sure'
        UNION ALL SELECT concat_ws(' | ', rulename, pg_get_ruledef(oid))
        FROM pg_rewrite WHERE rulename = 'note'
      ) AS objects) AS lines
      """)
    return (lines ?? "").split(separator: "\n").map(String.init)
  }

  @Test("the views of the older names have the tables' grants and owners, and take rows as the tables did")
  func grants() async throws {
    let tree = try await older()
    let (reader, bot, owner) = (role(), role(), role())
    try await tree.sql(
      """
      CREATE ROLE \(reader); CREATE ROLE \(bot); CREATE ROLE \(owner);
      GRANT CREATE ON SCHEMA public TO \(owner);
      ALTER TABLE maven_portfolio_snapshots OWNER TO \(owner);
      GRANT SELECT ON maven_portfolio_snapshots TO \(reader);
      GRANT SELECT, INSERT, UPDATE ON maven_portfolio_snapshots TO \(bot);
      GRANT USAGE ON SEQUENCE maven_portfolio_snapshots_id_seq TO \(bot);
      GRANT SELECT (period_type, total_trades) ON maven_performance_metrics TO \(reader);
      """)
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    let count = "SELECT count(*) FROM maven_portfolio_snapshots"
    try await tree.sql("SET ROLE \(reader); \(count); SELECT period_type, total_trades FROM maven_performance_metrics")
    try await tree.sql(
      """
      SET ROLE \(bot);
      INSERT INTO maven_portfolio_snapshots (total_value_usd, available_balance_usd, snapshot_at) VALUES (1, 2, now());
      UPDATE maven_portfolio_snapshots SET notes = 'x' WHERE total_value_usd = 1
      """)
    #expect(try await tree.value("SELECT notes FROM maven_portfolio_snaps WHERE total_value_usd = 1") == "x")
    for forbidden in [
      "SET ROLE \(reader); UPDATE maven_portfolio_snapshots SET notes = 'y'",
      "SET ROLE \(reader); SELECT win_rate_pct FROM maven_performance_metrics",
      "SET ROLE \(bot); DELETE FROM maven_portfolio_snapshots", "SET ROLE \(bot); SELECT * FROM maven_performance_metrics",
    ] {
      await #expect(throws: PostgresError.self, "\(forbidden)") { try await tree.sql(forbidden) }
    }
    #expect(
      try await tree.value("SELECT relowner::regrole FROM pg_class WHERE oid = 'maven_portfolio_snapshots'::regclass")
        == owner)
    // What is taken away later stays away.
    try await tree.sql("REVOKE ALL ON maven_portfolio_snapshots FROM \(reader); DROP FUNCTION maven_win_rate_by_asset()")
    #expect(try await Migrator(schema: .public).repair(connection) == [])
    await #expect(throws: PostgresError.self) { try await tree.sql("SET ROLE \(reader); \(count)") }
    // And a view that was dropped has the grants again.
    try await tree.sql("DROP VIEW maven_portfolio_snapshots")
    #expect(try await Migrator(schema: .public).repair(connection) == [])
    try await tree.sql("SET ROLE \(reader); \(count)")
    try await tree.sql(
      "DROP OWNED BY \(reader), \(bot); REASSIGN OWNED BY \(owner) TO postgres; DROP OWNED BY \(owner); DROP ROLE \(reader), \(bot), \(owner)")
  }

  @Test("a table whose rows are hidden from some hides them under its older name too")
  func hiddenRows() async throws {
    let tree = try await older()
    let reader = role()
    try await tree.sql(
      """
      CREATE ROLE \(reader);
      GRANT SELECT ON maven_portfolio_snapshots TO \(reader);
      ALTER TABLE maven_portfolio_snapshots ENABLE ROW LEVEL SECURITY;
      CREATE POLICY small ON maven_portfolio_snapshots FOR SELECT TO \(reader) USING (total_value_usd < 1050);
      """)
    _ = try await Migrator(schema: .public).migrate(tree.database.connect())
    let connection = try await tree.database.connect()
    try await connection.script("SET ROLE \(reader)")
    // As other programs read: this one's connections would rather fail than read less than there is.
    let shown = try await connection.transaction { transaction in
      try transaction.script("SET LOCAL row_security = on")
      return try transaction.query("SELECT count(*) FROM maven_portfolio_snapshots").first?.int(0)
    }
    #expect(shown == 1)
    await connection.close()
    try await tree.sql("DROP OWNED BY \(reader); DROP ROLE \(reader)")
  }

  @Test("a view on the older one of two tables reads all rows of both afterwards")
  func twoTables() async throws {
    let tree = try await older()
    try await tree.sql(
      """
      CREATE TABLE maven_portfolio_snaps (LIKE maven_portfolio_snapshots INCLUDING ALL);
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at) VALUES (5, 5, '2026-03-01');
      SELECT setval('maven_portfolio_snapshots_id_seq', 100);
      CREATE VIEW worth AS SELECT sum(total_value_usd) AS sum FROM maven_portfolio_snapshots;
      """)
    _ = try await Migrator(schema: .public).migrate(tree.database.connect())
    #expect(try await tree.value("SELECT sum FROM worth") == "2105.00")
  }

  @Test("what cannot be put back is named with a step that destroys nothing, and nothing is changed", arguments: [
    (
      "ALTER TABLE maven_decisions ADD COLUMN sure boolean GENERATED ALWAYS AS (confidence > 90) STORED", "sure of table maven_decisions"
    ),
    (
      "CREATE TABLE temporary (x int); CREATE PUBLICATION some_rows FOR TABLE maven_decisions WHERE (confidence > 90)", "publication some_rows"
    ),
    ("CREATE VIEW narrow AS SELECT decided_at, confidence::numeric(5,2) AS c FROM maven_decisions; CREATE TABLE uses (v narrow)", "column v of table uses"),
  ])
  func blocked(statement: String, name: String) async throws {
    let tree = try await older()
    try await tree.sql(statement)
    let dump = try tree.dump()
    let connection = try await tree.database.connect()
    let error = await #expect(throws: PersistenceError.self) {
      _ = try await Migrator(schema: .public).migrate(connection)
    }
    #expect(error?.code == .dependentObject && error?.message.contains(name) == true, "\(error?.message ?? "")")
    #expect(error?.hint?.contains("CASCADE") == false && error?.message.contains("nothing was changed") == true)
    // The bookkeeping table alone may be there.
    #expect(try tree.dump() == dump)
  }
}
