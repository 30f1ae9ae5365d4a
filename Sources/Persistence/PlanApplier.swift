internal import DedicatedThread
internal import Git
internal import Postgres
internal import Records

/// Executes a plan: all row changes, the checkpoint and the run's report in one transaction.
///
/// Every row that the plan touches is checked against what the plan saw (its content hash), so a write that
/// lands between the survey and this transaction is neither overwritten nor removed: the transaction rolls back
/// with `.changedMeanwhile`, and the caller surveys again. What leaves a table goes to quarantine first, whole.
struct PlanApplier {
  let survey: Survey
  let repository: Repository
  let schema: SchemaName
  let run: ReconcileRun
  let fence: FencingToken

  /// From this many rows into an empty table on, secondary indexes are dropped before and built after the copy.
  static let bulkThreshold = 2_000

  struct Outcome: Sendable {
    var inserted: [RecordKind: Int] = [:]
    var updated = 0
    var quarantined = 0
    /// Full-text indexes that were dropped for a bulk copy; to be built when the rows are already visible.
    var deferredIndexes: [String] = []
    /// Tables that were filled from empty and want fresh statistics.
    var bulkTables: [String] = []
  }

  func apply(_ connection: Connection, progress: @escaping @Sendable (Int) -> Void) async throws -> Outcome {
    let plan = survey.plan
    let contents = RecordContents(repository: repository, agent: survey.source.agent)
    let updates = try await contents.records(plan.updates.map(\.record))
    guard updates.allSatisfy({ $0 != nil }) else { throw PlanApplier.changed("a file of the tree") }
    let files = try await rawFiles(plan.quarantineFiles)

    let batches = BoundedChannel<InsertBatch>(capacity: 16)
    let feed = InsertFeed(
      records: plan.inserts, agent: survey.source.agent, repository: repository, batches: batches, progress: progress)
    async let feeding: Void = feed.run()
    let result: Result<Outcome, any Error>
    do {
      result = .success(
        try await connection.transaction { transaction in
          // Whatever ends this body also lets the feed end, which may be waiting for room.
          defer { batches.cancel() }
          return try apply(transaction, updates: updates, files: files, batches: batches)
        })
    } catch {
      batches.cancel()
      result = .failure(error)
    }
    // The reader's own error is the cause where both sides fail.
    try await feeding
    return try result.get()
  }

