import EmbeddedServers
import FoundationEssentials
import Git
import Persistence
import Postgres
import Records
import Redis

/// What `health` and `doctor` start from: like a `Workspace`, but each part may be missing without taking the others
/// with it.
struct Outlook: Sendable {
  let repository: Result<Repository, any Error>
  let settings: Result<Settings, any Error>
  /// The working tree, or what would be it if git could be read.
  let root: String
  let environment: [String: String]
  /// Whose records, also where the configuration cannot be read.
  let agent: Agent

  init(_ options: GlobalOptions) async {
    let start = Settings.root(options)
    let environment = ProcessInfo.processInfo.environment
    self.environment = environment
    repository = Result { try Repository(discoveringFrom: start) }
    let found = try? repository.get()
    var root = found?.workTree ?? found?.gitDirectory ?? Outlook.rootAbove(start)
    if root.count > 1, root.hasSuffix("/") { root.removeLast() }
    self.root = root
    let folder = found == nil ? root : found?.workTree
    let settings: Result<Settings, any Error>
    do {
      settings = .success(try await Settings.load(options, folder: folder))
    } catch {
      settings = .failure(error)
    }
    self.settings = settings
    agent =
      (try? settings.get().agent) ?? (options.agent ?? environment["MOHA_AGENT"]).flatMap { Agent($0) } ?? .default
  }

  /// Whether there is something that ought to be a repository.
  var hasGitFolder: Bool { (try? FileManager.default.attributesOfItem(atPath: "\(root)/.git")) != nil }

  var servers: EmbeddedServers { EmbeddedServers(root: root, environment: environment) }

  /// The repository's folder where git cannot say it: the nearest one above with something called `.git`.
  private static func rootAbove(_ start: String) -> String {
    let current = FileManager.default.currentDirectoryPath
    let absolute = start.hasPrefix("/") ? start : "\(current)/\(start)"
    var folder = absolute
    while true {
      // A folder that cannot be entered hides what is in it: lstat of the name, not of what it leads to.
      if (try? FileManager.default.attributesOfItem(atPath: "\(folder)/.git")) != nil { return folder }
      guard let slash = folder.lastIndex(of: "/"), slash != folder.startIndex else { return absolute }
      folder = String(folder[..<slash])
    }
  }
}

extension Settings {
  /// The database where it can answer without being started; nil where it is the embedded one, which does not run.
  ///
  /// Throws what is wrong with its settings.
  func databaseIfUp(_ servers: EmbeddedServers) async throws -> Database? {
    if let databaseFault { throw databaseFault }
    if let configured = database { return Database(settings: configured, schema: schema) }
    guard await servers.status().postgres.isRunning else { return nil }
    return try? Database(settings: ConnectionSettings(conninfo: servers.postgresEndpoint.url), schema: schema)
  }

  /// Where Redis is: the configured one, or the embedded one, running or not.
  func redisSettings(_ servers: EmbeddedServers) throws(RedisError) -> RedisSettings {
    var settings = try RedisSettings(url: redisURL ?? servers.redisEndpoint.url)
    settings.timeout = .milliseconds(900)
    return settings
  }
}
