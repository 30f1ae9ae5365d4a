internal import Git
internal import Records

/// Compares git's records with the database's rows: pure, no I/O.
///
/// Rows are grouped by key. Of several rows with one key the one that equals git stays, else the oldest. Event rows
/// without a key are matched by type, text and time: see `EventClaims`. A file and a row without the other, which say
/// the same and are the only ones that do, are one record under a new name.
///
/// Another program may write an event into the log and into the table, one after the other. So an event row without a
/// key that has no record, and, where such rows are made, an event without a row, are left alone for `patience`: the
/// other half is on its way.
struct Planner {
  let git: GitRecordSet
  let rows: RowSet
  let agent: Agent
  let unkeyedEvents: [UnkeyedEvent]
  var hints = Hints()
  private let known: [RecordKey: [KnownRefusal]]

  /// What the two sides do not say themselves.
  struct Hints: Sendable {
    /// Archived rows' commits that this repository does not have, although it has all of its history.
    var unknownCommits: Set<[UInt8]> = []
    /// Rows that were written into git, and the keys of their records.
    var adopted: [RecordKind: [Int64: RecordKey]] = [:]
    /// This machine's clock, for the age of log entries.
    var now = Instant.now()
    var patience = Planner.patience
  }

  /// How long the other half of an event is waited for. Older scripts write the two within milliseconds; two clocks may
  /// be seconds apart.
  static let patience = Duration.seconds(10)

  init(git: GitRecordSet, rows: RowSet, agent: Agent, unkeyedEvents: [UnkeyedEvent]) {
    (self.git, self.rows, self.agent, self.unkeyedEvents) = (git, rows, agent, unkeyedEvents)
    known = Dictionary(grouping: rows.refusals, by: \.key)
  }

  func plan() -> ReconciliationPlan {
    var plan = ReconciliationPlan()
    for kind in RecordKind.allCases { compare(kind, into: &plan) }
    plan.gitCount = git.records.count + git.corrupt.count { $0.kind != nil }
    // Rows come out of a dictionary; a plan reads the same every time. Inserts are in git's own order.
    plan.updates.sort { ($0.record.kind.name, $0.record.key) < ($1.record.kind.name, $1.record.key) }
    plan.fresh.sort { $0.id < $1.id }
    plan.removals.sort { ($0.kind.name, $0.row.id) < ($1.kind.name, $1.row.id) }
    plan.markUnreadable.sort { $0.row.id < $1.row.id }

    var corrupt: Set<RowSet.QuarantinedFile> = []
    for file in git.corrupt {
      let quarantined = RowSet.QuarantinedFile(
        path: RecordPath(file.entry.path.bytes).text, objectID: file.entry.id.bytes)
      corrupt.insert(quarantined)
      if !rows.openQuarantine.contains(quarantined) { plan.quarantineFiles.append(file) }
    }
    let tried = Set(plan.refused.compactMap(\.entry))
    plan.resolvedRefusals = rows.refusals.map(\.entry).filter { !tried.contains($0) }
    plan.refused.sort { ($0.record.kind.name, $0.record.key) < ($1.record.kind.name, $1.record.key) }
    plan.resolvedFiles = rows.openQuarantine.subtracting(corrupt).sorted { $0.path < $1.path }
    plan.counterDrift = git.counterDrift
    return plan
  }

  /// A record that has no row, or not its row: to be written with the others, or by itself where it was refused before.
  private func write(
    _ record: GitRecord, over row: StoredRow?, as manner: ReconciliationPlan.Update.Manner = .changed,
    losingNothing: Bool = false, into plan: inout ReconciliationPlan
  ) {
    if let known = known[record.key]?.last(where: { $0.isAbout(record) }) {
      plan.refused.append(RowRefusal(record: record, row: row, reason: known.reason, entry: known.entry))
    } else if let row {
      plan.updates.append(.init(row: row, record: record, manner: manner, losesNothing: losingNothing))
    } else if isExpected(record) {
      plan.freshRecords.append(record)
    } else {
      plan.inserts.append(record)
    }
  }

  /// Whether another program that writes events has only just logged this one, so that its row is on its way.
  private func isExpected(_ record: GitRecord) -> Bool {
    guard rows.hasOtherWriters, record.archivedCommit == nil, case .event(let event) = record.content,
      let time = event.time
    else { return false }
    let patience = Int64(hints.patience.seconds * 1_000_000)
    let (age, isFar) = hints.now.microseconds.subtractingReportingOverflow(time.microseconds)
    return !isFar && age > -patience && age < patience
  }

