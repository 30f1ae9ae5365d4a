/// The kinds of record that git holds.
package enum RecordKind: String, CaseIterable, Codable, Sendable {
  case decision
  case milestone
  case event
  case snapshot

  /// The name of the kind in reports and in JSON.
  package var name: String {
    switch self {
    case .decision: "decisions"
    case .milestone: "milestones"
    case .event: "memory"
    case .snapshot: "portfolio_snaps"
    }
  }

  /// The table that holds the kind's rows.
  package var table: String {
    switch self {
    case .decision: "maven_decisions"
    case .milestone: "maven_milestones"
    case .event: "maven_memory"
    case .snapshot: "maven_portfolio_snaps"
    }
  }

  /// What a file of the kind is by its place; nil for events, which share the session log.
  package var fileRole: FileRole? {
    switch self {
    case .decision: .decision
    case .milestone: .milestone
    case .snapshot: .snapshot
    case .event: nil
    }
  }
}
