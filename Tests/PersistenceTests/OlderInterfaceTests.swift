internal import Postgres
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What programs of the older scripts call goes on giving them the same columns and the same values.
@Suite struct OlderInterfaceTests {
  /// Trades of every status, several to a decision, and transcripts of all shapes.
  private static let rows = """
    INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, decided_at)
    SELECT 'made_' || i || '.md', 'buy', (ARRAY['BTC', 'ETH', NULL])[1 + i % 3], 'a', 'r', i % 100, 'low',
      now() - make_interval(hours => 13 * i)
    FROM generate_series(1, 40) i;
    INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd,
      status, opened_at)
    SELECT 1 + i % 30, 'manual', (ARRAY['BTC', 'ETH', 'SOL'])[1 + i % 3], 'long', 'close', 10,
      CASE WHEN i % 4 = 0 THEN NULL ELSE i % 7 - 3 END, i % 3 * 0.5,
      (ARRAY['open', 'closed', 'liquidated', 'cancelled'])[1 + i % 4], now()
    FROM generate_series(1, 300) i;
    INSERT INTO maven_conversations (conversation_id, conversation_date, full_transcript) VALUES
      ('a', now(), '[{"role": "user", "content": [{"type": "text", "text": "Is 100% of the book too much?"}]},
        {"role": "assistant", "content": [{"type": "thinking", "text": "the book is small"},
          {"type": "thinking", "text": "and thin"}, {"type": "tool_use", "input": {}}, {"type": "text", "text": "No book."}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "book"}]}]'), ('empty', now(), '[]');
    """

  /// Queries that any program may send, whose answers are compared as they are.
  private static let queries = [
    "SELECT decision_id, decided_at, decision_type, asset, confidence, trades_executed, total_pnl, outcome FROM maven_decision_performance(10)",
    "SELECT * FROM maven_decision_performance()",
    "SELECT * FROM maven_win_rate_by_asset() ORDER BY asset",
    "SELECT message_index, role, content_type, matched_phrase, context FROM maven_extract_key_moments('a', ARRAY['BOOK', 'thin', '100%'])",
    "SELECT total_msgs, user_msgs, assistant_msgs, thinking_count, tool_calls FROM maven_conversation_stats('a')",
    "SELECT total_msgs, user_msgs, assistant_msgs, thinking_count, tool_calls FROM maven_conversation_stats('none')",
    "SELECT pg_typeof(trades_executed), pg_typeof(total_pnl) FROM maven_decision_performance(10) LIMIT 1",
    "SELECT pg_typeof(message_index), pg_typeof(context) FROM maven_extract_key_moments('a', ARRAY['book']) LIMIT 1",
    "SELECT pg_typeof(total_msgs), pg_typeof(tool_calls) FROM maven_conversation_stats('a')",
  ]

  private func answers(_ tree: MavenTree) async throws -> [String] {
    var answers: [String] = []
    for query in OlderInterfaceTests.queries {
      answers.append(try await tree.value("SELECT string_agg(q::text, '; ') FROM (\(query)) AS q") ?? "")
    }
    return answers
  }

  private func fixture(_ name: String) throws -> String {
    let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
    return try ChildProcess.runChecked("cat", ["\(folder)/Fixtures/\(name)"]).stdoutText
  }

  /// A database with the tables of the older scripts and their functions as `functions` has them.
  private func older(_ functions: String) async throws -> MavenTree {
    let tree = try await MavenTree()
    try await tree.sql(fixture("older-database.sql"))
    try await tree.sql("DROP FUNCTION maven_get_current_portfolio(), maven_win_rate_by_asset()")
    try await tree.sql(functions)
    try await tree.sql(OlderInterfaceTests.rows)
    return tree
  }

