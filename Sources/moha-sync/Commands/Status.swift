import ArgumentParser
import EmbeddedServers
import Persistence
import Postgres
import Records
import Redis

/// Where the servers are and whether they answer.
struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show where the database and Redis are, and whether they run.",
    discussion: "Starts nothing. The database's URL leaves the password out and is one that psql takes as it is.")

  @OptionGroup var options: GlobalOptions

  func run() async throws {
    try await Status.report(try await Workspace(options), options: options)
  }

  static func report(_ workspace: Workspace, options: GlobalOptions) async throws {
    let embedded = await workspace.servers.status()
    let postgres = try await postgres(workspace, embedded)
    let redis = await redis(workspace, embedded)
    if options.json {
      func layer(_ layer: Layer) -> JSONValue {
        .object([
          .init("url", .string(layer.url)), .init("embedded", .bool(layer.isEmbedded)),
          .init("running", .bool(layer.isRunning)), .init("detail", .string(layer.detail)),
        ])
      }
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("database", layer(postgres)), .init("redis", layer(redis)),
          .init("root", .string(workspace.root)), .init("agent", .string(workspace.settings.agent.name)),
          .init("state", .string(embedded.stateDirectory)),
        ]))
      return
    }
    let style = Style(options.color)
    for (name, layer) in [("postgres", postgres), ("redis", redis)] {
      let mark = layer.isRunning ? style.good("running") : style.warning(layer.detail)
      let origin = layer.isEmbedded ? "embedded" : "configured"
      Output.write("\(padded(name, 9)) \(mark), \(origin)  \(layer.url)\n")
    }
    Output.write("root      \(workspace.root)\nagent     \(workspace.settings.agent)\n")
    if postgres.isEmbedded { Output.write("state     \(embedded.stateDirectory)\n") }
  }

  private struct Layer {
    let url: String
    let isEmbedded: Bool
    let isRunning: Bool
    let detail: String
  }

  private static func postgres(_ workspace: Workspace, _ embedded: EmbeddedStatus) async throws -> Layer {
    if let fault = workspace.settings.databaseFault { throw fault }
    guard let configured = workspace.settings.database else {
      let endpoint = workspace.servers.postgresEndpoint
      return Layer(
        url: endpoint.url, isEmbedded: true, isRunning: embedded.postgres.isRunning,
        detail: embedded.postgres.description)
    }
    do {
      await (try Connection(configured)).close()
      return Layer(url: configured.redactedURL, isEmbedded: false, isRunning: true, detail: "running")
    } catch {
      let isMissing = error.code == .databaseMissing
      return Layer(
        url: configured.redactedURL, isEmbedded: false, isRunning: isMissing,
        detail: isMissing ? "the database does not exist" : error.description)
    }
  }

  private static func redis(_ workspace: Workspace, _ embedded: EmbeddedStatus) async -> Layer {
    guard let url = workspace.settings.redisURL else {
      return Layer(
        url: workspace.servers.redisEndpoint.url, isEmbedded: true, isRunning: embedded.redis.isRunning,
        detail: embedded.redis.description)
    }
    do {
      let settings = try RedisSettings(url: url)
      do {
        try await RedisClient(settings).ping()
        return Layer(url: settings.redactedURL, isEmbedded: false, isRunning: true, detail: "running")
      } catch {
        return Layer(url: settings.redactedURL, isEmbedded: false, isRunning: false, detail: error.description)
      }
    } catch {
      return Layer(url: "", isEmbedded: false, isRunning: false, detail: error.description)
    }
  }
}

extension ServerState {
  var isRunning: Bool {
    if case .running = self { true } else { false }
  }

  var description: String {
    switch self {
    case .notInitialised: "not made yet"
    case .stopped: "stopped"
    case .running: "running"
    case .crashed: "crashed"
    }
  }
}
