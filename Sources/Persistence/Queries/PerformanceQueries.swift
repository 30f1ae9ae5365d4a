internal import Postgres
package import Records

/// How trades went, by what they have in common.
///
/// Trades count, win and lose as `TradeResult` says: closed and liquidated ones, net of fees. A window takes trades by
/// the time that they ended.
extension RecordQueries {
  /// A length of time that P&L and records are added up over.
  package enum Unit: String, CaseIterable, Sendable {
    case day, week, month
  }

  private static let counts: [Dataset.Column] = [
    .init("total_trades", "Trades", .integer), .init("wins", "Wins", .integer), .init("losses", "Losses", .integer),
    .init("win_rate", "Win rate (net)", .percent),
  ]

  private static func settled(since: Instant?) -> Conditions {
    var conditions = Conditions()
    conditions.add(TradeResult.isSettled)
    if let since { conditions.add(since.parameter) { "\(TradeResult.time) >= \($0[0])" } }
    return conditions
  }

  /// Win rate and P&L of each asset, most trades first.
  package func performanceByAsset(since: Instant? = nil, limit: Int = 1_000) async throws -> Dataset {
    let conditions = RecordQueries.settled(since: since)
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      SELECT asset, count(*), count(*) FILTER (WHERE \(TradeResult.isWin)),
        count(*) FILTER (WHERE \(TradeResult.isLoss)),
        round(count(*) FILTER (WHERE \(TradeResult.isWin)) * 100.0 / count(*), 2), sum(\(TradeResult.net))
      FROM \(schema.qualified("maven_trades")) WHERE \(conditions.sql)
      GROUP BY asset ORDER BY count(*) DESC, asset LIMIT \(limit)
      """
    }
    return try Dataset(
      [.init("asset", "Asset", .text)] + RecordQueries.counts + [.init("net_pnl", "Net P&L (USD)", .money)], rows)
  }

  /// Trades of each day, week or month, newest first, with the sum of all before; at most `limit` of them.
  package func performanceByPeriod(_ unit: Unit, since: Instant? = nil, limit: Int = 500) async throws -> Dataset {
    let conditions = RecordQueries.settled(since: since)
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      SELECT date_trunc('\(unit.rawValue)', day::timestamp) AS period, sum(trades), sum(wins), sum(losses),
        round(sum(wins) * 100.0 / sum(trades), 2), sum(fees), sum(net),
        sum(sum(net)) OVER (ORDER BY date_trunc('\(unit.rawValue)', day::timestamp))
      FROM (
        SELECT (\(TradeResult.time) AT TIME ZONE 'UTC')::date AS day, count(*) AS trades,
          count(*) FILTER (WHERE \(TradeResult.isWin)) AS wins, count(*) FILTER (WHERE \(TradeResult.isLoss)) AS losses,
          COALESCE(sum(fees_usd), 0) AS fees, sum(\(TradeResult.net)) AS net
        FROM \(schema.qualified("maven_trades")) WHERE \(conditions.sql) GROUP BY day) AS days
      GROUP BY period ORDER BY period DESC LIMIT \(limit)
      """
    }
    return try Dataset(
      [.init("period", unit.rawValue.capitalizedFirst, .day)] + RecordQueries.counts + [
        .init("fees", "Fees (USD)", .money), .init("net_pnl", "Net P&L (USD)", .money),
        .init("cumulative_pnl", "Cumulative (USD)", .money),
      ], rows)
  }

  /// Decisions by confidence in steps of ten: how many have trades with a result, and how those ended together.
  ///
  /// A confidence outside 0 to 100 counts in the nearest step. The trades are added up once and for all: workers in
  /// parallel would each do all of it.
  package func performanceByConfidence(since: Instant? = nil) async throws -> Dataset {
    var conditions = Conditions()
    conditions.add(.text(agent.name)) { "d.agent = \($0[0])" }
    if let since { conditions.add(since.parameter) { "d.decided_at >= \($0[0])" } }
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      WITH settled AS MATERIALIZED (
        SELECT decision_id, sum(\(TradeResult.net)) AS net FROM \(schema.qualified("maven_trades"))
        WHERE \(TradeResult.isSettled) AND decision_id IS NOT NULL GROUP BY decision_id)
      SELECT bucket * 10, bucket * 10 + 10, count(*), count(net), count(*) FILTER (WHERE net > 0),
        count(*) FILTER (WHERE net < 0), round(count(*) FILTER (WHERE net > 0) * 100.0 / NULLIF(count(net), 0), 2),
        sum(net)
      FROM (
        SELECT GREATEST(LEAST(floor(d.confidence::float8 / 10), 9), 0)::integer AS bucket, s.net
        FROM \(schema.qualified("maven_decisions")) AS d LEFT JOIN settled AS s ON s.decision_id = d.id
        WHERE \(conditions.sql)) AS decisions
      GROUP BY bucket ORDER BY bucket
      """
    }
    return try Dataset(
      [
        .init("confidence_from", "From", .percent), .init("confidence_to", "To", .percent),
        .init("decisions", "Decisions", .integer), .init("traded", "Traded", .integer),
        .init("wins", "Wins", .integer), .init("losses", "Losses", .integer),
        .init("win_rate", "Win rate (net)", .percent), .init("net_pnl", "Net P&L (USD)", .money),
      ], rows)
  }

  /// Confidence and net P&L of single decisions whose trades have a result, among the newest thousand.
  package func confidenceAndOutcome(since: Instant? = nil, limit: Int = 300) async throws -> Dataset {
    var conditions = Conditions()
    conditions.add(.text(agent.name)) { "agent = \($0[0])" }
    if let since { conditions.add(since.parameter) { "decided_at >= \($0[0])" } }
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      SELECT d.git_filename, d.confidence, t.net FROM (
        SELECT id, git_filename, confidence, decided_at FROM \(schema.qualified("maven_decisions"))
        WHERE \(conditions.sql) ORDER BY decided_at DESC, id DESC LIMIT 1000) AS d
      CROSS JOIN LATERAL (
        SELECT sum(\(TradeResult.net)) AS net FROM \(schema.qualified("maven_trades"))
        WHERE decision_id = d.id AND \(TradeResult.isSettled)) AS t
      WHERE t.net IS NOT NULL ORDER BY d.decided_at DESC, d.id DESC LIMIT \(limit)
      """
    }
    return try Dataset(
      [
        .init("file", "Decision", .text), .init("confidence", "Confidence", .percent),
        .init("net_pnl", "Net P&L (USD)", .money),
      ], rows)
  }

  /// What the bots themselves wrote about periods, newest first.
  package func storedPerformance(limit: Int = 50) async throws -> Dataset {
    let columns: [Dataset.Column] =
      [
        .init("period_type", "Period", .text), .init("period_start", "From (UTC)", .time),
        .init("period_end", "To (UTC)", .time), .init("total_trades", "Trades", .integer),
        .init("winning_trades", "Wins", .integer), .init("losing_trades", "Losses", .integer),
        .init("win_rate_pct", "Win rate", .percent), .init("net_pnl_usd", "Net P&L (USD)", .money),
        .init("profit_factor", "Profit factor", .decimal), .init("max_drawdown_pct", "Drawdown", .percent),
        .init("sharpe_ratio", "Sharpe", .decimal),
      ]
    let rows = try await rows { schema in
      """
      SELECT \(columns.map(\.key).joined(separator: ", ")) FROM \(schema.qualified("maven_performance"))
      ORDER BY period_end DESC, id DESC LIMIT \(limit)
      """
    }
    return try Dataset(columns, rows)
  }

  /// The portfolio's value over time, oldest first, in at most `points` snapshots that are spread evenly in time.
  ///
  /// Each is the newest snapshot at its moment, found by the index, so the cost does not grow with their number. The
  /// first and the last one are always among them; a spike between two moments may not be.
  package func equity(since: Instant? = nil, points: Int = 300) async throws -> Dataset {
    var conditions = Conditions()
    conditions.add("snapshot_at BETWEEN '0001-01-01Z' AND '9999-12-31Z'")
    if let since { conditions.add(since.parameter) { "snapshot_at >= \($0[0])" } }
    let last = max(points, 2) - 1
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      let table = schema.qualified("maven_portfolio_snaps")
      return """
        SELECT DISTINCT s.snapshot_at, s.total_value_usd, s.unrealized_pnl_usd, s.position_count
        FROM (SELECT min(snapshot_at) AS low, max(snapshot_at) AS high FROM \(table) WHERE \(conditions.sql)) AS span
        CROSS JOIN generate_series(0, \(last)) AS step
        CROSS JOIN LATERAL (
          SELECT snapshot_at, total_value_usd, unrealized_pnl_usd, position_count FROM \(table)
          WHERE snapshot_at <= CASE step WHEN \(last) THEN high ELSE low + (high - low) * (step / \(last).0) END
            AND snapshot_at >= low
          ORDER BY snapshot_at DESC, id DESC LIMIT 1) AS s
        ORDER BY s.snapshot_at
        """
    }
    return try Dataset(
      [
        .init("snapshot_at", "Time (UTC)", .time), .init("total_value_usd", "Value (USD)", .money),
        .init("unrealized_pnl_usd", "Unrealized (USD)", .money), .init("position_count", "Positions", .integer),
      ], rows)
  }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
