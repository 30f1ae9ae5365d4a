internal import Git
internal import Postgres
package import Records
internal import Synchronization

/// Writes the row of one record that git holds already: best effort, and never longer than a bounded wait.
package struct RowProjection: Sendable {
  package let database: Database
  package let agent: Agent
  /// How long an answer may be waited for. The row follows at the next reconcile in any case.
  package var patience = Duration.milliseconds(1_500)

  package init(database: Database, agent: Agent) {
    self.database = database
    self.agent = agent
  }

  package struct Outcome: Sendable {
    package let rowID: Int64?
    /// Why there is no row yet; nil where there is one.
    package let error: String?

    package init(rowID: Int64?, error: String?) {
      self.rowID = rowID
      self.error = error
    }
  }

  package func project(_ content: GitRecordContent) async -> Outcome {
    await withDeadline(patience) {
      do {
        return Outcome(rowID: try await upsert(content), error: nil)
      } catch let error as PostgresError {
        return Outcome(rowID: nil, error: error.description)
      } catch {
        return Outcome(rowID: nil, error: "\(error)")
      }
    }
  }

  private func upsert(_ content: GitRecordContent) async throws -> Int64? {
    guard let (connection, schema) = try await database.connect() else {
      throw PersistenceError(.notFound, "the database does not exist yet; `moha-sync sync` makes it")
    }
    let table = content.record.kind.storage
    let values =
      content.record.row.values.map(\.parameter)
      + RowProvenance(content.git, agent: agent).parameters(content.record)
    let places = (1...values.count).map { "$\($0)" }.joined(separator: ", ")
    let conflict = table.kind == .event ? "agent, event_key" : "git_filename"
    let assignments = table.columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    let rows = try await connection.query(
      """
      INSERT INTO \(schema.qualified(table.name)) (\(table.columns.joined(separator: ", "))) VALUES (\(places))
      ON CONFLICT (\(conflict)) DO UPDATE SET \(assignments) RETURNING id::bigint
      """, values)
    await connection.close()
    return try rows.first?.int(0)
  }

  /// The first of the answer and the deadline. What is late goes on without anybody waiting: a stopped server
  /// cannot be made to answer, not even to a cancellation.
  private func withDeadline(
    _ patience: Duration, _ body: @escaping @Sendable () async -> Outcome
  ) async -> Outcome {
    let shared = SharedWaiter()
    return await withCheckedContinuation { continuation in
      shared.set(continuation)
      let work = Task { shared.resume(await body()) }
      Task {
        try? await Task.sleep(for: patience)
        shared.resume(Outcome(rowID: nil, error: "the database did not answer within \(patience)"))
        work.cancel()
      }
    }
  }
}

/// A continuation that the first of two tasks resumes.
private final class SharedWaiter: Sendable {
  private let continuation = Mutex<CheckedContinuation<RowProjection.Outcome, Never>?>(nil)

  func set(_ continuation: CheckedContinuation<RowProjection.Outcome, Never>) {
    self.continuation.withLock { $0 = continuation }
  }

  func resume(_ outcome: RowProjection.Outcome) {
    let waiting = continuation.withLock { waiting in
      let taken = waiting
      waiting = nil
      return taken
    }
    waiting?.resume(returning: outcome)
  }
}
