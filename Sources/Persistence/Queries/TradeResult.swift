/// What a trade came to, the one definition of all reports, as SQL over the columns of `maven_trades`.
///
/// A trade has a result once it is closed or liquidated and its P&L is known. Its result is net of fees: a gain of 1
/// that cost 5 is a loss. An open trade has none yet, and a cancelled one was none. The older functions of the database keep
/// definitions of their own, which their users know.
enum TradeResult {
  /// Whether a trade has a result.
  static let isSettled = "(status IN ('closed', 'liquidated') AND realized_pnl_usd IS NOT NULL)"
  /// US dollars.
  static let net = "net_pnl_usd"
  static let isWin = "(net_pnl_usd > 0)"
  static let isLoss = "(net_pnl_usd < 0)"
  /// When it ended.
  static let time = "COALESCE(closed_at, opened_at)"

  /// The trades that an aggregate of the rows `decision_id = <id>` counts, adds up and judges, as columns `trades`,
  /// `open`, `net` and `outcome`.
  ///
  /// The outcome is that of the trades that have a result, `open` where none has one yet, and `no trades` where nothing
  /// but cancelled ones was there. `unknown` is one that ended and does not say how.
  static let ofDecision = """
    count(*) FILTER (WHERE status <> 'cancelled') AS trades, count(*) FILTER (WHERE status = 'open') AS open,
    sum(\(net)) FILTER (WHERE \(isSettled)) AS net,
    CASE
      WHEN sum(\(net)) FILTER (WHERE \(isSettled)) > 0 THEN 'profitable'
      WHEN sum(\(net)) FILTER (WHERE \(isSettled)) < 0 THEN 'loss'
      WHEN count(*) FILTER (WHERE \(isSettled)) > 0 THEN 'breakeven'
      WHEN count(*) FILTER (WHERE status = 'open') > 0 THEN 'open'
      WHEN count(*) FILTER (WHERE status <> 'cancelled') > 0 THEN 'unknown'
      ELSE 'no trades' END AS outcome
    """
}
