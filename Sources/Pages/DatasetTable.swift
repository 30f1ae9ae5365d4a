internal import Persistence
internal import Records

/// A dataset as a table of a page.
struct DatasetTable {
  let dataset: Dataset
  /// What the table is, for those who cannot see where it stands.
  let label: String
  /// Whether each row becomes a block of its own where the screen is narrow, instead of scrolling sideways.
  var stacks = false
  /// Markup in place of a cell's text; nil keeps the text.
  var cell: (_ row: Int, _ column: Dataset.Column) -> HTML? = { _, _ in nil }

  var html: HTML {
    let table = h("table", ["class": stacks ? "stack" : nil, "role": stacks ? "table" : nil, "aria-label": label]) {
      h("thead", ["role": stacks ? "rowgroup" : nil]) {
        h("tr", ["role": stacks ? "row" : nil]) {
          for column in dataset.columns {
            h("th", ["scope": "col", "role": stacks ? "columnheader" : nil, "class": column.isNumber ? "n" : nil]) {
              column.title
            }
          }
        }
      }
      h("tbody", ["role": stacks ? "rowgroup" : nil]) {
        for (index, row) in dataset.rows.enumerated() {
          h("tr", ["role": stacks ? "row" : nil]) {
            for (column, value) in zip(dataset.columns, row) {
              h(
                "td",
                [
                  "role": stacks ? "cell" : nil, "data-label": stacks ? column.title : nil,
                  "class": DatasetTable.style(of: column, value),
                ]
              ) { h("bdi") { cell(index, column) ?? DatasetTable.html(value, column) } }
            }
          }
        }
      }
    }
    // What scrolls must be reachable by keyboard.
    return h("div", ["class": "scroll", "role": "region", "aria-label": "Table: \(label)", "tabindex": "0"]) { table }
  }

  private static func style(of column: Dataset.Column, _ value: Dataset.Cell) -> String? {
    if column.isNumber { return "n" }
    switch column.kind {
    case .time, .day, .hash, .flag: return "t"
    default:
      guard case .text(let text) = value else { return nil }
      // A word or two stay on their line; what is long may be broken anywhere.
      return text.utf8.count > 40 ? "long" : text.utf8.count <= 24 ? "t" : nil
    }
  }

  static func html(_ value: Dataset.Cell, _ column: Dataset.Column) -> HTML {
    switch (value, column.kind) {
    case (.time(let time), .time): h("time", ["datetime": time.description]) { time.secondText }
    case (.text(let text), .hash): h("span", ["class": "mono"]) { String(text.prefix(10)) }
    case (.number(let number), .money): money(number)
    case (.text(let text), .text) where column.key == "outcome": outcome(text)
    case (.text(let text), .text) where column.key == "severity": h("span", ["class": severity(text)]) { text }
    default: .text(value.shown(as: column.kind))
    }
  }

  /// Grouped by thousands, and signed where it is negative by a true minus.
  static func money(_ number: ExactDecimal) -> HTML {
    var digits = number.text[...]
    let isNegative = digits.first == "-"
    if isNegative { digits = digits.dropFirst() }
    let parts = digits.split(separator: ".", maxSplits: 1)
    var whole = ""
    for (index, digit) in (parts.first ?? "0").enumerated() {
      let rest = (parts.first ?? "0").count - index
      if index > 0, rest.isMultiple(of: 3) { whole += "\u{202F}" }
      whole.append(digit)
    }
    let text = "\(isNegative ? "−" : "")\(whole)\(parts.count == 2 ? ".\(parts[1])" : "")"
    return isNegative ? h("span", ["class": "fell"]) { text } : .text(text)
  }

  private static func outcome(_ text: String) -> HTML {
    switch text {
    case "profitable": h("span", ["class": "profitable"]) { "▲ profitable" }
    case "loss": h("span", ["class": "loss"]) { "▼ loss" }
    default: .text(text)
    }
  }

  private static func severity(_ text: String) -> String? {
    ["error", "warning"].first { $0 == text }
  }
}
