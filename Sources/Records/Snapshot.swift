/// What a portfolio was worth at a moment. Amounts are US dollars with at most two decimals, as the table holds them.
package struct Snapshot: Sendable, Equatable {
  /// Why it was taken.
  package enum Cause: String, CaseIterable, Sendable {
    case scheduled, decision, manual, milestone
  }

  package let cause: Cause
  package let takenAt: Instant
  package let totalValue: ExactDecimal
  package let availableBalance: ExactDecimal
  package let marginUsed: ExactDecimal
  package let unrealizedPnL: ExactDecimal
  /// An array with an object for each position, whose members are those that its writer chose.
  package let openPositions: JSONValue
  /// Change of the total value in 24 hours, 7 days, 30 days and since the beginning; nil where it is not known.
  package let changes: Changes
  package let notes: String?
  package let metadata: JSONValue

  package struct Changes: Sendable, Equatable {
    package var day: ExactDecimal?
    package var week: ExactDecimal?
    package var month: ExactDecimal?
    package var allTime: ExactDecimal?

    package init(
      day: ExactDecimal? = nil, week: ExactDecimal? = nil, month: ExactDecimal? = nil, allTime: ExactDecimal? = nil
    ) {
      (self.day, self.week, self.month, self.allTime) = (day, week, month, allTime)
    }
  }

  package init(
    cause: Cause, takenAt: Instant, totalValue: ExactDecimal, availableBalance: ExactDecimal, marginUsed: ExactDecimal,
    unrealizedPnL: ExactDecimal, openPositions: JSONValue, changes: Changes = Changes(), notes: String? = nil,
    metadata: JSONValue = .emptyObject
  ) {
    self.cause = cause
    self.takenAt = takenAt
    self.totalValue = totalValue
    self.availableBalance = availableBalance
    self.marginUsed = marginUsed
    self.unrealizedPnL = unrealizedPnL
    self.openPositions = openPositions
    self.changes = changes
    self.notes = notes.map { RecordText.body($0) }.flatMap { $0.isEmpty ? nil : $0 }
    self.metadata = metadata
  }

  /// Whether the table's `numeric(20,2)` holds the amount as it is, and also what it computes of two such amounts: the
  /// margin in percent of the total. A record that no row can hold would keep all others from the database.
  package static func isAmount(_ decimal: ExactDecimal) -> Bool {
    let digits = decimal.canonical.utf8.drop { $0 == 0x2D }.split(separator: 0x2E)
    return digits.first.map { $0.count <= 13 } ?? false && (digits.count < 2 || digits[1].count <= 2)
  }
}
