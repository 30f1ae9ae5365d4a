internal import Git
internal import Postgres
internal import Records

/// Gives rows whose records are back what their earlier rows had: id, time of creation, the columns of bots, and the
/// references of other tables.
///
/// A record may go and come back: a branch is switched and switched back, a file is deleted and restored, a quarantined
/// row is adopted. Its earlier row is in quarantine, whole, with the keys of the rows that referred to it. The new row is
/// written like any other, so that what the record says is git's; then it takes over the rest.
///
/// The id is taken where it is free, and the sequence is never left behind it. A reference is made again where its column
/// is still null; what somebody has pointed elsewhere meanwhile stays there.
struct ReturningRows {
  let agent: Agent
  let run: ReconcileRun

  struct Outcome {
    /// How many rows took over what they had.
    var returned = 0
    /// How many rows of other tables, or of these, refer to them again.
    var relinked = 0
    /// What could not be given back, and why; in words.
    var failures: [(kind: RecordKind, message: String)] = []
  }

  /// An entry of the quarantine whose record has a row again.
  private struct Entry {
    let id: Int64
    let kind: RecordKind
  }

  /// To be called in the transaction that wrote the rows, after them.
  func restore(_ transaction: borrowing Transaction, _ records: [GitRecord]) throws -> Outcome {
    var outcome = Outcome()
    guard !records.isEmpty,
      try transaction.query(
        "SELECT FROM maven_quarantine WHERE agent = $1 AND \(ReturningRows.isOpen) LIMIT 1", [.text(agent.name)]
      ).isEmpty == false
    else { return outcome }
    var entries: [Entry] = []
    for kind in RecordKind.allCases {
      let found = try self.entries(transaction, kind, records.filter { $0.kind == kind }.map(\.key))
      guard !found.isEmpty else { continue }
      let taken = try takeOver(transaction, found, kind, &outcome)
      entries += taken.map { Entry(id: $0, kind: kind) }
    }
    guard !entries.isEmpty else { return outcome }
    // Rows refer to each other, so all of them come first.
    for kind in RecordKind.allCases {
      let ids = entries.filter { $0.kind == kind }.map(\.id)
      guard !ids.isEmpty else { continue }
      try restoreOwnReferences(transaction, ids, kind, &outcome)
      try restoreReferences(transaction, ids, kind, &outcome)
      _ = try transaction.execute(
        """
        UPDATE maven_quarantine q SET resolved_at = now(), detail = concat_ws('; ', q.detail, format('back as row %s', t.id))
        FROM \(kind.table) t WHERE q.id = ANY ($1::bigint[]) AND t.\(kind.storage.keyColumn) = q.record_key AND t.agent = $2
        """, [.intArray(ids), .text(agent.name)])
    }
    outcome.returned = entries.count
    return outcome
  }

  private static let isOpen = "reason = 'orphaned' AND row_data IS NOT NULL AND resolved_at IS NULL"

  /// The newest open entry of each key.
  private func entries(
    _ transaction: borrowing Transaction, _ kind: RecordKind, _ keys: [RecordKey]
  ) throws -> [Int64] {
    var entries: [Int64] = []
    for chunk in keys.chunks(of: 5_000) {
      let rows = try transaction.query(
        """
        SELECT DISTINCT ON (q.record_key) q.id
        FROM (SELECT key, left(key, 500) AS start FROM unnest($3::text[]) AS k (key)) AS wanted
        JOIN maven_quarantine q ON q.agent = $1 AND q.kind = $2 AND left(q.record_key, 500) = wanted.start
          AND q.record_key = wanted.key
        WHERE \(ReturningRows.isOpen) ORDER BY q.record_key, q.id DESC
        """, [.text(agent.name), .text(kind.name), .textArray(chunk.map(\.text))])
      for row in rows { entries.append(try row.int(0)) }
    }
    return entries
  }

  // MARK: Columns

  private struct Column {
    let name: String
    /// Whether a foreign key of its own says that another row must be there.
    let isReference: Bool
    let isAlwaysIdentity: Bool
  }

  /// Columns that are neither the record's nor what this program or a trigger of its own writes.
  private func columns(_ transaction: borrowing Transaction, _ kind: RecordKind) throws -> [Column] {
    let table = kind.storage
    let ours = Set(table.columns).union(table.derivedColumns).subtracting(["created_at"])
    let rows = try transaction.query(
      """
      SELECT a.attname, a.attidentity = 'a',
        EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND a.attnum = ANY (c.conkey))
      FROM pg_attribute a
      WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      ORDER BY a.attnum
      """, [.text(table.name)])
    return try rows.compactMap { row in
      let column = Column(name: try row.string(0), isReference: try row.bool(2), isAlwaysIdentity: try row.bool(1))
      return ours.contains(column.name) ? nil : column
    }
  }