  private func compare(_ kind: RecordKind, into plan: inout ReconciliationPlan) {
    let stored = rows.rows[kind] ?? []
    plan.rowCounts[kind] = stored.count
    var records: [RecordKey: GitRecord] = [:]
    for record in git.records where record.kind == kind { records[record.key] = record }
    let waitingKeys = Set(git.waiting.records.lazy.filter { $0.kind == kind }.map(\.key))
    let corruptKeys = Set(git.corrupt.lazy.filter { $0.kind == kind }.map(\.key))

    // Nearly every key has one row, so groups are kept only where there are more.
    var firsts: [RecordKey: StoredRow] = [:]
    var others: [RecordKey: [StoredRow]] = [:]
    var unkeyed: [StoredRow] = []
    firsts.reserveCapacity(stored.count)
    let adopted = hints.adopted[kind] ?? [:]
    for row in stored {
      guard let key = row.key.map({ adopted[row.id] ?? $0 }) else {
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
        compare(keeper, record, isAdopted: adopted[keeper.id] != nil, into: &plan)
      } else if waitingKeys.contains(key) {
        plan.waiting.append((kind, keeper))
      } else if corruptKeys.contains(key) || isInDoubt(keeper, kind) {
        if keeper.status != GitStatus.unreadable.rawValue { plan.markUnreadable.append((kind, keeper)) }
      } else if isBeyondHistory(keeper, kind) {
        plan.unjudged.append((kind, keeper))
      } else if git.waiting.unknownCount > 0 {
        plan.waiting.append((kind, keeper))
      } else {
        plan.removals.append(.init(kind: kind, row: keeper, reason: .orphaned, keeperID: nil, key: key))
      }
    }
    claim(unkeyed, of: records, matched: &matched, kind: kind, firsts: firsts, into: &plan)
    for record in git.records where record.kind == kind && !matched.contains(record.key) {
      write(record, over: nil, into: &plan)
    }
    if kind.fileRole != nil { findRenames(kind, in: &plan) }
  }

  /// Finds files that only changed their names: one row without a record and one record without a row that say the same.
  private func findRenames(_ kind: RecordKind, in plan: inout ReconciliationPlan) {
    func isCandidate(_ removal: ReconciliationPlan.Removal) -> Bool {
      removal.kind == kind && removal.reason == .orphaned && removal.key != nil
        && removal.row.status == GitStatus.current.rawValue
    }
    func isCandidate(_ record: GitRecord) -> Bool { record.kind == kind && record.archivedCommit == nil }
    guard plan.removals.contains(where: isCandidate), plan.inserts.contains(where: isCandidate) else { return }
    let rows = Dictionary(grouping: plan.removals.filter(isCandidate), by: \.row.contentHash)
    let records = Dictionary(grouping: plan.inserts.filter(isCandidate), by: \.contentHash)
    var renamed: [RecordKey: GitRecord] = [:]
    var rowIDs: Set<Int64> = []
    for (hash, records) in records {
      guard records.count == 1, let record = records.first, let rows = rows[hash.bytes], rows.count == 1,
        let row = rows.first?.row
      else { continue }
      renamed[record.key] = record
      rowIDs.insert(row.id)
      // The old name is the only thing that goes, and the report and the history of git have it.
      plan.updates.append(.init(row: row, record: record, manner: .renamed, losesNothing: row.agent == agent.name))
    }
    guard !rowIDs.isEmpty else { return }
    plan.inserts.removeAll { $0.kind == kind && renamed[$0.key] != nil }
    plan.removals.removeAll { isCandidate($0) && rowIDs.contains($0.row.id) }
  }

  /// Compares a row with its record in every column that this program writes.
  private func compare(
    _ row: StoredRow, _ record: GitRecord, isAdopted: Bool, into plan: inout ReconciliationPlan
  ) {
    let saysTheSame = says(row, record)
    if agrees(row, record, saysTheSame: saysTheSame) {
      if row.gaps.contains(.source), isLate(record) { plan.late[record.kind, default: []].append(row.id) }
      if row.contentHash != record.contentHash.bytes { plan.respelled[row.id] = record.contentHash }
      return
    }
    write(
      record, over: row, as: isAdopted ? .adopted : .changed,
      losingNothing: saysTheSame && hasOnlyGaps(row, record, isAdopted: isAdopted), into: &plan)
  }

  /// Whether the row's content is the record's, but for the letters of an event's type.
  private func says(_ row: StoredRow, _ record: GitRecord) -> Bool {
    if row.contentHash == record.contentHash.bytes { return true }
    guard let type = row.eventType, let event = record.event else { return false }
    let respelled = EventSpelling.record(.event(event), spelledAs: type)
    return row.contentHash == respelled.contentHash.bytes
  }

  private func agrees(_ row: StoredRow, _ record: GitRecord, saysTheSame: Bool) -> Bool {
    guard saysTheSame, row.key == record.key, row.agent == agent.name,
      row.path == RecordPath(record.path.bytes).text
    else { return false }
    // The log's id changes with every append, so it says nothing about one of its entries.
    if record.kind != .event, row.objectID != record.objectID.bytes { return false }
    var gaps = row.gaps
    if record.sourceCommit == nil || isLate(record) { gaps.remove(.source) }
    guard gaps.isEmpty else { return false }
    let status: GitStatus = record.archivedCommit == nil ? .current : .archived
    guard row.status == status.rawValue else { return false }
    // Which commit held an entry last depends on how far history was known; that it is one does not.
    return (row.archivedCommit == nil) == (record.archivedCommit == nil)
      && row.archivedCommit.map { !hints.unknownCommits.contains($0) } ?? true
  }

