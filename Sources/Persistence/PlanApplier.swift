internal import DedicatedThread
internal import Git
internal import Postgres
internal import Records

/// Executes a plan: all row changes, the checkpoint and the run's report in one transaction.
///
/// Every row that the plan touches is checked against what the plan saw (its content hash), so a write that
/// lands between the survey and this transaction is neither overwritten nor removed: the transaction rolls back
/// with `.changedMeanwhile`, and the caller surveys again. What leaves a table goes to quarantine first, whole.
///
/// A row that the database refuses (a constraint, a trigger or a rule of somebody's own, an index that a value does not
/// fit) is left out, and all others arrive. The first attempt goes at full speed; where a table refuses something the
/// transaction rolls back, and the next attempt tries that table's rows in parts, under savepoints. So a table costs one
/// attempt more, and only where it refuses something that no earlier run knows of: what was refused before is tried by
/// itself.
struct PlanApplier {
  let survey: Survey
  let repository: Repository
  let schema: SchemaName
  let run: ReconcileRun
  let fence: FencingToken

  struct Outcome: Sendable {
    var inserted: [RecordKind: Int] = [:]
    var updated = 0
    var quarantined = 0
    /// Records that have no row, or not theirs, because the database refuses it; those of earlier runs too.
    var refusals: [RowRefusal] = []
    /// Records of a kind that were left out because too many of them are refused to look at each.
    var leftOut: [RecordKind: Int] = [:]
    /// Rows that git does not hold, and why they could not be taken out.
    var keptRows: [(row: StoredRow, kind: RecordKind, reason: String)] = []
    /// Rows that are back with their id and the columns of bots, and references of other rows that were made again.
    var returned = 0
    var relinked = 0
    /// What could not be given back to such rows, and why.
    var notGivenBack: [(kind: RecordKind, message: String)] = []
    /// Full-text indexes that were dropped for a bulk copy; to be built when the rows are already visible.
    var deferredIndexes: [String] = []
    /// Tables that were filled from empty and want fresh statistics.
    var bulkTables: [String] = []
  }

  /// Bytes that quarantine keeps of one file; of a larger one it keeps the size.
  static let rawLimit = 64 << 20
  /// Bytes of files that one run puts there; the rest follows with the next run.
  static let rawBudget = 256 << 20

  func apply(_ connection: Connection, progress: @escaping @Sendable (Int) -> Void) async throws -> Outcome {
    var parts: Set<RecordKind> = []
    while true {
      do {
        let outcome = try await attempt(connection, parts: parts, progress: progress)
        try await keepRawBytes(of: outcome.refusals, connection)
        return outcome
      } catch let refusal as TableRefusal {
        // In parts a table refuses no more than rows.
        guard parts.insert(refusal.kind).inserted else { throw PlanApplier.changed("the table \(refusal.kind.table)") }
      }
    }
  }

  private func attempt(
    _ connection: Connection, parts: Set<RecordKind>, progress: @escaping @Sendable (Int) -> Void
  ) async throws -> Outcome {
    let batches = BoundedChannel<InsertBatch>(capacity: 16)
    // What is read once more was told of already.
    let isFirst = parts.isEmpty
    let inserts = InsertFeed(
      records: survey.plan.inserts, agent: survey.source.agent, repository: repository, batches: batches,
      compared: parts, progress: { if isFirst { progress($0) } })
    let feed = PlanFeed(survey.plan, agent: survey.source.agent, repository: repository, inserts: inserts)
    async let feeding: Void = feed.run()
    let result: Result<Outcome, any Error>
    do {
      result = .success(
        try await connection.transaction { transaction in
          // Whatever ends this body also lets the feed end, which may be waiting for room.
          defer { feed.cancel() }
          return try apply(transaction, feed, parts: parts)
        })
    } catch {
      feed.cancel()
      result = .failure(error)
    }
    // The reader's own error is the cause where both sides fail.
    try await feeding
    return try result.get()
  }