  /// Gives the rows of `entries` their columns. Returns the entries whose rows took them.
  private func takeOver(
    _ transaction: borrowing Transaction, _ entries: [Int64], _ kind: RecordKind, _ outcome: inout Outcome
  ) throws -> [Int64] {
    let columns = try columns(transaction, kind)
    let statement = try takeOverStatement(kind, columns)
    func run(_ entries: [Int64]) throws -> [Int64] {
      try transaction.savepoint {
        try transaction.query(statement, [.intArray(entries), .text(agent.name)]).map { try $0.int(0) }
      }
    }
    var taken: [Int64] = []
    do {
      taken = try run(entries)
    } catch let error as PostgresError where error.refusesRow || error.sqlState == .uniqueViolation {
      for entry in entries {
        do {
          taken += try run([entry])
        } catch let error as PostgresError where error.refusesRow || error.sqlState == .uniqueViolation {
          outcome.failures.append(
            (kind, "the row of quarantine entry \(entry) is back without the id and the columns that it had: \(error.refusal)"))
        }
      }
    }
    guard !taken.isEmpty, columns.contains(where: { $0.name == "id" }) else { return taken }
    // An id that was given back must not be given out again.
    let sequence = try transaction.query("SELECT pg_get_serial_sequence($1, 'id')", [.text(kind.table)])
    if let sequence = try sequence.first?.optionalString(0) {
      _ = try transaction.query(
        """
        SELECT setval($1::regclass, newest.id) FROM (SELECT max(id)::bigint AS id FROM \(kind.table)) AS newest
        WHERE newest.id > (SELECT last_value FROM \(sequence))
        """, [.text(sequence)])
    }
    return taken
  }

