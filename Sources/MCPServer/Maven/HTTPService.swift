internal import Hummingbird
package import Logging
internal import NIOCore
internal import Persistence
internal import ServiceLifecycle

/// An offering over HTTP: `/mcp`, and `/healthz` and `/readyz` for who watches the process.
package struct HTTPService: Service {
  private let offering: MavenOffering
  private let settings: HTTPSettings
  private let logger: Logger
  private let onListening: @Sendable (_ port: Int) -> Void

  /// - Parameter onListening: called once with the port, which is a free one where the settings say 0.
  /// - Throws: `HTTPSettings.Refusal` where others could reach the server without a token.
  package init(
    offering: MavenOffering, settings: HTTPSettings, logger: Logger,
    onListening: @escaping @Sendable (_ port: Int) -> Void
  ) throws {
    try settings.check()
    self.offering = offering
    self.settings = settings
    self.logger = logger
    self.onListening = onListening
  }

  /// Serves until the group shuts down; requests in hand are answered.
  package func run() async throws {
    let router = Router()
    let records = offering.records
    router.get("healthz") { _, _ in "ok\n" }
    router.get("readyz") { _, _ in
      let isReady = await records.standing() != nil
      return EditedResponse(
        status: isReady ? .ok : .serviceUnavailable, response: isReady ? "ready\n" : "the repository has no commit\n")
    }
    MCPRoutes(offering: offering, settings: settings, logger: logger).add(to: router)
    let onListening = onListening
    let application = Application(
      router: router, server: settings.server(), configuration: settings.application(logger: logger),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: logger)
    try await application.run()
  }
}
