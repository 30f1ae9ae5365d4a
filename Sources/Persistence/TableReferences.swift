internal import Postgres
internal import Records

/// A column, or several, by which rows of some table refer to rows of a git-backed one.
///
/// What the catalog's foreign keys say, of users' own tables in any schema too, and the columns that older scripts made
/// without one.
struct TableReference: Sendable {
  /// What PostgreSQL does with the referring rows when the row goes: the letters of `pg_constraint.confdeltype`.
  enum DeleteRule: String, Sendable {
    case noAction = "a"
    case restrict = "r"
    case cascade = "c"
    case setNull = "n"
    case setDefault = "d"
    /// There is no constraint: the column keeps a number that nothing stands behind.
    case none = "-"
  }

  let schema: String
  let table: String
  /// The constraint's name; nil where there is none.
  let constraint: String?
  let rule: DeleteRule
  let columns: [String]
  /// The columns of the git-backed table, in the order of `columns`.
  let referenced: [String]
  /// By what the referring rows are told apart; empty where the table has no primary key.
  let primaryKey: [String]
  /// Whether this role may read and change all of the referring rows.
  let isReachable: Bool
  /// Whether it is the git-backed table itself.
  let isToItself: Bool

  /// Whether a row may go and the reference can be made again when it comes back: the column becomes null, or keeps its
  /// number, and the rows that it was in can be named.
  var canFollow: Bool {
    (rule == .setNull || rule == .none) && columns.count == 1 && !primaryKey.isEmpty && isReachable
  }

  /// Whether a reference can be moved to another row, as from a duplicate to the row that stays.
  var canMove: Bool { columns.count == 1 && referenced == ["id"] && isReachable }

  var name: String { "\(schema).\(table)" }
  var qualified: String { get throws { try Identifier.quoted(schema: schema, table) } }

  /// Why a row that is referred to must stay. `count` is of the referring rows; nil where nobody can tell.
  func obstacle(_ count: Int?) -> String {
    let by = constraint.map { "constraint \($0)" } ?? "column \(columns.joined(separator: ", "))"
    guard let count else {
      return "\(by) of \(name) refers to this table, and whether rows there refer to it cannot be read"
    }
    let rows = count == 1 ? "1 row of \(name) refers" : "\(count) rows of \(name) refer"
    let reason =
      switch rule {
      case .cascade: "which would delete \(count == 1 ? "it" : "them") too (ON DELETE CASCADE)"
      case .noAction, .restrict: "which forbids it"
      case .setDefault: "which would put another row in its place (ON DELETE SET DEFAULT)"
      case .setNull, .none:
        if columns.count > 1 {
          "whose several columns could not be put back"
        } else if primaryKey.isEmpty {
          "and without a primary key the reference could not be put back"
        } else {
          "and this role may not change \(count == 1 ? "it" : "them")"
        }
      }
    return "\(rows) to it through \(by), \(reason)"
  }
}

/// Everything that refers to one git-backed table.
struct TableReferences: Sendable {
  let kind: RecordKind
  let all: [TableReference]

  private var table: String { kind.table }

  /// Reads the catalog. The search path is that of the git-backed tables.
  init(to kind: RecordKind, _ transaction: borrowing Transaction) throws {
    self.kind = kind
    var found: [TableReference] = []
    let rows = try transaction.query(
      """
      SELECT n.nspname, k.relname, c.conname, c.confdeltype::text,
        (SELECT jsonb_agg(a.attname ORDER BY u.place) FROM unnest(c.conkey) WITH ORDINALITY AS u (number, place)
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.number)::text,
        (SELECT jsonb_agg(a.attname ORDER BY u.place) FROM unnest(c.confkey) WITH ORDINALITY AS u (number, place)
         JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = u.number)::text,
        \(TableReferences.primaryKey("c.conrelid"))::text, \(TableReferences.isReachable("c.conrelid", "n.oid")),
        c.conrelid = c.confrelid
      FROM pg_constraint c JOIN pg_class k ON k.oid = c.conrelid JOIN pg_namespace n ON n.oid = k.relnamespace
      WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = to_regclass($1)
      ORDER BY 1, 2, 3
      """, [.text(kind.table)])
    for row in rows {
      found.append(
        TableReference(
          schema: try row.string(0), table: try row.string(1), constraint: try row.string(2),
          rule: .init(rawValue: try row.string(3)) ?? .noAction, columns: try TableReferences.names(row.optionalString(4)),
          referenced: try TableReferences.names(row.optionalString(5)),
          primaryKey: try TableReferences.names(row.optionalString(6)), isReachable: try row.bool(7),
          isToItself: try row.bool(8)))
    }
    for (table, column) in kind.storage.knownReferences {
      let constrained = found.contains { $0.columns == [column] && $0.table == table && $0.referenced == ["id"] }
      guard !constrained else { continue }
      let rows = try transaction.query(
        """
        SELECT n.nspname, \(TableReferences.primaryKey("a.attrelid"))::text,
          \(TableReferences.isReachable("a.attrelid", "n.oid"))
        FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid JOIN pg_namespace n ON n.oid = k.relnamespace
        WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped AND k.relkind IN ('r', 'p')
        """, [.text(table), .text(column)])
      guard let row = rows.first else { continue }
      found.append(
        TableReference(
          schema: try row.string(0), table: table, constraint: nil, rule: .none, columns: [column], referenced: ["id"],
          primaryKey: try TableReferences.names(row.optionalString(1)), isReachable: try row.bool(2), isToItself: false))
    }
    all = found
  }

  private static func primaryKey(_ relation: String) -> String {
    """
    (SELECT jsonb_agg(part.attname ORDER BY u.place) FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u (number, place)
     JOIN pg_attribute part ON part.attrelid = i.indrelid AND part.attnum = u.number
     WHERE i.indrelid = \(relation) AND i.indisprimary)
    """
  }