  @Test("the older columns come first, in the older order, and the values are equal")
  func values() async throws {
    let tree = try await older(OlderFunctions.sql)
    // Rows of the fixture have transcripts and trades too.
    let before = try await answers(tree)
    #expect(before.allSatisfy { !$0.isEmpty } && Set(before).count > 6)
    _ = try await Migrator(schema: .public).migrate(tree.database.connect())
    #expect(try await answers(tree) == before)
    #expect(
      try await tree.value("SELECT string_agg(column_name, ' ') FROM (\(OlderInterfaceTests.columns)) AS c")
        == "total_msgs user_msgs assistant_msgs thinking_count tool_calls total_messages user_messages "
        + "assistant_messages thinking_blocks tool_uses")
    #expect(
      try await tree.value(
        "SELECT thinking_blocks || ' ' || tool_uses || ' ' || thinking_count FROM maven_conversation_stats('a')") == "2 1 1")
  }

  private static let columns = """
    SELECT name AS column_name FROM pg_proc, unnest(proargnames) WITH ORDINALITY AS n (name, place)
    WHERE proname = 'maven_conversation_stats' AND place > 1 ORDER BY place
    """

  /// A database as version 7 of the schema left it.
  private func versionSeven() async throws -> MavenTree {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    for migration in Migration.all where migration.version <= 7 {
      try await connection.script(
        """
        BEGIN; SET LOCAL search_path TO public, pg_temp;
        CREATE TABLE IF NOT EXISTS maven_migrations (
          version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        \(migration.sql);
        INSERT INTO maven_migrations VALUES (\(migration.version), '\(migration.name)', '\(migration.checksum)'); COMMIT
        """)
    }
    await connection.close()
    try await tree.sql(OlderInterfaceTests.rows)
    return tree
  }

  @Test("views on functions keep their columns and values, whether the function is replaced, made anew or kept beside")
  func views() async throws {
    let tree = try await versionSeven()
    let reader = "reader_\(UInt32.random(in: .min ... .max))"
    try await tree.sql(
      """
      CREATE ROLE \(reader);
      CREATE VIEW by_asset AS SELECT * FROM maven_win_rate_by_asset();
      CREATE VIEW stats AS SELECT * FROM maven_conversation_stats('a');
      CREATE VIEW talk AS SELECT thinking_blocks + tool_uses AS sum FROM stats;
      CREATE MATERIALIZED VIEW outcomes AS SELECT outcome, count(*) FROM maven_decision_performance(100) GROUP BY 1;
      CREATE UNIQUE INDEX by_outcome ON outcomes (outcome);
      COMMENT ON VIEW stats IS 'what was said';
      COMMENT ON COLUMN talk.sum IS 'thoughts and tools';
      GRANT SELECT (total_messages) ON stats TO \(reader);
      GRANT SELECT ON talk TO \(reader) WITH GRANT OPTION;
      """)
    let before = try await tree.value("SELECT string_agg(v::text, ';' ORDER BY asset) FROM by_asset v")
    let id = try await tree.value("SELECT 'by_asset'::regclass::oid")
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    #expect(try await tree.value("SELECT string_agg(v::text, ';' ORDER BY asset) FROM by_asset v") == before)
    #expect(try await tree.value("SELECT 'by_asset'::regclass::oid") == id)
    #expect(try await tree.value("SELECT sum FROM talk") == "3")
    #expect(try await tree.value("SELECT sum(count) FROM outcomes") == "40")
    #expect(try await tree.value("SELECT indisunique FROM pg_index WHERE indexrelid = 'by_outcome'::regclass") == "t")
    #expect(try await tree.value("SELECT obj_description('stats'::regclass)") == "what was said")
    #expect(try await tree.value("SELECT col_description('talk'::regclass, 1)") == "thoughts and tools")
    func mayRead(_ relation: String, _ column: String, _ privilege: String) async throws -> String? {
      try await tree.value("SELECT has_column_privilege('\(reader)', '\(relation)', '\(column)', '\(privilege)')")
    }
    #expect(try await mayRead("stats", "total_messages", "SELECT") == "t")
    #expect(try await mayRead("stats", "tool_uses", "SELECT") == "f")
    #expect(try await mayRead("talk", "sum", "SELECT WITH GRANT OPTION") == "t")
    // Other columns have the places of those that the view takes: it goes on with the function that it was made of.
    #expect(try await Migrator(schema: .public).keptFunctions(connection) == ["maven_conversation_stats_older(text)"])
    #expect(try await tree.value("SELECT thinking_count FROM maven_conversation_stats('a')") == "1")
    try await tree.sql("DROP OWNED BY \(reader); DROP ROLE \(reader)")
  }

  @Test("a function of somebody else under one of the names is kept under another, with what uses it")
  func foreignFunctions() async throws {
    let tree = try await older(
      """
      CREATE FUNCTION maven_win_rate_by_asset() RETURNS text LANGUAGE sql AS $$ SELECT 'mine'::text $$;
      CREATE FUNCTION maven_decision_performance(days integer DEFAULT 7) RETURNS integer LANGUAGE sql AS $$ SELECT 7 $$;
      CREATE FUNCTION maven_decision_performance(of text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$;
      CREATE FUNCTION maven_win_rate_by_asset_older() RETURNS text LANGUAGE sql AS $$ SELECT 'oldest'::text $$;
      CREATE VIEW mine AS SELECT maven_win_rate_by_asset() AS word;
      """)
    let connection = try await tree.database.connect()
    let migrator = Migrator(schema: .public)
    _ = try await migrator.migrate(connection)
    #expect(try await tree.value("SELECT word FROM mine") == "mine")
    #expect(try await tree.value("SELECT maven_win_rate_by_asset_older_2()") == "mine")
    #expect(try await tree.value("SELECT maven_win_rate_by_asset_older()") == "oldest")
    #expect(try await tree.value("SELECT maven_decision_performance('x'::text)") == "x")
    #expect(try await tree.value("SELECT maven_decision_performance_older(1)") == "7")
    #expect(try await tree.value("SELECT count(total_trades) FROM maven_win_rate_by_asset()") == "3")
    #expect(
      try await migrator.keptFunctions(connection) == [
        "maven_decision_performance_older(integer)", "maven_win_rate_by_asset_older()", "maven_win_rate_by_asset_older_2()",
      ])
    let dump = try tree.dump()
    #expect(try await migrator.repair(connection).isEmpty)
    #expect(try tree.dump() == dump)
  }

  @Test("a function of ours that somebody replaced comes back, and what replaced it is kept")
  func replacedFunction() async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    let migrator = Migrator(schema: .public)
    _ = try await migrator.migrate(connection)
    try await tree.sql(
      """
      CREATE OR REPLACE FUNCTION maven_get_current_portfolio() RETURNS TABLE (total_value numeric, available_balance numeric,
        margin_used numeric, unrealized_pnl numeric, position_count integer) LANGUAGE sql AS $$ SELECT 1.0, 2.0, 3.0, 4.0, 5 $$
      """)
    #expect(try await migrator.repair(connection).isEmpty)
    #expect(try await tree.value("SELECT count(*) FROM maven_get_current_portfolio()") == "0")
    #expect(try await tree.value("SELECT position_count FROM maven_get_current_portfolio_older()") == "5")
  }

  @Test("a table under one of our names that is none of ours is named, and nothing is changed", arguments: [
    ("CREATE TABLE maven_milestones (name text)", "maven_milestones", "title"),
    ("CREATE VIEW maven_decisions AS SELECT 1 AS id", "maven_decisions", "no ordinary table"),
    ("CREATE TABLE maven_trades (id serial, asset text)", "maven_trades", "realized_pnl_usd"),
  ])
  func foreignTables(statement: String, table: String, word: String) async throws {
    let tree = try await MavenTree()
    try await tree.sql(statement)
    let dump = try tree.dump()
    let connection = try await tree.database.connect()
    let error = await #expect(throws: PersistenceError.self) {
      _ = try await Migrator(schema: .public).migrate(connection)
    }
    #expect(error?.code == .foreignTable && error?.message.contains(table) == true)
    #expect(error?.message.contains(word) == true && error?.hint?.contains("RENAME TO") == true, "\(error?.message ?? "")")
    #expect(try tree.dump() == dump)
  }
}

