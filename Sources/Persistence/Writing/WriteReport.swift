internal import Git
package import Records

/// The answer to a write, in the shape that existing MCP clients parse.
package enum WriteReport {
  /// `success`, `message`, `data`, `error`, and what became of git and the database.
  package static func json(_ written: RecordWriter.Written, row: RowProjection.Outcome?) -> JSONValue {
    var data: [JSONValue.Member] = []
    func add(_ name: JSONString, _ value: JSONValue?) {
      if let value { data.append(.init(name, value)) }
    }
    let name = written.path.split(separator: "/").last.map(String.init) ?? written.path
    if written.kind != .identity { add("filename", .string(name)) }
    add("path", .string(written.path))
    if let record = written.record {
      add("timestamp", record.record.time.map { .string($0.description) })
      if written.kind == .event { add("event_key", .string(record.git.key.text)) }
    }
    add("total_decisions", written.totalDecisions.map { .integer($0) })
    add("rebirth_count", written.rebirthCount.map { .integer($0) })
    if written.isRepeated { add("repeated", true) }
    add("commit_status", .string(written.commit == nil ? "pending" : "committed"))
    add("commit_reason", written.pendingReason.map { .string($0) })
    if written.kind != .identity {
      add("db_persisted", .bool(row?.rowID != nil))
      add("db_id", row?.rowID.map { .integer(Int($0)) } ?? .null)
      add("db_error", row?.error.map { .string($0) } ?? .null)
    }
    let subject =
      switch written.kind {
      case .decision: "Decision recorded"
      case .event: "Event logged"
      case .milestone: "Milestone created"
      case .identity: "Identity updated"
      case .snapshot: "Snapshot recorded"
      }
    let message = written.isRepeated ? "\(subject) before under this idempotency key: \(name)" : "\(subject): \(name)"
    return Report.object([
      "schema": .integer(Report.schemaVersion), "success": true, "message": .string(message), "data": .object(data),
      "error": .null, "git_persisted": .bool(written.commit != nil),
      "commit": Report.string(written.commit?.description),
      "warnings": .array(written.warnings.map { .string($0) }),
    ])
  }
}
