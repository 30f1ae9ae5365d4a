import FoundationEssentials
import Persistence
import Postgres
import Records

/// What a run works with: flag over environment over `moha-sync.yaml` over defaults.
///
/// Keys: `root` (MOHA_ROOT, MAVEN_BASE_DIR), `agent` (MOHA_AGENT), `database.url` (DATABASE_URL),
/// `database.schema` (DATABASE_SCHEMA), `redis.url` (REDIS_URL), and the names that existing deployments set:
/// `db.host db.port db.name db.user db.password` (DB_HOST …), `redis.host redis.port redis.db` (REDIS_HOST …).
/// For `tick`: `tick.ping` (MOHA_PING_URL), the URL to call; `tick.timeout` (TICK_TIMEOUT), seconds for each step;
/// `tick.metrics` (MOHA_METRICS_FILE), the text file for node_exporter;
/// `log.rotate-bytes` (LOG_ROTATE_BYTES), the size from which the session log is rotated; `snapshot.minutes`
/// (SNAPSHOT_MINUTES), the age at which the newest portfolio snapshot is followed by another one, 0 for never.
/// libpq's own variables (PGHOST, PGSERVICE …) and .pgpass count as a configured database.
struct Settings: Sendable {
  let agent: Agent
  /// Nil when nothing is configured: the embedded server of the repository.
  let database: ConnectionSettings?
  let schema: SchemaName?
  /// What is wrong with the settings of the database. It stops those who need the database, and no write: a record needs git.
  let databaseFault: CommandFailure?
  let redisURL: String?
  /// How records are written: `commit` (each-write, periodic) and `layout` (flat, dated).
  let writing: WriteSettings
  /// The heartbeat of periodic runs; a secret, since whoever has it can say that all is well.
  let pingURL: String?
  /// Where a tick writes its metrics; nil for nowhere.
  let metricsFile: String?
  /// Seconds for each step of a tick.
  let tickTimeout: Int
  /// A tick rotates a session log of more bytes than this.
  let rotateBytes: Int
  let snapshotMinutes: Int
  /// Where all of this is from.
  let sources: ConfigurationSources

  var environment: [String: String] { sources.environment }

  /// Every key that `moha-sync.yaml` may hold. What is no key of ours is ignored, which a misspelt one never means.
  static let keys = [
    "moha.agent", "moha.commit", "moha.layout", "database.url", "database.schema", "redis.url",
    "redis.host", "redis.port", "redis.db", "db.host", "db.port", "db.name", "db.user", "db.password", "tick.ping",
    "tick.timeout", "tick.metrics", "log.rotate-bytes", "snapshot.minutes",
  ]

  /// Where discovery of the repository starts.
  static func root(_ options: GlobalOptions) -> String {
    startOfDiscovery(options)?.folder ?? FileManager.default.currentDirectoryPath
  }

  /// What named the folder of `root`.
  static func rootOrigin(_ options: GlobalOptions) -> ConfigurationSources.Origin {
    startOfDiscovery(options)?.origin ?? .standard
  }

  private static func startOfDiscovery(
    _ options: GlobalOptions
  ) -> (folder: String, origin: ConfigurationSources.Origin)? {
    if let root = options.root { return (root, .flag("--root")) }
    let environment = ProcessInfo.processInfo.environment
    for name in ["MOHA_ROOT", "MAVEN_BASE_DIR"] {
      if let folder = environment[name], !folder.isEmpty { return (folder, .environment([name])) }
    }
    return nil
  }

