import EmbeddedServers
import Git
import Glibc
import Persistence
import Postgres
import Records

/// Carries out what `doctor --fix` may do by itself. Every remedy is what another command, or the next write, would do
/// by the same code, with the same safety rails.
struct Treatment: Sendable {
  struct Outcome: Sendable {
    let remedy: Remedy
    /// What was done, or why not.
    let words: String
    let isDone: Bool

    var json: JSONValue {
      .object([
        .init("fix", .string(remedy.words)), .init("done", .bool(isDone)), .init("detail", .string(words)),
      ])
    }
  }

  let outlook: Outlook

  /// In a safe order, each once; one that fails leaves the others their turn.
  func apply(_ remedies: Set<Remedy>) async -> [Outcome] {
    var outcomes: [Outcome] = []
    for remedy in remedies.sorted(by: { $0.order < $1.order }) {
      do {
        outcomes.append(Outcome(remedy: remedy, words: try await apply(remedy), isDone: true))
      } catch {
        outcomes.append(Outcome(remedy: remedy, words: Examination.words(error), isDone: false))
      }
    }
    return outcomes
  }

  private func apply(_ remedy: Remedy) async throws -> String {
    switch remedy {
    case .startServers: return try await startServers()
    case .removeStaleLocks:
      let removed = try await outlook.repository.get().recoverStaleLocks()
      return removed.isEmpty
        ? "they were gone already" : "removed \(removed.map { printable($0.name) }.joined(separator: ", "))"
    case .finishWrites:
      let unfinished = UnfinishedWrites(try outlook.repository.get())
      let settings = try outlook.settings.get()
      func count() -> Int {
        let contents = unfinished.contents()
        return contents.orphaned.count + contents.pending.count
      }
      let before = count()
      try await unfinished.finish(settings.agent, settings: settings.writing)
      return "finished or undid \(before - count()) of \(before)"
    case .migrate:
      let applied = try await withSchema { connection, migrator in try await migrator.migrate(connection) }
      return applied.isEmpty ? "nothing was pending" : "applied \(applied.map(\.name).joined(separator: ", "))"
    case .repairSchema:
      let left = try await withSchema { connection, migrator in try await migrator.repair(connection) }
      guard left.isEmpty else {
        throw CommandFailure(
          code: "schema-drift", message: "\(left.count) objects are still missing", status: .differences)
      }
      return "everything is back"
    case .sync: return try await sync()
    case .closeFile(let path):
      guard chmod(path, 0o600) == 0 else {
        throw CommandFailure(
          code: "chmod-failed", message: "\(printable(path)): \(String(cString: strerror(errno)))", status: .failed)
      }
      return "only its owner can read it now"
    }
  }

  private func startServers() async throws -> String {
    let settings = try outlook.settings.get()
    var started: [String] = []
    if settings.database == nil, settings.databaseFault == nil {
      let endpoint = try await outlook.servers.startPostgres()
      await (try Database(settings: ConnectionSettings(conninfo: endpoint.url)).connectCreating()).connection.close()
      started.append("Postgres")
    }
    if settings.redisURL == nil {
      _ = try await outlook.servers.startRedis()
      started.append("Redis")
    }
    return "\(started.joined(separator: " and ")) \(started.count == 1 ? "runs" : "run")"
  }

  private func withSchema<R: Sendable>(
    _ body: (Connection, Migrator) async throws -> R
  ) async throws -> R {
    guard let database = try await outlook.settings.get().databaseIfUp(outlook.servers) else { throw Treatment.away }
    let (connection, schema) = try await database.connectCreating()
    do {
      let result = try await body(connection, Migrator(schema: schema))
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }

  private func sync() async throws -> String {
    let settings = try outlook.settings.get()
    guard let database = try await settings.databaseIfUp(outlook.servers) else { throw Treatment.away }
    let shared = try outlook.repository.get()
    let repository = try Repository(at: shared.workTree ?? shared.gitDirectory)
    let outcome = try await Reconciler(repository: repository, agent: settings.agent, database: database)
      .run(Reconciler.Options(command: "doctor"))
    let written = outcome.inserted.values.reduce(0, +)
    return "\(written) rows written, \(outcome.remaining) differences left"
  }

  private static var away: CommandFailure {
    CommandFailure(
      code: "database-away", message: "the database is not running: nothing was changed", hint: "moha-sync up",
      status: .serviceDown)
  }
}
