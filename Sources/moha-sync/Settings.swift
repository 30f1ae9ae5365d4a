import Configuration
import FoundationEssentials
import Persistence
import Postgres
import Records
import Redis
import SystemPackage

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
  let environment: [String: String]

  /// Every key that `moha-sync.yaml` may hold. What is no key of ours is ignored, which a misspelt one never means.
  static let keys = [
    "moha.agent", "moha.commit", "moha.layout", "database.url", "database.schema", "redis.url",
    "redis.host", "redis.port", "redis.db", "db.host", "db.port", "db.name", "db.user", "db.password", "tick.ping",
    "tick.timeout", "tick.metrics", "log.rotate-bytes", "snapshot.minutes",
  ]

  /// Where discovery of the repository starts; nil for the current folder.
  static func root(_ options: GlobalOptions) -> String {
    let environment = ProcessInfo.processInfo.environment
    let named =
      options.root ?? Settings.present(environment["MOHA_ROOT"]) ?? Settings.present(environment["MAVEN_BASE_DIR"])
    return named ?? FileManager.default.currentDirectoryPath
  }

  /// Reads the configuration for a repository whose working tree is `folder`.
  static func load(_ options: GlobalOptions, folder: String?) async throws -> Settings {
    let environment = ProcessInfo.processInfo.environment
    var overrides: [AbsoluteConfigKey: ConfigValue] = [:]
    if let agent = options.agent { overrides[["moha", "agent"]] = ConfigValue(.string(agent), isSecret: false) }
    if let url = options.database { overrides[["database", "url"]] = ConfigValue(.string(url), isSecret: true) }
    if let url = options.redis { overrides[["redis", "url"]] = ConfigValue(.string(url), isSecret: true) }
    var providers: [any ConfigProvider] = [
      InMemoryProvider(name: "flags", values: overrides),
      EnvironmentVariablesProvider(environmentVariables: environment),
    ]
    let file = (folder ?? ".") + "/moha-sync.yaml"
    if isPresent(file) {
      let provider: FileProvider<YAMLSnapshot>
      do {
        provider = try await FileProvider<YAMLSnapshot>(filePath: FilePath(file))
      } catch {
        throw CommandFailure(
          code: "configuration", message: "\(file) cannot be read as YAML\(line(of: error))",
          hint: "write names and values, as in the file that `moha-sync init` makes", status: .usage)
      }
      try checkPrivacy(of: file, holding: ConfigReader(provider: provider))
      providers.append(provider)
    }
    let config = ConfigReader(providers: providers)

    let name = present(config.string(forKey: "moha.agent")) ?? Agent.default.name
    guard let agent = Agent(name) else {
      throw CommandFailure(
        code: "invalid-agent", message: "\(name) is no agent's name: lower-case letters, digits, - and _ only",
        hint: "name a folder below .moha, such as maven", status: .usage)
    }
    var schema: SchemaName?
    if let name = present(config.string(forKey: "database.schema")) {
      schema = SchemaName(name)
      guard schema != nil else {
        throw CommandFailure(
          code: "invalid-schema", message: "\(name) is no schema name: lower-case letters, digits and _ only",
          status: .usage)
      }
    }
    return Settings(
      agent: agent, database: try database(config, environment: environment), schema: schema,
      redisURL: redisURL(config), writing: try writing(config),
      pingURL: present(environment["MOHA_PING_URL"]) ?? present(config.string(forKey: "tick.ping", isSecret: true)),
      metricsFile: present(environment["MOHA_METRICS_FILE"]) ?? present(config.string(forKey: "tick.metrics")),
      tickTimeout: try number(config, "tick.timeout", default: 120, in: 1...86_400),
      rotateBytes: try number(config, "log.rotate-bytes", default: 1 << 20, in: 0...Int.max),
      snapshotMinutes: try number(config, "snapshot.minutes", default: 60, in: 0...525_600),
      environment: environment)
  }

  private static func number(
    _ config: ConfigReader, _ key: ConfigKey, default value: Int, in range: ClosedRange<Int>
  ) throws -> Int {
    // A number in YAML is none to be read as text, and one in the environment is text.
    let text = present(config.string(forKey: key)) ?? config.int(forKey: key).map { String($0) }
    guard let text else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw CommandFailure(
        code: "configuration", message: "\(key) is no number that can be used: \(text)", status: .usage)
    }
    return number
  }

  private static func database(_ config: ConfigReader, environment: [String: String]) throws -> ConnectionSettings? {
    if let url = present(config.string(forKey: "database.url", isSecret: true)) {
      do {
        return try ConnectionSettings(conninfo: url)
      } catch {
        throw CommandFailure(
          code: "invalid-database", message: error.description, hint: error.hint, status: .usage)
      }
    }
    let libpq = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"]
    if libpq.contains(where: { present(environment[$0]) != nil }) {
      return ConnectionSettings(parameters: present(environment["PGDATABASE"]).map { ["dbname": $0] } ?? [:])
    }
    let names = [
      "host": "db.host", "port": "db.port", "dbname": "db.name", "user": "db.user", "password": "db.password",
    ]
    var parameters: [String: String] = [:]
    for (keyword, key) in names {
      if let value = present(config.string(forKey: ConfigKey(key), isSecret: keyword == "password")) {
        parameters[keyword] = value
      }
    }
    return parameters.isEmpty ? nil : ConnectionSettings(parameters: parameters)
  }

  private static func writing(_ config: ConfigReader) throws -> WriteSettings {
    var writing = WriteSettings()
    func choose<Choice: RawRepresentable>(
      _ key: ConfigKey, _ current: Choice, _ choices: [Choice]
    ) throws -> Choice where Choice.RawValue == String {
      guard let text = present(config.string(forKey: key)) else { return current }
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

  private static func redisURL(_ config: ConfigReader) -> String? {
    if let url = present(config.string(forKey: "redis.url", isSecret: true)) { return url }
    guard let host = present(config.string(forKey: "redis.host")) else { return nil }
    let port = present(config.string(forKey: "redis.port")) ?? "6379"
    return "redis://\(host):\(port)/\(present(config.string(forKey: "redis.db")) ?? "0")"
  }

  private static func present(_ text: String?) -> String? {
    text.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Whether the file is there and says something: one with comments alone, as `init` makes it, is no YAML mapping.
  private static func isPresent(_ file: String) -> Bool {
    guard FileManager.default.fileExists(atPath: file) else { return false }
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return true }
    return text.split(whereSeparator: \.isNewline).contains { line in
      line.first { !$0.isWhitespace }.map { $0 != "#" } ?? false
    }
  }

  /// Where the YAML parser stopped. Its own text quotes the line, which may hold a password.
  private static func line(of error: any Error) -> String {
    let position = String(describing: error).prefix { $0.isNumber || $0 == ":" }.split(separator: ":")
    return position.first.map { ": the parser stopped at line \($0)" } ?? ""
  }

  /// A configuration file that holds a password must be its owner's alone.
  private static func checkPrivacy(of file: String, holding config: ConfigReader) throws {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: file),
      let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0
    else { return }
    var holdsSecret = present(config.string(forKey: "db.password", isSecret: true)) != nil
    if let url = present(config.string(forKey: "database.url", isSecret: true)) {
      let parameters = (try? ConnectionSettings(conninfo: url))?.parameters
      // What cannot be read may be a password that was not percent-encoded.
      holdsSecret =
        holdsSecret || parameters == nil || parameters?["password"] != nil || parameters?["sslpassword"] != nil
    }
    if let url = present(config.string(forKey: "redis.url", isSecret: true)) {
      let settings = try? RedisSettings(url: url)
      holdsSecret = holdsSecret || settings == nil || settings?.password != nil
    }
    if holdsSecret {
      throw CommandFailure(
        code: "configuration-readable", message: "\(file) holds a password and others can read it",
        hint: "chmod 600 \(file)", status: .refused)
    }
  }
}
