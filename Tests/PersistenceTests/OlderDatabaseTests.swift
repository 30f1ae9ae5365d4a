internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// The whole way of a database of the older scripts: migrated, written to by old and new programs, adopted, lost, and
/// rebuilt from git.
@Suite struct OlderDatabaseTests {
  private static let rows = 210

  private func older() throws -> String {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    return try ChildProcess.runChecked("cat", ["/\(folder)/Fixtures/older-database.sql"]).stdoutText
  }

  private func fill(_ tree: MavenTree, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let connection = try await tree.database.connect()
    try await connection.script(
      "TRUNCATE maven_decisions, maven_memory, maven_trades, maven_insights, maven_portfolio_snapshots RESTART IDENTITY CASCADE")
    let words = ["support", "Größe", "`code`", "---", "## Action", "🚀 moon", "a\tb", "100%", "it's", "\\n", "** bold **", "fee"]
    func text(_ count: Int) -> String {
      (0..<(1 + random.below(count))).map { _ in random.pick(words) }.joined(separator: random.pick([" ", "\n", "\n\n"]))
    }
    for index in 1...Self.rows {
      let time = "2026-02-01T00:00:00Z"
      _ = try await connection.execute(
        """
        INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, metadata,
          market_context, executed, execution_count, decided_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz + $13::int * interval '61 seconds',
          $12::timestamptz + $13::int * interval '61.004 seconds')
        """,
        [
          .text("decision_\(20_260_201_000_000 + index).md".replacing("decision_20260201", with: "decision_20260201_")),
          .text(random.pick(["buy", "SELL", "hold"])), random.below(4) == 0 ? .null : .text(random.pick(["BTC", "ETH"])),
          .text("Act \(index) " + text(4)), .text("Because \(index) " + text(9)), .numeric("\(random.below(100)).\(random.below(100))"),
          .text(random.pick(["low", "medium", "high", "critical"])),
          random.below(5) == 0 ? .null : .json("{\"n\": \(index), \"w\": \"\(random.pick(["x", "ü"]))\"}"),
          .json("{\"vix\": \(random.below(40))}"), .bool(random.below(2) == 0), .int(Int64(random.below(5))), .text(time),
          .int(Int64(index)),
        ])
      _ = try await connection.execute(
        """
        INSERT INTO maven_memory (event_type, description, metadata, related_decision_id, created_at)
        VALUES ($1, $2, $3, $4, $5::timestamptz + $6::int * interval '67 seconds')
        """,
        [
          .text(random.pick(["git_sync", "NOTE", "Trade Closed"])), .text(random.below(6) == 0 ? "the same" : "Event \(index) " + text(6)),
          .json(random.below(3) == 0 ? "{}" : "{\"e\": \(index)}"), .int(Int64(1 + random.below(index))), .text(time),
          .int(Int64(index)),
        ])
    }
    try await connection.script(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, opened_at)
        SELECT 1 + n * 7 % \(Self.rows), 'manual', 'BTC', 'long', 'open', n, now() FROM generate_series(1, \(Self.rows)) AS n;
      INSERT INTO maven_insights (insight_type, content, related_decision_id)
        SELECT 'trend', 'insight ' || n, 1 + n * 11 % \(Self.rows) FROM generate_series(1, \(Self.rows)) AS n;
      INSERT INTO maven_portfolio_snapshots (total_value_usd, available_balance_usd, snapshot_at)
        SELECT n, n, now() FROM generate_series(1, \(Self.rows)) AS n;
      """)
    await connection.close()
  }

  @Test("an older database is migrated, adopted in place and rebuilt, and every record is what it was")
  func scenario() async throws {
    let tree = try await MavenTree()
    try tree.write("session_log.md", "# Maven Session Log\n\n---\n\n")
    try tree.write("identity.json", #"{"name": "Maven", "total_decisions": 0}"#)
    try tree.git.commit("empty")
    try await tree.sql(older())
    try await fill(tree, seed: 7)
    let everything = """
      SELECT string_agg(md5(line), ',' ORDER BY line) FROM (
        SELECT 'd' || (id, git_filename, market_context, executed, execution_count, decided_at, created_at)::text FROM maven_decisions
        UNION ALL SELECT 'm' || (id, event_type, metadata, related_decision_id, created_at)::text FROM maven_memory WHERE id <= \(Self.rows)
        UNION ALL SELECT 't' || t::text FROM maven_trades t
        UNION ALL SELECT 'i' || i::text FROM maven_insights i
        UNION ALL SELECT 's' || (id, total_value_usd)::text FROM maven_portfolio_snapshots) AS l (line)
      """
    let before = try await tree.value(everything)
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    await connection.close()
    // What git lacks is not taken out, and the refusal names the way.
    await #expect { try await tree.run("sync") } throws: { error in
      (error as? PersistenceError)?.code == .massRemoval && (error as? PersistenceError)?.hint?.contains("--adopt") == true
    }
    #expect(try await tree.value(everything) == before)

    // Both kinds of writers go on.
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    let path = tree.git.absolute(".moha/maven/session_log.md")
    for index in 0..<60 {
      let now = Instant.now()
      if index % 2 == 0 {
        try ChildProcess.runChecked(
          "sh", ["-c", "printf '\\n## [%s] %s\\n\\n%s\\n\\n---\\n' \"$1\" NOTE \"late $2\" >>\"$3\"", "sh", now.description, "\(index)", path])
        try await tree.sql("INSERT INTO maven_memory (event_type, description) VALUES ('note', 'late \(index)')")
      } else {
        _ = try await writer.write(.event(Event(type: "new", time: now, content: "New \(index)"), key: nil))
      }
    }
    _ = try await AutomaticCommit(repository: tree.repository(), agent: tree.agent, settings: WriteSettings()).run(isDryRun: false)

    var options = Reconciler.Options(command: "reconcile")
    options.correctsCounters = true
    options.patience = .zero
    let adoption = Adoption(
      repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
    let (adopted, left, outcome) = try await adoption.adoptOrphans(options)
    #expect(adopted.count == Self.rows * 2 && left.isEmpty && outcome.remaining == 0)
    #expect(try await tree.value(everything) == before)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "\(Self.rows + 60)")
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.kinds.map(\.rows) == [Self.rows, 0, Self.rows + 60, 0])
    #expect(try await tree.run().survey.repairable == 0)

    // The database is lost: the records come back whole. What bots have is in no file, and is said to be so before.
    let unbacked = Dictionary(uniqueKeysWithValues: verification.survey.rows.unbacked.map { ($0.table, $0.count) })
    #expect(unbacked["maven_trades"] == Self.rows && unbacked["maven_insights"] == Self.rows && unbacked["maven_portfolio_snaps"] == Self.rows)
    let maintenance = try await PostgresServer.shared().database().connect()
    let name = try #require(tree.database.settings.parameters["dbname"])
    _ = try await maintenance.execute("DROP DATABASE \(name) WITH (FORCE)")
    await maintenance.close()
    #expect(try await tree.run("sync").remaining == 0)
    let restored = try await tree.verification()
    #expect(restored.isInSync && restored.kinds.map(\.rowDigest) == verification.kinds.map(\.rowDigest))
  }
}