/// Functions with the columns, types and meanings of the older scripts, said independently of ours.
enum OlderFunctions {
  static let sql = """
    CREATE FUNCTION maven_decision_performance(lookback_days integer DEFAULT 7)
    RETURNS TABLE (decision_id integer, decided_at timestamptz, decision_type text, asset text, confidence numeric,
      trades_executed integer, total_pnl numeric, outcome text) LANGUAGE sql AS $$
      WITH sums AS (
        SELECT d.id, count(t.*) AS n, sum(t.net_pnl_usd) AS net
        FROM maven_decisions d LEFT JOIN maven_trades t ON t.decision_id = d.id AND t.status IN ('closed')
        WHERE age(now(), d.decided_at) < lookback_days * interval '1 day' GROUP BY 1)
      SELECT id, d.decided_at, d.decision_type, d.asset, d.confidence, n::int, coalesce(net, 0),
        CASE WHEN net > 0 THEN 'profitable' WHEN net < 0 THEN 'loss' ELSE 'breakeven' END
      FROM sums JOIN maven_decisions d USING (id) ORDER BY 2 DESC
    $$;
    CREATE FUNCTION maven_win_rate_by_asset()
    RETURNS TABLE (asset text, total_trades bigint, wins bigint, losses bigint, win_rate numeric) LANGUAGE sql AS $$
      SELECT asset, sum(1), sum((realized_pnl_usd > 0)::int), sum((realized_pnl_usd < 0)::int),
        round(100 * avg((realized_pnl_usd > 0)::int), 2)
      FROM maven_trades WHERE status = 'closed' GROUP BY asset ORDER BY 2 DESC
    $$;
    CREATE FUNCTION maven_extract_key_moments(conv_id text, key_phrases text[])
    RETURNS TABLE (message_index integer, role text, content_type text, matched_phrase text, context text)
    LANGUAGE plpgsql AS $$
    DECLARE transcript jsonb := (SELECT full_transcript FROM maven_conversations WHERE conversation_id = conv_id);
    DECLARE part jsonb;
    DECLARE phrase text;
    BEGIN
      FOR i IN 0 .. jsonb_array_length(transcript) - 1 LOOP
        FOR part IN SELECT jsonb_array_elements(transcript -> i -> 'content') LOOP
          FOREACH phrase IN ARRAY key_phrases LOOP
            CONTINUE WHEN part ->> 'type' NOT IN ('text', 'thinking') OR part ->> 'text' NOT ILIKE '%' || phrase || '%';
            RETURN QUERY SELECT i, transcript -> i ->> 'role', part ->> 'type', phrase, substr(part ->> 'text', 1, 300);
          END LOOP;
        END LOOP;
      END LOOP;
    END $$;
    CREATE FUNCTION maven_conversation_stats(conv_id text)
    RETURNS TABLE (total_msgs integer, user_msgs integer, assistant_msgs integer, thinking_count integer,
      tool_calls integer) LANGUAGE sql AS $$
      SELECT count(*)::int, count(*) FILTER (WHERE m @> '{"role": "user"}')::int,
        count(*) FILTER (WHERE m @> '{"role": "assistant"}')::int,
        count(*) FILTER (WHERE m @> '{"content": [{"type": "thinking"}]}')::int,
        count(*) FILTER (WHERE m @> '{"content": [{"type": "tool_use"}]}')::int
      FROM maven_conversations c, jsonb_array_elements(c.full_transcript) AS m WHERE conversation_id = conv_id
    $$;
    """
}
