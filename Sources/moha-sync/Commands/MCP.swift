import ArgumentParser
import FoundationEssentials
import Logging
import MCPServer
import Persistence
import ServiceLifecycle
import Telemetry
import UnixSignals

/// Serves the records to one client over standard input and output.
struct MCP: ServingCommand {
  static let configuration = CommandConfiguration(
    commandName: "mcp",
    abstract: "Serve the records to an MCP client over standard input and output.",
    discussion: """
      The client starts this command and ends it by closing its input. Nothing is opened before it is asked for: a \
      database that is away takes nothing from reading, and a write says that its row is late. Standard output \
      carries the protocol alone; logs go to standard error.
      """)

  @OptionGroup var options: GlobalOptions
  @OptionGroup var offer: OfferOptions

  func validate() throws { try options.refuseTimeLimit() }

  func run() async throws {
    let workspace = try await Workspace(options)
    let logger = offer.logger(options)
    let server = StdioServer(offering: try offer.offering(workspace, logger: logger), logger: logger)
    try await MCP.serve(server, logger: offer.libraryLogger(options))
  }

  /// Runs a server until it ends or a signal asks for its end; requests in hand are answered first.
  static func serve(_ server: some Service, logger: Logger) async throws {
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(
            service: server, successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup)
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }
}

/// A command that runs until it is told to end, and handles signals itself.
protocol ServingCommand: AsyncParsableCommand {}

/// What is offered to clients.
struct OfferOptions: ParsableArguments {
  @Flag(help: "Offer no tool that writes, whatever --tools says.")
  var readOnly = false

  @Option(
    help: ArgumentHelp(
      "Offer only these tools.", discussion: "Names with commas between: maven_search,maven_verify.", valueName: "names"
    ))
  var tools: String?

  func validate() throws {
    let unknown = names?.filter { !MavenOffering.toolNames.contains($0) } ?? []
    guard unknown.isEmpty else {
      throw ValidationError(
        "there is no tool \(unknown.joined(separator: ", ")); there are \(MavenOffering.toolNames.joined(separator: ", "))"
      )
    }
  }

  private var names: [String]? {
    tools?.split(separator: ",").map { $0.trimmingPrefix { $0 == " " } }.map { String($0) }
  }

  /// - Parameters:
  ///   - logger: hears of record events that cannot be published, and nobody else does.
  ///   - activity: where a server that shows its metrics counts the writes.
  func offering(_ workspace: Workspace, logger: Logger, activity: Activity? = nil) throws -> MavenOffering {
    var options = MavenOffering.Options()
    options.isReadOnly = readOnly
    options.tools = names.map { Set($0) }
    let records = workspace.records(activity: activity) { logger.warning("\($0)") }
    return MavenOffering(records: records, options: options, version: MohaSync.configuration.version)
  }

  /// To standard error, since standard output may be the protocol's.
  func logger(_ options: GlobalOptions) -> Logger {
    var logger = Logger(label: "moha-sync") { _ in LogfmtHandler() }
    logger.logLevel = options.verbose ? .debug : options.quiet ? .error : .notice
    return logger
  }

  /// The same for the libraries that serve: what they say below a warning is about their own insides.
  func libraryLogger(_ options: GlobalOptions) -> Logger {
    var logger = Logger(label: "server") { LogfmtHandler(source: $0) }
    logger.logLevel = options.quiet ? .error : .warning
    return logger
  }
}
