/// The value of a column, as the database holds it.
package enum ColumnValue: Hashable, Sendable {
  case null
  /// Text after `DatabaseText.encode`.
  case text(String)
  case numeric(ExactDecimal)
  case instant(Instant)
  /// The text that PostgreSQL prints for a jsonb value.
  case json(String)

  /// Equality of bytes for texts, of value for numbers.
  package static func == (left: ColumnValue, right: ColumnValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.text(let left), .text(let right)), (.json(let left), .json(let right)): left.isIdentical(toBytesOf: right)
    case (.numeric(let left), .numeric(let right)): left == right
    case (.instant(let left), .instant(let right)): left == right
    default: false
    }
  }

  /// The value for people: a number as written, a moment in ISO 8601; nil for null.
  package var text: String? {
    switch self {
    case .null: nil
    case .text(let text), .json(let text): text
    case .numeric(let decimal): decimal.text
    case .instant(let instant): instant.description
    }
  }

  init(_ text: String?) {
    self = text.map { .text(DatabaseText.encode($0)) } ?? .null
  }

  init(_ decimal: ExactDecimal?) {
    self = decimal.map { .numeric($0) } ?? .null
  }

  init(_ instant: Instant?) {
    self = instant.map { .instant($0) } ?? .null
  }
}

/// The record's part of a database row.
package struct RecordRow: Equatable, Sendable {
  package let kind: RecordKind
  /// One value for each of `columns(of: kind)`, in that order.
  package let values: [ColumnValue]

  package init(kind: RecordKind, values: [ColumnValue]) {
    self.kind = kind
    self.values = values
  }

  /// The names of the columns, in the order of the canonical encoding.
  package static func columns(of kind: RecordKind) -> [String] {
    switch kind {
    case .decision:
      [
        "decision_type", "asset", "risk_level", "confidence", "decided_at", "action", "reasoning", "outcome",
        "metadata",
      ]
    case .milestone: ["title", "category", "significance", "achieved_at", "description", "metadata"]
    case .event: ["event_type", "event_at", "event_time", "title", "description", "metadata"]
    case .snapshot:
      [
        "snapshot_type", "snapshot_at", "total_value_usd", "available_balance_usd", "margin_used_usd",
        "unrealized_pnl_usd", "open_positions", "pnl_24h", "pnl_7d", "pnl_30d", "pnl_all_time", "notes", "metadata",
      ]
    }
  }

  /// The hash that the database computes for this very row.
  package var contentHash: ContentHash { ContentHash(of: CanonicalBytes(self)) }
}

extension Record {
  package var row: RecordRow {
    switch self {
    case .decision(let decision):
      RecordRow(
        kind: .decision,
        values: [
          ColumnValue(decision.decisionType), ColumnValue(decision.asset), ColumnValue(decision.riskLevel),
          .numeric(decision.confidence), .instant(decision.decidedAt), ColumnValue(decision.action),
          ColumnValue(decision.reasoning), ColumnValue(decision.outcome), .json(decision.metadata.jsonbText),
        ])
    case .milestone(let milestone):
      RecordRow(
        kind: .milestone,
        values: [
          ColumnValue(milestone.title), ColumnValue(milestone.category), ColumnValue(milestone.significance),
          ColumnValue(milestone.achievedAt), ColumnValue(milestone.description), .json(milestone.metadata.jsonbText),
        ])
    case .event(let event):
      RecordRow(
        kind: .event,
        values: [
          ColumnValue(event.type), ColumnValue(event.time), ColumnValue(event.timeText), ColumnValue(event.title),
          ColumnValue(event.content), .json(event.metadata.jsonbText),
        ])
    case .snapshot(let snapshot):
      RecordRow(
        kind: .snapshot,
        values: [
          ColumnValue(snapshot.cause.rawValue), .instant(snapshot.takenAt), .numeric(snapshot.totalValue),
          .numeric(snapshot.availableBalance), .numeric(snapshot.marginUsed), .numeric(snapshot.unrealizedPnL),
          .json(snapshot.openPositions.jsonbText), ColumnValue(snapshot.changes.day),
          ColumnValue(snapshot.changes.week), ColumnValue(snapshot.changes.month),
          ColumnValue(snapshot.changes.allTime), ColumnValue(snapshot.notes), .json(snapshot.metadata.jsonbText),
        ])
    }
  }

