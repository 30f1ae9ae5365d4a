internal import Git
internal import Postgres
internal import Records

/// Changes and removes rows, each checked against what the plan saw, and keeps what it takes away.
///
/// At full speed a refusal throws `TableRefusal`. In parts each row has a savepoint of its own, and one that is refused
/// stays as it was.
struct RowChanges {
  let agent: Agent
  let run: ReconcileRun
  let guards: TableGuards

  private static let chunkSize = 5_000

  // MARK: Changing

  /// Brings rows to what git holds; their old content goes to quarantine.
  func update(
    _ transaction: borrowing Transaction, _ changes: [(ReconciliationPlan.Update, Record)], kind: RecordKind,
    inParts: Bool, _ outcome: inout PlanApplier.Outcome
  ) throws {
    guard !inParts else {
      for (update, record) in changes {
        if let reason = try updateAlone(transaction, update, record: record, &outcome) {
          outcome.refusals.append(RowRefusal(record: update.record, row: update.row, reason: reason))
        }
      }
      return
    }
    for chunk in changes.chunks(of: RowChanges.chunkSize) {
      do {
        outcome.quarantined += try quarantineStale(transaction, chunk.map(\.0), kind: kind)
        let table = kind.storage
        let written = try transaction.executeMany(
          RowChanges.updateStatement(table), chunk.lazy.map { values(of: $0.0, record: $0.1) })
        guard written == chunk.count, try areFaithful(transaction, chunk, kind: kind) else {
          throw TableRefusal(kind: kind)
        }
        outcome.updated += chunk.count
      } catch let error as PostgresError {
        throw error.refusal(by: kind)
      }
    }
  }

  /// Brings one row to what git holds. Returns why it could not be, and has changed nothing then.
  func updateAlone(
    _ transaction: borrowing Transaction, _ update: ReconciliationPlan.Update, record: Record,
    _ outcome: inout PlanApplier.Outcome
  ) throws -> String? {
    struct Refused: Error { let reason: String }
    let kind = record.kind
    do {
      let count = try transaction.savepoint {
        let count = try quarantineStale(transaction, [update], kind: kind)
        let values = values(of: update, record: record)
        guard try transaction.execute(RowChanges.updateStatement(kind.storage), values) == 1 else {
          throw Refused(reason: guards.reason(kind, .update, isGone: true))
        }
        guard try areFaithful(transaction, [(update, record)], kind: kind) else {
          throw Refused(reason: guards.reason(kind, .update, isGone: false))
        }
        return count
      }
      outcome.quarantined += count
      outcome.updated += 1
      return nil
    } catch let refused as Refused {
      return refused.reason
    } catch let error as PostgresError where error.refusesRow {
      return error.refusal
    }
  }

  /// Locks the rows and keeps those whose content would be lost. Returns how many.
  private func quarantineStale(
    _ transaction: borrowing Transaction, _ updates: [ReconciliationPlan.Update], kind: RecordKind
  ) throws -> Int {
    try lock(transaction, updates.map(\.row), kind: kind)
    let lossy = updates.filter { !$0.losesNothing }
    return try quarantine(
      transaction, lossy.map(\.row), kind: kind, reason: "stale", keys: lossy.map(\.record.key.text), references: nil)
  }

  /// An UPDATE of every column that is the record's; its parameters are those columns and the row's id.
  ///
  /// The row's time of creation stays as it is once there is one.
  private static func updateStatement(_ table: RecordTable) -> String {
    let assignments = table.columns.enumerated().map { place, column in
      column == "created_at" ? "created_at = COALESCE(created_at, $\(place + 1))" : "\(column) = $\(place + 1)"
    }
    return
      "UPDATE \(table.name) SET \(assignments.joined(separator: ", ")) WHERE id = $\(table.columns.count + 1)"
  }

  private func values(of update: ReconciliationPlan.Update, record: Record) -> [Value] {
    let spelled = EventSpelling.record(record, spelledAs: update.row.eventType)
    return spelled.row.values.map(\.parameter) + RowProvenance(update.record, agent: agent).parameters(record)
      + [.int(update.row.id)]
  }

  /// Whether each updated row says what its record says.
  private func areFaithful(
    _ transaction: borrowing Transaction, _ changes: [(ReconciliationPlan.Update, Record)], kind: RecordKind
  ) throws -> Bool {
    let hashes = changes.map { update, record in
      let spelled = EventSpelling.record(record, spelledAs: update.row.eventType)
      return (spelled == record ? update.record.contentHash : spelled.contentHash).description
    }
    let rows = try transaction.query(
      """
      SELECT count(*) FROM unnest($1::bigint[], $2::text[]) AS seen (id, hash)
      JOIN \(kind.table) t ON t.id = seen.id WHERE encode(t.content_hash, 'hex') = seen.hash
      """, [.intArray(changes.map(\.0.row.id)), .textArray(hashes)])
    return try rows.first?.int(0) == Int64(changes.count)
  }

  /// Marks rows whose file does not parse any more. A mark that is refused changes nothing of what the row says.
  func markUnreadable(
    _ transaction: borrowing Transaction, _ rows: [StoredRow], kind: RecordKind, inParts: Bool
  ) throws {
    for row in rows {
      do {
        let count = try transaction.savepoint {
          try transaction.execute(
            "UPDATE \(kind.table) SET git_status = $1 WHERE id = $2",
            [.text(GitStatus.unreadable.rawValue), .int(row.id)])
        }
        guard count == 1 || inParts else { throw TableRefusal(kind: kind) }
      } catch let error as PostgresError {
        guard error.refusesRow, inParts else { throw error.refusal(by: kind) }
      }
    }
  }

