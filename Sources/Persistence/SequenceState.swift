internal import Postgres

/// The sequences that number rows, beside the numbers that are taken.
///
/// A sequence that was set back, or was left behind by a copy of rows with their numbers, gives out numbers that are
/// taken: every insert fails until it has passed them.
struct SequenceState: Sendable {
  let table: String
  let column: String
  /// The sequence, quoted and with its schema.
  let sequence: String
  let last: Int64
  let greatest: Int64

  var drift: SchemaDrift {
    SchemaDrift(
      line: "sequence \(table).\(column) behind",
      message:
        "the sequence of \(table).\(column) stands at \(last), and the greatest number is \(greatest): what is added fails")
  }

  /// Those that stand behind a number of their table. What this role may not read, or not whole, is left out.
  static func behind(_ connection: Connection, schema: SchemaName) async throws -> [SequenceState] {
    let known = try await connection.query(
      """
      SELECT t.relname, a.attname, format('%I.%I', n.nspname, s.relname)
      FROM pg_class t
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
      LEFT JOIN pg_attrdef e ON e.adrelid = t.oid AND e.adnum = a.attnum
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
        OR a.attidentity <> '' AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = t.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
      JOIN pg_class s ON s.relkind = 'S' AND s.oid IN (d.objid, d.refobjid)
      JOIN pg_namespace n ON n.oid = s.relnamespace
      JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0
      WHERE t.relnamespace = to_regnamespace($1) AND t.relname LIKE 'maven\\_%' AND t.relkind IN ('r', 'p')
        AND has_table_privilege(t.oid, 'SELECT') AND NOT row_security_active(t.oid)
        AND CASE s.relkind WHEN 'S' THEN has_sequence_privilege(s.oid, 'SELECT') ELSE false END
      """, [.text(schema.quoted)])
    guard !known.isEmpty else { return [] }
    var questions: [String] = []
    for (index, row) in known.enumerated() {
      let column = try Identifier.quoted(row.string(1))
      questions.append(
        """
        SELECT \(index)::bigint, s.last_value, s.is_called, (SELECT max(\(column))::bigint FROM \
        \(schema.qualified(try Identifier.quoted(row.string(0))))) FROM \(try row.string(2)) s
        """)
    }
    let answers = try await connection.query(questions.joined(separator: " UNION ALL "))
    return try answers.compactMap { answer in
      let row = known[Int(try answer.int(0))]
      let last = try answer.int(1)
      guard let greatest = try answer.optionalInt(3), try last < greatest || last == greatest && !answer.bool(2) else {
        return nil
      }
      return SequenceState(
        table: try row.string(0), column: try row.string(1), sequence: try row.string(2), last: last, greatest: greatest)
    }
  }

  /// Sets those that stand behind to the greatest number, while nobody inserts. One that this role may not set is left.
  static func mend(_ connection: Connection, schema: SchemaName) async throws {
    for state in try await behind(connection, schema: schema) {
      let table = schema.qualified(try Identifier.quoted(state.table))
      let column = try Identifier.quoted(state.column)
      do {
        try await connection.transaction { transaction in
          try transaction.script("SET LOCAL lock_timeout = '10s'; LOCK TABLE \(table) IN SHARE ROW EXCLUSIVE MODE")
          _ = try transaction.query(
            """
            SELECT setval($1::regclass, m.greatest) FROM (SELECT max(\(column)) AS greatest FROM \(table)) AS m
            CROSS JOIN \(state.sequence) s WHERE s.last_value < m.greatest OR s.last_value = m.greatest AND NOT s.is_called
            """, [.text(state.sequence)])
        }
      } catch let error as PostgresError where error.code == .insufficientPrivilege || error.code == .lockNotAvailable {
        continue
      }
    }
  }
}
