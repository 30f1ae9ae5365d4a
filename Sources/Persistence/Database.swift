package import Postgres

/// The database of a run: where it is, and which schema holds the tables.
package struct Database: Hashable, Sendable {
  package let settings: ConnectionSettings
  /// The one that the user or the URL named; nil for the one that the connection's search path gives, which is `public`
  /// unless somebody set another.
  package let schema: SchemaName?

  package init(settings: ConnectionSettings, schema: SchemaName? = nil) {
    self.settings = settings
    self.schema = schema ?? settings.schema.flatMap { SchemaName($0) }
  }

  /// An open connection and the schema in force; nil when the server has no such database.
  ///
  /// - Throws: `.unsuitableDatabase` where the database cannot hold every record; `.invalidName`; what connecting throws.
  package func connect() async throws -> (connection: Connection, schema: SchemaName)? {
    let connection: Connection
    do {
      connection = try await Connection(settings)
    } catch {
      if error.code == .databaseMissing { return nil }
      throw error
    }
    do {
      return (connection, try await resolveSchema(connection))
    } catch {
      await connection.close()
      throw error
    }
  }

  /// The same, after creating the database where it is missing.
  package func connectCreating() async throws -> (connection: Connection, schema: SchemaName) {
    if let open = try await connect() { return open }
    guard let database = settings.parameters["dbname"] else {
      throw PersistenceError(
        .notFound, "the default database of this role does not exist: nothing was changed",
        hint: "name the database in the connection URL")
    }
    let maintenance = try await Connection(settings.with(database: "postgres"))
    let name = try Identifier.quoted(database)
    do {
      try await maintenance.executeAlone("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'")
    } catch {
      if error.code == .insufficientPrivilege {
        await maintenance.close()
        throw PersistenceError(
          .notFound,
          "the database \(database) does not exist, and this role may not make databases: nothing was changed",
          hint: "let a superuser make it (CREATE DATABASE \(name) OWNER … TEMPLATE template0 ENCODING 'UTF8'), or give "
            + "the role the right to (ALTER ROLE … CREATEDB)")
      }
      // Another run may have made it in the meantime.
      if error.sqlState != .duplicateDatabase { throw error }
    }
    await maintenance.close()
    guard let open = try await connect() else {
      throw PersistenceError(.notFound, "the database was created and is gone again: nothing was changed")
    }
    return open
  }

  /// The schema in force on a connection to this database, after a look at whether the database can hold records at all.
  ///
  /// Where none was named it is the one whose tables an unqualified name means: the first on the connection's search
  /// path that has ours, and else the first that there is.
  func resolveSchema(_ connection: Connection) async throws -> SchemaName {
    try await checkEncoding(connection)
    if let schema { return schema }
    let name = try await connection.query(
      """
      SELECT name FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
      WHERE left(name, 3) <> 'pg_' AND name <> 'information_schema'
      ORDER BY NOT EXISTS (
          SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = name AND c.relname IN ('maven_migrations', 'maven_decisions') AND c.relkind IN ('r', 'p')),
        place
      LIMIT 1
      """
    ).first?.optionalString(0)
    guard let name else { return .public }
    guard let schema = SchemaName(name) else {
      throw PersistenceError(
        .invalidName, "the connection's schema \(name) is not a plain lower-case name: nothing was changed",
        hint: "set search_path to another one, or name one with DATABASE_SCHEMA")
    }
    return schema
  }

  /// Text in UTF-8 arrives whole where the database keeps it so, or takes bytes as they are (SQL_ASCII). Any other
  /// encoding lacks characters, and the sums of what it has are of other bytes than git's.
  private func checkEncoding(_ connection: Connection) async throws {
    var encoding = await connection.serverEncoding
    if encoding == nil { encoding = try await connection.query("SHOW server_encoding").first?.string(0) }
    guard let encoding, encoding != "UTF8", encoding != "SQL_ASCII" else { return }
    let name = settings.parameters["dbname"].map { "\($0)_utf8" } ?? "NAME"
    throw PersistenceError(
      .unsuitableDatabase,
      "the database keeps text in the encoding \(encoding), which does not hold every record: nothing was changed",
      hint: "make one that does, createdb --encoding=UTF8 --template=template0 '\(name)', and name it instead")
  }
}