  private func apply(
    _ transaction: borrowing Transaction, _ feed: PlanFeed, parts: Set<RecordKind>
  ) throws -> Outcome {
    var outcome = Outcome()
    let plan = survey.plan
    let agent = survey.source.agent
    try fence.exchange(transaction, holder: "\(run.command), run \(run.id)", schema: schema)
    // A constraint that waits for the end would fail all rows together.
    try transaction.script("SET LOCAL search_path TO \(schema.quoted), pg_temp; SET CONSTRAINTS ALL IMMEDIATE")
    let guards = try TableGuards(transaction)
    // What a trigger may swallow or change is compared with what was sent, row by row, from the start.
    let guarded = guards.guardingInserts.subtracting(parts)
    if let insert = plan.inserts.first(where: { guarded.contains($0.kind) }) { throw TableRefusal(kind: insert.kind) }
    let rows = RowChanges(agent: agent, run: run, guards: guards)

    var portion = feed.updates.receive()
    for kind in RecordKind.allCases {
      let isInParts = parts.contains(kind)
      let removals = plan.removals.filter { $0.kind == kind }
      for reason in [ReconciliationPlan.Removal.Reason.duplicate, .orphaned] {
        try rows.remove(
          transaction, removals.filter { $0.reason == reason }, kind: kind, reason: reason, inParts: isInParts,
          &outcome)
      }
      var left = plan.updates.count { $0.record.kind == kind }
      while left > 0 {
        // A feed that failed ends early: its own error says why.
        guard let received = portion else { throw PlanApplier.changed("a file of the tree") }
        let changed = zip(received.positions, received.records).map { (plan.updates[$0], $1) }
        try rows.update(transaction, changed, kind: kind, inParts: isInParts, &outcome)
        left -= changed.count
        portion = feed.updates.receive()
      }
      try rows.markUnreadable(
        transaction, plan.markUnreadable.filter { $0.kind == kind }.map(\.row), kind: kind, inParts: isInParts)
    }
    try quarantineFiles(transaction, feed)
    try insert(transaction, batches: feed.inserts.batches, guards: guards, inParts: parts, outcome: &outcome)
    try retry(transaction, feed, guards: guards, rows: rows, &outcome)
    let returning = plan.inserts + plan.refused.filter { $0.row == nil }.map(\.record)
    let returned = try ReturningRows(agent: agent, run: run).restore(transaction, returning)
    (outcome.returned, outcome.relinked) = (returned.returned, returned.relinked)
    outcome.notGivenBack = returned.failures
    for index in outcome.refusals.indices { try keep(transaction, &outcome.refusals[index]) }
    try forgetLostCommits(transaction, parts: parts)
    if plan.isBehind { return outcome }
    try nameCommit(transaction)
    _ = try transaction.execute(
      """
      INSERT INTO maven_checkpoint (agent, source_kind, commit_id, tree_id, encoding_version, run_id)
      VALUES ($1, $2, $3, $4, $5, $6::uuid)
      ON CONFLICT (agent) DO UPDATE SET source_kind = excluded.source_kind, commit_id = excluded.commit_id,
        tree_id = excluded.tree_id, encoding_version = excluded.encoding_version, run_id = excluded.run_id,
        updated_at = now()
      """,
      [
        .text(agent.name), .text(survey.source.kind.rawValue), .bytes(survey.source.commit?.id),
        .bytes(survey.source.tree.bytes), .int(Int64(CanonicalBytes.version)), .text(run.id),
      ])
    return outcome
  }

  // MARK: Quarantine of files

  private func quarantineFiles(_ transaction: borrowing Transaction, _ feed: PlanFeed) throws {
    for file in survey.plan.quarantineFiles {
      guard let bytes = feed.files.receive() else { break }
      _ = try transaction.execute(
        """
        INSERT INTO maven_quarantine
          (agent, kind, record_key, git_path, reason, run_id, raw_bytes, object_id, commit_id, detail)
        VALUES ($1, $2, $3, $4, 'corrupt-file', $5::uuid, $6, $7, $8, $9)
        """,
        [
          .text(survey.source.agent.name), .text(file.label), .text(file.key.text),
          .text(RecordPath(file.entry.path.bytes).text), .text(run.id), bytes.map { .bytes($0) } ?? .null,
          .bytes(file.entry.id.bytes), .bytes(survey.source.sourceCommit(of: file.entry)),
          .text(DatabaseText.encode(file.diagnostics.map(\.description).joined(separator: "\n"))),
        ])
    }
    for file in survey.plan.resolvedFiles {
      _ = try transaction.execute(
        """
        UPDATE maven_quarantine SET resolved_at = now()
        WHERE agent = $1 AND reason = 'corrupt-file' AND git_path = $2 AND object_id = $3 AND resolved_at IS NULL
        """, [.text(survey.source.agent.name), .text(file.path), .bytes(file.objectID)])
    }
  }

