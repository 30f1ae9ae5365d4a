/// A record that git holds: the hub to and from which every representation converts.
package enum Record: Sendable, Equatable {
  case decision(Decision)
  case milestone(Milestone)
  case event(Event)
  case snapshot(Snapshot)

  package var kind: RecordKind {
    switch self {
    case .decision: .decision
    case .milestone: .milestone
    case .event: .event
    case .snapshot: .snapshot
    }
  }

  /// When it was decided, reached or logged; nil where the file does not say.
  package var time: Instant? {
    switch self {
    case .decision(let decision): decision.decidedAt
    case .milestone(let milestone): milestone.achievedAt
    case .event(let event): event.time
    case .snapshot(let snapshot): snapshot.takenAt
    }
  }

  package var metadata: JSONValue {
    switch self {
    case .decision(let decision): decision.metadata
    case .milestone(let milestone): milestone.metadata
    case .event(let event): event.metadata
    case .snapshot(let snapshot): snapshot.metadata
    }
  }

  /// The columns that a file of this record could not do without and that are empty; a record to write has none.
  package var missingColumns: [String] {
    switch self {
    case .decision(let decision):
      (decision.decisionType.isEmpty ? ["decision_type"] : []) + (decision.riskLevel.isEmpty ? ["risk_level"] : [])
    case .milestone(let milestone): milestone.title.isEmpty ? ["title"] : []
    case .event(let event): (event.type.isEmpty ? ["event_type"] : []) + (event.time == nil ? ["event_at"] : [])
    case .snapshot: []
    }
  }
}
