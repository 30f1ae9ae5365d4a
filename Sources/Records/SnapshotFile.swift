/// The form of a portfolio snapshot's file: one JSON object, whose members are named like the table's columns.
///
///     {
///       "schema": 1,
///       "snapshot_at": "2026-01-13T03:56:13.642576+00:00",
///       "snapshot_type": "scheduled",
///       "total_value_usd": 10500.25,
///       "available_balance_usd": 4000.00,
///       "margin_used_usd": 6400.00,
///       "unrealized_pnl_usd": 100.25,
///       "open_positions": [{"asset": "BTC", "side": "long", …}],
///       "pnl_24h": 12.50, "pnl_7d": …, "pnl_30d": …, "pnl_all_time": …,     (absent where not known)
///       "notes": "…", "metadata": {…}                                        (absent where there are none)
///     }
enum SnapshotFile {
  static func read(_ bytes: [UInt8], _ findings: inout FileFindings) -> Record? {
    guard let value = ObjectFile.read(bytes, &findings)?.value else { return nil }
    var reader = Reader(value: value)
    let cause = reader.text("snapshot_type") ?? ""
    let snapshot = Snapshot(
      cause: Snapshot.Cause(rawValue: cause) ?? .scheduled, takenAt: reader.instant("snapshot_at"),
      totalValue: reader.amount("total_value_usd"), availableBalance: reader.amount("available_balance_usd"),
      marginUsed: reader.amount("margin_used_usd", default: .zero),
      unrealizedPnL: reader.amount("unrealized_pnl_usd", default: .zero), openPositions: reader.positions(),
      changes: .init(
        day: reader.optionalAmount("pnl_24h"), week: reader.optionalAmount("pnl_7d"),
        month: reader.optionalAmount("pnl_30d"), allTime: reader.optionalAmount("pnl_all_time")),
      notes: reader.text("notes"), metadata: reader.metadata())
    if Snapshot.Cause(rawValue: cause) == nil {
      reader.faults.append(
        "snapshot_type is none of \(Snapshot.Cause.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    for fault in reader.faults { findings.error("invalid-snapshot", line: nil, fault) }
    return reader.faults.isEmpty ? .snapshot(snapshot) : nil
  }

  /// Takes members, and notes what is wrong with them.
  private struct Reader {
    let value: JSONValue
    var faults: [String] = []

    private func member(_ name: JSONString) -> JSONValue? {
      let member = value[name]
      return member == .some(.null) ? nil : member
    }

    mutating func text(_ name: JSONString) -> String? {
      guard let member = member(name) else { return nil }
      if let text = member.text { return text }
      faults.append("\(name) is no text")
      return nil
    }

    mutating func instant(_ name: JSONString) -> Instant {
      if let text = member(name)?.text, let instant = Instant(text) { return instant }
      faults.append("\(name) is no time such as 2026-01-13T03:56:13Z")
      return .earliest
    }

    mutating func amount(_ name: JSONString, default: ExactDecimal? = nil) -> ExactDecimal {
      if let amount = optionalAmount(name) { return amount }
      if let `default` { return `default` }
      if member(name) == nil { faults.append("\(name) is missing") }
      return .zero
    }

    mutating func optionalAmount(_ name: JSONString) -> ExactDecimal? {
      guard let member = member(name) else { return nil }
      if case .number(let number) = member, let decimal = ExactDecimal(number.spelling), Snapshot.isAmount(decimal) {
        return decimal
      }
      faults.append("\(name) is no number with at most 13 digits before the point and two after it")
      return nil
    }

    mutating func positions() -> JSONValue {
      switch member("open_positions") {
      case nil: return .array([])
      case .array(let elements)?: return .array(elements)
      default:
        faults.append("open_positions is no array")
        return .array([])
      }
    }

    func metadata() -> JSONValue { member("metadata") ?? .emptyObject }
  }

  // MARK: Writing

  static func append(_ snapshot: Snapshot, to output: inout [UInt8]) {
    var members: [JSONValue.Member] = [
      .init("schema", 1), .init("snapshot_at", .string(snapshot.takenAt.description)),
      .init("snapshot_type", .string(snapshot.cause.rawValue)),
    ]
    func add(_ name: JSONString, _ decimal: ExactDecimal?) {
      // A spelling that JSON does not have, such as +1 or .5, is written as its value.
      guard let decimal, let number = JSONNumber(decimal.text) ?? JSONNumber(decimal.canonical) else { return }
      members.append(.init(name, .number(number)))
    }
    add("total_value_usd", snapshot.totalValue)
    add("available_balance_usd", snapshot.availableBalance)
    add("margin_used_usd", snapshot.marginUsed)
    add("unrealized_pnl_usd", snapshot.unrealizedPnL)
    members.append(.init("open_positions", snapshot.openPositions))
    add("pnl_24h", snapshot.changes.day)
    add("pnl_7d", snapshot.changes.week)
    add("pnl_30d", snapshot.changes.month)
    add("pnl_all_time", snapshot.changes.allTime)
    if let notes = snapshot.notes { members.append(.init("notes", .string(notes))) }
    if !snapshot.metadata.isEmptyObject { members.append(.init("metadata", snapshot.metadata)) }
    JSONValue.object(members).write(.pretty, level: 0, to: &output)
    output.append(0x0A)
  }
}
