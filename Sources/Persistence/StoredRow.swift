internal import Records

/// One row of a git-backed table, as far as a comparison needs it.
package struct StoredRow: Sendable {
  package let id: Int64
  /// Nil for an event row that no run has claimed yet: older scripts and bots insert events without a key.
  package let key: RecordKey?
  /// Computed by the database from the row's present columns.
  package let contentHash: [UInt8]?
  package let path: String?
  package let objectID: [UInt8]?
  package let status: String
  package let archivedCommit: [UInt8]?
  package let agent: String
}

/// The values of `git_status`.
package enum GitStatus: String, Sendable {
  /// The record is in the tree.
  case current
  /// The record is only in history.
  case archived
  /// The record's file is in the tree but does not parse; the row is its last good version.
  case unreadable
}

/// What differs between the git-backed tables: names of columns and how rows are told apart.
struct RecordTable {
  let kind: RecordKind

  var name: String { kind.table }
  var keyColumn: String { kind == .event ? "event_key" : "git_filename" }
  /// The record's own time, which `created_at` takes: a rebuilt database must not look newer than its records.
  var timeColumn: String {
    switch kind {
    case .decision: "decided_at"
    case .milestone: "achieved_at"
    case .event: "event_at"
    case .snapshot: "snapshot_at"
    }
  }

  /// The record's columns, then where it comes from, in the order of `PlanApplier`'s COPY.
  var columns: [String] { RecordRow.columns(of: kind) + provenanceColumns }
  var provenanceColumns: [String] {
    [keyColumn, "agent", "git_path", "object_id", "source_commit", "git_status", "archived_commit", "created_at"]
  }

  /// Columns of other tables that refer to this one's `id`.
  var references: [(table: String, column: String)] {
    switch kind {
    case .decision:
      [
        ("maven_trades", "decision_id"), ("maven_insights", "related_decision_id"),
        ("maven_memory", "related_decision_id"),
      ]
    case .milestone, .event, .snapshot: []
    }
  }

  /// The rows that belong to `agent` and to git: bots insert snapshots that are the database's alone. A default agent's file names hold no slash, so its rows are found even
  /// where somebody changed the agent column. The name is a validated identifier without quotes.
  func predicate(_ agent: Agent) -> String {
    let named =
      agent == .default
      ? "(agent = '\(agent.name)' OR strpos(git_filename, '/') = 0)"
      : "(agent = '\(agent.name)' OR starts_with(git_filename, '\(agent.name)/'))"
    return switch kind {
    case .event: "agent = '\(agent.name)'"
    case .decision, .milestone: named
    case .snapshot: "git_filename IS NOT NULL AND \(named)"
    }
  }
}

extension RecordKind {
  var storage: RecordTable { RecordTable(kind: self) }
}
