internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What trades came to is one number everywhere, and the true one.
@Suite struct TradeResultTests {
  private func queries(_ tree: MavenTree) -> RecordQueries {
    let database = tree.target()
    return RecordQueries(agent: tree.agent) { database }
  }

  /// Six decisions with the given trades: of which decision, status, realized P&L and fees.
  private func traded(_ trades: [(decision: Int, status: String, realized: String, fees: String)]) async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    for trade in trades {
      try await tree.sql(
        """
        INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd,
          fees_usd, status, opened_at, closed_at)
        SELECT id, 'manual', CASE WHEN id % 2 = 0 THEN 'ETH' ELSE 'BTC' END, 'long', 'close', 100, \(trade.realized), \(trade.fees), '\(trade.status)', decided_at,
          CASE WHEN '\(trade.status)' <> 'open' THEN decided_at END
        FROM maven_decisions WHERE git_filename = '\(MavenTree.decisionName(trade.decision))'
        """)
    }
    return tree
  }

  private func sum(_ dataset: Dataset, _ key: String = "net_pnl") -> Double {
    dataset[key].compactMap(\.value).reduce(0, +)
  }

  @Test("a liquidated trade counts in every sum, an open or cancelled one in none")
  func liquidated() async throws {
    let tree = try await traded([
      (1, "liquidated", "-300", "0"), (2, "closed", "40", "0"), (2, "closed", "5", "2"), (3, "open", "NULL", "1"),
      (4, "cancelled", "0", "9"),
    ])
    let queries = queries(tree)
    #expect(sum(try await queries.performanceByAsset()) == -257)
    #expect(sum(try await queries.performanceByConfidence()) == -257)
    #expect(sum(try await queries.confidenceAndOutcome()) == -257)
    for unit in RecordQueries.Unit.allCases {
      let periods = try await queries.performanceByPeriod(unit)
      #expect(sum(periods) == -257 && periods["cumulative_pnl"].first?.value == -257)
    }
    let decisions = try await queries.decisions(DecisionFilter(), limit: 10)
    #expect(sum(decisions.dataset, "total_pnl") == -257)
    #expect(sum(try await queries.performanceByAsset(), "total_trades") == 3)
  }

  @Test("a gain that its fees eat is a loss by asset, by confidence, by day and of its decision")
  func fees() async throws {
    let tree = try await traded([(1, "closed", "1", "5")])
    let queries = queries(tree)
    for dataset in [
      try await queries.performanceByAsset(), try await queries.performanceByConfidence(),
      try await queries.performanceByPeriod(.day),
    ] {
      #expect(sum(dataset, "wins") == 0 && sum(dataset, "losses") == 1 && sum(dataset, "win_rate") == 0)
      #expect(sum(dataset) == -4)
      #expect(dataset.columns.first { $0.key == "win_rate" }?.title.contains("net") == true)
    }
    let decision = try await queries.decision(file: MavenTree.decisionName(1))
    #expect(decision?.outcome == "loss" && decision?.netPnL.value == -4)
  }

  @Test("a decision's outcome is that of its ended trades, open without one, and none where none was")
  func outcomes() async throws {
    let tree = try await traded([
      (1, "open", "NULL", "1"), (2, "closed", "5", "1"), (2, "open", "NULL", "0"), (2, "open", "NULL", "0"),
      (3, "cancelled", "0", "0"), (5, "closed", "2", "2"), (6, "liquidated", "-1", "0"), (6, "closed", "9", "0"),
    ])
    let decisions = try await queries(tree).decisions(DecisionFilter(), limit: 10).decisions
    func decision(_ index: Int) throws -> DecisionRow {
      try #require(decisions.first { $0.file == MavenTree.decisionName(index) })
    }
    #expect(try (1...6).map { try decision($0).outcome }
      == ["open", "profitable", "no trades", "no trades", "breakeven", "profitable"])
    #expect(try (1...6).map { try decision($0).trades } == [1, 3, 0, 0, 1, 2])
    #expect(try (1...6).map { try decision($0).openTrades } == [1, 2, 0, 0, 0, 0])
    #expect(try (1...6).map { try decision($0).netPnL.value } == [nil, 4, nil, nil, 0, 8])
    // The function of the older scripts keeps its own meaning: closed trades alone.
    #expect(
      try await tree.value(
        "SELECT string_agg(trades_executed || ' ' || total_pnl, ',' ORDER BY decided_at) FROM maven_decision_performance(36500)")
        == "0 0,1 4.00,0 0,0 0,1 0.00,1 9.00")
  }

  @Test("a decision on several assets is found by each of them, in any case, and by no part of a name")
  func assets() async throws {
    let tree = try await traded([])
    let assets = ["BTC, eth,SOL", "btc", "BTCUSD", "ETH", "Eth ,BTC", "'; --"]
    for (index, asset) in assets.enumerated() {
      try await tree.sql(
        "UPDATE maven_decisions SET asset = '\(asset.replacing("'", with: "''"))' WHERE git_filename = '\(MavenTree.decisionName(index + 1))'")
    }
    for (asset, expected) in [
      ("BTC", [1, 2, 5]), ("btc", [1, 2, 5]), ("Eth", [1, 4, 5]), ("sol", [1]), ("eth,btc", [1, 5]), ("BT", []), ("", []),
      (" , ", []), ("btcusd", [3]), ("'; --", [6]),
    ] {
      var filter = DecisionFilter()
      filter.asset = asset
      let files = try await queries(tree).decisions(filter, limit: 10).decisions.map(\.file)
      #expect(Set(files) == Set(expected.map(MavenTree.decisionName)), "\(asset)")
    }
    // A name that no page of an index could take arrives, and is found as it is written.
    let long = String(repeating: "🦊", count: 3_000)
    try await tree.sql("UPDATE maven_decisions SET asset = '\(long)' WHERE git_filename = '\(MavenTree.decisionName(1))'")
    var filter = DecisionFilter()
    filter.asset = long
    #expect(try await queries(tree).decisions(filter, limit: 10).decisions.count == 1)
  }
}
