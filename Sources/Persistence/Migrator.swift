package import Postgres

/// Brings a schema to the state of the program's migrations, and says where it differs from them.
///
/// Forward only. Each migration runs in one transaction with its own bookkeeping row, so a killed run leaves
/// whole migrations. An edited, missing or out-of-order migration and a schema newer than the program are
/// refused before anything is written. One migrator at a time: a session advisory lock, polled.
///
/// The files may run again on a database that has their effect; `repair` relies on it, to bring back a table,
/// column, index or function that somebody dropped.
package struct Migrator: Sendable {
  package let schema: SchemaName
  private let migrations = Migration.all

  package init(schema: SchemaName) {
    self.schema = schema
  }

  /// What `migrate` would do.
  package struct Status: Sendable {
    /// Applied migrations in order, with the time in ISO 8601.
    package let applied: [(version: Int, name: String, at: String)]
    package let pending: [Migration]

    /// The version that the schema stands at; 0 when it has none.
    package var version: Int { applied.last?.version ?? 0 }
  }

  /// Reads the bookkeeping and checks it against the program's migrations. Writes nothing.
  package func status(_ connection: Connection) async throws -> Status {
    let table = schema.qualified("maven_migrations")
    let exists = try await connection.query("SELECT to_regclass($1) IS NOT NULL", [.text(table)])
    guard try exists.first?.bool(0) == true else { return Status(applied: [], pending: migrations) }
    let rows = try await connection.query(
      """
      SELECT version, name, sha256, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      FROM \(table) ORDER BY version
      """)
    var applied: [(version: Int, name: String, at: String)] = []
    for row in rows {
      let version = Int(try row.int(0))
      let name = try row.string(1)
      guard let known = migrations.first(where: { $0.version == version }) else {
        throw PersistenceError(
          .schemaNewer,
          "the schema \(schema) is at migration \(version) (\(name)), and this program knows up to \(migrations.count): nothing was changed",
          hint: "use the moha-sync that migrated it, or a newer one")
      }
      guard try row.string(2) == known.checksum else {
        throw PersistenceError(
          .migrationEdited,
          "migration \(name) was applied to the schema \(schema) in another form than the one in this program: nothing was changed",
          hint: "add a new migration instead of editing an applied one")
      }
      applied.append((version, name, try row.string(3)))
    }
    let versions = Set(applied.map(\.version))
    let pending = migrations.filter { !versions.contains($0.version) }
    if let gap = pending.first, let last = applied.last, gap.version < last.version {
      throw PersistenceError(
        .migrationOutOfOrder,
        "migration \(gap.name) was never applied to the schema \(schema), but \(last.name) was: nothing was changed",
        hint: "restore the bookkeeping table maven_migrations from a backup")
    }
    return Status(applied: applied, pending: pending)
  }

  /// Applies pending migrations up to and including `target` (all when nil) and returns them.
  package func migrate(_ connection: Connection, to target: Int? = nil) async throws -> [Migration] {
    try await withLock(connection) {
      let pending = try await status(connection).pending.filter { $0.version <= target ?? .max }
      for migration in pending {
        try await connection.transaction { transaction in
          try prepareSchema(transaction)
          try transaction.script(migration.sql)
          _ = try transaction.execute(
            "INSERT INTO maven_migrations (version, name, sha256) VALUES ($1, $2, $3)",
            [.int(Int64(migration.version)), .text(migration.name), .text(migration.checksum)])
        }
      }
      return pending
    }
  }

  /// The lines of the manifest that the catalog lacks, sorted; a missing table is one line. Empty when the schema holds all that it must;
  /// what users added is not drift.
  package func drift(_ connection: Connection) async throws -> [String] {
    let lines = try await catalog(connection)
    let missing = Migration.manifest.subtracting(lines).sorted()
    // A missing table stands for its columns, indexes and triggers.
    let tables = Set(missing.filter { $0.hasPrefix("table ") }.map { $0.dropFirst("table ".count) })
    return missing.filter { line in
      let words = line.split(separator: " ", maxSplits: 2)
      guard words.count >= 2, ["column", "index", "trigger"].contains(words[0]) else { return true }
      return !tables.contains(words[1].prefix { $0 != "." })
    }
  }

  /// What the catalog says of the schema's `maven_` objects, in the lines of the manifest.
  package func catalog(_ connection: Connection) async throws -> Set<String> {
    let rows = try await connection.query(Migrator.catalogQuery, [.text(schema.name)])
    return Set(try rows.map { try $0.string(0) })
  }

  /// Runs the applied migrations again, to bring back what was dropped or altered by hand, and returns the
  /// drift that is left. Rows are kept; only a `content_hash` column, which is derived, is ever made anew.
  package func repair(_ connection: Connection) async throws -> [String] {
    try await withLock(connection) {
      let before = try await drift(connection)
      guard !before.isEmpty else { return [] }
      let applied = try await status(connection).applied.map(\.version)
      try await connection.transaction { transaction in
        try prepareSchema(transaction)
        for line in before where line.contains(".content_hash ") {
          let table = line.dropFirst("column ".count).prefix { $0 != "." }
          try transaction.script("ALTER TABLE IF EXISTS \(table) DROP COLUMN IF EXISTS content_hash")
        }
        for line in before where line.hasPrefix("trigger ") {
          let words = line.split(separator: " ")
          guard words.count == 3 else { continue }
          let sql = "SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2"
          if try !transaction.query(sql, [.text(String(words[1])), .text(String(words[2]))]).isEmpty {
            try transaction.script("ALTER TABLE \(words[1]) ENABLE TRIGGER \(words[2])")
          }
        }
        for migration in migrations where applied.contains(migration.version) {
          try transaction.script(migration.sql)
        }
      }
      return try await drift(connection)
    }
  }

  /// Pins the search path to the schema for this transaction, and makes both on first use.
  private func prepareSchema(_ transaction: borrowing Transaction) throws {
    let exists = try transaction.query("SELECT to_regnamespace($1) IS NOT NULL", [.text(schema.quoted)])
    if try exists.first?.bool(0) != true { try transaction.script("CREATE SCHEMA \(schema.quoted)") }
    try transaction.script(
      """
      SET LOCAL search_path TO \(schema.quoted), pg_temp;
      CREATE TABLE IF NOT EXISTS maven_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      );
      """)
  }

  private func withLock<R: Sendable>(_ connection: Connection, _ body: () async throws -> R) async throws -> R {
    do {
      return try await AdvisoryLock(.moha(.migration, scope: schema.name), on: connection)
        .withLock(timeout: .seconds(10), body)
    } catch let error as PostgresError where error.code == .lockNotAvailable {
      throw PersistenceError(
        .locked, "another migration of the schema \(schema) is running: nothing was changed",
        hint: "run the command again when it has ended")
    }
  }

  /// Parentheses, spaces and text casts are left out of expressions: versions of PostgreSQL print them
  /// differently. Tables that bots fill may spell text as varchar, so their column types are not compared.
  private static let catalogQuery = #"""
    WITH tables AS (
      SELECT c.oid, c.relname, c.relkind,
        c.relname IN ('maven_decisions', 'maven_milestones', 'maven_memory') AS is_git_backed
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v') AND c.relname LIKE 'maven\_%')
    SELECT CASE relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || relname FROM tables
    UNION ALL
    SELECT 'column ' || t.relname || '.' || a.attname
      || CASE WHEN t.is_git_backed THEN ' ' || format_type(a.atttypid, a.atttypmod) ELSE '' END
      || CASE WHEN a.attname = 'content_hash' THEN COALESCE(' generated '
           || md5(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '[[:space:]()]|::text', '', 'g')), '')
         ELSE '' END
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = 's'
    WHERE t.relkind <> 'v'
    UNION ALL
    SELECT 'index ' || t.relname || CASE WHEN i.indisunique THEN ' unique ' ELSE ' ' END
      || trim(regexp_replace(split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2), '([[:space:]()]|::text)+', ' ', 'g'))
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND i.indisvalid
    UNION ALL
    SELECT 'trigger ' || t.relname || ' ' || g.tgname || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' disabled' END
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ') ' || md5(p.prosrc)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = $1 AND p.proname LIKE 'maven\_%'
    """#
}
