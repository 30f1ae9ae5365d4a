package import Postgres

/// The database of a run: where it is, and which schema holds the tables.
package struct Database: Hashable, Sendable {
  package let settings: ConnectionSettings
  /// Nil for the schema that the connection itself starts with, which is `public` unless the user set another.
  package let schema: SchemaName?

  package init(settings: ConnectionSettings, schema: SchemaName? = nil) {
    self.settings = settings
    self.schema = schema
  }

  /// An open connection and the schema in force; nil when the server has no such database.
  package func connect() async throws -> (connection: Connection, schema: SchemaName)? {
    do {
      let connection = try await Connection(settings)
      return (connection, try await resolveSchema(connection))
    } catch let error as PostgresError {
      if error.code == .databaseMissing { return nil }
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
      _ = try await maintenance.execute("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'")
    } catch {
      // Another run may have made it in the meantime.
      if error.sqlState != .duplicateDatabase { throw error }
    }
    await maintenance.close()
    guard let open = try await connect() else {
      throw PersistenceError(.notFound, "the database was created and is gone again: nothing was changed")
    }
    return open
  }

  /// The schema in force on a connection to this database.
  func resolveSchema(_ connection: Connection) async throws -> SchemaName {
    if let schema { return schema }
    let name = try await connection.query("SELECT current_schema()").first?.optionalString(0)
    guard let name else { return .public }
    guard let schema = SchemaName(name) else {
      throw PersistenceError(
        .invalidName, "the connection's schema \(name) is not a plain lower-case name: nothing was changed",
        hint: "set search_path to another one")
    }
    return schema
  }
}
