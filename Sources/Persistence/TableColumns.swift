internal import Postgres

/// The columns that the tables of ours have in a schema, by table: an older or a half-made one may lack some.
enum TableColumns {
  static func read(_ connection: Connection, schema: SchemaName) async throws -> [String: Set<String>] {
    try grouped(try await connection.query(query, [.text(schema.name)]))
  }

  static func read(_ transaction: borrowing Transaction, schema: SchemaName) throws -> [String: Set<String>] {
    try grouped(try transaction.query(query, [.text(schema.name)]))
  }

  private static let query = """
    SELECT c.relname, a.attname FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname LIKE 'maven%' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    """

  private static func grouped(_ rows: [Row]) throws -> [String: Set<String>] {
    var columns: [String: Set<String>] = [:]
    for row in rows { columns[try row.string(0), default: []].insert(try row.string(1)) }
    return columns
  }
}
