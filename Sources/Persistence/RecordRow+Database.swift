internal import Postgres
internal import Records

extension RecordRow {
  /// Reads the record columns of rows as exact text, by id. Rows that are gone are absent.
  static func read(
    _ ids: [Int64], of kind: RecordKind, schema: SchemaName, connection: Connection
  ) async throws -> [Int64: RecordRow] {
    let columns = RecordRow.columns(of: kind)
    let selected = columns.map { column in
      switch RecordRow.type(of: column) {
      case .instant: "encode(timestamptz_send(\(column)), 'hex')"
      case .text, .numeric, .json: "\(column)::text"
      }
    }
    let rows = try await connection.query(
      """
      SELECT id::bigint, \(selected.joined(separator: ", ")) FROM \(schema.qualified(kind.table))
      WHERE id = ANY($1::bigint[])
      """, [.intArray(ids)])
    var found: [Int64: RecordRow] = [:]
    for row in rows {
      var values: [ColumnValue] = []
      for (index, column) in columns.enumerated() {
        values.append(RecordRow.value(try row.optionalString(index + 1), of: column))
      }
      found[try row.int(0)] = RecordRow(kind: kind, values: values)
    }
    return found
  }

  enum ColumnType {
    case text
    case numeric
    case instant
    case json
  }

  static func type(of column: String) -> ColumnType {
    switch column {
    case "confidence", "total_value_usd", "available_balance_usd", "margin_used_usd", "unrealized_pnl_usd", "pnl_24h",
      "pnl_7d", "pnl_30d", "pnl_all_time":
      .numeric
    case "decided_at", "achieved_at", "event_at", "snapshot_at": .instant
    case "metadata", "open_positions": .json
    default: .text
    }
  }

  /// A column's text as a value. What is no value of the type (NaN, infinity) stays text, which makes the row
  /// one that does not decode.
  static func value(_ text: String?, of column: String) -> ColumnValue {
    guard let text else { return .null }
    switch type(of: column) {
    case .text: return .text(text)
    case .numeric: return ExactDecimal(text).map { .numeric($0) } ?? .text(text)
    case .json: return .json(text)
    case .instant:
      guard let bits = UInt64(text, radix: 16),
        let instant = Instant(microsecondsSince2000: Int64(bitPattern: bits))
      else { return .text(text) }
      return .instant(instant)
    }
  }
}
