internal import DedicatedThread
internal import Git
internal import Postgres
internal import Records

/// Copies the rows of one kind into its table: at full speed, or in parts where the table is known to refuse some.
///
/// At full speed all rows are one COPY, into an empty table without its secondary indexes, which are built afterwards.
/// Whatever is refused then, by COPY or by an index, costs the transaction: `TableRefusal` is thrown, and the plan is
/// applied again with this kind in parts.
///
/// In parts each batch of the feed (256 KiB, some hundred rows) is a COPY under a savepoint, with the indexes in place.
/// One that fails is halved until the rows that are refused stand alone: for one of n rows about 2 log n statements more.
/// Where the first `refusalLimit` rows were all refused, and the table holds none at all, a batch that fails is left
/// out as a whole: a table that refuses everything is given up soon. What arrived is compared with what was sent, since a
/// trigger may swallow or change a row in silence.
struct RowInserter {
  let kind: RecordKind
  let records: [GitRecord]
  let agent: Agent
  let guards: TableGuards
  /// How many records of the kind were refused by earlier runs; nil where the table is known to take rows.
  let refusedBefore: Int?

  /// From this many rows into an empty table on, secondary indexes are dropped before and built after the copy.
  static let bulkThreshold = 2_000
  /// How many refusals in a row tell that a table takes nothing.
  static let refusalLimit = 1_000

  struct Outcome {
    var inserted = 0
    var refusals: [RowRefusal] = []
    /// Rows of batches that were left out as a whole.
    var leftOut = 0
    var deferredIndexes: [String] = []
    var isBulk = false
  }

  private var table: RecordTable { kind.storage }

  /// Copies all batches of the kind at once. Returns nil where a file of the tree changed meanwhile.
  func insertAll(
    _ transaction: borrowing Transaction, expecting expected: Int, next: () -> InsertBatch?
  ) throws -> Outcome? {
    var outcome = Outcome()
    do {
      let indexes = try expected >= RowInserter.bulkThreshold ? dropIndexes(transaction) : nil
      var sent = 0
      outcome.inserted = try transaction.copyIn(copyStatement) { writer in
        while let batch = next() {
          try writer.raw(chunk: batch.rows)
          sent += batch.positions.count
        }
      }
      guard sent == expected else { return nil }
      guard outcome.inserted == expected else { throw TableRefusal(kind: kind) }
      guard let indexes else { return outcome }
      for index in indexes.definitions { try transaction.script(index) }
      outcome.deferredIndexes = indexes.deferred
      outcome.isBulk = true
      return outcome
    } catch let error as PostgresError {
      throw error.refusal(by: kind)
    }
  }

  /// Copies the batches one by one and finds the rows that are refused. Returns nil where a file changed meanwhile.
  func insertInParts(
    _ transaction: borrowing Transaction, expecting expected: Int, next: () -> InsertBatch?
  ) throws -> Outcome? {
    var outcome = Outcome()
    var sent = 0
    while let batch = next() {
      sent += batch.positions.count
      try insert(batch, transaction, &outcome)
    }
    return sent == expected ? outcome : nil
  }

  /// Copies one record that was refused before, in the hope that what refused it is gone.
  func insert(
    _ record: Record, of origin: GitRecord, _ transaction: borrowing Transaction
  ) throws -> RowRefusal? {
    var encoder = BinaryRowEncoder()
    try encoder.row(record, RowProvenance(origin, agent: agent))
    let rows = encoder.takeChunk()
    var outcome = Outcome()
    try insert(
      InsertBatch(kind: kind, rows: rows, positions: [0], ends: [rows.count]), transaction, &outcome)
    return outcome.refusals.first
  }

  private var copyStatement: String {
    "COPY \(table.name) (\(table.columns.joined(separator: ", "))) FROM STDIN (FORMAT binary)"
  }

  private func insert(_ batch: InsertBatch, _ transaction: borrowing Transaction, _ outcome: inout Outcome) throws {
    do {
      let (inserted, refusals) = try transaction.savepoint {
        let inserted = try transaction.copyIn(copyStatement) { try $0.raw(chunk: batch.rows) }
        return (inserted, try unfaithful(batch, transaction))
      }
      outcome.inserted += inserted
      outcome.refusals += refusals
    } catch let error as PostgresError where error.refusesRow {
      let count = batch.positions.count
      guard count > 1 else {
        outcome.refusals.append(RowRefusal(record: records[batch.positions[0]], row: nil, reason: error.refusal))
        return
      }
      if let refusedBefore, outcome.inserted == 0, outcome.refusals.count + refusedBefore >= RowInserter.refusalLimit {
        outcome.leftOut += count
        return
      }
      try insert(batch[0..<count / 2], transaction, &outcome)
      try insert(batch[count / 2..<count], transaction, &outcome)
    }
  }

  /// The records of a batch that have no row now, or another row than theirs.
  private func unfaithful(_ batch: InsertBatch, _ transaction: borrowing Transaction) throws -> [RowRefusal] {
    let origins = batch.positions.map { records[$0] }
    let rows = try transaction.query(
      """
      SELECT seen.place, t.id IS NULL FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS seen (key, hash, place)
      LEFT JOIN \(table.name) t ON t.\(table.keyColumn) = seen.key AND t.agent = $3
      WHERE encode(t.content_hash, 'hex') IS DISTINCT FROM seen.hash
      """,
      [
        .textArray(origins.map(\.key.text)), .textArray(origins.map(\.contentHash.description)), .text(agent.name),
      ])
    return try rows.map { row in
      let record = origins[Int(try row.int(0)) - 1]
      let isGone = try row.bool(1)
      return RowRefusal(
        record: record, row: nil, reason: guards.reason(kind, .insert, isGone: isGone), hasRow: !isGone)
    }
  }

  /// Drops the secondary indexes of an empty table and returns how to make them again; nil where it has rows.
  ///
  /// Full-text indexes of ours are deferred: they take whatever the rows hold, so building them can wait until the rows
  /// are visible.
  private func dropIndexes(
    _ transaction: borrowing Transaction
  ) throws -> (definitions: [String], deferred: [String])? {
    guard try transaction.query("SELECT FROM \(table.name) LIMIT 1").isEmpty else { return nil }
    try transaction.script("SET LOCAL maintenance_work_mem = '256MB'")
    let rows = try transaction.query(
      """
      SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), \(SchemaCatalog.indexDefinition) FROM pg_index i
      WHERE i.indrelid = $1::regclass AND NOT i.indisunique AND NOT i.indisprimary
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
      ORDER BY 1
      """, [.text(table.name)])
    var indexes: (definitions: [String], deferred: [String]) = ([], [])
    for row in rows {
      let definition = try row.string(1)
      try transaction.script("DROP INDEX \(row.string(0))")
      let isFullText = definition.contains("tsvector") || definition.contains("search_vector")
      if isFullText, Migration.manifest.contains("index \(table.name) \(try row.string(2))") {
        indexes.deferred.append(definition)
      } else {
        indexes.definitions.append(definition)
      }
    }
    return indexes
  }
}
