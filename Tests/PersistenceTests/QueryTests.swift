internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What people ask of the database.
@Suite struct QueryTests {
  private func queries(_ tree: MavenTree, patience: Duration = .seconds(30)) -> RecordQueries {
    let database = tree.target()
    return RecordQueries(agent: tree.agent, patience: patience) { database }
  }

  /// Rows beside those of the tree: assets, confidences and trades that differ in everything.
  private func filled() async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, decided_at)
      SELECT 'made_' || i || '.md', (ARRAY['buy', 'sell', 'hold'])[1 + i % 3], (ARRAY['BTC', 'ETH', NULL, 'SOL'])[1 + i % 4],
        'Act ' || i, CASE WHEN i % 5 = 0 THEN 'a breakout above support' ELSE 'a calm market' END, (i * 7) % 101,
        (ARRAY['low', 'medium', 'high', 'critical'])[1 + i % 4], timestamptz '2026-03-01Z' + make_interval(hours => i / 3)
      FROM generate_series(1, 90) i;
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd,
        status, opened_at, closed_at)
      SELECT id, 'manual', COALESCE(asset, 'XRP'), 'long', 'open', 100, CASE WHEN id % 7 = 0 THEN NULL ELSE (id % 9) - 4 END, 0.25,
        CASE WHEN id % 7 = 0 THEN 'open' ELSE 'closed' END, decided_at, decided_at + make_interval(days => id % 40)
      FROM maven_decisions d, generate_series(1, 2) WHERE id % 3 > 0;
      """)
    return tree
  }

  /// Every page of a filter, one after another.
  private func walk(
    _ queries: RecordQueries, _ filter: DecisionFilter, limit: Int, between: () async throws -> Void = {}
  ) async throws -> [String] {
    var files: [String] = []
    var position: DecisionPosition?
    repeat {
      let page = try await queries.decisions(filter, after: position, limit: limit)
      #expect(page.decisions.count <= limit)
      files += page.decisions.map(\.file)
      // The word that a page or a terminal gets, and gives back.
      position = page.next.flatMap { DecisionPosition($0.text) }
      #expect((position == nil) == (page.next == nil))
      try await between()
    } while position != nil && files.count < 1_000
    return files
  }

  @Test("a walk over all pages finds each decision once, those of the same moment too, while others are recorded")
  func pages() async throws {
    let tree = try await filled()
    try await tree.sql("UPDATE maven_decisions SET decided_at = 'infinity' WHERE git_filename = 'made_3.md'")
    let before = Set((1...90).map { "made_\($0).md" } + (1...6).map(MavenTree.decisionName))
    var added = 0
    let files = try await walk(queries(tree), DecisionFilter(), limit: 7) {
      added += 1
      // One that is newer than all, as a bot would write it meanwhile.
      try await tree.sql(
        """
        INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        VALUES ('late_\(added).md', 'buy', 'a', 'b', 50, 'low', now())
        """)
    }
    #expect(files.count == 96 && Set(files) == before, "\(files)")
  }

  @Test("each filter finds what a count by hand finds, alone and together")
  func filters() async throws {
    let tree = try await filled()
    let queries = queries(tree)
    let cases: [(String, (inout DecisionFilter) -> Void)] = [
      ("asset = 'ETH'", { $0.asset = "ETH" }), ("decision_type = 'hold'", { $0.type = "hold" }),
      ("risk_level = 'critical'", { $0.risk = "critical" }),
      ("confidence >= 72.5", { $0.minimumConfidence = ExactDecimal("72.5") }),
      ("confidence <= 14", { $0.maximumConfidence = ExactDecimal("14") }),
      ("decided_at >= '2026-03-01T10:00Z'", { $0.since = Instant("2026-03-01T10:00Z") }),
      ("decided_at < '2026-03-01T10:00Z'", { $0.until = Instant("2026-03-01T10:00Z") }),
      ("reasoning LIKE '%breakout%'", { $0.text = "breakouts" }),
    ]
    var together = DecisionFilter()
    var conditions: [String] = []
    for (condition, set) in cases {
      var filter = DecisionFilter()
      set(&filter)
      let expected = try await tree.value("SELECT count(*) FROM maven_decisions WHERE \(condition)")
      #expect(try await walk(queries, filter, limit: 11).count == Int(expected ?? ""), "\(condition)")
      #expect(try await queries.countDecisions(filter) == BoundedCount(count: Int(expected ?? "") ?? -1, isExact: true))
      #expect(expected != "0" && expected != "96", "\(condition) tells nothing apart")
      if ["asset", "risk", "decided_at >="].contains(where: { condition.hasPrefix($0) }) { continue }
      set(&together)
      conditions.append(condition)
    }
    let expected = try await tree.value(
      "SELECT count(*) FROM maven_decisions WHERE \(conditions.joined(separator: " AND "))")
    #expect(try await walk(queries, together, limit: 50).count == Int(expected ?? ""))
    #expect(try await queries.countDecisions(DecisionFilter(), bound: 20) == BoundedCount(count: 20, isExact: false))
  }

  @Test("what a filter holds is only ever a value, and another agent's decisions are not found")
  func hostileFilter() async throws {
    let tree = try await filled()
    for text in ["'; DROP TABLE maven_trades; --", "$1", "%", "\\", "\u{0}", "🦊\u{202E}"] {
      var filter = DecisionFilter()
      (filter.asset, filter.type, filter.risk, filter.text) = (text, text, text, text)
      #expect(try await queries(tree).decisions(filter, limit: 5).decisions.isEmpty)
    }
    #expect(try await queries(tree).decision(file: "../../etc/passwd") == nil)
    let database = tree.target()
    let other = RecordQueries(agent: try #require(Agent("other"))) { database }
    #expect(try await other.decisions(DecisionFilter(), limit: 5).decisions.isEmpty)
    #expect(try await tree.value("SELECT count(*) FROM maven_trades") != "0")
  }

  @Test("sums and counts by asset and of decisions are those of a count by hand")
  func byHand() async throws {
    let tree = try await filled()
    let byAsset = try await queries(tree).performanceByAsset()
    let expected = try await tree.value(
      """
      SELECT string_agg(concat_ws(' ', asset, n, wins, n - wins - even, round(wins * 100.0 / n, 2)), ';' ORDER BY n DESC, asset)
      FROM (SELECT asset, count(*) AS n, sum((realized_pnl_usd > fees_usd)::int) AS wins,
        sum((realized_pnl_usd = fees_usd)::int) AS even
        FROM maven_trades WHERE status = 'closed' GROUP BY asset) AS sums
      """)
    let found = byAsset.rows.map { row in
      zip(byAsset.columns, row).prefix(5).map { column, cell in
        guard case .number(let number) = cell else { return cell.shown(as: column.kind) }
        return number.text
      }.joined(separator: " ")
    }
    #expect(found.joined(separator: ";") == expected && found.count == 4)
    let total = try await tree.value("SELECT sum(net_pnl_usd) FROM maven_trades WHERE status = 'closed'")
    let sum = byAsset["net_pnl"].compactMap(\.value).reduce(0, +)
    #expect(abs(sum - (Double(total ?? "") ?? .nan)) < 0.001)

    let connection = try await tree.database.connect()
    let rows = try await connection.query(
      "SELECT decision_id::bigint, trades_executed, total_pnl, outcome FROM maven_decision_performance(100000)")
    await connection.close()
    let decisions = try await queries(tree).decisions(DecisionFilter(), limit: 1_000).decisions
    #expect(rows.count == 96 && decisions.count == 96)
    for row in rows {
      let id = try row.int(0)
      let decision = try #require(decisions.first { $0.id == id })
      let closed = Int(try row.int(1))
      #expect(decision.trades - decision.openTrades == closed)
      if closed > 0 { #expect(try decision.outcome == row.string(3) && decision.netPnL.value == Double(row.string(2))) }
    }
    #expect(Set(decisions.map(\.outcome)) == ["no trades", "open", "profitable", "loss"])
  }

  @Test("decisions count in steps of ten of their confidence, those beyond the ends in the last and the first")
  func confidence() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    for (index, confidence) in ["0", "9.99", "-3", "10", "100", "104.5"].enumerated() {
      try await tree.sql(
        "UPDATE maven_decisions SET confidence = \(confidence) WHERE git_filename = '\(MavenTree.decisionName(index + 1))'"
      )
    }
    try await tree.sql(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd, status, opened_at)
      SELECT id, 'manual', 'BTC', 'long', 'open', 10, 5.50, 0.50, 'closed', now() FROM maven_decisions WHERE confidence >= 100
      """)
    let found = try await queries(tree).performanceByConfidence()
    #expect(found["confidence_from"].compactMap(\.value) == [0, 10, 90])
    #expect(found["decisions"].compactMap(\.value) == [3, 1, 2])
    #expect(found["traded"].compactMap(\.value) == [0, 0, 2])
    #expect(
      found.selecting(["win_rate", "net_pnl"]).json.text(.compact).hasSuffix(#"{"win_rate":100.00,"net_pnl":10.00}]"#))
    #expect(found["win_rate"].first == Dataset.Cell.none)
  }

  @Test("an equity curve has few points, the first and the last snapshot among them, in order")
  func equity() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    #expect(try await queries(tree).equity().isEmpty)
    try await tree.sql(
      """
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at)
      SELECT i, 1, timestamptz '2026-01-01Z' + make_interval(secs => i * i) FROM generate_series(1, 3000) i
      """)
    let curve = try await queries(tree).equity(points: 50)
    let values = curve["total_value_usd"].compactMap(\.value)
    #expect((20...50).contains(values.count) && values.first == 1 && values.last == 3_000 && values == values.sorted())
    let late = try await queries(tree).equity(since: Instant("2026-04-01T00:00:00Z"), points: 50)
    let first = try #require(late["snapshot_at"].first?.value)
    #expect(first >= 1_775_001_600 && late["total_value_usd"].last?.value == 3_000)
  }

  @Test("periods add up to all closed trades, and records are counted on the days they were made")
  func periods() async throws {
    let tree = try await filled()
    for unit in RecordQueries.Unit.allCases {
      let found = try await queries(tree).performanceByPeriod(unit)
      let closed = try await tree.value("SELECT count(*) FROM maven_trades WHERE status = 'closed'")
      #expect(found["total_trades"].compactMap(\.value).reduce(0, +) == Double(closed ?? ""))
      // Newest first, so the first one's sum is that of all.
      let total = try await tree.value("SELECT sum(net_pnl_usd) FROM maven_trades WHERE status = 'closed'")
      #expect(found["cumulative_pnl"].first == ExactDecimal(total ?? "").map { .number($0) })
    }
    let days = try await queries(tree).recordsByTime(.day)
    let first = try #require(days.rows.last)
    #expect(first == [.time(try #require(Instant("2026-02-01"))), .integer(6), .integer(3), .integer(3)])
    let counts = try await queries(tree).tableCounts(bound: 10)
    let decisions = try #require(counts["rows"].first?.value)
    #expect(decisions >= 10 && counts["exact"].first == .flag(false))
    #expect(counts["rows"][1] == .integer(3) && counts["exact"][1] == .flag(true))
  }

  @Test("runs are remembered with their differences, those of what bots made aside")
  func runs() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(
      "UPDATE maven_decisions SET confidence = 1 WHERE id = 2; DELETE FROM maven_milestones WHERE id = 1; INSERT INTO maven_insights (insight_type, content) VALUES ('risk', 'x')"
    )
    try tree.write("decisions/decision_20260202_010101.md", "no record at all")
    try await tree.run("reconcile")
    let runs = try await queries(tree).runs(limit: 10)
    #expect(runs.map(\.command) == ["reconcile", "sync"])
    let run = try #require(runs.first)
    let counts = Dictionary(uniqueKeysWithValues: run.differences.map { ($0.class, $0.count) })
    #expect(counts["stale"] == 1 && counts["missing"] == 1 && counts["corrupt_file"] == 1 && counts["unbacked"] == 1)
    #expect(run.drift == counts.values.reduce(0, +) - 1 && run.repaired >= 2, "\(run)")
    let detail = try #require(try await queries(tree).run(id: run.id))
    #expect(detail.items["class"].contains(.text("stale")) && detail.items["class"].contains(.text("missing")))
    #expect(detail.findings["path"].contains(.text(".moha/maven/decisions/decision_20260202_010101.md")))
    #expect(try await queries(tree).run(id: "' OR true --") == nil)
    let older = try await queries(tree).runs(limit: 10, before: run.finishedAt)
    #expect(older.map(\.command) == ["sync"])
  }

  @Test("a database that is away, or without tables, or slow, is an error that says what to do")
  func problems() async throws {
    let tree = try await MavenTree.sample()
    let away = RecordQueries(agent: tree.agent) { nil }
    let missing = await #expect(throws: PersistenceError.self) { try await away.runs(limit: 1) }
    #expect(missing?.hint?.contains("moha-sync up") == true)
    let empty = await #expect(throws: PersistenceError.self) {
      try await queries(tree).decisions(DecisionFilter(), limit: 1)
    }
    #expect(empty?.hint?.contains("moha-sync sync") == true)
    try await tree.run("sync")
    let connection = try await tree.database.connect()
    try await connection.script("BEGIN; LOCK TABLE maven_trades")
    let late = await #expect(throws: PersistenceError.self) {
      try await queries(tree, patience: .milliseconds(200)).performanceByAsset()
    }
    await connection.close()
    #expect(late?.code == .timedOut)
    #expect(try await queries(tree).performanceByAsset().isEmpty)
  }
}
