internal import Persistence
internal import Records

/// Decisions as rows with links to their own pages.
struct DecisionTable {
  let decisions: [DecisionRow]
  let isLive: Bool

  var html: HTML {
    let dataset = DecisionRow.dataset(decisions).selecting([
      "decided_at", "action", "decision_type", "asset", "confidence", "risk_level", "trades_executed", "total_pnl",
      "outcome",
    ])
    return DatasetTable(dataset: dataset, label: "Decisions", stacks: true) { row, column in
      guard column.key == "action" else { return nil }
      let decision = decisions[row]
      let action = DecisionTable.line(decision.action)
      return isLive ? h("a", ["href": DecisionTable.address(decision.file)]) { action } : .text(action)
    }.html
  }

  /// The path of a decision's own page, whatever its name is.
  static func address(_ file: String) -> String { "/decisions/\(Address.encoded(file))" }

  /// The first words; nothing to read still needs something to click.
  static func line(_ action: String) -> String {
    let line = VisibleText.line(action)
    if line.allSatisfy(\.isWhitespace) { return "(no action)" }
    return line.count > 140 ? "\(line.prefix(139))…" : line
  }
}
