internal import Glibc
internal import Hummingbird
internal import Logging
internal import MCPServer
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

// mcp-fixture                 serves standard input and output
//   --patience-of-exit MS     how long calls in flight may take at the end of the input
// mcp-fixture --http PORT     serves HTTP on 127.0.0.1 at /mcp; port 0 takes a free one. Standard error says
//                             `listening on 127.0.0.1:PORT` once it does.
// Further options of HTTP, for tests: --host H, --token T, --read-token T, --issuer URL, --public-url URL, --keep-alive MS,
// --read-time MS, --sessions N, --session-idle MS, --streams N, --requests N, --patience MS.
// Standard output belongs to the protocol, so logs go to standard error, at the level of MCP_FIXTURE_LOG.
var logger = Logger(label: "mcp-fixture") { StreamLogHandler.standardError(label: $0) }
logger.logLevel = getenv("MCP_FIXTURE_LOG").flatMap { Logger.Level(rawValue: String(cString: $0)) } ?? .warning

var settings = HTTPSettings()
var servesHTTP = false
var patience = Duration.seconds(10)
var options = CommandLine.arguments.dropFirst()

nonisolated func tell(_ message: String) {
  let line = Array("\(message)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
}

func fail(_ message: String) -> Never {
  tell("mcp-fixture: \(message)")
  exit(2)
}

while let option = options.popFirst() {
  guard let value = options.popFirst() else { fail("\(option) needs a value") }
  func number() -> Int {
    guard let number = Int(value) else { fail("\(option) needs a number") }
    return number
  }
  switch option {
  case "--http":
    servesHTTP = true
    settings.port = number()
  case "--host": settings.host = value
  case "--token": settings.tokens.append(BearerToken(token: value))
  case "--read-token": settings.tokens.append(BearerToken(token: value, scope: .read))
  case "--issuer": settings.authorizationServers.append(value)
  case "--public-url": settings.publicURL = value
  case "--keep-alive": settings.keepAlive = .milliseconds(number())
  case "--read-time": settings.readTime = .milliseconds(number())
  case "--sessions": settings.maximumSessions = number()
  case "--session-idle": settings.sessionIdleTime = .milliseconds(number())
  case "--streams": settings.maximumStreams = number()
  case "--requests": settings.maximumRequests = number()
  case "--patience-of-exit": patience = .milliseconds(number())
  case "--patience": settings.patience = .milliseconds(number())
  default: fail("there is no option \(option)")
  }
}

let offering = FixtureOffering()
let service: any Service
if servesHTTP {
  do {
    try settings.check()
  } catch {
    fail(error.description)
  }
  let router = Router()
  router.get("healthz") { _, _ in "ok" }
  MCPRoutes(offering: offering, settings: settings, logger: logger).add(to: router)
  let host = settings.host
  service = Application(
    router: router, server: settings.server(), configuration: settings.application(logger: logger),
    onServerRunning: { channel in
      tell("listening on \(host):\(channel.localAddress?.port ?? 0)")
    }, logger: logger)
} else {
  service = StdioServer(offering: offering, logger: logger, patience: patience)
}
let group = ServiceGroup(
  configuration: .init(
    services: [
      .init(
        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
        failureTerminationBehavior: .gracefullyShutdownGroup)
    ],
    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
try await group.run()
