import ArgumentParser
import EmbeddedServers
import Persistence
import Postgres
import Records
import Redis

/// What the program would work with.
struct Config: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the settings that are in force.", subcommands: [ConfigShow.self], defaultSubcommand: ConfigShow.self
  )
}

/// Prints each setting, its value, and where the value is from.
struct ConfigShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Print each setting with its value and, if wanted, where that is from.",
    discussion: """
      A flag wins over an environment variable, and that over moha-sync.yaml. No password is printed. The database and \
      Redis are each one line, whatever names put them together. Nothing is started, and no server is asked.
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(help: "Print where each value is from too.")
  var origin = false

  func run() async throws {
    let workspace = try await Workspace(options)
    let items = try ConfigShow.items(workspace, options)
    if options.json {
      let settings = items.map { item in
        JSONValue.object([
          .init("key", .string(item.key)), .init("value", item.value.map { .string($0) } ?? JSONValue.null),
          .init("origin", .string(item.origin.kind)),
          .init("names", .array(item.origin.names.map { .string($0) })),
        ])
      }
      Output.writeJSON(.object([.init("schema", 1), .init("settings", .array(settings))]))
      return
    }
    let width = items.map(\.key.count).max() ?? 0
    let valueWidth = items.map { TerminalText.width(shown($0)) }.max() ?? 0
    let style = Style(options.color)
    for item in items {
      let value = shown(item)
      let gap = String(repeating: " ", count: valueWidth - TerminalText.width(value) + 2)
      let from = origin ? gap + style.dim(printable(item.origin.description)) : ""
      Output.write("\(padded(item.key, width))  \(value)\(from)\n")
    }
  }

  private func shown(_ item: Item) -> String { item.value.map { printable($0) } ?? "-" }

  private struct Item {
    let key: String
    /// Nil for what is not set and has no default.
    let value: String?
    let origin: ConfigurationSources.Origin
  }

  private static func items(_ workspace: Workspace, _ options: GlobalOptions) throws -> [Item] {
    let settings = workspace.settings
    let sources = settings.sources
    func item(_ key: String, _ value: String?) -> Item {
      Item(key: key, value: value, origin: sources.found(key)?.origin ?? .standard)
    }
    let database = try Settings.database(sources)
    let redis = Settings.redisURL(sources)
    let port = try Serve.configuredPort(settings.environment)
    return [
      Item(key: "root", value: workspace.root, origin: Settings.rootOrigin(options)),
      item("moha.agent", settings.agent.name), item("moha.commit", settings.writing.commitPolicy.rawValue),
      item("moha.layout", settings.writing.layout.rawValue),
      Item(
        key: "database.url", value: database?.settings.redactedURL ?? workspace.servers.postgresEndpoint.url,
        origin: database?.origin ?? .standard),
      item("database.schema", settings.schema?.description),
      Item(
        key: "redis.url",
        value: try redis.map { try RedisSettings(url: $0.url).redactedURL } ?? workspace.servers.redisEndpoint.url,
        origin: redis?.origin ?? .standard),
      Item(
        key: "serve.port", value: String(port),
        origin: sources.variable("MAVEN_MCP_PORT") == nil ? .standard : .environment(["MAVEN_MCP_PORT"])),
      item("tick.timeout", String(settings.tickTimeout)), item("tick.ping", settings.pingURL.map(hidden)),
      item("tick.metrics", settings.metricsFile), item("log.rotate-bytes", String(settings.rotateBytes)),
      item("snapshot.minutes", String(settings.snapshotMinutes)),
    ]
  }

  /// Whoever has a heartbeat's URL can say that all is well: what is behind the server's name is left out.
  private static func hidden(_ url: String) -> String {
    let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count > 2, parts[0].hasSuffix(":"), parts[1].isEmpty else { return "set" }
    let host = parts[2].prefix { $0 != "?" && $0 != "#" }.split(separator: "@").last ?? ""
    return "\(parts[0])//\(host)/…"
  }
}

extension ConfigurationSources.Origin: CustomStringConvertible {
  /// One of `flag`, `environment`, `file` and `default`.
  var kind: String {
    switch self {
    case .flag: "flag"
    case .environment: "environment"
    case .file: "file"
    case .standard: "default"
    }
  }

  /// The option, the variables or the file; none for a default.
  var names: [String] {
    switch self {
    case .flag(let name), .file(let name): [name]
    case .environment(let names): names
    case .standard: []
    }
  }

  var description: String { names.isEmpty ? kind : "\(kind) \(names.joined(separator: ", "))" }
}

/// Prints a completion script.
struct Completion: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a completion script for a shell.",
    discussion: """
      EXAMPLES
        moha-sync completion bash > /etc/bash_completion.d/moha-sync
        moha-sync completion zsh > ~/.zfunc/_moha-sync
        moha-sync completion fish > ~/.config/fish/completions/moha-sync.fish
      """)

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() {
    Output.write(MohaSync.completionScript(for: shell.completion))
  }

  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish

    var completion: CompletionShell {
      switch self {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    }
  }
}
