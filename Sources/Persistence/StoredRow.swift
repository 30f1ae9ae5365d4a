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
  /// The type of an event as the row spells it; nil where that is in capitals throughout, and for other kinds.
  let eventType: String?
  let gaps: Gaps

  /// Columns beside the record's own that do not hold what this program writes.
  ///
  /// What is not looked at, and why: `id`, `updated_at` and the columns of bots (`executed`, `execution_count`,
  /// `market_context`, `related_decision_id`, `related_trade_id` and whatever somebody added) are not this program's;
  /// `created_at` is the row's own once it is set, since an adopted row has had it for longer than its record has been
  /// here; which commit a row came from, and which version of the log an event was read from, depend on when it was
  /// written, so that any commit or object may be right; `search_vector` follows from the text by a trigger whose state
  /// is part of the schema, and computing it again for every row would cost more than all the rest.
  struct Gaps: OptionSet, Sendable {
    let rawValue: Int64

    /// No commit is named as the row's origin.
    static let source = Gaps(rawValue: 1)
    /// The record has a time, and the row no time of creation.
    static let creationTime = Gaps(rawValue: 2)
    /// An event's object is none.
    static let object = Gaps(rawValue: 4)
    /// The number of positions is not that of the positions.
    static let positionCount = Gaps(rawValue: 8)
  }

  /// The columns by name, for a report.
  static let gapColumns: [(gap: Gaps, column: String)] = [
    (.source, "source_commit"), (.creationTime, "created_at"), (.object, "object_id"),
    (.positionCount, "position_count"),
  ]
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

  /// Columns that refer to this table's `id` whether or not a constraint says so: tables of older scripts had them
  /// without one. What constraints say is in the catalog.
  var knownReferences: [(table: String, column: String)] {
    switch kind {
    case .decision:
      [
        ("maven_trades", "decision_id"), ("maven_insights", "related_decision_id"),
        ("maven_memory", "related_decision_id"),
      ]
    case .milestone, .event, .snapshot: []
    }
  }

  /// Columns that a trigger of ours fills.
  var derivedColumns: [String] {
    switch kind {
    case .event: ["search_vector"]
    case .snapshot: ["position_count"]
    case .decision, .milestone: ["updated_at"]
    }
  }

  /// `StoredRow.Gaps` as SQL.
  var gaps: String {
    var bits = [
      "CASE WHEN octet_length(source_commit) = 20 THEN 0 ELSE 1 END",
      "CASE WHEN created_at IS NULL AND \(timeColumn) IS NOT NULL THEN 2 ELSE 0 END",
    ]
    switch kind {
    case .event: bits.append("CASE WHEN octet_length(object_id) = 20 THEN 0 ELSE 4 END")
    case .snapshot:
      bits.append(
        """
        CASE WHEN jsonb_typeof(open_positions) <> 'array' THEN 0
          WHEN position_count = jsonb_array_length(open_positions) THEN 0 ELSE 8 END
        """)
    case .decision, .milestone: break
    }
    return "(\(bits.joined(separator: " + ")))::bigint"
  }

  /// The type of an event where it is not in plain capitals, as SQL.
  var spelledType: String {
    kind == .event ? #"CASE WHEN event_type COLLATE "C" ~ '^[A-Z0-9_ #-]*$' THEN NULL ELSE event_type END"# : "NULL::text"
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
