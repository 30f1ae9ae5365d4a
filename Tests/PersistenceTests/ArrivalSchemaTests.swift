internal import Postgres
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// The schema takes whatever git holds: new, adopted and repaired.
@Suite struct ArrivalSchemaTests {
  private static let long = "SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i"

  private func migrated(after script: String = "", to version: Int? = nil) async throws -> (MavenTree, Connection) {
    let tree = try await MavenTree()
    if !script.isEmpty { try await tree.sql(script) }
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection, to: version)
    return (tree, connection)
  }

  private func insertLong(into tree: MavenTree) async throws {
    try await tree.sql(
      """
      INSERT INTO maven_decisions
        (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, decided_at)
        SELECT 'long.md', v, v, v, v, 1, v, now() FROM (\(Self.long)) AS l (v);
      INSERT INTO maven_milestones (git_filename, title, category, significance, description)
        SELECT 'long.md', v, v, v, v FROM (\(Self.long)) AS l (v);
      INSERT INTO maven_memory (event_type, description) SELECT v, v FROM (\(Self.long)) AS l (v);
      """)
  }

  private func definitions(_ tree: MavenTree, like pattern: String) async throws -> String {
    try await tree.value(
      """
      SELECT string_agg(indexname || ': ' || split_part(indexdef, ' USING ', 2), '; ' ORDER BY indexname)
      FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '\(pattern)'
      """) ?? ""
  }

  @Test func aMigrationIsAmendedWhereItStillSaysWhatALaterOneReplaced() throws {
    for amendment in Migration.amendments {
      let migration = try #require(Migration.all.first { $0.version == amendment.version })
      #expect(migration.sql.ranges(of: amendment.text).count == 1, "\(amendment.text)")
      let replacements = Migration.amendments.filter { $0.version == amendment.version }.map(\.replacedBy)
      #expect(migration.sql(for: (replacements.min() ?? 1) - 1) == migration.sql)
      #expect(!migration.sql(for: amendment.replacedBy).contains(amendment.text))
    }
  }

  @Test("an older database's own indexes on columns of short text give way, under whatever name and condition")
  func olderIndexes() async throws {
    let (tree, _) = try await migrated(to: 6)
    try await tree.sql(
      """
      DROP INDEX maven_decisions_asset, maven_memory_type;
      CREATE INDEX "Bots ask this" ON maven_decisions (asset DESC NULLS LAST);
      CREATE INDEX bots_open ON maven_decisions (asset text_pattern_ops) WHERE executed;
      CREATE INDEX by_kind ON maven_memory (event_type) INCLUDE (id);
      CREATE INDEX two_columns ON maven_decisions (asset, decided_at);
      CREATE INDEX whole_text ON maven_milestones USING gin (to_tsvector('english', title || ' ' || description));
      """)
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    #expect(try await Migrator(schema: .public).drift(connection) == [])
    #expect(
      try await definitions(tree, like: "%spgist (asset)%")
        == "Bots ask this: spgist (asset); bots_open: spgist (asset) WHERE executed")
    #expect(try await definitions(tree, like: "%spgist (event_type)%") == "by_kind: spgist (event_type)")
    #expect(try await definitions(tree, like: "%btree (asset, %") == "two_columns: btree (asset, decided_at)")
    #expect(try await definitions(tree, like: "%btree (%event_type%") == "")
    #expect(try await definitions(tree, like: "%|| description))%") == "")
  }

  @Test("bots' equality queries use the index, and people's searches theirs")
  func queriesUseTheIndexes() async throws {
    let (tree, connection) = try await migrated()
    try await insertLong(into: tree)
    try await connection.script("SET enable_seqscan = off")
    let searches = [
      ("maven_decisions", SearchedText.decisions.vector), ("maven_insights", SearchedText.insights.vector),
      ("maven_memory", SearchedText.memory.vector), ("maven_milestones", SearchedText.milestones.vector),
    ].map { "SELECT FROM \($0.0) WHERE \($0.1) @@ websearch_to_tsquery('english', 'support')" }
    let equalities = [
      "SELECT FROM maven_decisions WHERE asset = 'BTC'", "SELECT FROM maven_decisions WHERE decision_type = 'buy'",
      "SELECT FROM maven_decisions WHERE risk_level = 'low'", "SELECT FROM maven_memory WHERE event_type = 'NOTE'",
      "SELECT FROM maven_milestones WHERE category = 'trading'",
    ]
    for query in searches + equalities {
      let plan = try await connection.query("EXPLAIN \(query)").map { try $0.string(0) }.joined(separator: "\n")
      #expect(plan.contains("Index"), "\(query)\n\(plan)")
    }
    let found = try await tree.value(
      "SELECT count(*) FROM maven_decisions WHERE asset = (\(Self.long)) AND decision_type = (\(Self.long))")
    #expect(found == "1")
  }

  @Test(
    "a schema with long values is repaired without making again what they do not fit into",
    arguments: [
      "DROP TRIGGER maven_trades_touch ON maven_trades", "DROP INDEX maven_decisions_asset",
      "DROP INDEX maven_decisions_search", "DROP INDEX maven_memory_type",
      "ALTER TABLE maven_memory DROP COLUMN search_vector CASCADE", "DROP TRIGGER maven_memory_search ON maven_memory",
      "ALTER TABLE maven_conversations DROP COLUMN search_vector CASCADE",
      "ALTER TABLE maven_decisions DROP COLUMN content_hash", "DROP TABLE maven_milestones",
      "DROP INDEX maven_quarantine_key",
    ])
  func repair(statement: String) async throws {
    let (tree, connection) = try await migrated()
    try await insertLong(into: tree)
    try await tree.sql(
      """
      INSERT INTO maven_memory (event_type, description)
        SELECT 'NOTE', string_agg(md5(i::text) || md5((-i)::text), ' ') FROM generate_series(1, 50000) i;
      INSERT INTO maven_conversations (conversation_id, conversation_date, title, summary, full_transcript, updated_at)
        SELECT 'c', now(), string_agg(md5(i::text), ' '), string_agg(md5((-i)::text), '-'), '[]', '2026-01-01Z'
        FROM generate_series(1, 50000) i;
      """)
    // Its name or its number would change.
    let kept = "SELECT oid FROM pg_class WHERE relname = 'maven_decisions_type'"
    let index = try await tree.value(kept)
    let migrator = Migrator(schema: .public)
    try await tree.sql(statement)
    #expect(try await migrator.drift(connection) != [])
    #expect(try await migrator.repair(connection) == [])
    #expect(try await tree.value(kept) == index)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE search_vector IS NULL") == "0")
    #expect(
      try await tree.value(
        "SELECT count(*) FROM maven_conversations WHERE search_vector @@ 'c4ca4238a0b923820dcc509a6f75849b'") == "1")
    #expect(try await tree.value("SELECT updated_at FROM maven_conversations") == "2026-01-01 00:00:00+00")
  }

  @Test("search columns keep their values and the views on them, and follow every write")
  func searchColumns() async throws {
    let (tree, connection) = try await migrated(to: 6)
    try await tree.sql(
      """
      INSERT INTO maven_memory (event_type, description) VALUES ('NOTE', 'funding rates rose');
      INSERT INTO maven_conversations (conversation_id, conversation_date, title, summary, full_transcript)
        VALUES ('c', now(), 'Funding', 'rates rose', '[]');
      CREATE VIEW found AS SELECT description, search_vector FROM maven_memory;
      CREATE MATERIALIZED VIEW talks AS SELECT search_vector FROM maven_conversations;
      """)
    let vectors = """
      SELECT string_agg(v::text, '|') FROM (
        SELECT search_vector FROM maven_memory UNION ALL SELECT search_vector FROM maven_conversations) AS v
      """
    let before = try await tree.value(vectors)
    _ = try await Migrator(schema: .public).migrate(connection)
    #expect(try await tree.value(vectors) == before)
    let found = "SELECT count(*) FROM found WHERE search_vector @@ to_tsquery('english', "
    #expect(try await tree.value(found + "'rate')") == "1")
    try await tree.sql(
      """
      UPDATE maven_memory SET description = 'liquidations fell';
      UPDATE maven_memory SET search_vector = 'forged';
      UPDATE maven_conversations SET summary = NULL;
      """)
    #expect(try await tree.value(found + "'liquidation')") == "1")
    #expect(try await tree.value("SELECT search_vector FROM maven_conversations") == "'fund':1A")
  }

  @Test("what older tables asked of rows is relaxed once; what somebody asks later is theirs")
  func relaxed() async throws {
    let (tree, connection) = try await migrated(
      after: """
        CREATE TABLE maven_memory (
          id serial PRIMARY KEY, event_type text NOT NULL CHECK (event_type IN ('NOTE', 'TRADE')),
          title varchar(20) NOT NULL DEFAULT '', description text NOT NULL CHECK (length(description) < 10),
          bot_id int CHECK (bot_id > 0), created_at timestamptz NOT NULL DEFAULT now());
        CREATE TABLE maven_milestones (id serial PRIMARY KEY, git_filename text NOT NULL UNIQUE, title text NOT NULL,
          category text NOT NULL CHECK (category <> ''), significance text, metadata jsonb,
          achieved_at timestamptz NOT NULL, description text NOT NULL);
        """)
    let insert = """
      INSERT INTO maven_memory (event_type, title, description, created_at)
        VALUES ('REBIRTH', NULL, 'longer than ten', NULL);
      INSERT INTO maven_milestones (git_filename, title, description) VALUES ('a', 'b', 'c');
      """
    try await tree.sql(insert)
    await #expect(throws: PostgresError.self) {
      try await tree.sql("INSERT INTO maven_memory (event_type, description, bot_id) VALUES ('a', 'b', -1)")
    }
    try await tree.sql(
      "ALTER TABLE maven_milestones ADD CONSTRAINT mine CHECK (title <> 'x'); DROP VIEW maven_portfolio_snapshots")
    _ = try await Migrator(schema: .public).repair(connection)
    #expect(try await tree.value("SELECT count(*) FROM pg_constraint WHERE conname = 'mine'") == "1")
  }

  @Test("no text of any script and punctuation overflows what is searched", arguments: 0..<12)
  func textsThatAreCut(seed: UInt64) async throws {
    let (tree, connection) = try await migrated()
    var random = SeededGenerator(seed: seed)
    let text = SearchTextGenerator.text(&random, characters: 120_000)
    _ = try await connection.execute(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
      VALUES ('a', 'buy', $1, $1, 1, 'low', now())
      """, [.text(text)])
    for (table, columns) in [
      ("maven_memory", "event_type, description"), ("maven_milestones", "git_filename, title, description"),
      ("maven_insights", "insight_type, content"),
    ] {
      let values = columns.contains("title") ? "'a', $1, $1" : "'trend', $1"
      _ = try await connection.execute("INSERT INTO \(table) (\(columns)) VALUES (\(values))", [.text(text)])
    }
    _ = try await connection.execute(
      """
      INSERT INTO maven_conversations (conversation_id, conversation_date, title, summary, full_transcript)
      VALUES ('a', now(), $1, $1, '[]')
      """, [.text(text)])
    #expect(try await tree.value("SELECT length(reasoning) FROM maven_decisions") == String(text.unicodeScalars.count))
  }
}

/// Texts whose search vectors are as large as can be for their length: words, compounds, addresses and paths of letters
/// of one to four bytes. A search over patterns found compounds of long words of four bytes a letter to be worst.
enum SearchTextGenerator {
  private static let letters: [Character: ClosedRange<UInt32>] = [
    "a": 0x61...0x7A, "0": 0x30...0x39, "2": 0x100...0x24F, "3": 0x4E00...0x9FA0, "4": 0x20000...0x2A6D0,
    "D": 0x10400...0x1044F,
  ]

  static func text(_ random: inout SeededGenerator, characters: Int) -> String {
    var pattern: [Character] = []
    let worst = 1 + random.below(400)
    if random.below(4) == 0 {
      pattern = Array(String(repeating: "4", count: worst) + "-" + String(repeating: "4", count: 500 - worst))
    } else {
      for _ in 0...random.below(30) { pattern.append(random.pick(Array("aa02344D--_./@:&~+"))) }
    }
    var text = String.UnicodeScalarView()
    var count = 0
    while count < characters {
      for element in pattern + [" "] {
        let value = letters[element].map { UInt32.random(in: $0, using: &random) }
        text.append(value.flatMap { Unicode.Scalar($0) } ?? element.unicodeScalars.first ?? " ")
      }
      count += pattern.count + 1
    }
    return String(text)
  }
}
