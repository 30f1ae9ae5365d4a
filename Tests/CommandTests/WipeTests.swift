internal import Records
internal import TestSupport
internal import Testing

/// A database that was wiped: what git cannot bring back is named, and goes on being named.
@Suite struct WipeTests {
  /// A synced tree with rows of every kind that git has no copy of.
  private func filled() async throws -> CommandTree {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, status, opened_at)
      SELECT 1, 'manual', 'BTC', 'long', 'open', 100, 'open', now() FROM generate_series(1, 30);
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at)
      SELECT 1000 + i, 500, now() FROM generate_series(1, 12) i;
      UPDATE maven_decisions SET executed = true, execution_count = 2, market_context = '{"vix": 12}' WHERE id <= 3;
      """)
    // Counted by the next run that compares.
    try await tree.expect(0, "reconcile")
    return tree
  }

  private func wipe(_ tree: CommandTree) async throws {
    try await tree.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
  }

  private func lost(_ document: JSONValue) -> [String: [Int]] {
    guard case .array(let elements)? = document["lost"] else { return ["none": []] }
    return Dictionary(
      elements.map { ($0["table"]?.text ?? "", [$0["had"]?.integer ?? -1, $0["has"]?.integer ?? -1]) }) { $1 }
  }

  static let expected = ["maven_trades": [30, 0], "maven_portfolio_snaps": [12, 0], "maven_decisions": [3, 0]]

  @Test("after a wipe and a restore, every command names the rows that are gone, until they are back or forgotten")
  func named() async throws {
    let tree = try await filled()
    #expect(try lost(await tree.expect(0, "verify", "--json").json()).isEmpty)
    try await wipe(tree)
    let before = try await tree.expect(4, "verify", "--json").json()
    #expect(before["database_empty"] == .bool(true))
    #expect(lost(before) == Self.expected, "\(before)")
    #expect(before["last_comparison"]?["command"]?.text == "reconcile")
    let restored = try await tree.expect(0, "restore", "--json").json()
    #expect(lost(restored) == Self.expected, "\(restored)")
    #expect(restored["inserted"]?["decisions"]?.integer == 6)
    // The rows of git are whole again, and what is gone is told all the same.
    for _ in 1...2 {
      let after = try await tree.expect(0, "verify", "--json").json()
      #expect(after["in_sync"] == .bool(true) && lost(after) == Self.expected)
      #expect(try lost(await tree.expect(0, "reconcile", "--json").json()) == Self.expected)
    }
    for command in [["verify"], ["sync"], ["reconcile"], ["report"]] {
      let text = try await tree.run(command).stdoutText
      #expect(text.contains("30 trades are gone: maven_trades held 30 at 20"), "\(command): \(text)")
      #expect(text.contains("git has no copy of them") && text.contains("doctor --forget-rows"), "\(text)")
    }
    let doctor = try await tree.run("doctor", "--timeout", "300", "--json", "--without", "redis,mcp")
    let findings = try DoctorTests.findings(doctor).filter { $0["code"]?.text == "rows-lost" }
    #expect(doctor.status == 3 && findings.count == 3, "\(doctor.everything)")

    // Some came back: the rest is still gone.
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, status, opened_at)
      SELECT 'manual', 'BTC', 'long', 'open', 100, 'open', now() FROM generate_series(1, 10)
      """)
    #expect(try lost(await tree.expect(0, "verify", "--json").json())["maven_trades"] == [30, 10])
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, status, opened_at)
      SELECT 'manual', 'BTC', 'long', 'open', 100, 'open', now() FROM generate_series(1, 20)
      """)
    #expect(try lost(await tree.expect(0, "verify", "--json").json())["maven_trades"] == nil)
    try await tree.expect(0, "doctor", "--forget-rows")
    #expect(try lost(await tree.expect(0, "verify", "--json").json()).isEmpty)
  }

  @Test("a table that is emptied in a database that stands is named; rows that come and go are not")
  func emptied() async throws {
    let tree = try await filled()
    try await tree.sql("DELETE FROM maven_trades WHERE id % 3 = 0")
    #expect(try lost(await tree.expect(0, "verify", "--json").json()).isEmpty)
    try await tree.expect(0, "reconcile")
    try await tree.sql("DELETE FROM maven_trades")
    #expect(try lost(await tree.expect(0, "verify", "--json").json()) == ["maven_trades": [20, 0]])
  }

  @Test("a tick tells of a loss once, on stderr, with its rows repaired as ever")
  func tick() async throws {
    let tree = try await filled()
    try await wipe(tree)
    let first = try await tree.expect(0, "tick")
    #expect(first.stderrText.contains("30 trades are gone"), "\(first.everything)")
    let second = try await tree.expect(0, "tick")
    #expect(!second.everything.contains("gone"), "\(second.everything)")
  }

  @Test("another database beside it is none that was wiped; a memory that cannot be read says nothing, and stops nothing")
  func other() async throws {
    let tree = try await filled()
    let other = try await PostgresServer.shared().database()
    let synced = try await tree.runBare(["sync", "--json", "--database", other.url])
    #expect(try synced.status == 0 && lost(synced.json()).isEmpty, "\(synced.everything)")
    #expect(try lost(await tree.expect(0, "sync", "--into", "beside", "--json").json()).isEmpty)
    #expect(try lost(await tree.expect(0, "verify", "--json").json()).isEmpty)
    for text in ["", "{", #"{"databases": {"x": 1}}"#, #"{"databases": [{"lost": "all"}]}"#] {
      try tree.git.write(".git/moha-sync/rows-maven.json", text)
      #expect(try lost(await tree.expect(0, "verify", "--json").json()).isEmpty)
    }
    try await tree.expect(0, "reconcile")
    try await wipe(tree)
    #expect(try lost(await tree.expect(4, "verify", "--json").json()) == Self.expected)
  }

  @Test("of an empty database the first line says so, with the command that restores it, and no record is listed")
  func firstLine() async throws {
    let tree = try await filled()
    try await wipe(tree)
    let text = try await tree.expect(4, "verify").stdoutText
    let first = try #require(text.split(separator: "\n").first)
    #expect(first.hasPrefix("The database is empty: `moha-sync sync` restores it from git (11 records; `reconcile`"))
    #expect(!text.contains("missing  "), "\(text)")
    #expect(text.contains("decisions") && text.contains("6"), "\(text)")
    #expect(try await tree.expect(4, "verify", "-v").stdoutText.contains("missing  decisions"))
    let plan = try await tree.expect(4, "reconcile", "--dry-run").stdoutText
    #expect(plan.hasPrefix("The database is empty: ") && !plan.contains("missing  "), "\(plan)")
    let restored = try await tree.expect(0, "sync").stdoutText
    #expect(restored.hasPrefix("Restored 11 records in "), "\(restored)")
    let again = try await tree.expect(0, "sync").stdoutText
    #expect(again.hasPrefix("Nothing to restore: the rows of 11 records were there."), "\(again)")
  }

  @Test("a new database is restored with a word on what git has no copy of, and no schema drift is told")
  func fresh() async throws {
    let tree = try await CommandTree.sample()
    let text = try await tree.expect(0, "sync").stdoutText
    #expect(text.contains("git has no copy of trades, portfolio snapshots of bots, insights"), "\(text)")
    #expect(!text.contains("schema-drift"))
    let run = try await tree.value("SELECT differences ->> 'schema_drift' FROM maven_reconcile_runs")
    #expect(run == "0")
  }
}
