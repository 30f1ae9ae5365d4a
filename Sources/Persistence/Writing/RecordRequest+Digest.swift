internal import Crypto
internal import Records

extension RecordRequest {
  /// What tells two requests apart that came under one idempotency key: everything but the time, which is the server's.
  var digest: String {
    switch self {
    case .decision(let decision, _): Record.decision(decision).timelessDigest
    case .milestone(let milestone, _): Record.milestone(milestone).timelessDigest
    case .snapshot(let snapshot, _): Record.snapshot(snapshot).timelessDigest
    case .event(let event, _): Record.event(event.written).timelessDigest
    case .identity(let updates, let isRebirth, _):
      hex(SHA256.hash(data: Array("identity;\(isRebirth);\(updates.jsonbText)".utf8)))
    }
  }

  /// The key with what the journal keeps of it; nil for a request without one.
  var journalKey: JournalEntry.Key? {
    key.map { JournalEntry.Key(text: $0, kind: kind, digest: digest) }
  }
}

extension RecordRequest.Kind {
  init(_ kind: RecordKind) {
    self =
      switch kind {
      case .decision: .decision
      case .milestone: .milestone
      case .event: .event
      case .snapshot: .snapshot
      }
  }
}

extension Record {
  /// The content hash of the record as if it had no time of its own.
  var timelessDigest: String {
    let row = row
    let times = ["decided_at", "achieved_at", "event_at", "snapshot_at"]
    let values = zip(RecordRow.columns(of: kind), row.values).map { column, value in
      times.contains(column) ? ColumnValue.null : value
    }
    return RecordRow(kind: kind, values: values).contentHash.description
  }
}