  private func apply(
    _ transaction: borrowing Transaction, updates: [Record?], files: [[UInt8]?], batches: BoundedChannel<InsertBatch>
  ) throws -> Outcome {
    var outcome = Outcome()
    let plan = survey.plan
    let agent = survey.source.agent
    try fence.exchange(transaction, holder: "\(run.command), run \(run.id)", schema: schema)
    try transaction.script("SET LOCAL search_path TO \(schema.quoted), pg_temp")

    for kind in RecordKind.allCases {
      let removals = plan.removals.filter { $0.kind == kind }
      for reason in [ReconciliationPlan.Removal.Reason.duplicate, .orphaned] {
        outcome.quarantined += try remove(
          transaction, removals.filter { $0.reason == reason }, kind: kind, reason: reason)
      }
      let changed = zip(plan.updates, updates).filter { $0.0.record.kind == kind }
      outcome.quarantined += try quarantine(
        transaction, changed.map(\.0.row), kind: kind, reason: "stale", keys: changed.map(\.0.record.key.text))
      for (update, record) in changed {
        guard let record else { continue }
        try self.update(transaction, update, record: record)
        outcome.updated += 1
      }
    }
    for (kind, row) in plan.markUnreadable {
      let count = try transaction.execute(
        "UPDATE \(kind.table) SET git_status = $1 WHERE id = $2",
        [.text(GitStatus.unreadable.rawValue), .int(row.id)])
      guard count == 1 else { throw PlanApplier.changed("row \(row.id) of \(kind.table)") }
    }
    try quarantineFiles(transaction, files)
    try insert(transaction, batches: batches, outcome: &outcome)
    try forgetLostCommits(transaction)
    if plan.isBehind { return outcome }
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

  // MARK: Taking rows out

  private func remove(
    _ transaction: borrowing Transaction, _ removals: [ReconciliationPlan.Removal], kind: RecordKind,
    reason: ReconciliationPlan.Removal.Reason
  ) throws -> Int {
    guard !removals.isEmpty else { return 0 }
    let table = kind.storage
    let count = try quarantine(
      transaction, removals.map(\.row), kind: kind, reason: reason.rawValue, keys: removals.map { $0.key?.text })
    for reference in table.references {
      for removal in removals {
        guard let keeper = removal.keeperID else { continue }
        _ = try transaction.execute(
          "UPDATE \(reference.table) SET \(reference.column) = $1 WHERE \(reference.column) = $2",
          [.int(keeper), .int(removal.row.id)])
      }
    }
    for chunk in removals.chunks(of: 5_000) {
      let deleted = try transaction.execute(
        "DELETE FROM \(table.name) WHERE id = ANY($1::bigint[])", [.intArray(chunk.map(\.row.id))])
      guard deleted == chunk.count else { throw PlanApplier.changed("a row of \(table.name)") }
    }
    return count
  }

  /// Copies rows into quarantine, locking each, and fails unless every one is as the plan saw it.
  private func quarantine(
    _ transaction: borrowing Transaction, _ rows: [StoredRow], kind: RecordKind, reason: String, keys: [String?]
  ) throws -> Int {
    let table = kind.storage
    var references = "NULL::jsonb"
    if !table.references.isEmpty {
      let parts = table.references.map { reference in
        "'\(reference.table)', (SELECT jsonb_agg(r.id ORDER BY r.id) FROM \(reference.table) r WHERE r.\(reference.column) = t.id)"
      }
      references = "NULLIF(jsonb_strip_nulls(jsonb_build_object(\(parts.joined(separator: ", ")))), '{}')"
    }
    var count = 0
    for chunk in Array(zip(rows, keys)).chunks(of: 5_000) {
      // The lock comes first and alone: FOR UPDATE does not go with the subqueries of the copy.
      let locked = try transaction.query(
        """
        SELECT count(*) FROM (
          SELECT FROM \(table.name) t JOIN unnest($1::bigint[], $2::text[]) AS seen (id, hash) ON t.id = seen.id
          WHERE encode(t.content_hash, 'hex') IS NOT DISTINCT FROM seen.hash FOR UPDATE OF t) AS unchanged
        """,
        [.intArray(chunk.map(\.0.id)), .textArray(chunk.map { $0.0.contentHash.map { hex($0) } })])
      guard try locked.first?.int(0) == Int64(chunk.count) else { throw PlanApplier.changed("a row of \(table.name)") }
      count += try transaction.execute(
        """
        INSERT INTO maven_quarantine
          (agent, kind, record_key, git_path, reason, run_id, table_name, row_data, referenced_by, object_id, commit_id)
        SELECT $1, $2, seen.key, t.git_path, $3, $4::uuid, $5, to_jsonb(t), \(references), t.object_id, t.source_commit
        FROM \(table.name) t JOIN unnest($6::bigint[], $7::text[]) AS seen (id, key) ON t.id = seen.id
        """,
        [
          .text(survey.source.agent.name), .text(kind.name), .text(reason), .text(run.id), .text(table.name),
          .intArray(chunk.map(\.0.id)), .textArray(chunk.map(\.1)),
        ])
    }
    return count
  }

  private func quarantineFiles(_ transaction: borrowing Transaction, _ files: [[UInt8]?]) throws {
    for (file, bytes) in zip(survey.plan.quarantineFiles, files) {
      _ = try transaction.execute(
        """
        INSERT INTO maven_quarantine
          (agent, kind, record_key, git_path, reason, run_id, raw_bytes, object_id, commit_id, detail)
        VALUES ($1, $2, $3, $4, 'corrupt-file', $5::uuid, $6, $7, $8, $9)
        """,
        [
          .text(survey.source.agent.name), .text(file.kind.name), .text(file.key.text),
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

  private func rawFiles(_ files: [CorruptFile]) async throws -> [[UInt8]?] {
    try await repository.read(
      files.map(\.entry), limit: GitRecordReader.fileLimit, into: [[UInt8]?]()
    ) { raw, index, content in
      raw.append(files[index].part ?? (try? content.map { Array($0) }.get()))
      return true
    }
  }

  // MARK: Putting rows in

  private func update(
    _ transaction: borrowing Transaction, _ update: ReconciliationPlan.Update, record: Record
  ) throws {
    let table = record.kind.storage
    let provenance = RowProvenance(update.record, agent: survey.source.agent)
    var assignments: [String] = []
    var values: [Value] = []
    for (column, value) in zip(table.columns, record.row.values.map(\.parameter) + provenance.parameters(record)) {
      values.append(value)
      assignments.append("\(column) = $\(values.count)")
    }
    values.append(.int(update.row.id))
    let count = try transaction.execute(
      "UPDATE \(table.name) SET \(assignments.joined(separator: ", ")) WHERE id = $\(values.count)", values)
    guard count == 1 else { throw PlanApplier.changed("row \(update.row.id) of \(table.name)") }
  }

  private func insert(
    _ transaction: borrowing Transaction, batches: BoundedChannel<InsertBatch>, outcome: inout Outcome
  ) throws {
    var next = batches.receive()
    for kind in RecordKind.allCases {
      let expected = survey.plan.inserts.count { $0.kind == kind }
      guard expected > 0 else { continue }
      let table = kind.storage
      let indexes = try expected >= PlanApplier.bulkThreshold ? dropIndexes(transaction, table: table) : nil
      let copied = try transaction.copyIn(
        "COPY \(table.name) (\(table.columns.joined(separator: ", "))) FROM STDIN (FORMAT binary)"
      ) { writer in
        while let batch = next, batch.kind == kind {
          try writer.raw(chunk: batch.rows)
          next = batches.receive()
        }
      }
      // A feed that failed ends early: its own error says why.
      guard copied == expected else { throw PlanApplier.changed("a file of the tree") }
      outcome.inserted[kind] = copied
      if let indexes {
        for index in indexes.definitions { try transaction.script(index) }
        outcome.deferredIndexes += indexes.deferred
        outcome.bulkTables.append(table.name)
      }
    }
  }

  /// Drops the secondary indexes of an empty table and returns how to make them again; nil where it has rows.
  private func dropIndexes(
    _ transaction: borrowing Transaction, table: RecordTable
  ) throws -> (definitions: [String], deferred: [String])? {
    guard try transaction.query("SELECT FROM \(table.name) LIMIT 1").isEmpty else { return nil }
    try transaction.script("SET LOCAL maintenance_work_mem = '256MB'")
    let rows = try transaction.query(
      """
      SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
      WHERE i.indrelid = $1::regclass AND NOT i.indisunique AND NOT i.indisprimary
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
      ORDER BY 1
      """, [.text(table.name)])
    var indexes: (definitions: [String], deferred: [String]) = ([], [])
    for row in rows {
      let definition = try row.string(1)
      try transaction.script("DROP INDEX \(row.string(0))")
      if definition.contains("tsvector") || definition.contains("search_vector") {
        indexes.deferred.append(definition)
      } else {
        indexes.definitions.append(definition)
      }
    }
    return indexes
  }

  private func forgetLostCommits(_ transaction: borrowing Transaction) throws {
    guard !survey.plan.lostCommits.isEmpty else { return }
    for kind in RecordKind.allCases {
      let table = kind.storage
      _ = try transaction.execute(
        """
        UPDATE \(table.name) SET source_commit = $1
        WHERE \(table.predicate(survey.source.agent)) AND source_commit = ANY($2::bytea[])
        """, [.bytes(survey.source.commit?.id), .bytesArray(survey.plan.lostCommits.map(\.bytes))])
    }
  }

  private static func changed(_ what: String) -> PersistenceError {
    PersistenceError(
      .changedMeanwhile, "\(what) changed while the plan was applied: nothing was changed", hint: "run again")
  }
}

/// Where a row comes from: the columns behind the record's own.
struct RowProvenance {
  let key: String
  let agent: String
  let path: String
  let objectID: ObjectID
  let sourceCommit: ObjectID?
  let archivedCommit: ObjectID?

  init(_ record: GitRecord, agent: Agent) {
    key = record.key.text
    self.agent = agent.name
    path = RecordPath(record.path.bytes).text
    objectID = record.objectID
    sourceCommit = record.sourceCommit
    archivedCommit = record.archivedCommit
  }

  var status: GitStatus { archivedCommit == nil ? .current : .archived }

  /// In the order of `RecordTable.provenanceColumns`.
  func parameters(_ record: Record) -> [Value] {
    [
      .text(key), .text(agent), .text(path), .bytes(objectID.bytes), .bytes(sourceCommit), .text(status.rawValue),
      .bytes(archivedCommit), record.time.map { .timestamp(microsecondsSince2000: $0.microsecondsSince2000) } ?? .null,
    ]
  }

  /// The same columns for COPY.
  func encode(_ record: Record, into encoder: inout BinaryRowEncoder) throws {
    try encoder.text(key)
    try encoder.text(agent)
    try encoder.text(path)
    try encoder.bytes(objectID.bytes)
    if let sourceCommit { try encoder.bytes(sourceCommit.bytes) } else { try encoder.null() }
    try encoder.text(status.rawValue)
    if let archivedCommit { try encoder.bytes(archivedCommit.bytes) } else { try encoder.null() }
    if let time = record.time {
      try encoder.timestamp(microsecondsSince2000: time.microsecondsSince2000)
    } else {
      try encoder.null()
    }
  }
}

extension ColumnValue {
  var parameter: Value {
    switch self {
    case .null: .null
    case .text(let text): .text(text)
    case .numeric(let number): .numeric(number.text)
    case .instant(let instant): .timestamp(microsecondsSince2000: instant.microsecondsSince2000)
    case .json(let text): .json(text)
    }
  }

  func encode(into encoder: inout BinaryRowEncoder) throws {
    switch self {
    case .null: try encoder.null()
    case .text(let text): try encoder.text(text)
    case .numeric(let number): try encoder.numeric(number.text)
    case .instant(let instant): try encoder.timestamp(microsecondsSince2000: instant.microsecondsSince2000)
    case .json(let text): try encoder.jsonb(text)
    }
  }
}

extension Value {
  static func bytes(_ id: ObjectID?) -> Value {
    id.map { .bytes($0.bytes) } ?? .null
  }
}
