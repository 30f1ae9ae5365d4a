package import Records

/// Open positions with their prices, and what they are worth together.
///
/// Of a position, `entry × size` is tied up in it (positions are taken as paid in full: Redis does not know the
/// leverage), and `(price − entry) × size` is its unrealized gain, with the other sign for a short one. Then
///
///     margin used     Σ entry × size
///     unrealized P&L  Σ ± (price − entry) × size
///     total value     available balance + margin used + unrealized P&L
///
/// Everything is computed exactly and rounded once, to cents, at the end.
package struct Portfolio: Sendable {
  package let positions: [Position]
  package let prices: [Asset: ExactDecimal]
  package let availableBalance: ExactDecimal

  package init(positions: [Position], prices: [Asset: ExactDecimal], availableBalance: ExactDecimal) {
    self.positions = positions
    self.prices = prices
    self.availableBalance = availableBalance
  }

  /// Positions for which there is no price: without one nobody knows what the portfolio is worth.
  package var unpriced: [Asset] { positions.map(\.asset).filter { prices[$0] == nil } }

  /// - Parameter past: snapshots to compare the total value with.
  /// - Throws: `.notFound` where a price is missing; `.invalidRequest` where an amount is too large to be kept.
  package func snapshot(
    _ cause: Snapshot.Cause, at now: Instant, past: PastValues, notes: String?, metadata: JSONValue
  ) throws(PersistenceError) -> Snapshot {
    var margin = ExactDecimal(0)
    var profit = ExactDecimal(0)
    var shown: [JSONValue] = []
    for position in positions.sorted(by: { $0.asset < $1.asset }) {
      guard let price = prices[position.asset] else {
        throw PersistenceError(
          .notFound,
          "there is no price of \(position.asset), so nobody knows what its position is worth: no snapshot was taken",
          hint: "prices are forgotten after a minute; put one with `moha-sync cache price set \(position.asset) PRICE`")
      }
      let tied = try Portfolio.exact(position.entry.multiplied(by: position.size))
      let worth = try Portfolio.exact(price.multiplied(by: position.size))
      let gain = try Portfolio.exact(position.side == .long ? worth.subtracting(tied) : tied.subtracting(worth))
      margin = try Portfolio.exact(margin.adding(tied))
      profit = try Portfolio.exact(profit.adding(gain))
      shown.append(
        Report.object([
          "asset": .string(position.asset.name), "side": .string(position.side.rawValue),
          "entry": Portfolio.number(position.entry), "size": Portfolio.number(position.size),
          "opened_at": .string(position.openedAt.description), "price": Portfolio.number(price),
          "value_usd": Portfolio.number(try Portfolio.amount(worth)),
          "unrealized_pnl_usd": Portfolio.number(try Portfolio.amount(gain)),
        ]))
    }
    let total = try Portfolio.amount(
      Portfolio.exact(availableBalance.adding(margin).flatMap { $0.adding(profit) }))
    func change(since value: ExactDecimal?) throws(PersistenceError) -> ExactDecimal? {
      guard let value else { return nil }
      return try Portfolio.amount(Portfolio.exact(total.subtracting(value)))
    }
    return Snapshot(
      cause: cause, takenAt: now, totalValue: total, availableBalance: try Portfolio.amount(availableBalance),
      marginUsed: try Portfolio.amount(margin), unrealizedPnL: try Portfolio.amount(profit),
      openPositions: .array(shown),
      changes: .init(
        day: try change(since: past.day), week: try change(since: past.week), month: try change(since: past.month),
        allTime: try change(since: past.first)),
      notes: notes, metadata: metadata)
  }

  /// Total values of earlier snapshots; nil where there is none so old.
  package struct PastValues: Sendable {
    /// The newest at least 24 hours, 7 days and 30 days old.
    package var day: ExactDecimal?
    package var week: ExactDecimal?
    package var month: ExactDecimal?
    /// The oldest of all.
    package var first: ExactDecimal?

    package init() {}
  }

  private static func exact(_ result: ExactDecimal?) throws(PersistenceError) -> ExactDecimal {
    guard let result else {
      throw PersistenceError(
        .invalidRequest, "an amount has more than 36 digits: no snapshot was taken",
        hint: "look at the positions with `moha-sync cache position list`")
    }
    return result
  }

  private static func amount(_ decimal: ExactDecimal) throws(PersistenceError) -> ExactDecimal {
    let rounded = try exact(decimal.rounded(to: 2))
    guard Snapshot.isAmount(rounded) else {
      throw PersistenceError(
        .invalidRequest, "an amount is above 9,999,999,999,999 dollars: no snapshot was taken",
        hint: "look at the positions with `moha-sync cache position list`")
    }
    return rounded
  }

  private static func number(_ decimal: ExactDecimal) -> JSONValue {
    (JSONNumber(decimal.text) ?? JSONNumber(decimal.canonical)).map { .number($0) } ?? .null
  }
}