  // MARK: Taking out

  func remove(
    _ transaction: borrowing Transaction, _ removals: [ReconciliationPlan.Removal], kind: RecordKind,
    reason: ReconciliationPlan.Removal.Reason, inParts: Bool, _ outcome: inout PlanApplier.Outcome
  ) throws {
    guard !removals.isEmpty else { return }
    let references = try TableReferences(to: kind, transaction)
    guard inParts else {
      for chunk in removals.chunks(of: RowChanges.chunkSize) {
        do {
          let (count, kept) = try delete(transaction, chunk, kind: kind, reason: reason, references)
          guard let count else { throw TableRefusal(kind: kind) }
          outcome.quarantined += count
          outcome.keptRows += kept
        } catch let error as PostgresError {
          throw error.refusal(by: kind)
        }
      }
      return
    }
    struct Swallowed: Error {}
    for removal in removals {
      do {
        let kept = try transaction.savepoint {
          let (count, kept) = try delete(transaction, [removal], kind: kind, reason: reason, references)
          guard let count else { throw Swallowed() }
          outcome.quarantined += count
          return kept
        }
        outcome.keptRows += kept
      } catch is Swallowed {
        outcome.keptRows.append((removal.row, kind, guards.reason(kind, .delete, isGone: true)))
      } catch let error as PostgresError where error.refusesRow {
        outcome.keptRows.append((removal.row, kind, error.refusal))
      }
    }
  }

  private typealias Kept = (row: StoredRow, kind: RecordKind, reason: String)

  /// Returns how many rows went to quarantine, nil where some are still there, and those that had to stay because of what
  /// refers to them.
  private func delete(
    _ transaction: borrowing Transaction, _ removals: [ReconciliationPlan.Removal], kind: RecordKind,
    reason: ReconciliationPlan.Removal.Reason, _ references: TableReferences
  ) throws -> (count: Int?, kept: [Kept]) {
    try lock(transaction, removals.map(\.row), kind: kind)
    let obstacles = try references.obstacles(
      transaction, to: removals.map(\.row.id), movingReferences: reason == .duplicate)
    let kept: [Kept] = removals.compactMap { removal in obstacles[removal.row.id].map { (removal.row, kind, $0) } }
    let leaving = removals.filter { obstacles[$0.row.id] == nil }
    guard !leaving.isEmpty else { return (0, kept) }
    let count = try quarantine(
      transaction, leaving.map(\.row), kind: kind, reason: reason.rawValue, keys: leaving.map { $0.key?.text },
      references: references)
    try references.move(
      transaction, leaving.compactMap { removal in removal.keeperID.map { (from: removal.row.id, to: $0) } })
    let deleted = try transaction.execute(
      "DELETE FROM \(kind.table) WHERE id = ANY($1::bigint[])", [.intArray(leaving.map(\.row.id))])
    return (deleted == leaving.count ? count : nil, kept)
  }

  /// Locks rows, and fails unless every one is as the plan saw it.
  private func lock(_ transaction: borrowing Transaction, _ rows: [StoredRow], kind: RecordKind) throws {
    guard !rows.isEmpty else { return }
    let locked = try transaction.query(
      """
      SELECT count(*) FROM (
        SELECT FROM \(kind.table) t JOIN unnest($1::bigint[], $2::text[], $3::text[]) AS seen (id, hash, key) ON t.id = seen.id
        WHERE encode(t.content_hash, 'hex') IS NOT DISTINCT FROM seen.hash
          AND t.\(kind.storage.keyColumn) IS NOT DISTINCT FROM seen.key FOR UPDATE OF t) AS unchanged
      """,
      [
        .intArray(rows.map(\.id)), .textArray(rows.map { $0.contentHash.map { hex($0) } }),
        .textArray(rows.map { $0.key?.text }),
      ])
    guard try locked.first?.int(0) == Int64(rows.count) else { throw PlanApplier.changed("a row of \(kind.table)") }
  }

  /// Copies locked rows into quarantine, whole, with what refers to them. Returns how many.
  private func quarantine(
    _ transaction: borrowing Transaction, _ rows: [StoredRow], kind: RecordKind, reason: String, keys: [String?],
    references: TableReferences?
  ) throws -> Int {
    guard !rows.isEmpty else { return 0 }
    var parameters: [Value] = [
      .text(agent.name), .text(kind.name), .text(reason), .text(run.id), .text(kind.table), .intArray(rows.map(\.id)),
      .textArray(keys),
    ]
    let recording = try references?.recording(ids: "$6", &parameters)
    return try transaction.execute(
      """
      INSERT INTO maven_quarantine
        (agent, kind, record_key, git_path, reason, run_id, table_name, row_data, referenced_by, object_id, commit_id)
      SELECT $1, $2, seen.key, t.git_path, $3, $4::uuid, $5, to_jsonb(t), \(recording?.value ?? "NULL::jsonb"),
        t.object_id, t.source_commit
      FROM \(kind.table) t JOIN unnest($6::bigint[], $7::text[]) AS seen (id, key) ON t.id = seen.id
      \(recording?.joins ?? "")
      """, parameters)
  }
}
