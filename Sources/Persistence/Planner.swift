internal import Git
internal import Records

/// Compares git's records with the database's rows: pure, no I/O.
///
/// Rows are grouped by key. Of several rows with one key the one that equals git stays, else the oldest. Event
/// rows without a key are matched by type and text: the first match of a record that has no other row is
/// claimed by it, a further one is a duplicate, and the rest is orphaned.
struct Planner {
  let git: GitRecordSet
  let rows: RowSet
  let agent: Agent
  /// Type and text of event rows without a key, by row id.
  let unkeyedEvents: [Int64: UnkeyedEvent]

  struct UnkeyedEvent: Hashable, Sendable {
    let type: String
    let description: String

    static func == (left: UnkeyedEvent, right: UnkeyedEvent) -> Bool {
      left.type.utf8.elementsEqual(right.type.utf8) && left.description.utf8.elementsEqual(right.description.utf8)
    }

    func hash(into hasher: inout Hasher) {
      for byte in description.utf8.prefix(256) { hasher.combine(byte) }
    }
  }

  func plan() -> ReconciliationPlan {
    var plan = ReconciliationPlan()
    for kind in RecordKind.allCases { compare(kind, into: &plan) }
    plan.gitCount = git.records.count + git.corrupt.count
    // Rows come out of a dictionary; a plan reads the same every time. Inserts are in git's own order.
    plan.updates.sort { ($0.record.kind.name, $0.record.key) < ($1.record.kind.name, $1.record.key) }
    plan.removals.sort { ($0.kind.name, $0.row.id) < ($1.kind.name, $1.row.id) }
    plan.markUnreadable.sort { $0.row.id < $1.row.id }

    var corrupt: Set<RowSet.QuarantinedFile> = []
    for file in git.corrupt {
      let quarantined = RowSet.QuarantinedFile(
        path: RecordPath(file.entry.path.bytes).text, objectID: file.entry.id.bytes)
      corrupt.insert(quarantined)
      if !rows.openQuarantine.contains(quarantined) { plan.quarantineFiles.append(file) }
    }
    plan.resolvedFiles = rows.openQuarantine.subtracting(corrupt).sorted { $0.path < $1.path }
    plan.counterDrift = git.counterDrift
    return plan
  }

  private func compare(_ kind: RecordKind, into plan: inout ReconciliationPlan) {
    let stored = rows.rows[kind] ?? []
    plan.rowCounts[kind] = stored.count
    var records: [RecordKey: GitRecord] = [:]
    for record in git.records where record.kind == kind { records[record.key] = record }
    let corruptKeys = Set(git.corrupt.lazy.filter { $0.kind == kind }.map(\.key))

    // Nearly every key has one row, so groups are kept only where there are more.
    var firsts: [RecordKey: StoredRow] = [:]
    var others: [RecordKey: [StoredRow]] = [:]
    var unkeyed: [StoredRow] = []
    firsts.reserveCapacity(stored.count)
    for row in stored {
      guard let key = row.key else {
        unkeyed.append(row)
        continue
      }
      if firsts[key] == nil { firsts[key] = row } else { others[key, default: []].append(row) }
    }

    var matched: Set<RecordKey> = []
    for (key, first) in firsts {
      let record = records[key]
      var keeper = first
      if let more = others[key] {
        let group = [first] + more
        if let record {
          keeper = group.first { $0.contentHash == record.contentHash.bytes } ?? first
        }
        for row in group where row.id != keeper.id {
          plan.removals.append(.init(kind: kind, row: row, reason: .duplicate, keeperID: keeper.id, key: key))
        }
      }
      if let record {
        matched.insert(key)
        if !Planner.agrees(keeper, record, agent: agent) { plan.updates.append(.init(row: keeper, record: record)) }
      } else if corruptKeys.contains(key) {
        if keeper.status != GitStatus.unreadable.rawValue { plan.markUnreadable.append((kind, keeper)) }
      } else {
        plan.removals.append(.init(kind: kind, row: keeper, reason: .orphaned, keeperID: nil, key: key))
      }
    }
    claim(unkeyed, of: records, matched: &matched, kind: kind, firsts: firsts, into: &plan)
    for record in git.records where record.kind == kind && !matched.contains(record.key) {
      plan.inserts.append(record)
    }
  }

  private func claim(
    _ unkeyed: [StoredRow], of records: [RecordKey: GitRecord], matched: inout Set<RecordKey>, kind: RecordKind,
    firsts: [RecordKey: StoredRow], into plan: inout ReconciliationPlan
  ) {
    guard !unkeyed.isEmpty else { return }
    var byText: [UnkeyedEvent: [RecordKey]] = [:]
    for (key, record) in records.sorted(by: { $0.key < $1.key }) {
      guard case .event(let event) = record.content else { continue }
      let text = UnkeyedEvent(
        type: DatabaseText.encode(event.type), description: DatabaseText.encode(event.content))
      byText[text, default: []].append(key)
    }
    var claimed: [RecordKey: Int64] = [:]
    for row in unkeyed {
      let keys = unkeyedEvents[row.id].flatMap { byText[$0] } ?? []
      if let free = keys.first(where: { !matched.contains($0) }), let record = records[free] {
        matched.insert(free)
        claimed[free] = row.id
        plan.updates.append(.init(row: row, record: record))
      } else if let taken = keys.first {
        plan.removals.append(
          .init(kind: kind, row: row, reason: .duplicate, keeperID: claimed[taken] ?? firsts[taken]?.id, key: taken))
      } else {
        plan.removals.append(.init(kind: kind, row: row, reason: .orphaned, keeperID: nil, key: nil))
      }
    }
  }

  /// Whether a row stands for the record in every column that this program writes.
  static func agrees(_ row: StoredRow, _ record: GitRecord, agent: Agent) -> Bool {
    guard row.contentHash == record.contentHash.bytes, row.agent == agent.name,
      row.path == RecordPath(record.path.bytes).text
    else { return false }
    // The log's id changes with every append, so it says nothing about one of its entries.
    if record.kind != .event, row.objectID != record.objectID.bytes { return false }
    let status: GitStatus = record.archivedCommit == nil ? .current : .archived
    guard row.status == status.rawValue else { return false }
    // Which commit held an entry last depends on how far history was known; that one is named at all does not.
    return (row.archivedCommit == nil) == (record.archivedCommit == nil)
  }
}
