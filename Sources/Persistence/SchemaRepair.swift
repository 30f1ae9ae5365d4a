internal import Postgres
internal import Records

/// Makes again what the migrations made once and somebody took away, one thing at a time: one that cannot be made is
/// left as it is, and stays drift.
///
/// What is made is what the manifest's line says. Rows are never changed, and no view or column with anything of its
/// own in it is taken away.
struct SchemaRepair {
  let schema: SchemaName
  /// Lines that this database was adopted without.
  let exceptions: Set<String>

  /// What must be out of the way before the migrations run again.
  ///
  /// Returns statements to run when they have: grants on what is made again.
  func prepare(_ transaction: borrowing Transaction, _ drift: [SchemaDrift]) throws -> [String] {
    let views = Set(Migration.manifest.filter { $0.hasPrefix("view ") }.map { String($0.split(separator: " ")[1]) })
    // Functions of the migrations group by primary keys.
    for item in drift where item.kind == "index" { try make(item, transaction) }
    for item in drift where item.kind == "trigger" {
      let words = item.subject.split(separator: " ")
      guard words.count == 2 else { continue }
      let sql = "SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2"
      if try !transaction.query(sql, [.text(String(words[0])), .text(String(words[1]))]).isEmpty {
        try transaction.script("ALTER TABLE \(words[0]) ENABLE TRIGGER \(words[1])")
      }
    }
    // A view cannot be replaced by one with other columns.
    let changed = drift.filter { ["view", "column"].contains($0.kind) && views.contains($0.table) }.map(\.table)
    return try Set(changed).sorted().flatMap { try moveAside(transaction, view: $0) }
  }

  /// A view of somebody's own in the place of one of ours goes on under another name, with what depends on it.
  private func moveAside(_ transaction: borrowing Transaction, view: String) throws -> [String] {
    let rows = try transaction.query(
      """
      SELECT left(md5(pg_get_viewdef(c.oid)), 8) FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind = 'v'
      """, [.text(view)])
    guard let row = rows.first else { return [] }
    let grants = try transaction.query(
      """
      SELECT format('GRANT %s ON %I TO %s', e.privilege_type, c.relname,
        CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END)
      FROM pg_class c, aclexplode(c.relacl) e WHERE c.oid = to_regclass($1) AND e.grantee <> c.relowner
      """, [.text(view)]
    ).map { try $0.string(0) }
    let other = "\(view)_\(try row.string(0))"
    let isTaken = try !transaction.query("SELECT WHERE to_regclass($1) IS NOT NULL", [.text(other)]).isEmpty
    try transaction.script(isTaken ? "DROP VIEW \(view)" : "ALTER VIEW \(view) RENAME TO \(other)")
    return grants
  }

  /// Makes what the migrations leave alone where the table is there already.
  func finish(_ transaction: borrowing Transaction) throws {
    let drift = SchemaDrift.found(in: try SchemaCatalog.lines(transaction, schema: schema), exceptions: exceptions)
    // Keys refer to unique indexes, and defaults to sequences.
    let order = ["storage", "column", "sequence", "default", "index", "not-null", "check", "foreign-key"]
    for kind in order {
      for item in drift where item.kind == kind { try make(item, transaction) }
    }
  }

  private func make(_ item: SchemaDrift, _ transaction: borrowing Transaction) throws {
    for way in try statements(for: item, transaction) {
      do {
        return try transaction.savepoint { try transaction.script(way) }
      } catch let error as PostgresError where error.code != .connectionLost && error.code != .cancelled {
        // The next way, or it stays drift.
        continue
      }
    }
  }

  /// Ways to make one thing, the best first.
  private func statements(for item: SchemaDrift, _ transaction: borrowing Transaction) throws -> [String] {
    let alter = "ALTER TABLE \(item.table)"
    switch item.kind {
    case "storage": return ["\(alter) SET LOGGED"]
    case "not-null": return ["\(alter) ALTER COLUMN \(item.column) SET NOT NULL"]
    case "check", "foreign-key":
      // Rows that break it are of the time without it; it holds for those to come.
      return ["\(alter) ADD \(item.rest)", "\(alter) ADD \(item.rest) NOT VALID"]
    case "sequence":
      guard let sequence = try sequence(of: item, transaction) else { return [] }
      return ["ALTER SEQUENCE \(sequence) OWNED BY \(item.table).\(item.column)"]
    case "default":
      guard item.rest == "nextval" else { return ["\(alter) ALTER COLUMN \(item.column) SET DEFAULT \(item.rest)"] }
      let name = "\(item.table)_\(item.column)_seq"
      return [
        """
        CREATE SEQUENCE IF NOT EXISTS \(name);
        ALTER SEQUENCE \(name) OWNED BY \(item.table).\(item.column);
        \(alter) ALTER COLUMN \(item.column) SET DEFAULT nextval('\(name)')
        """
      ]
    case "index":
      let words = item.rest.split(separator: " ", maxSplits: 2)
      guard words.count == 3, words[0] == "unique", words[1] == "btree" else { return [] }
      let unique = "\(alter) ADD UNIQUE (\(words[2]))"
      let isKey = words[2] == "id" || !Migration.manifest.contains("index \(item.table) unique btree id")
      return isKey ? ["\(alter) ADD PRIMARY KEY (\(words[2]))", unique] : [unique]
    case "column": return try columnStatements(item, transaction)
    default: return []
    }
  }

  /// A column of another type is one again where git, or the column itself, holds all that is in it.
  private func columnStatements(_ item: SchemaDrift, _ transaction: borrowing Transaction) throws -> [String] {
    let (table, column) = (item.table, item.column)
    let parts = item.rest.split(separator: " generated ", maxSplits: 1).map(String.init)
    let exists = try !transaction.query(
      "SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped",
      [.text(table), .text(column)]
    ).isEmpty
    guard exists, column != "content_hash" else { return [] }
    if parts.count == 2 {
      // Values that somebody else put there are theirs.
      let sql = """
        SELECT EXISTS (SELECT FROM \(table) WHERE \(column) IS DISTINCT FROM (\(parts[1])) AND \(column) IS NOT NULL)
        """
      guard let isOther = try? transaction.savepoint({ try transaction.query(sql).first?.bool(0) }), !isOther else {
        return []
      }
      return [
        """
        ALTER TABLE \(table) DROP COLUMN \(column);
        ALTER TABLE \(table) ADD COLUMN \(column) \(parts[0]) GENERATED ALWAYS AS (\(parts[1])) STORED
        """
      ]
    }
    // Bots write snapshots too, which git does not hold.
    let kind = RecordKind.allCases.first { $0.table == table && $0 != .snapshot }
    guard kind?.storage.columns.contains(column) == true else { return [] }
    return ["ALTER TABLE \(table) ALTER COLUMN \(column) TYPE \(item.rest) USING \(column)::\(item.rest)"]
  }

  private func sequence(of item: SchemaDrift, _ transaction: borrowing Transaction) throws -> String? {
    try transaction.query(
      """
      SELECT s.oid::regclass::text FROM pg_attrdef e
      JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attname = $2
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
      WHERE e.adrelid = to_regclass($1)
      """, [.text(item.table), .text(item.column)]
    ).first?.optionalString(0)
  }
}