  /// Makes the record that a row says. Its text is normalised as every record's is, so a row that was changed by hand may
  /// give a record with another hash than the row's.
  ///
  /// - Throws: `RecordError.invalidRow` where the columns are not those of `kind`, or where a required one is null.
  package init(row: RecordRow, kind: RecordKind) throws(RecordError) {
    var reader = RowReader(values: row.values, columns: RecordRow.columns(of: kind))
    guard row.kind == kind, row.values.count == reader.columns.count else {
      throw RecordError(.invalidRow, "the row does not have the columns of \(kind.name)")
    }
    switch kind {
    case .decision:
      self = .decision(
        Decision(
          decisionType: try reader.requiredText(), asset: try reader.text(), riskLevel: try reader.requiredText(),
          confidence: try reader.numeric(), decidedAt: try reader.requiredInstant(),
          action: try reader.requiredText(), reasoning: try reader.requiredText(), outcome: try reader.text(),
          metadata: try reader.json()))
    case .milestone:
      self = .milestone(
        Milestone(
          title: try reader.requiredText(), category: try reader.text(), significance: try reader.text(),
          achievedAt: try reader.instant(), description: try reader.requiredText(), metadata: try reader.json()))
    case .event:
      let type = try reader.requiredText()
      let time = try reader.instant()
      let timeText = try reader.text()
      let title = try reader.text()
      self = .event(
        Event(
          type: type, title: title, time: time, timeText: timeText, content: try reader.requiredText(),
          metadata: try reader.json()))
    case .snapshot:
      guard let cause = Snapshot.Cause(rawValue: try reader.requiredText()) else {
        throw reader.failure("one of \(Snapshot.Cause.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      self = .snapshot(
        Snapshot(
          cause: cause, takenAt: try reader.requiredInstant(), totalValue: try reader.numeric(),
          availableBalance: try reader.numeric(), marginUsed: try reader.optionalNumeric() ?? .zero,
          unrealizedPnL: try reader.optionalNumeric() ?? .zero, openPositions: try reader.array(),
          changes: .init(
            day: try reader.optionalNumeric(), week: try reader.optionalNumeric(),
            month: try reader.optionalNumeric(), allTime: try reader.optionalNumeric()),
          notes: try reader.text(), metadata: try reader.json()))
    }
  }
}

/// Takes the values of a row one after another.
private struct RowReader {
  let values: [ColumnValue]
  let columns: [String]
  var index = 0

  init(values: [ColumnValue], columns: [String]) {
    self.values = values
    self.columns = columns
  }

  private mutating func next() -> ColumnValue {
    defer { index += 1 }
    return index < values.count ? values[index] : .null
  }

  func failure(_ expected: String) -> RecordError {
    let column = columns.indices.contains(index - 1) ? columns[index - 1] : "?"
    return RecordError(.invalidRow, "column \(column) is not \(expected)")
  }

  mutating func text() throws(RecordError) -> String? {
    switch next() {
    case .null: return nil
    case .text(let text): return DatabaseText.decode(text)
    default: throw failure("text")
    }
  }

  mutating func requiredText() throws(RecordError) -> String {
    guard let text = try text() else { throw failure("set") }
    return text
  }

  mutating func numeric() throws(RecordError) -> ExactDecimal {
    guard case .numeric(let decimal) = next() else { throw failure("a number") }
    return decimal
  }

  mutating func optionalNumeric() throws(RecordError) -> ExactDecimal? {
    switch next() {
    case .null: return nil
    case .numeric(let decimal): return decimal
    default: throw failure("a number")
    }
  }

  mutating func instant() throws(RecordError) -> Instant? {
    switch next() {
    case .null: return nil
    case .instant(let instant): return instant
    default: throw failure("a timestamp")
    }
  }

  mutating func requiredInstant() throws(RecordError) -> Instant {
    guard let instant = try instant() else { throw failure("set") }
    return instant
  }

  /// Null positions, which the table allows, are none.
  mutating func array() throws(RecordError) -> JSONValue {
    let value = try json(null: .array([]))
    guard case .array = value else { throw failure("an array") }
    return value
  }

  /// Null metadata, which older tables allow, is `{}`.
  mutating func json(null: JSONValue = .emptyObject) throws(RecordError) -> JSONValue {
    switch next() {
    case .null: return null
    case .json(let text):
      do {
        return JSONValue(databaseForm: try JSONValue.parse(text))
      } catch {
        throw failure("JSON: \(error.reason)")
      }
    default: throw failure("JSON")
    }
  }
}
