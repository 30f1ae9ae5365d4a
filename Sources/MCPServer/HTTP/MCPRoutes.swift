internal import HTTPTypes
package import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import Records
internal import Synchronization
package import Telemetry

/// Serves clients of both eras over Streamable HTTP at `/mcp`.
///
///     let router = Router()
///     MCPRoutes(offering: offering, settings: settings, logger: logger).add(to: router)
///     let application = Application(
///       router: router, server: settings.server(), configuration: settings.application(logger: logger))
///
/// - Call `settings.check()` before: it refuses an address that others reach without a token.
/// - `settings.server()` has the limits on headers and time that the routes themselves cannot set.
/// - Other routes may share the router; these take `/mcp` and, with authorization servers, their metadata.
package final class MCPRoutes: Sendable {
  static let path = "/mcp"
  static let metadataPath = "/.well-known/oauth-protected-resource/mcp"
  private static let methods = "POST, GET, DELETE, OPTIONS"

  let handler: RequestHandler
  let settings: HTTPSettings
  let sessions: SessionStore
  let feed: ChangeFeed
  let timer: PatienceTimer
  private let guardian: RequestGuard
  private let requests: Counter
  private let streams: Counter

  package init(offering: any Offering, settings: HTTPSettings, logger: Logger, activity: Activity? = nil) {
    handler = RequestHandler(offering, logger: logger, activity: activity)
    self.settings = settings
    feed = ChangeFeed(offering)
    sessions = SessionStore(settings, feed)
    timer = PatienceTimer(settings.patience)
    guardian = RequestGuard(settings, metadataPath: Self.metadataPath)
    requests = Counter(maximum: settings.maximumRequests)
    streams = Counter(maximum: settings.maximumStreams)
  }

  /// Adds the routes.
  package func add<Context: RequestContext>(to router: Router<Context>) {
    for method: HTTPRequest.Method in [.get, .post, .delete, .options, .put, .patch, .head, .trace] {
      router.on(RouterPath(Self.path), method: method) { request, _ in await self.respond(to: request) }
    }
    guard !settings.authorizationServers.isEmpty else { return }
    for path in ["/.well-known/oauth-protected-resource", Self.metadataPath] {
      router.on(RouterPath(path), method: .get) { request, _ in self.metadata(request) }
    }
  }

  func respond(to request: Request) async -> Response {
    var response: Response
    do {
      try guardian.checkOrigin(request.head)
      response = try await admitted(request)
    } catch {
      response = HTTPAnswer.refusal(error)
    }
    // Only a page whose origin may call the server learns what it answered.
    if let origin = request.headers[.origin], guardian.isAllowedOrigin(origin) {
      response.headers[.accessControlAllowOrigin] = origin
      response.headers[.accessControlExposeHeaders] = "Mcp-Session-Id, WWW-Authenticate"
      response.headers[.vary] = "Origin"
    }
    return response
  }

  private func admitted(_ request: Request) async throws(RequestGuard.Refusal) -> Response {
    if request.method == .options {
      // A preflight carries no token.
      return Response(
        status: .noContent,
        headers: [
          .allow: Self.methods, .accessControlAllowMethods: Self.methods, .accessControlMaxAge: "600",
          .accessControlAllowHeaders: "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, "
            + "MCP-Protocol-Version, Mcp-Method, Mcp-Name",
        ])
    }
    let token = try guardian.authenticate(request.head)
    let stated = request.headers[values: .protocolVersion]
    let isModern = stated.contains { Revision(rawValue: $0)?.isModern == true }
    switch request.method {
    case .post:
      guard requests.begin() else { return Self.overloaded("requests are in flight") }
      defer { requests.end() }
      return try await post(request, token, isModern: isModern)
    case .get where !isModern:
      let (request, _) = try await Self.collected(request, 0)
      return try openStream(request, token)
    case .delete where !isModern: return try endSession(request, token)
    default: return HTTPAnswer.methodNotAllowed(isModern ? "POST, OPTIONS" : Self.methods)
    }
  }

  private static func overloaded(_ what: String) -> Response {
    HTTPAnswer.json(
      Outgoing.error(nil, .busy("too many \(what)")), status: .serviceUnavailable, headers: [.retryAfter: "1"])
  }

  private func post(
    _ request: Request, _ token: BearerToken?, isModern: Bool
  ) async throws(RequestGuard.Refusal) -> Response {
    let accepted = AcceptedTypes(request.headers)
    guard accepted.json || accepted.events else {
      throw .init(status: .notAcceptable, reason: "answers are application/json or text/event-stream")
    }
    let types = request.headers[values: .contentType]
    guard types.count == 1, let type = types.first?.prefix(while: { $0 != ";" }).trimmingSpace.lowercased(),
      type == "application/json"
    else { throw .init(status: .unsupportedMediaType, reason: "the body must be application/json") }
    let (request, body) = try await Self.collected(request, settings.maximumBody)
    let exchange = HTTPExchange(
      routes: self, request: request, accepted: accepted, token: token, hasModernHeader: isModern)
    return try await exchange.respond(to: body)
  }

  /// Reads the body of a request. A stream in answer to it must be made from the request that this returns:
  /// Hummingbird notices that a client goes away only where it has the whole body.
  private static func collected(
    _ request: Request, _ maximum: Int
  ) async throws(RequestGuard.Refusal) -> (Request, [UInt8]) {
    let tooLarge = RequestGuard.Refusal(
      status: .contentTooLarge, reason: "the body is at most \(maximum) bytes long",
      headers: [.connection: "close"])
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximum { throw tooLarge }
    do {
      var request = request
      let buffer = try await request.collectBody(upTo: maximum)
      return (request, Array(buffer.readableBytesView))
    } catch is NIOTooManyBytesError {
      throw tooLarge
    } catch {
      throw .init(status: .badRequest, reason: "the body did not arrive")
    }
  }

  /// The session that a request of the older revisions names.
  func session(_ headers: HTTPFields, _ token: BearerToken?) throws(RequestGuard.Refusal) -> HTTPSession {
    let stated = headers[values: .protocolVersion]
    for version in stated {
      guard Revision(rawValue: version.trimmingSpace) != nil else {
        throw .init(status: .badRequest, reason: "MCP-Protocol-Version names a version that is not served")
      }
    }
    let ids = headers[values: .sessionID]
    guard ids.count == 1, let id = ids.first else {
      throw .init(status: .badRequest, reason: "one header Mcp-Session-Id is needed; `initialize` gives it")
    }
    guard let session = sessions.find(id, owner: token) else {
      throw .init(status: .notFound, reason: "the session has ended or never was; begin another with `initialize`")
    }
    return session
  }

  /// The stream of the server's own notices, or one that broke off.
  private func openStream(_ request: Request, _ token: BearerToken?) throws(RequestGuard.Refusal) -> Response {
    guard AcceptedTypes(request.headers).events else {
      throw .init(status: .notAcceptable, reason: "the stream is text/event-stream")
    }
    let session = try session(request.headers, token)
    var (name, log, after): (String, EventLog, Int?) = ("g", session.standing, nil)
    if let last = request.headers[.lastEventID] {
      guard let found = session.stream(last) else {
        throw .init(status: .badRequest, reason: "Last-Event-ID is not of an event of this session")
      }
      (name, log, after) = (found.name, found.log, found.after)
    }
    guard let response = stream(log, name: name, after: after, isPrimed: false, request, onShutdown: log.detach) else {
      return Self.overloaded("streams are open")
    }
    return response
  }

  private func endSession(_ request: Request, _ token: BearerToken?) throws(RequestGuard.Refusal) -> Response {
    sessions.remove(try session(request.headers, token))
    return Response(status: .noContent)
  }

  /// An event stream over a log; nil where too many are open.
  func stream(
    _ log: EventLog, name: String?, after: Int?, isPrimed: Bool, _ request: Request,
    onShutdown: @escaping @Sendable () -> Void, onEnd: @escaping @Sendable () -> Void = {}
  ) -> Response? {
    guard streams.begin() else { return nil }
    let body = EventStreamBody(
      log: log, after: after, name: name, isPrimed: isPrimed, keepAlive: settings.keepAlive, onShutdown: onShutdown
    ) { [streams] in
      streams.end()
      onEnd()
    }
    return body.response(to: request, headers: .init())
  }

  private func metadata(_ request: Request) -> Response {
    let servers = settings.authorizationServers.map { JSONValue.string($0) }
    do {
      try guardian.checkOrigin(request.head)
    } catch {
      return HTTPAnswer.refusal(error)
    }
    let resource = guardian.base(request.head) + Self.path
    let document: JSONValue = [
      "resource": .string(resource), "authorization_servers": .array(servers),
      "scopes_supported": ["read", "write"], "bearer_methods_supported": ["header"],
    ]
    return HTTPAnswer.json(document.serialized())
  }
}

/// Counts what goes on at once, up to a bound.
final class Counter: Sendable {
  private let maximum: Int
  private let value = Mutex(0)

  init(maximum: Int) {
    self.maximum = maximum
  }

  /// Returns false at the bound.
  func begin() -> Bool {
    value.withLock { value in
      guard value < maximum else { return false }
      value += 1
      return true
    }
  }

  func end() {
    value.withLock { $0 -= 1 }
  }
}
