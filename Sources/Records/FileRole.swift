/// What a file of an agent's tree is, judged by its path alone.
package enum FileRole: String, CaseIterable, Sendable {
  case decision
  case milestone
  /// A portfolio snapshot: `portfolio/snapshot_*.json`.
  case snapshot
  case identity
  case sessionLog
  /// A month of entries that were moved out of the session log: `session_log/YYYY-MM.md`.
  case rotatedLog
  case persona
  case infrastructure
  /// A file that is committed with the rest and never parsed, or a file outside the agent's folder.
  case other

  /// The kind of the records that such a file holds; nil where it holds none.
  package var kind: RecordKind? {
    switch self {
    case .decision: .decision
    case .milestone: .milestone
    case .sessionLog, .rotatedLog: .event
    case .snapshot: .snapshot
    case .identity, .persona, .infrastructure, .other: nil
    }
  }
}