  private func takeOverStatement(_ kind: RecordKind, _ columns: [Column]) throws -> String {
    let table = kind.storage
    var assignments: [String] = []
    for column in columns where !column.isReference && !column.isAlwaysIdentity {
      let name = try Identifier.quoted(column.name)
      if column.name == "id" {
        assignments.append(
          """
          id = CASE WHEN q.turn = 1 AND r.id IS NOT NULL AND NOT EXISTS (SELECT FROM \(table.name) x WHERE x.id = r.id)
            THEN r.id ELSE t.id END
          """)
      } else {
        // A column that was added since keeps its default.
        let value = column.name == "created_at" ? "COALESCE(r.created_at, t.created_at)" : "r.\(name)"
        assignments.append(
          "\(name) = CASE WHEN q.row_data ? '\(column.name.replacing("'", with: "''"))' THEN \(value) ELSE t.\(name) END")
      }
    }
    // The letters of a type are the row's own, as long as they are the same ones.
    if kind == .event {
      assignments.append("event_type = CASE WHEN upper(r.event_type) = t.event_type THEN r.event_type ELSE t.event_type END")
    }
    if assignments.isEmpty { assignments.append("agent = t.agent") }
    return """
      UPDATE \(table.name) t SET \(assignments.joined(separator: ",\n  "))
      FROM (
        SELECT *, row_number() OVER (PARTITION BY row_data ->> 'id' ORDER BY id DESC) AS turn FROM maven_quarantine
        WHERE id = ANY ($1::bigint[])) AS q
      CROSS JOIN LATERAL jsonb_populate_record(NULL::\(table.name), q.row_data) AS r
      WHERE t.\(table.keyColumn) = q.record_key AND t.agent = $2
      RETURNING q.id
      """
  }

  // MARK: References

  /// Columns of the rows themselves that refer to others, where those are still there or are back.
  private func restoreOwnReferences(
    _ transaction: borrowing Transaction, _ entries: [Int64], _ kind: RecordKind, _ outcome: inout Outcome
  ) throws {
    let table = kind.storage
    let rows = try transaction.query(
      """
      SELECT a.attname, n.nspname, k.relname, f.attname, cardinality(c.conkey),
        has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(k.oid, 'SELECT')
      FROM pg_constraint c
      JOIN pg_class k ON k.oid = c.confrelid JOIN pg_namespace n ON n.oid = k.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
      JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
      WHERE c.contype = 'f' AND c.conrelid = to_regclass($1) ORDER BY 1
      """, [.text(table.name)])
    for row in rows {
      let name = try row.string(0)
      guard !table.columns.contains(name) else { continue }
      let target = try Identifier.quoted(schema: row.string(1), row.string(2))
      guard try row.int(4) == 1, try row.bool(5) else {
        outcome.failures.append(
          (kind, "column \(name) of \(table.name) was not given back: what it refers to in \(target) cannot be looked up"))
        continue
      }
      let (column, referenced) = (try Identifier.quoted(name), try Identifier.quoted(row.string(3)))
      try attempt(transaction, kind, "column \(name) of \(table.name)", &outcome) {
        try transaction.execute(
          """
          UPDATE \(table.name) t SET \(column) = r.\(column)
          FROM maven_quarantine q CROSS JOIN LATERAL jsonb_populate_record(NULL::\(table.name), q.row_data) AS r
          WHERE q.id = ANY ($1::bigint[]) AND t.\(table.keyColumn) = q.record_key AND t.agent = $2
            AND t.\(column) IS NULL AND r.\(column) IS NOT NULL
            AND EXISTS (SELECT FROM \(target) x WHERE x.\(referenced) = r.\(column))
          """, [.intArray(entries), .text(agent.name)])
      }
    }
  }

  /// Columns of other rows that referred to the rows.
  private func restoreReferences(
    _ transaction: borrowing Transaction, _ entries: [Int64], _ kind: RecordKind, _ outcome: inout Outcome
  ) throws {
    let table = kind.storage
    let rows = try transaction.query(
      """
      SELECT DISTINCT e.reference ->> 'schema', e.reference ->> 'table', e.reference ->> 'column',
        e.reference ->> 'referenced', e.reference ->> 'constraint' IS NULL,
        (SELECT jsonb_agg(k ORDER BY k) FROM jsonb_object_keys(e.reference -> 'keys' -> 0) AS k)::text,
        to_regclass(format('%I.%I', e.reference ->> 'schema', e.reference ->> 'table')) IS NOT NULL
      FROM maven_quarantine q CROSS JOIN LATERAL jsonb_array_elements(\(ReturningRows.references)) AS e (reference)
      WHERE q.id = ANY ($1::bigint[]) ORDER BY 1, 2, 3
      """, [.intArray(entries)])
    for row in rows {
      let (schema, name, column) = (try row.string(0), try row.string(1), try row.string(2))
      let what = "references of \(schema).\(name) (\(column))"
      guard try row.bool(6), let text = try row.optionalString(5),
        case .array(let keys) = try JSONValue.parse(Array(text.utf8))
      else {
        outcome.failures.append((kind, "\(what) were not made again: the table is gone"))
        continue
      }
      let qualified = try Identifier.quoted(schema: schema, name)
      let quoted = try Identifier.quoted(column)
      let referenced = try Identifier.quoted(row.string(3))
      let same = try keys.compactMap(\.text).map { "r.\(try Identifier.quoted($0)) = p.\(try Identifier.quoted($0))" }
      // Without a constraint the number stayed; it stands for another row only where the row has a new one.
      let isStill =
        try row.bool(4)
        ? "r.\(quoted)::text = q.row_data ->> $6 AND r.\(quoted) <> t.\(referenced)" : "r.\(quoted) IS NULL AND $6 <> ''"
      try attempt(transaction, kind, what, &outcome) {
        try transaction.execute(
          """
          UPDATE \(qualified) r SET \(quoted) = t.\(referenced)
          FROM maven_quarantine q
          JOIN \(table.name) t ON t.\(table.keyColumn) = q.record_key AND t.agent = $2
          CROSS JOIN LATERAL jsonb_array_elements(\(ReturningRows.references)) AS e (reference)
          CROSS JOIN LATERAL jsonb_array_elements(e.reference -> 'keys') AS k (key)
          CROSS JOIN LATERAL jsonb_populate_record(NULL::\(qualified), k.key) AS p
          WHERE q.id = ANY ($1::bigint[]) AND e.reference ->> 'schema' = $3 AND e.reference ->> 'table' = $4
            AND e.reference ->> 'column' = $5 AND \(same.joined(separator: " AND ")) AND \(isStill)
          """,
          [
            .intArray(entries), .text(agent.name), .text(schema), .text(name), .text(column),
            .text(try row.string(3)),
          ])
      }
    }
  }

  /// `referenced_by` of an entry `q` as an array. Older entries have an object: lists of ids by table.
  private static let references = """
    CASE jsonb_typeof(q.referenced_by) WHEN 'array' THEN q.referenced_by WHEN 'object' THEN (
      SELECT COALESCE(jsonb_agg(jsonb_build_object('schema', current_schema(), 'table', o.key, 'referenced', 'id',
        'column', CASE o.key WHEN 'maven_trades' THEN 'decision_id' ELSE 'related_decision_id' END, 'constraint', o.key,
        'keys', (SELECT jsonb_agg(jsonb_build_object('id', i.id)) FROM jsonb_array_elements(o.value) AS i (id)))), '[]')
      FROM jsonb_each(q.referenced_by) AS o (key, value)) ELSE '[]' END
    """

  /// Runs an UPDATE that somebody's own table may refuse, and counts its rows.
  private func attempt(
    _ transaction: borrowing Transaction, _ kind: RecordKind, _ what: String, _ outcome: inout Outcome,
    _ body: () throws -> Int
  ) throws {
    do {
      outcome.relinked += try transaction.savepoint(body)
    } catch let error as PostgresError where error.refusesRow || error.sqlState?.classCode == "42" {
      outcome.failures.append((kind, "\(what) were not made again: \(error.refusal)"))
    }
  }
}
