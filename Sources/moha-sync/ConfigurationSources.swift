import Configuration
import FoundationEssentials
import Postgres
import Redis
import SystemPackage

/// Where the values of settings come from: flags, then the environment, then `moha-sync.yaml`; the first that has a
/// value wins. An empty text is no value.
struct ConfigurationSources: Sendable {
  /// A place that can give a value.
  enum Origin: Sendable, Equatable {
    /// The option, such as `--agent`.
    case flag(String)
    /// The variables, such as `DATABASE_URL`.
    case environment([String])
    /// The path of the file.
    case file(String)
    case standard

    /// Of values that were put together: all variables of one environment; of several places, the first.
    static func joined(_ origins: [Origin]) -> Origin? {
      guard case .environment? = origins.first else { return origins.first }
      return .environment(
        origins.flatMap { origin -> [String] in
          if case .environment(let names) = origin { names } else { [] }
        })
    }
  }

  let environment: [String: String]
  private let flags: ConfigReader
  private let variables: ConfigReader
  private let file: (path: String, reader: ConfigReader)?

  /// Variables that existing deployments have, before the one that follows from the key.
  private static let aliases = ["tick.ping": "MOHA_PING_URL", "tick.metrics": "MOHA_METRICS_FILE"]

  /// Reads `moha-sync.yaml` of a folder, where there is one.
  ///
  /// - Throws: where the file is no YAML, or holds a password that others can read.
  static func load(_ options: GlobalOptions, folder: String?) async throws -> ConfigurationSources {
    let environment = ProcessInfo.processInfo.environment
    var overrides: [AbsoluteConfigKey: ConfigValue] = [:]
    if let agent = options.agent { overrides[["moha", "agent"]] = ConfigValue(.string(agent), isSecret: false) }
    if let url = options.database { overrides[["database", "url"]] = ConfigValue(.string(url), isSecret: true) }
    if let url = options.redis { overrides[["redis", "url"]] = ConfigValue(.string(url), isSecret: true) }
    return ConfigurationSources(
      environment: environment, flags: ConfigReader(provider: InMemoryProvider(name: "flags", values: overrides)),
      variables: ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment)),
      file: try await readFile((folder ?? ".") + "/moha-sync.yaml"))
  }

  /// The text of a key; a number in the file is text as well.
  func text(_ key: String) -> String? { found(key)?.text }

  /// The text of a key and where it is from.
  func found(_ key: String) -> (text: String, origin: Origin)? {
    let configKey = ConfigKey(key)
    if let text = ConfigurationSources.text(flags, configKey) {
      return (text, .flag(key == "moha.agent" ? "--agent" : "--\(key.prefix { $0 != "." })"))
    }
    if let name = ConfigurationSources.aliases[key], let text = variable(name) { return (text, .environment([name])) }
    if let text = ConfigurationSources.text(variables, configKey) {
      return (text, .environment([ConfigurationSources.variableName(key)]))
    }
    if let file, let text = ConfigurationSources.text(file.reader, configKey) { return (text, .file(file.path)) }
    return nil
  }

  /// A variable of the environment that says something.
  func variable(_ name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// As the environment's provider spells it.
  private static func variableName(_ key: String) -> String {
    String(key.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
  }

  private static func text(_ reader: ConfigReader, _ key: ConfigKey) -> String? {
    let text = reader.string(forKey: key, isSecret: true) ?? reader.int(forKey: key, isSecret: true).map { String($0) }
    return text.flatMap { $0.isEmpty ? nil : $0 }
  }

  // MARK: The file

  private static func readFile(_ path: String) async throws -> (path: String, reader: ConfigReader)? {
    guard isPresent(path) else { return nil }
    let provider: FileProvider<YAMLSnapshot>
    do {
      provider = try await FileProvider<YAMLSnapshot>(filePath: FilePath(path))
    } catch {
      throw CommandFailure(
        code: "configuration", message: "\(path) cannot be read as YAML\(line(of: error))",
        hint: "write names and values, as in the file that `moha-sync init` makes", status: .usage)
    }
    let reader = ConfigReader(provider: provider)
    try checkPrivacy(of: path, holding: reader)
    return (path, reader)
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
  private static func checkPrivacy(of file: String, holding reader: ConfigReader) throws {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: file),
      let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0
    else { return }
    var holdsSecret = text(reader, "db.password") != nil
    if let url = text(reader, "database.url") {
      let parameters = (try? ConnectionSettings(conninfo: url))?.parameters
      // What cannot be read may be a password that was not percent-encoded.
      holdsSecret =
        holdsSecret || parameters == nil || parameters?["password"] != nil || parameters?["sslpassword"] != nil
    }
    if let url = text(reader, "redis.url") {
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
