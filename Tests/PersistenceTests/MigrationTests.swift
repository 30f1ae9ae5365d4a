internal import Persistence
internal import Postgres
internal import TestSupport
internal import Testing

@Suite struct MigrationTests {
  private func older() throws -> String {
    try ChildProcess.runChecked("cat", [fixture("older-database.sql")]).stdoutText
  }

  private func fixture(_ name: String) -> String {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    return "/\(folder)/Fixtures/\(name)"
  }

  @Test func aFreshDatabaseHoldsExactlyTheManifest() async throws {
    let connection = try await PostgresServer.shared().database().connect()
    let migrator = Migrator(schema: .public)
    #expect(try await migrator.migrate(connection).count == Migration.all.count)
    #expect(try await migrator.drift(connection) == [])
    let catalog = try await migrator.catalog(connection)
    let file = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/migrations/schema.txt"
    let manifest = try ChildProcess.runChecked("cat", [file]).stdoutText.split(separator: "\n").map(String.init)
    #expect(catalog.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } == manifest)
  }

  @Test func theProgramHoldsTheFilesOfTheMigrationsFolder() throws {
    let folder = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/migrations"
    let names = try ChildProcess.runChecked("ls", [folder]).stdoutText.split(separator: "\n").filter {
      $0.hasSuffix(".sql")
    }
    #expect(names.map(String.init) == Migration.all.map(\.name))
    for migration in Migration.all {
      #expect(try ChildProcess.runChecked("cat", ["\(folder)/\(migration.name)"]).stdoutText == migration.sql)
    }
    #expect(Migration.all.map(\.version) == Array(1...Migration.all.count))
  }

