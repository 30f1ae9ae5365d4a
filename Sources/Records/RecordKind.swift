/// The kinds of record that git holds.
package enum RecordKind: String, CaseIterable, Codable, Sendable {
  case decision
  case milestone
  case event

  /// The name of the kind in reports and in JSON.
  package var name: String {
    switch self {
    case .decision: "decisions"
    case .milestone: "milestones"
    case .event: "memory"
    }
  }

  /// The table that holds the kind's rows.
  package var table: String {
    switch self {
    case .decision: "maven_decisions"
    case .milestone: "maven_milestones"
    case .event: "maven_memory"
    }
  }
}
