internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Whatever differs from what the migrations made is told by what it is, and mended where nothing can be lost.
@Suite struct SchemaDriftTests {
  private func migrated(after script: String = "") async throws -> (MavenTree, Connection, Migrator) {
    let tree = try await MavenTree()
    if !script.isEmpty { try await tree.sql(script) }
    let connection = try await tree.database.connect()
    let migrator = Migrator(schema: .public)
    _ = try await migrator.migrate(connection)
    return (tree, connection, migrator)
  }

  @Test(
    "What was altered by hand is told, and made again",
    arguments: [
      ("ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_decision_id_fkey", "lacks the constraint FOREIGN KEY"),
      ("ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_side_check", "'long'"),
      ("ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_closed_has_pnl", "realized_pnl_usd IS NOT NULL"),
      ("ALTER TABLE maven_decisions ALTER COLUMN reasoning DROP NOT NULL", "maven_decisions.reasoning may be null"),
      ("ALTER TABLE maven_decisions ALTER COLUMN executed SET DEFAULT true", "is true, and should be false"),
      ("ALTER TABLE maven_trades ALTER COLUMN metadata DROP DEFAULT", "has no default"),
      ("ALTER TABLE maven_conversations DROP CONSTRAINT maven_conversations_conversation_id_key", "unique"),
      ("ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_pkey CASCADE", "unique"),
      ("ALTER TABLE maven_decisions DROP CONSTRAINT maven_decisions_pkey CASCADE", "unique"),
      ("ALTER TABLE maven_decisions ALTER COLUMN id DROP DEFAULT", "should have nextval"),
      ("DROP SEQUENCE maven_milestones_id_seq CASCADE", "maven_milestones.id"),
      ("ALTER SEQUENCE maven_trades_id_seq OWNED BY NONE", "no sequence belongs to maven_trades.id"),
      ("ALTER TABLE maven_memory SET UNLOGGED", "unlogged"),
      ("CREATE OR REPLACE VIEW maven_portfolio_snapshots AS SELECT * FROM maven_portfolio_snaps WHERE false", "another definition"),
      ("DROP VIEW maven_performance_metrics; CREATE VIEW maven_performance_metrics AS SELECT id, 1 AS one FROM maven_performance", "maven_performance_metrics"),
      ("ALTER TABLE maven_trades ALTER COLUMN net_pnl_usd DROP EXPRESSION", "should be generated"),
      ("ALTER TABLE maven_decisions ALTER COLUMN git_path TYPE varchar(200)", "is character varying(200), and should be text"),
      ("CREATE FUNCTION null_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE OR REPLACE TRIGGER maven_decisions_touch BEFORE UPDATE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION null_row()", "does something else"),
      ("ALTER TABLE maven_memory DISABLE TRIGGER maven_memory_search", "disabled"),
      ("ALTER FUNCTION maven_win_rate_by_asset() SECURITY DEFINER", "another body"),
      ("DROP FUNCTION maven_fence_check(text, bigint)", "is missing"),
    ])
  func mended(statement: String, words: String) async throws {
    let (tree, connection, migrator) = try await migrated()
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, realized_pnl_usd, opened_at)
        VALUES ('manual', 'BTC', 'long', 'open', 1, 5, now());
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('a.md', 'buy', 'b', 'c', 5, 'low', now());
      """)
    try await tree.sql(statement)
    let drift = try await migrator.drift(connection)
    #expect(drift.contains { $0.message.contains(words) }, "\(drift)")
    #expect(try await migrator.repair(connection) == [])
    #expect(try await tree.value("SELECT count(*) FROM maven_trades, maven_decisions") == "1")
    #expect(try await tree.value("SELECT net_pnl_usd FROM maven_trades") == "5.00")
    try await tree.sql(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        SELECT id, 'manual', 'BTC', 'long', 'open', 1, now() FROM maven_decisions;
      INSERT INTO maven_milestones (git_filename, title, description) VALUES ('m', 't', 'd');
      INSERT INTO maven_milestones (git_filename, title, description) VALUES ('n', 't', 'd');
      """)
  }

  @Test("Rows that break a constraint keep it from no later ones")
  func constraintsOverOddRows() async throws {
    let (tree, connection, migrator) = try await migrated()
    try await tree.sql(
      """
      ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_side_check, DROP CONSTRAINT maven_trades_decision_id_fkey;
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        VALUES (99, 'manual', 'BTC', 'flat', 'open', 1, now());
      """)
    #expect(try await migrator.repair(connection) == [])
    #expect(try await tree.value("SELECT side || decision_id FROM maven_trades") == "flat99")
    for (side, decision) in [("flat", "NULL"), ("long", "98")] {
      await #expect(throws: PostgresError.self) {
        try await tree.sql(
          """
          INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
          VALUES (\(decision), 'manual', 'BTC', '\(side)', 'open', 1, now())
          """)
      }
    }
  }

  @Test(
    "What could lose something is told and left",
    arguments: [
      "ALTER TABLE maven_trades ALTER COLUMN size_usd TYPE double precision",
      "ALTER TABLE maven_trades ALTER COLUMN net_pnl_usd DROP EXPRESSION; UPDATE maven_trades SET net_pnl_usd = 7",
      "ALTER TABLE maven_decisions ALTER COLUMN reasoning DROP NOT NULL; UPDATE maven_decisions SET reasoning = NULL",
    ])
  func left(statement: String) async throws {
    let (tree, connection, migrator) = try await migrated()
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, realized_pnl_usd, opened_at)
        VALUES ('manual', 'BTC', 'long', 'open', 1, 5, now());
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('a.md', 'buy', 'b', 'c', 5, 'low', now());
      """)
    try await tree.sql(statement)
    let rows = "SELECT (SELECT t::text FROM maven_trades t) || (SELECT d::text FROM maven_decisions d)"
    let before = try await tree.value(rows)
    #expect(try await migrator.repair(connection).count == 1)
    #expect(try await tree.value(rows) == before)
  }

  @Test("What users added is no drift")
  func additions() async throws {
    let (tree, connection, migrator) = try await migrated()
    try await tree.sql(
      """
      ALTER TABLE maven_decisions ADD COLUMN mine text DEFAULT 'x', ADD CHECK (length(mine) < 9);
      ALTER TABLE maven_trades ALTER COLUMN close_reason SET DEFAULT 'none';
      CREATE INDEX ON maven_trades (size_usd); CREATE TABLE maven_mine (id serial PRIMARY KEY);
      CREATE VIEW maven_view AS SELECT 1 AS one; CREATE FUNCTION maven_own() RETURNS int LANGUAGE sql AS 'SELECT 1';
      """)
    #expect(try await migrator.drift(connection) == [])
    #expect(try await SchemaAdditions.sentences(connection, schema: .public) == [])
  }

  @Test("Triggers, rules and policies of somebody's own are named and left")
  func othersObjects() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER theirs BEFORE INSERT ON maven_decisions FOR EACH ROW EXECUTE FUNCTION keep();
      CREATE TRIGGER afterwards AFTER INSERT ON maven_decisions FOR EACH ROW EXECUTE FUNCTION keep();
      CREATE RULE nothing AS ON DELETE TO maven_trades DO INSTEAD NOTHING;
      ALTER TABLE maven_insights ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON maven_insights USING (true);
      """)
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0)
    for words in ["trigger theirs of maven_decisions", "rule nothing of maven_trades", "maven_insights, by policy p"] {
      #expect(outcome.survey.notes.contains { $0.contains(words) }, "\(outcome.survey.notes)")
    }
    #expect(!outcome.survey.notes.contains { $0.contains("afterwards") })
    #expect(try await tree.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'theirs'") == "1")
  }

  @Test("An older database made otherwise is no drift for good, and what it loses later is")
  func adopted() async throws {
    let (tree, connection, migrator) = try await migrated(
      after: """
        CREATE TABLE maven_trades (
          id bigserial PRIMARY KEY, decision_id integer, external_trade_id varchar(100), trade_source varchar(20) NOT NULL,
          source_bot_id integer, asset varchar(20) NOT NULL, side varchar(10) CHECK (side IN ('long', 'short')),
          position_action varchar(20) NOT NULL, entry_price real, exit_price real, size_asset real,
          size_usd numeric(30, 2) NOT NULL, leverage numeric(5, 2) DEFAULT 2.0, realized_pnl_usd numeric(20, 2),
          unrealized_pnl_usd numeric(20, 2), fees_usd numeric(20, 2) DEFAULT 0, net_pnl_usd numeric(20, 2),
          status varchar(20) NOT NULL DEFAULT 'open', close_reason text, opened_at timestamptz NOT NULL,
          closed_at timestamptz, metadata jsonb, created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
          updated_at timestamptz DEFAULT CURRENT_TIMESTAMP);
        """)
    #expect(try await migrator.drift(connection) == [])
    #expect(try await tree.value("SELECT count(*) > 5 FROM maven_schema_exceptions") == "t")
    try await tree.sql(
      "ALTER TABLE maven_trades DROP CONSTRAINT maven_trades_side_check, ALTER COLUMN status DROP DEFAULT")
    #expect(try await migrator.drift(connection).count == 2)
    #expect(try await migrator.repair(connection) == [])
    #expect(try await tree.value("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'maven_trades'::regclass AND attname = 'size_usd'") == "numeric(30,2)")
  }

  @Test("A new database notes nothing", arguments: [nil, 7])
  func newDatabase(stop: Int?) async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    if let stop { _ = try await Migrator(schema: .public).migrate(connection, to: stop) }
    _ = try await Migrator(schema: .public).migrate(connection)
    #expect(try await tree.value("SELECT count(*) FROM maven_schema_exceptions") == "0")
  }

  @Test("A view that somebody put in the place of ours goes on under another name, with its grants on both")
  func movedView() async throws {
    let (tree, connection, migrator) = try await migrated()
    try await tree.sql(
      """
      DROP VIEW maven_portfolio_snapshots; CREATE VIEW maven_portfolio_snapshots AS SELECT 42 AS answer;
      CREATE VIEW built_on_it AS SELECT answer FROM maven_portfolio_snapshots;
      GRANT SELECT ON maven_portfolio_snapshots TO pg_monitor;
      """)
    #expect(try await migrator.repair(connection) == [])
    #expect(try await tree.value("SELECT answer FROM built_on_it") == "42")
    #expect(try await tree.value("SELECT count(*) FROM maven_portfolio_snapshots") == "0")
    #expect(try await tree.value("SELECT has_table_privilege('pg_monitor', 'maven_portfolio_snapshots', 'SELECT')") == "t")
  }

  @Test("A sequence behind the numbers that are taken is told, and set by a run of its own accord")
  func sequenceBehind() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("SELECT setval('maven_decisions_id_seq', 1), setval('maven_trades_id_seq', 1, false)")
    let survey = try await tree.survey()
    #expect(survey.counts[.schemaDrift] == 1)
    #expect(survey.differences.contains { $0.message.contains("stands at 1, and the greatest number is 6") })
    try tree.writeDecision(7)
    try tree.git.commit("more")
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.repaired[.schemaDrift] == 1)
    #expect(try await tree.value("SELECT max(id) FROM maven_decisions") == "7")
  }

  @Test("A record whose row would get a number that is taken has its row all the same")
  func recordOverASequenceBehind() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql("SELECT setval('maven_memory_id_seq', 1)")
    let database = tree.target()
    let service = RecordService(
      writer: RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings()),
      database: { database })
    let arguments = try JSONValue.parse(Array(#"{"event_type": "NOTE", "content": "After the sequence"}"#.utf8))
    let outcome = try await service.record(RecordRequest(.event, json: arguments, now: Instant.now()))
    #expect(outcome.json["data"]?["db_persisted"] == .bool(true), "\(outcome.json)")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE description = 'After the sequence'") == "1")
  }
}
