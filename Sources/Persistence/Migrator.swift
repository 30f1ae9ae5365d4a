package import Postgres

/// Brings a schema to the state of the program's migrations, and says where it differs from them.
///
/// Forward only. Each migration runs in one transaction with its own bookkeeping row, so a killed run leaves
/// whole migrations. An edited, missing or out-of-order migration and a schema newer than the program are
/// refused before anything is written. One migrator at a time: each of these transactions holds an advisory lock.
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
    let status = try await status(connection)
    let pending = status.pending.filter { $0.version <= target ?? .max }
    guard !pending.isEmpty else { return [] }
    let end = pending.last?.version ?? status.version
    try await refuseForeignTables(connection)
    // Tables that were there before this program knew how to say what they lack.
    var isAdopting = status.version > 0
    if !isAdopting { isAdopting = try await catalog(connection).contains { $0.hasPrefix("table ") } }
    isAdopting = isAdopting && pending.contains { $0.version == Migrator.exceptionsVersion }
    let notesExceptions = isAdopting
    var applied: [Migration] = []
    for migration in pending {
      let isNew = try await withLock(connection) { transaction in
        try prepareSchema(transaction)
        // Another run may have applied it since the bookkeeping was read.
        let isKnown = try !transaction.query(
          "SELECT FROM maven_migrations WHERE version = $1", [.int(Int64(migration.version))]
        ).isEmpty
        guard !isKnown else { return false }
        try run([migration], endingAt: end, transaction)
        _ = try transaction.execute(
          "INSERT INTO maven_migrations (version, name, sha256) VALUES ($1, $2, $3)",
          [.int(Int64(migration.version)), .text(migration.name), .text(migration.checksum)])
        if notesExceptions, migration.version == end { try noteExceptions(transaction) }
        return true
      }
      if isNew { applied.append(migration) }
    }
    return applied
  }

  /// What is not as the migrations leave it, sorted by lines of the manifest; then sequences that stand behind the
  /// numbers that are taken. A missing table is one item. Empty when the schema holds all that it must; what users added is
  /// not drift, nor what an older database was made otherwise with.
  package func drift(_ connection: Connection) async throws -> [SchemaDrift] {
    let catalog = try await catalog(connection)
    let exceptions = try await exceptions(connection, catalog)
    let behind = try await SequenceState.behind(connection, schema: schema)
    return SchemaDrift.found(in: catalog, exceptions: exceptions) + behind.map(\.drift)
  }

  /// What the catalog says of the schema's `maven_` objects, in the lines of the manifest.
  package func catalog(_ connection: Connection) async throws -> Set<String> {
    try await SchemaCatalog.lines(connection, schema: schema)
  }

  /// Lines that an older database was adopted without, as they are compared.
  private func exceptions(_ connection: Connection, _ catalog: Set<String>) async throws -> Set<String> {
    guard catalog.contains("table maven_schema_exceptions") else { return [] }
    let rows = try await connection.query("SELECT line FROM \(schema.qualified("maven_schema_exceptions"))")
    return Set(try rows.map { SchemaCatalog.key(try $0.string(0)) })
  }

  /// Notes what the tables of an older database were made otherwise with, once, when they come to have a place for it.
  private func noteExceptions(_ transaction: borrowing Transaction) throws {
    let catalog = try SchemaCatalog.lines(transaction, schema: schema)
    let lines = SchemaDrift.found(in: catalog).map(\.line).filter { SchemaDrift.mayBeOtherwise($0, in: catalog) }
    _ = try transaction.execute(
      "INSERT INTO maven_schema_exceptions (line) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", [.textArray(lines)])
  }

  private static let exceptionsVersion = 8

  /// Brings back what was dropped or altered by hand, where that is safe, and returns the drift that is left.
  ///
  /// The applied migrations run again, then what they only make with a table is made by itself, and sequences are set to
  /// the numbers that are taken. Rows are kept; only a `content_hash` column, which is derived, is ever made anew. What
  /// the role may not mend is left.
  package func repair(_ connection: Connection) async throws -> [SchemaDrift] {
    let before = try await drift(connection)
    guard !before.isEmpty else { return [] }
    try await SequenceState.mend(connection, schema: schema)
    let objects = before.filter { !$0.line.hasSuffix(" behind") }
    if !objects.isEmpty {
      do {
        try await remake(objects, connection)
      } catch let error as PostgresError where error.code == .insufficientPrivilege {
        return try await drift(connection)
      }
      // A column that has a sequence again has rows that are numbered.
      try await SequenceState.mend(connection, schema: schema)
    }
    return try await drift(connection)
  }

  private func remake(_ drift: [SchemaDrift], _ connection: Connection) async throws {
    let status = try await status(connection)
    let applied = Set(status.applied.map(\.version))
    let again = migrations.filter { applied.contains($0.version) }
    let repair = SchemaRepair(
      schema: schema, exceptions: try await exceptions(connection, try await catalog(connection)))
    try await withLock(connection) { transaction in
      try prepareSchema(transaction)
      let grants = try repair.prepare(transaction, drift)
      try run(again, endingAt: status.version, drift: drift.map(\.line), transaction)
      for grant in grants { try transaction.script(grant) }
      // In a schema that is on its way to the newest version much is still to come.
      if status.pending.isEmpty { try repair.finish(transaction) }
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

  /// Runs `body` in a transaction that keeps other migrators of the schema out; waits for one for ten seconds.
  private func withLock<R: Sendable>(
    _ connection: Connection, _ body: @escaping @Sendable (borrowing Transaction) throws -> R
  ) async throws -> R {
    let lock = AdvisoryLock(.moha(.migration, scope: schema.name))
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      let result: R? = try await connection.transaction { transaction in
        try lock.tryToTake(in: transaction) ? try body(transaction) : nil
      }
      if let result { return result }
      guard ContinuousClock.now < deadline else {
        throw PersistenceError(
          .locked, "another migration of the schema \(schema) is running: nothing was changed",
          hint: "run the command again when it has ended")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
