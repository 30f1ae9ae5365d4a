internal import Git
package import Records
package import Telemetry

/// Records on behalf of any client: the write, then the row, then the answer that all of them give.
package struct RecordService: Sendable {
  private let writer: RecordWriter
  /// The database where it can answer without being started: a write does not wait for a server to come up.
  private let database: @Sendable () async throws -> Database?
  private let projections: Projections
  /// Whom to tell of records that git has taken; nil tells nobody.
  private let events: RecordEvents?
  /// Where writes are counted; nil where nobody asks for the counts.
  private let activity: Activity?

  package init(
    writer: RecordWriter, events: RecordEvents? = nil, activity: Activity? = nil,
    database: @escaping @Sendable () async throws -> Database?
  ) {
    self.writer = writer
    self.events = events
    self.activity = activity
    self.database = database
    projections = Projections(agent: writer.agent)
  }

  /// What became of a request.
  package struct Outcome: Sendable {
    package let written: RecordWriter.Written
    /// Nil for an identity update, which has no row.
    package let row: RowProjection.Outcome?

    /// The object that the command line prints and that the MCP tools return.
    package var json: JSONValue { WriteReport.json(written, row: row) }
  }

  /// Returns when git holds the record and the row is there, or late; listeners have been told, or could not be.
  ///
  /// A cancelled call has written nothing, or all of it: see `RecordWriter.write(_:)`.
  package func record(_ request: RecordRequest) async throws -> Outcome {
    let start = ContinuousClock.now
    do {
      let outcome = try await write(request)
      let written = outcome.written
      let result: Activity.WriteOutcome =
        written.isRepeated ? .repeated : written.commit == nil ? .pending : .committed
      activity?.write(request.kind.rawValue, result, ContinuousClock.now - start)
      return outcome
    } catch {
      let code = (error as? PersistenceError)?.code
      let isRefusal = [.secret, .conflict, .keyConflict, .invalidRequest].contains(code)
      activity?.write(request.kind.rawValue, isRefusal ? .refused : .failed, ContinuousClock.now - start)
      throw error
    }
  }

  private func write(_ request: RecordRequest) async throws -> Outcome {
    let written = try await writer.write(request)
    let row = await project(written)
    if let commit = written.commit, !written.isRepeated {
      await events?.publish([
        RecordEvent(
          kind: written.kind.rawValue, path: written.path, commit: commit.description, agent: writer.agent)
      ])
    }
    return Outcome(written: written, row: row)
  }

  private func project(_ written: RecordWriter.Written) async -> RowProjection.Outcome? {
    guard let record = written.record else { return nil }
    do {
      guard let database = try await database() else {
        return RowProjection.Outcome(rowID: nil, error: "the database is not running")
      }
      return await projections.projection(into: database).project(record)
    } catch {
      // Settings that name no database are no reason not to record.
      return RowProjection.Outcome(rowID: nil, error: ErrorOutline(error, roots: []).message)
    }
  }
}

/// The projection of the database that was used last, with its connections.
private actor Projections {
  private let agent: Agent
  private var latest: RowProjection?

  init(agent: Agent) {
    self.agent = agent
  }

  func projection(into database: Database) -> RowProjection {
    if let latest, latest.database == database { return latest }
    let projection = RowProjection(database: database, agent: agent)
    latest = projection
    return projection
  }
}
