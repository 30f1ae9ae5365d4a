package import Records

/// What a query found, as rows of typed cells under named columns, before anybody draws it.
///
/// One value serves the terminal's table, the JSON document, the page and the chart, so they cannot disagree.
package struct Dataset: Hashable, Sendable {
  package struct Column: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
      case text
      /// A hash, of which people see the first ten digits.
      case hash
      case integer
      case decimal
      /// US dollars.
      case money
      /// From 0 to 100.
      case percent
      case time
      /// A time of which only the UTC date means something.
      case day
      case flag
    }

    /// The name in JSON, which is a contract.
    package let key: String
    /// The heading for people.
    package let title: String
    package let kind: Kind

    package init(_ key: String, _ title: String, _ kind: Kind) {
      (self.key, self.title, self.kind) = (key, title, kind)
    }

    package var isNumber: Bool {
      switch kind {
      case .integer, .decimal, .money, .percent: true
      case .text, .hash, .time, .day, .flag: false
      }
    }
  }

  package enum Cell: Hashable, Sendable {
    case none
    case text(String)
    /// Spelled as the database has it.
    case number(ExactDecimal)
    case time(Instant)
    case flag(Bool)
  }

  package let columns: [Column]
  package let rows: [[Cell]]

  /// Each row has as many cells as there are columns.
  package init(_ columns: [Column], rows: [[Cell]]) {
    (self.columns, self.rows) = (columns, rows)
  }

  package var isEmpty: Bool { rows.isEmpty }

  /// The cells of a column; empty where there is no such column.
  package subscript(key: String) -> [Cell] {
    guard let index = columns.firstIndex(where: { $0.key == key }) else { return [] }
    return rows.map { $0[index] }
  }

  /// The rows with the last one first: queries find the newest first, charts begin with the oldest.
  package var reversed: Dataset { Dataset(columns, rows: rows.reversed()) }

  package func prefix(_ count: Int) -> Dataset { Dataset(columns, rows: Array(rows.prefix(count))) }

  package func filter(_ isIncluded: ([Cell]) -> Bool) -> Dataset { Dataset(columns, rows: rows.filter(isIncluded)) }

  /// Only these columns, in this order.
  package func selecting(_ keys: [String]) -> Dataset {
    let indices = keys.compactMap { key in columns.firstIndex { $0.key == key } }
    return Dataset(indices.map { columns[$0] }, rows: rows.map { row in indices.map { row[$0] } })
  }

  /// An array with an object for each row.
  package var json: JSONValue {
    .array(
      rows.map { row in
        .object(zip(columns, row).map { JSONValue.Member(JSONString($0.key), $1.json(as: $0.kind)) })
      })
  }
}

extension Dataset.Cell {
  package static func text(_ text: String?) -> Dataset.Cell {
    guard let text else { return .none }
    return Dataset.Cell.text(text)
  }

  package static func integer(_ value: Int) -> Dataset.Cell { .number(ExactDecimal(value)) }

  /// As a coordinate: nil where there is none.
  package var value: Double? {
    switch self {
    case .number(let number): Double(number.text)
    case .time(let time): Double(time.microseconds) / 1e6
    case .none, .text, .flag: nil
    }
  }

  func json(as kind: Dataset.Column.Kind) -> JSONValue {
    switch self {
    case .none: .null
    case .text(let text): .string(text)
    case .number(let number): JSONNumber(number.text).map { .number($0) } ?? .string(number.text)
    case .time(let time): .string(kind == .day ? time.dayText : time.description)
    case .flag(let flag): .bool(flag)
    }
  }

  /// The cell for people, on one line and without control over anything: still hostile where it is text.
  package func shown(as kind: Dataset.Column.Kind) -> String {
    switch self {
    case .none: "–"
    case .text(let text): kind == .hash ? String(text.prefix(10)) : text
    case .number(let number): kind == .percent ? "\(number.text) %" : number.text
    case .time(let time): kind == .day ? time.dayText : time.secondText
    case .flag(let flag): flag ? "yes" : "no"
    }
  }
}

extension Instant {
  /// `2026-01-13`, in UTC.
  package var dayText: String { String(description.prefix(10)) }

  /// `2026-01-13 03:56:13`, in UTC.
  package var secondText: String { String(description.prefix(19).replacing("T", with: " ")) }
}