  /// Whether the commit that holds the record came after the one that the database was brought to: a row that was made
  /// from a file then names none yet, and nothing is wrong with it.
  private func isLate(_ record: GitRecord) -> Bool {
    record.sourceCommit != nil && record.archivedCommit == nil && rows.checkpoint?.commit != record.sourceCommit
  }

  /// Whether the columns that do not agree say nothing that would be lost.
  private func hasOnlyGaps(_ row: StoredRow, _ record: GitRecord, isAdopted: Bool) -> Bool {
    let status: GitStatus = record.archivedCommit == nil ? .current : .archived
    return (isAdopted || row.key == record.key) && row.agent == agent.name
      && (row.path == nil || row.path == RecordPath(record.path.bytes).text)
      && (record.kind == .event || row.objectID == nil || row.objectID == record.objectID.bytes)
      && row.status == status.rawValue && (row.archivedCommit == nil || record.archivedCommit != nil)
      && row.gaps.isDisjoint(with: [.positionCount])
  }

  /// Whether the row's log cannot be read whole, so that its entry may be in it.
  private func isInDoubt(_ row: StoredRow, _ kind: RecordKind) -> Bool {
    guard kind == .event, row.status != GitStatus.archived.rawValue,
      let path = row.path.flatMap({ RecordPath(text: $0) })
    else { return false }
    return git.doubtfulLogs.contains(GitPath(path.bytes))
  }

  /// Whether the record may be in history that this clone does not have: an archived one, or an entry that was
  /// compacted away before the history that is here begins.
  private func isBeyondHistory(_ row: StoredRow, _ kind: RecordKind) -> Bool {
    !git.isHistoryComplete && (kind == .event || row.status == GitStatus.archived.rawValue)
  }

  /// Whether the events that git holds may not be all that it has, so that a row without one is not gone.
  private var areEventsInDoubt: Bool {
    !git.doubtfulLogs.isEmpty || !git.isHistoryComplete
  }

  private func claim(
    _ unkeyed: [StoredRow], of records: [RecordKey: GitRecord], matched: inout Set<RecordKey>, kind: RecordKind,
    firsts: [RecordKey: StoredRow], into plan: inout ReconciliationPlan
  ) {
    guard !unkeyed.isEmpty else { return }
    let events = records.values.compactMap { record in record.event.map { (key: record.key, event: $0) } }
      .sorted { $0.key < $1.key }
    let rowEvents = Dictionary(unkeyedEvents.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let unkeyedByID = Dictionary(unkeyed.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    var claimed: [RecordKey: Int64] = [:]
    for (id, key) in (hints.adopted[kind] ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let row = rowEvents[id], let record = records[key], let event = record.event, claimed[key] == nil,
        let stored = unkeyedByID[id], matched.insert(key).inserted
      else { continue }
      claimed[key] = id
      write(record, over: stored, as: .adopted, losingNothing: row.isHeld(by: event), into: &plan)
    }
    let adopted = Set(claimed.values)
    let claims = EventClaims(
      of: unkeyedEvents.filter { !adopted.contains($0.id) }, records: events, taken: matched)
    for case (let id, .record(let key)) in claims.findings { claimed[key] = id }
    for row in unkeyed where !adopted.contains(row.id) {
      // A row that was inserted after the others were read is looked at by the next run.
      guard let rowEvent = rowEvents[row.id] else {
        plan.fresh.append(row)
        continue
      }
      switch claims.findings[row.id] {
      case .record(let key):
        guard let record = records[key], let event = record.event else { continue }
        matched.insert(key)
        let isWhole = rowEvent.isHeld(by: event) && row.agent == agent.name
        write(record, over: row, as: .claimed, losingNothing: isWhole, into: &plan)
      case .duplicate(let key):
        plan.removals.append(
          .init(kind: kind, row: row, reason: .duplicate, keeperID: claimed[key] ?? firsts[key]?.id, key: key))
      case nil where rowEvent.isFresh: plan.fresh.append(row)
      case nil where git.waiting.unknownCount > 0: plan.waiting.append((kind, row))
      case nil where areEventsInDoubt: plan.unjudged.append((kind, row))
      case nil: plan.removals.append(.init(kind: kind, row: row, reason: .orphaned, keeperID: nil, key: nil))
      }
    }
  }
}

extension GitRecord {
  /// The event that this is; nil for other kinds.
  var event: Event? {
    switch content {
    case .event(let event), .waiting(.event(let event), _): event
    case .file, .waiting: nil
    }
  }
}
