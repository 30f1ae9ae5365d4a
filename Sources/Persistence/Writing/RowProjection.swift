internal import Git
internal import Postgres
package import Records
internal import Synchronization

/// Writes the rows of records that git holds already: best effort, and never longer than a bounded wait.
///
/// Connections are made when they are needed and kept, so that a server that records all day opens few of them.
package final class RowProjection: Sendable {
  package let database: Database
  package let agent: Agent
  /// How long an answer may be waited for. The row follows at the next reconcile in any case.
  private let patience: Duration
  private let connections: ConnectionPool
  /// The schema of the rows; unknown until a connection has said which one is its own.
  private let schema: Mutex<SchemaName?>

  package init(database: Database, agent: Agent, patience: Duration = .milliseconds(1_200)) {
    self.database = database
    self.agent = agent
    self.patience = patience
    connections = ConnectionPool(database.settings, size: 4)
    schema = Mutex(database.schema)
  }

  package struct Outcome: Sendable {
    package let rowID: Int64?
    /// Why there is no row yet, or one that says something else; nil where all is well.
    package let error: String?

    package init(rowID: Int64?, error: String?) {
      self.rowID = rowID
      self.error = error
    }
  }

  package func project(_ content: GitRecordContent) async -> Outcome {
    let late = Outcome(rowID: nil, error: "the database did not answer within \(patience)")
    return await answer(within: patience, orElse: late) {
      do {
        return try await self.upsert(content)
      } catch let error as PostgresError where error.refusesRow {
        return Outcome(rowID: nil, error: "the database refuses this record: \(error.refusal)")
      } catch {
        // The answer goes to any client: it does not tell where the server is.
        return Outcome(rowID: nil, error: ErrorOutline(error, roots: []).message)
      }
    }
  }

  private func upsert(_ content: GitRecordContent) async throws -> Outcome {
    let table = content.record.kind.storage
    let values =
      content.record.row.values.map(\.parameter)
      + RowProvenance(content.git, agent: agent).parameters(content.record)
    let places = (1...values.count).map { "$\($0)" }.joined(separator: ", ")
    let conflict = table.kind == .event ? "agent, event_key" : "git_filename"
    let assignments = table.columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    let rows = try await withConnection { connection, schema in
      let sql = """
        INSERT INTO \(schema.qualified(table.name)) (\(table.columns.joined(separator: ", "))) VALUES (\(places))
        ON CONFLICT (\(conflict)) DO UPDATE SET \(assignments)
        RETURNING id::bigint, encode(content_hash, 'hex')
        """
      do {
        return try await connection.perform { try $0.queryPrepared(sql, values) }
      } catch let error as PostgresError where error.sqlState == .uniqueViolation && error.refusesRow {
        // The key is new, so that a number that is taken is meant: the sequence is behind.
        try await SequenceState.mend(connection, schema: schema)
        return try await connection.perform { try $0.queryPrepared(sql, values) }
      }
    }
    let named = "`moha-sync reconcile` names it"
    guard let row = rows.first else {
      return Outcome(rowID: nil, error: "a trigger or rule of \(table.name) swallowed the row; \(named)")
    }
    let isFaithful = try row.string(1) == content.git.contentHash.description
    return Outcome(
      rowID: try row.int(0),
      error: isFaithful ? nil : "a trigger of \(table.name) changed the row, which does not say what git says; \(named)"
    )
  }

  /// Lends a connection. Where the server has hung up on one that was kept, the statement runs once more on a new one:
  /// the same row twice is one row.
  private func withConnection<R: Sendable>(
    _ body: @escaping @Sendable (Connection, SchemaName) async throws -> R
  ) async throws -> R {
    func attempt() async throws -> R {
      let connection = try await connections.acquire()
      do {
        let result = try await body(connection, try await schema(connection))
        await connections.release(connection)
        return result
      } catch {
        await connections.release(connection)
        throw error
      }
    }
    do {
      return try await attempt()
    } catch let error as PostgresError {
      if error.code == .databaseMissing {
        throw PersistenceError(.notFound, "the database does not exist yet; `moha-sync sync` makes it")
      }
      guard error.isOfLostConnection else { throw error }
      return try await attempt()
    }
  }

  private func schema(_ connection: Connection) async throws -> SchemaName {
    if let known = schema.withLock({ $0 }) { return known }
    let found = try await database.resolveSchema(connection)
    schema.withLock { $0 = found }
    return found
  }
}
