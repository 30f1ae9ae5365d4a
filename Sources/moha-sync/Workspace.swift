import EmbeddedServers
import Git
import Persistence
import Postgres
import Records
import Redis
import Telemetry

/// The repository and the settings of one command.
struct Workspace: Sendable {
  let repository: Repository
  let settings: Settings
  /// The working tree, or the git folder of a bare repository.
  let root: String

  init(_ options: GlobalOptions) async throws {
    repository = try Repository(discoveringFrom: Settings.root(options))
    let root = repository.workTree ?? repository.gitDirectory
    self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    settings = try await Settings.load(options, folder: repository.workTree)
  }

  var servers: EmbeddedServers { EmbeddedServers(root: root, environment: settings.environment) }

  /// Where the database is; starts the embedded server when nothing is configured.
  func database(schema: SchemaName? = nil) async throws -> Database {
    if let fault = settings.databaseFault { throw fault }
    if let configured = settings.database { return Database(settings: configured, schema: schema ?? settings.schema) }
    let endpoint = try await servers.startPostgres()
    return Database(settings: try ConnectionSettings(conninfo: endpoint.url), schema: schema ?? settings.schema)
  }

  /// The database where it can answer without being started: a write does not wait for a server to come up.
  func databaseIfUp() async throws -> Database? {
    try await settings.databaseIfUp(servers)
  }

  /// Where Redis is; starts the embedded server when nothing is configured.
  func redis() async throws -> RedisSettings {
    if let url = settings.redisURL { return try RedisSettings(url: url) }
    return RedisSettings(.unix(path: try await servers.startRedis().socketPath))
  }

  /// Redis where it can answer without being started.
  func redisIfUp() async -> RedisSettings? {
    if let url = settings.redisURL { return try? RedisSettings(url: url) }
    guard await servers.status().redis.isRunning else { return nil }
    return RedisSettings(.unix(path: servers.redisEndpoint.socketPath))
  }

  /// Tells the listeners of `watch` of records; `report` takes a sentence when that begins to fail.
  func recordEvents(report: @escaping @Sendable (String) -> Void = { _ in }) -> RecordEvents {
    RecordEvents(settings: { await redisIfUp() }, report: report)
  }

  /// The records as a server offers them: nothing is started to read them.
  ///
  /// - Parameters:
  ///   - activity: where writes are counted.
  ///   - report: takes a sentence when record events begin to fail, of which nobody else hears.
  func records(
    activity: Activity? = nil, report: @escaping @Sendable (String) -> Void = { _ in }
  ) -> AgentRecords {
    AgentRecords(
      repository: repository, agent: settings.agent, writing: settings.writing,
      database: DatabaseAccess(
        ifUp: { try? await databaseIfUp() }, starting: { try await database() },
        fault: settings.databaseFault.map { "the settings of the database cannot be used (\($0.code))" }),
      events: recordEvents(report: report), otherLayers: [.redis(settings, servers)], activity: activity)
  }

  /// Tells the listeners of `watch` of what a commit has taken.
  func tell(_ outcome: AutomaticCommit.Outcome) async {
    guard let commit = outcome.commit else { return }
    await recordEvents().publish(
      RecordEvent.all(in: outcome.files, commit: commit.description, agent: settings.agent))
  }

  var recordService: RecordService {
    RecordService(
      writer: RecordWriter(repository: repository, agent: settings.agent, settings: settings.writing),
      events: recordEvents(), database: {
        if let fault = settings.databaseFault { throw PersistenceError(.invalidName, fault.message, hint: fault.hint) }
        return try await databaseIfUp()
      })
  }

  func reconciler(schema: SchemaName? = nil) async throws -> Reconciler {
    Reconciler(repository: repository, agent: settings.agent, database: try await database(schema: schema))
  }
}