  @Test func aSecondRunChangesNothing() async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    let before = try tree.dump()
    #expect(try await Migrator(schema: .public).migrate(connection).isEmpty)
    #expect(try await Migrator(schema: .public).repair(connection).isEmpty)
    #expect(try tree.dump() == before)
  }

  @Test func migratingStopsWhereItIsTold() async throws {
    let connection = try await PostgresServer.shared().database().connect()
    let migrator = Migrator(schema: .public)
    #expect(try await migrator.migrate(connection, to: 1).map(\.version) == [1])
    #expect(try await migrator.status(connection).version == 1)
    #expect(try await migrator.migrate(connection).map(\.version) == Array(2...Migration.all.count))
  }

  @Test func anEditedAMissingAndANewerMigrationAreRefused() async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    let migrator = Migrator(schema: .public)
    _ = try await migrator.migrate(connection)

    try await tree.sql("INSERT INTO maven_migrations VALUES (99, '0099_later.sql', 'x')")
    await #expect { _ = try await migrator.migrate(connection) } throws: {
      ($0 as? PersistenceError)?.code == .schemaNewer
    }
    try await tree.sql(
      "DELETE FROM maven_migrations WHERE version = 99; DELETE FROM maven_migrations WHERE version = 2")
    await #expect { _ = try await migrator.migrate(connection) } throws: {
      ($0 as? PersistenceError)?.code == .migrationOutOfOrder
    }
    try await tree.sql("DELETE FROM maven_migrations WHERE version = 3; UPDATE maven_migrations SET sha256 = 'x'")
    await #expect { _ = try await migrator.migrate(connection) } throws: {
      ($0 as? PersistenceError)?.code == .migrationEdited
    }
  }

  @Test func anOlderDatabaseIsAdoptedWithEveryRowAndEveryQuery() async throws {
    let tree = try await MavenTree()
    try await tree.sql(older())
    let tables = [
      "maven_decisions": 3, "maven_trades": 3, "maven_portfolio_snaps": 2, "maven_performance": 1, "maven_insights": 1,
      "maven_memory": 3, "maven_conversations": 1,
    ]
    let connection = try await tree.database.connect()
    let before = try await tree.value(
      "SELECT string_agg(md5(d::text), ',' ORDER BY id) FROM (SELECT id, git_filename, confidence, risk_level, decided_at, created_at FROM maven_decisions) d"
    )
    _ = try await Migrator(schema: .public).migrate(connection)
    for (table, count) in tables {
      #expect(try await tree.value("SELECT count(*) FROM \(table)") == String(count), "\(table)")
    }
    #expect(
      try await tree.value(
        "SELECT string_agg(md5(d::text), ',' ORDER BY id) FROM (SELECT id, git_filename, confidence, risk_level, decided_at, created_at FROM maven_decisions) d"
      ) == before)
    #expect(try await Migrator(schema: .public).drift(connection) == [])

    // What people and bots ask.
    #expect(try await tree.value("SELECT count(*) FROM maven_portfolio_snapshots") == "2")
    #expect(try await tree.value("SELECT win_rate_pct FROM maven_performance_metrics") == "75.00")
    #expect(try await tree.value("SELECT total_value FROM maven_get_current_portfolio()") == "1100.00")
    #expect(try await tree.value("SELECT asset || ' ' || win_rate FROM maven_win_rate_by_asset()") == "BTC 100.00")
    #expect(
      try await tree.value(
        "SELECT total_pnl || ' ' || outcome FROM maven_decision_performance(36500) WHERE decision_id = 1")
        == "117.25 profitable")
    #expect(try await tree.value("SELECT confidence FROM confident_decisions WHERE id = 1") == "98.13")
    #expect(try await tree.value("SELECT git_filename FROM confident_low_risk") == "decision_20260201_080000.md")
    #expect(try await tree.value("SELECT has_table_privilege('pg_monitor', 'confident_decisions', 'SELECT')") == "t")
    #expect(
      try await tree.value("SELECT matched_phrase FROM maven_extract_key_moments('conv-1', ARRAY['100%'])") == "100%")
    #expect(try await tree.value("SELECT count(*) FROM maven_extract_key_moments('conv-1', ARRAY['100_'])") == "0")
    #expect(try await tree.value("SELECT thinking_blocks FROM maven_conversation_stats('conv-1')") == "1")
    #expect(
      try await tree.value("SELECT count(*) FROM maven_memory WHERE search_vector @@ to_tsquery('english', 'funding')")
        == "2")

    // What bots write, under the old names too.
    try await tree.sql(
      """
      INSERT INTO maven_portfolio_snapshots (total_value_usd, available_balance_usd, margin_used_usd, snapshot_at)
        VALUES (10, 5, 50000, now());
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('decision_20260201_080000.md', 'x', 'y', 'z', 1, 'low', now())
        ON CONFLICT (git_filename) DO UPDATE SET executed = true;
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('decision_20260209_080000.md', 'x', 'y', 'z', 98.125, 'HIGH', now());
      UPDATE maven_trades SET close_reason = 'target' WHERE id = 1;
      """)
    #expect(
      try await tree.value("SELECT margin_utilization_pct FROM maven_portfolio_snapshots ORDER BY id DESC LIMIT 1")
        == "500000.00")
    #expect(try await tree.value("SELECT executed FROM maven_decisions WHERE id = 1") == "t")
    #expect(try await tree.value("SELECT confidence FROM maven_decisions WHERE risk_level = 'HIGH'") == "98.125")

    let dump = try tree.dump()
    #expect(try await Migrator(schema: .public).migrate(connection).isEmpty)
    #expect(try tree.dump() == dump)
  }

  @Test func theStatementsOfAMigrationMayRunAgainOnAnAdoptedDatabase() async throws {
    let tree = try await MavenTree()
    try await tree.sql(older())
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    let dump = try tree.dump()
    for migration in Migration.all {
      try await connection.script("BEGIN; SET LOCAL search_path TO \"public\", pg_temp; \(migration.sql); COMMIT")
    }
    #expect(try tree.dump() == dump)
  }

  @Test(arguments: [
    "DROP TABLE maven_milestones", "DROP TABLE maven_decisions CASCADE", "DROP INDEX maven_memory_event_key",
    "ALTER TABLE maven_decisions DROP COLUMN content_hash", "DROP FUNCTION maven_win_rate_by_asset()",
    "ALTER TABLE maven_memory ALTER COLUMN content_hash DROP EXPRESSION",
    "DROP TRIGGER maven_trades_touch ON maven_trades", "ALTER TABLE maven_trades DISABLE TRIGGER maven_trades_touch",
    "DROP VIEW maven_portfolio_snapshots", "DROP TABLE maven_quarantine, maven_checkpoint",
    "CREATE OR REPLACE FUNCTION maven_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
  ])
  func whatSomebodyDroppedIsSeenAndComesBack(statement: String) async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    let migrator = Migrator(schema: .public)
    _ = try await migrator.migrate(connection)
    try await tree.sql(statement)
    #expect(try await migrator.drift(connection) != [])
    #expect(try await migrator.repair(connection) == [])
    #expect(try await migrator.drift(connection) == [])
  }

  @Test func twoMigrationsAtOnceApplyEachFileOnce() async throws {
    let database = try await PostgresServer.shared().database()
    async let first = Migrator(schema: .public).migrate(database.connect())
    async let second = Migrator(schema: .public).migrate(database.connect())
    #expect(try await first.count + second.count == Migration.all.count)
  }

  @Test(arguments: ["", "Public", "pg_x", "a-b", "1a", "a;b", "a b", String(repeating: "a", count: 64)])
  func aSchemaNameThatNeedsQuotingIsRefused(name: String) {
    #expect(SchemaName(name) == nil)
  }
}
