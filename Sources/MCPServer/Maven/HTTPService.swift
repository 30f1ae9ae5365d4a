internal import Hummingbird
package import Logging
internal import NIOCore
internal import Persistence
internal import ServiceLifecycle
package import Telemetry

/// An offering over HTTP: `/mcp`, and the pages beside it.
package struct HTTPService: Service {
  private let offering: MavenOffering
  private let pages: [HTTPPage]
  private let settings: HTTPSettings
  private let logger: Logger
  private let activity: Activity?
  private let onListening: @Sendable (_ port: Int) -> Void

  /// - Parameter pages: what is served beside `/mcp`; their paths differ from it and from each other.
  /// - Parameter activity: where the requests of clients are counted.
  /// - Parameter onListening: called once with the port, which is a free one where the settings say 0.
  /// - Throws: `HTTPSettings.Refusal` where others could reach the server without a token.
  package init(
    offering: MavenOffering, pages: [HTTPPage], settings: HTTPSettings, logger: Logger,
    activity: Activity? = nil, onListening: @escaping @Sendable (_ port: Int) -> Void
  ) throws {
    try settings.check()
    self.offering = offering
    self.pages = pages
    self.settings = settings
    self.logger = logger
    self.activity = activity
    self.onListening = onListening
  }

  /// Serves until the group shuts down; requests in hand are answered.
  package func run() async throws {
    let router = Router()
    PageRoutes(pages, settings: settings).add(to: router)
    MCPRoutes(offering: offering, settings: settings, logger: self.logger, activity: activity).add(to: router)
    let onListening = onListening
    // What the server says below a warning is about its insides, and may quote what clients sent.
    var logger = logger
    logger.logLevel = max(logger.logLevel, .warning)
    let application = Application(
      router: router, server: settings.server(), configuration: settings.application(logger: logger),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: logger)
    try await application.run()
  }
}