  /// Reads the configuration for a repository whose working tree is `folder`.
  static func load(_ options: GlobalOptions, folder: String?) async throws -> Settings {
    let sources = try await ConfigurationSources.load(options, folder: folder)
    let name = sources.text("moha.agent") ?? Agent.default.name
    guard let agent = Agent(name) else {
      throw CommandFailure(
        code: "invalid-agent", message: "\(name) is no agent's name: lower-case letters, digits, - and _ only",
        hint: "name a folder below .moha, such as maven", status: .usage)
    }
    var schema: SchemaName?
    var database: ConnectionSettings?
    var databaseFault: CommandFailure?
    do {
      schema = try self.schema(sources)
      database = try self.database(sources)?.settings
      if schema == nil, let name = database?.schema {
        guard let named = SchemaName(name) else {
          throw CommandFailure(
            code: "invalid-schema", message: "the database URL's schema is no schema name that can be used: \(name)",
            hint: "lower-case letters, digits and _ only, and none of the server's own", status: .usage)
        }
        schema = named
      }
    } catch let error as CommandFailure {
      databaseFault = error
    }
    return Settings(
      agent: agent, database: database, schema: schema, databaseFault: databaseFault, redisURL: redisURL(sources)?.url,
      writing: try writing(sources), pingURL: sources.text("tick.ping"), metricsFile: sources.text("tick.metrics"),
      tickTimeout: try number(sources, "tick.timeout", default: 120, in: 1...86_400),
      rotateBytes: try number(sources, "log.rotate-bytes", default: 1 << 20, in: 0...Int.max),
      snapshotMinutes: try number(sources, "snapshot.minutes", default: 60, in: 0...525_600),
      sources: sources)
  }

  private static func schema(_ sources: ConfigurationSources) throws -> SchemaName? {
    guard let name = sources.text("database.schema") else { return nil }
    guard let schema = SchemaName(name) else {
      throw CommandFailure(
        code: "invalid-schema", message: "\(name) is no schema name: lower-case letters, digits and _ only",
        status: .usage)
    }
    return schema
  }

  private static func number(
    _ sources: ConfigurationSources, _ key: String, default value: Int, in range: ClosedRange<Int>
  ) throws -> Int {
    guard let text = sources.text(key) else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw CommandFailure(
        code: "configuration", message: "\(key) is no number that can be used: \(text)", status: .usage)
    }
    return number
  }

  /// The database that is named, and what names it; nil for the embedded one.
  static func database(
    _ sources: ConfigurationSources
  ) throws -> (settings: ConnectionSettings, origin: ConfigurationSources.Origin)? {
    if let (url, origin) = sources.found("database.url") {
      do {
        return (try ConnectionSettings(conninfo: url), origin)
      } catch {
        throw CommandFailure(
          code: "invalid-database", message: error.description, hint: error.hint, status: .usage)
      }
    }
    let libpq = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"].filter { sources.variable($0) != nil }
    if !libpq.isEmpty {
      let name = sources.variable("PGDATABASE")
      return (ConnectionSettings(parameters: name.map { ["dbname": $0] } ?? [:]), .environment(libpq))
    }
    let names = [
      ("host", "db.host"), ("port", "db.port"), ("dbname", "db.name"), ("user", "db.user"), ("password", "db.password"),
    ]
    var parameters: [String: String] = [:]
    var origins: [ConfigurationSources.Origin] = []
    for (keyword, key) in names {
      guard let (text, origin) = sources.found(key) else { continue }
      parameters[keyword] = text
      origins.append(origin)
    }
    return ConfigurationSources.Origin.joined(origins).map { (ConnectionSettings(parameters: parameters), $0) }
  }

  private static func writing(_ sources: ConfigurationSources) throws -> WriteSettings {
    var writing = WriteSettings()
    func choose<Choice: RawRepresentable>(
      _ key: String, _ current: Choice, _ choices: [Choice]
    ) throws -> Choice where Choice.RawValue == String {
      guard let text = sources.text(key) else { return current }
      guard let choice = Choice(rawValue: text) else {
        throw CommandFailure(
          code: "configuration",
          message: "\(key) is \(text), and can be \(choices.map(\.rawValue).joined(separator: " or "))",
          status: .usage)
      }
      return choice
    }
    writing.commitPolicy = try choose("moha.commit", writing.commitPolicy, [.eachWrite, .periodic])
    writing.layout = try choose("moha.layout", writing.layout, [.flat, .dated])
    return writing
  }

  /// The Redis that is named, and what names it; nil for the embedded one.
  static func redisURL(_ sources: ConfigurationSources) -> (url: String, origin: ConfigurationSources.Origin)? {
    if let (url, origin) = sources.found("redis.url") { return (url, origin) }
    guard let (host, origin) = sources.found("redis.host") else { return nil }
    let (port, number) = (sources.found("redis.port"), sources.found("redis.db"))
    let origins = [origin, port?.origin, number?.origin].compactMap(\.self)
    return ConfigurationSources.Origin.joined(origins).map {
      ("redis://\(host):\(port?.text ?? "6379")/\(number?.text ?? "0")", $0)
    }
  }
}
