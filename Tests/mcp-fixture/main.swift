internal import Glibc
internal import Hummingbird
internal import Logging
internal import MCPServer
internal import ServiceLifecycle
internal import UnixSignals

// mcp-fixture                 serves standard input and output
// Standard output belongs to the protocol, so logs go to standard error, at the level of MCP_FIXTURE_LOG.
let arguments = CommandLine.arguments.dropFirst()
var logger = Logger(label: "mcp-fixture") { StreamLogHandler.standardError(label: $0) }
logger.logLevel = getenv("MCP_FIXTURE_LOG").flatMap { Logger.Level(rawValue: String(cString: $0)) } ?? .warning

guard arguments.isEmpty else {
  logger.critical("usage: mcp-fixture")
  exit(2)
}
let server = StdioServer(offering: FixtureOffering(), logger: logger)
let group = ServiceGroup(
  configuration: .init(
    services: [
      .init(
        service: server, successTerminationBehavior: .gracefullyShutdownGroup,
        failureTerminationBehavior: .gracefullyShutdownGroup)
    ],
    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
try await group.run()
