package import Records

/// Rows that only a database can hold: git has no copy of them, so nothing that reads git brings them back.
package enum UnbackedRows: String, CaseIterable, Sendable {
  case trades = "maven_trades"
  case snapshots = "maven_portfolio_snaps"
  case insights = "maven_insights"
  case conversations = "maven_conversations"
  case performance = "maven_performance"
  case quarantine = "maven_quarantine"
  /// Columns of decisions that bots fill: the record in git says nothing of them.
  case decisionColumns = "maven_decisions"

  package var table: String { rawValue }

  /// What the rows are, for people; in the plural.
  package var title: String {
    switch self {
    case .trades: "trades"
    case .snapshots: "portfolio snapshots of bots"
    case .insights: "insights"
    case .conversations: "conversations"
    case .performance: "performance rows"
    case .quarantine: "quarantined rows and files"
    case .decisionColumns: "decisions with columns of bots (executed, execution_count, market_context)"
    }
  }

  /// All of them in one sentence's part.
  package static var titles: String { allCases.map(\.title).joined(separator: ", ") }

  /// Columns that the condition needs, besides those that every version of the table has.
  var columns: [String] {
    switch self {
    case .snapshots: ["git_filename"]
    case .decisionColumns: ["executed", "execution_count", "market_context"]
    case .trades, .insights, .conversations, .performance, .quarantine: []
    }
  }

  /// Which of the table's rows count; of a snapshot's table without the column that git's rows have, all are a bot's.
  func condition(having columns: Set<String>) -> String {
    switch self {
    case .snapshots where columns.contains("git_filename"): " WHERE git_filename IS NULL"
    case .decisionColumns:
      " WHERE executed IS TRUE OR COALESCE(execution_count, 0) <> 0 OR market_context IS NOT NULL"
    case .snapshots, .trades, .insights, .conversations, .performance, .quarantine: ""
    }
  }
}

/// Rows that were in the database when it was last compared with git, and are not there now.
package struct RowLoss: Hashable, Sendable {
  package let rows: UnbackedRows
  /// How many there were, and how many there are.
  package let had: Int
  package let has: Int
  /// When they were last counted, in RFC 3339.
  package let lastSeen: String

  package var sentence: String {
    "\(had - has) \(rows.title) are gone: \(rows.table) held \(had) at \(lastSeen), and holds \(has); git has no copy of them"
  }

  package var json: JSONValue {
    Report.object([
      "table": .string(rows.table), "rows": .string(rows.title), "had": .integer(had), "has": .integer(has),
      "last_seen": .string(lastSeen), "in_git": false,
    ])
  }
}

/// What became of the rows that only the database holds, and when it was last compared.
package struct RowStanding: Sendable {
  /// In the order of `UnbackedRows`; empty where nothing is known to be gone.
  package let losses: [RowLoss]
  /// The last run that compared this database with git; nil where none is remembered.
  package let last: LastComparison?
  /// Losses that no earlier run has told of.
  package var news: [RowLoss] = []

  package struct LastComparison: Hashable, Sendable {
    /// RFC 3339, UTC.
    package let time: String
    package let command: String
    package let runID: String
    /// How many records had their rows then.
    package let records: Int

    package var json: JSONValue {
      Report.object([
        "time": .string(time), "command": .string(command), "run_id": .string(runID), "records": .integer(records),
      ])
    }
  }

  package static let unknown = RowStanding(losses: [], last: nil)

  package init(losses: [RowLoss], last: LastComparison?) { (self.losses, self.last) = (losses, last) }

  package var json: JSONValue { .array(losses.map(\.json)) }

  /// The next safe step after a loss.
  package static let hint =
    "load them from a backup of the database; if they are meant to be gone, `moha-sync doctor --forget-rows` says so"
}