  // MARK: Putting rows in

  private func insert(
    _ transaction: borrowing Transaction, batches: BoundedChannel<InsertBatch>, guards: TableGuards,
    inParts: Set<RecordKind>, outcome: inout Outcome
  ) throws {
    var following = batches.receive()
    for kind in RecordKind.allCases {
      let expected = survey.plan.inserts.count { $0.kind == kind }
      guard expected > 0 else { continue }
      func next() -> InsertBatch? {
        guard let batch = following, batch.kind == kind else { return nil }
        following = batches.receive()
        return batch
      }
      let takesRows = survey.rows.rows[kind]?.isEmpty == false
      let inserter = RowInserter(
        kind: kind, records: survey.plan.inserts, agent: survey.source.agent, guards: guards,
        refusedBefore: takesRows ? nil : survey.plan.refused.count { $0.record.kind == kind })
      let inserted =
        inParts.contains(kind)
        ? try inserter.insertInParts(transaction, expecting: expected, next: next)
        : try inserter.insertAll(transaction, expecting: expected, next: next)
      // A feed that failed ends early: its own error says why.
      guard let inserted else { throw PlanApplier.changed("a file of the tree") }
      outcome.inserted[kind] = inserted.inserted
      outcome.refusals += inserted.refusals
      if inserted.leftOut > 0 { outcome.leftOut[kind] = inserted.leftOut }
      outcome.deferredIndexes += inserted.deferredIndexes
      if inserted.isBulk { outcome.bulkTables.append(kind.table) }
    }
  }

  // MARK: Records that were refused

  /// Tries what earlier runs could not write, each record by itself, and no more once very many of a kind were refused
  /// again: their order is another one in each run.
  private func retry(
    _ transaction: borrowing Transaction, _ feed: PlanFeed, guards: TableGuards, rows: RowChanges,
    _ outcome: inout Outcome
  ) throws {
    var resolved = survey.plan.resolvedRefusals
    var refused: [RecordKind: Int] = [:]
    var tried = 0
    while let portion = feed.retries.receive() {
      tried += portion.records.count
      try retry(transaction, portion, guards: guards, rows: rows, &refused, &resolved, &outcome)
    }
    guard tried == survey.plan.refused.count else { throw PlanApplier.changed("a file of the tree") }
    guard !resolved.isEmpty else { return }
    _ = try transaction.execute(
      "UPDATE maven_quarantine SET resolved_at = now() WHERE id = ANY($1::bigint[])", [.intArray(resolved)])
  }

  private func retry(
    _ transaction: borrowing Transaction, _ portion: RecordPortion, guards: TableGuards, rows: RowChanges,
    _ refused: inout [RecordKind: Int], _ resolved: inout [Int64], _ outcome: inout Outcome
  ) throws {
    for (position, record) in zip(portion.positions, portion.records) {
      let known = survey.plan.refused[position]
      guard refused[record.kind, default: 0] < RowInserter.refusalLimit else {
        outcome.refusals.append(known)
        continue
      }
      let reason: String?
      if let row = known.row {
        let update = ReconciliationPlan.Update(row: row, record: known.record)
        reason = try rows.updateAlone(transaction, update, record: record, &outcome)
      } else {
        let inserter = RowInserter(
          kind: record.kind, records: [known.record], agent: survey.source.agent, guards: guards, refusedBefore: nil)
        reason = try inserter.insert(record, of: known.record, transaction)?.reason
        if reason == nil { outcome.inserted[record.kind, default: 0] += 1 }
      }
      if let reason {
        refused[record.kind, default: 0] += 1
        outcome.refusals.append(
          RowRefusal(record: known.record, row: known.row, reason: reason, entry: known.entry))
      } else if let entry = known.entry {
        resolved.append(entry)
      }
    }
  }