  /// What row security hides looks as if it were not there.
  private static func isReachable(_ relation: String, _ namespace: String) -> String {
    """
    has_schema_privilege(\(namespace), 'USAGE') AND has_table_privilege(\(relation), 'SELECT')
      AND has_table_privilege(\(relation), 'UPDATE') AND NOT row_security_active(\(relation))
    """
  }

  private static func names(_ json: String?) throws -> [String] {
    guard let json, case .array(let names) = try JSONValue.parse(Array(json.utf8)) else { return [] }
    return names.compactMap(\.text)
  }

  // MARK: What must stay

  /// Rows that must not be deleted, and why, in words: something of another table would be lost or refuse it.
  ///
  /// No row of somebody's own table is ever deleted with a row of ours. The rows are locked already, so that nothing can
  /// begin to refer to them.
  func obstacles(
    _ transaction: borrowing Transaction, to ids: [Int64], movingReferences: Bool
  ) throws -> [Int64: String] {
    var obstacles: [Int64: String] = [:]
    let blocking = all.filter { movingReferences ? !$0.canMove : !$0.canFollow }
    guard !blocking.isEmpty else { return [:] }
    // A row that refers to another one of the same table stays, and then so must the other.
    var open = ids
    while !open.isEmpty {
      var found: [Int64: String] = [:]
      for reference in blocking {
        guard reference.isReachable else {
          for id in open { found[id] = reference.obstacle(nil) }
          continue
        }
        let joined = zip(reference.columns, reference.referenced)
        let condition = try joined.map {
          "r.\(try Identifier.quoted($0.0)) = t.\(try Identifier.quoted($0.1))"
        }.joined(separator: " AND ")
        let apart = reference.isToItself ? "AND NOT r.id::bigint = ANY ($1::bigint[])" : ""
        let rows = try transaction.query(
          """
          SELECT t.id::bigint, count(*) FROM \(table) t JOIN unnest($1::bigint[]) AS gone (id) ON gone.id = t.id
          JOIN \(try reference.qualified) r ON \(condition) \(apart) GROUP BY 1
          """, [.intArray(open)])
        for row in rows { found[try row.int(0)] = reference.obstacle(Int(try row.int(1))) }
      }
      guard !found.isEmpty else { break }
      obstacles.merge(found) { first, _ in first }
      open.removeAll { found[$0] != nil }
      guard blocking.contains(where: \.isToItself) else { break }
    }
    return obstacles
  }

  // MARK: What is remembered

  /// SQL of the JSON that quarantine keeps in `referenced_by` for a row `t`, and the joins that it needs; nil where
  /// nothing can refer to the table.
  ///
  /// An array with an object for each column that referred to the row: `schema`, `table`, `column`, `referenced` (the
  /// column of the row that it held), `constraint` (null where there was none), and `keys`, the primary keys of the
  /// referring rows, each an object of column and value. `parameters` is what comes before those that are added.
  func recording(ids: String, _ parameters: inout [Value]) throws -> (value: String, joins: String)? {
    let followed = all.filter { $0.columns.count == 1 && !$0.primaryKey.isEmpty && $0.isReachable }
    guard !followed.isEmpty else { return nil }
    var joins: [String] = []
    var values: [String] = []
    for (place, reference) in followed.enumerated() {
      func parameter(_ value: Value) -> String {
        parameters.append(value)
        return "$\(parameters.count)::text"
      }
      let column = try Identifier.quoted(reference.columns[0])
      let referenced = try Identifier.quoted(reference.referenced[0])
      let key = try reference.primaryKey.map { "\(parameter(.text($0))), r.\(try Identifier.quoted($0))" }
      let order = try reference.primaryKey.map { "r.\(try Identifier.quoted($0))" }.joined(separator: ", ")
      let constraint = reference.constraint.map { Value.text($0) } ?? .null
      joins.append(
        """
        LEFT JOIN (
          SELECT r.\(column) AS value, jsonb_build_object(
            'schema', \(parameter(.text(reference.schema))), 'table', \(parameter(.text(reference.table))),
            'column', \(parameter(.text(reference.columns[0]))), 'referenced', \(parameter(.text(reference.referenced[0]))),
            'constraint', \(parameter(constraint)), 'keys', jsonb_agg(jsonb_build_object(\(key.joined(separator: ", "))) ORDER BY \(order))
          ) AS reference
          FROM \(try reference.qualified) r
          WHERE r.\(column) IN (SELECT x.\(referenced) FROM \(table) x WHERE x.id = ANY (\(ids)::bigint[]))
          GROUP BY 1) r\(place) ON r\(place).value = t.\(referenced)
        """)
      values.append("(\(place), r\(place).reference)")
    }
    let value =
      "(SELECT jsonb_agg(v.reference ORDER BY v.place) FROM (VALUES \(values.joined(separator: ", "))) AS v (place, reference) WHERE v.reference IS NOT NULL)"
    return (value, joins.joined(separator: "\n"))
  }

  // MARK: Moving

  /// Makes what refers to one row refer to another.
  func move(_ transaction: borrowing Transaction, _ moves: [(from: Int64, to: Int64)]) throws {
    guard !moves.isEmpty else { return }
    for reference in all where reference.canMove {
      let column = try Identifier.quoted(reference.columns[0])
      _ = try transaction.execute(
        """
        UPDATE \(try reference.qualified) r SET \(column) = m.target
        FROM unnest($1::bigint[], $2::bigint[]) AS m (origin, target) WHERE r.\(column) = m.origin
        """, [.intArray(moves.map(\.from)), .intArray(moves.map(\.to))])
    }
  }
}