  /// Remembers what is refused, or that the reason is another one than before.
  private func keep(_ transaction: borrowing Transaction, _ refusal: inout RowRefusal) throws {
    let reason = DatabaseText.encode(refusal.reason)
    if let entry = refusal.entry {
      _ = try transaction.execute(
        "UPDATE maven_quarantine SET detail = $2 WHERE id = $1 AND detail IS DISTINCT FROM $2",
        [.int(entry), .text(reason)])
      return
    }
    let record = refusal.record
    let rows = try transaction.query(
      """
      INSERT INTO maven_quarantine
        (agent, kind, record_key, git_path, reason, run_id, table_name, object_id, commit_id, detail)
      VALUES ($1, $2, $3, $4, $5, $6::uuid, $7, $8, $9, $10) RETURNING id
      """,
      [
        .text(survey.source.agent.name), .text(record.kind.name), .text(record.key.text),
        .text(RecordPath(record.path.bytes).text), .text(RowRefusal.quarantineReason), .text(run.id),
        .text(record.kind.table), .bytes(record.objectID.bytes), .bytes(record.sourceCommit), .text(reason),
      ])
    refusal.entry = try rows.first?.int(0)
  }

  /// Adds the bytes of refused records to their entries.
  ///
  /// Afterwards and one by one, since they may be large and the transaction cannot wait for git. A run that is killed
  /// before it is through leaves entries without bytes, which the next run fills.
  private func keepRawBytes(of refusals: [RowRefusal], _ connection: Connection) async throws {
    let complete = Set(survey.rows.refusals.lazy.filter(\.holdsBytes).map(\.entry))
    let reader = RawRecords(source: survey.source, repository: repository)
    for refusal in refusals {
      guard let entry = refusal.entry, !complete.contains(entry), let bytes = try await reader.bytes(of: refusal.record)
      else { continue }
      _ = try await connection.execute(
        "UPDATE \(schema.qualified("maven_quarantine")) SET raw_bytes = $1 WHERE id = $2", [.bytes(bytes), .int(entry)])
    }
  }

  // MARK: Origins

  private func forgetLostCommits(_ transaction: borrowing Transaction, parts: Set<RecordKind>) throws {
    guard !survey.plan.lostCommits.isEmpty else { return }
    for kind in RecordKind.allCases {
      let table = kind.storage
      let parameters: [Value] = [
        .bytes(survey.source.commit?.id), .bytesArray(survey.plan.lostCommits.map(\.bytes)),
      ]
      do {
        try transaction.savepoint {
          _ = try transaction.execute(
            """
            UPDATE \(table.name) SET source_commit = $1
            WHERE \(table.predicate(survey.source.agent)) AND source_commit = ANY($2::bytea[])
            """, parameters)
        }
      } catch let error as PostgresError where error.refusesRow && parts.contains(kind) {
        // Its rows go on naming commits that are gone, and the report goes on saying so.
      } catch let error as PostgresError {
        throw error.refusal(by: kind)
      }
    }
  }

  /// Where the database does not take it the next run finds a difference, and says why it stays.
  private func nameCommit(_ transaction: borrowing Transaction) throws {
    guard let commit = survey.source.commit?.id else { return }
    for (kind, ids) in survey.plan.late {
      do {
        try transaction.savepoint {
          _ = try transaction.execute(
            "UPDATE \(kind.table) SET source_commit = $1 WHERE id = ANY($2::bigint[]) AND source_commit IS NULL",
            [.bytes(commit.bytes), .intArray(ids)])
        }
      } catch let error as PostgresError where error.refusesRow {
        continue
      }
    }
  }

  static func changed(_ what: String) -> PersistenceError {
    PersistenceError(
      .changedMeanwhile, "\(what) changed while the plan was applied: nothing was changed", hint: "run again")
  }
}
