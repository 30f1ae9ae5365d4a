internal import HTTPTypes
internal import HummingbirdCore
internal import Records

/// One POST: a message of either era, and its answer in one piece or as a stream.
struct HTTPExchange: Sendable {
  let routes: MCPRoutes
  let request: Request
  let accepted: AcceptedTypes
  let token: BearerToken?
  /// Whether the header names a stateless revision.
  let hasModernHeader: Bool

  private var handler: RequestHandler { routes.handler }

  func respond(to body: [UInt8]) async throws(RequestGuard.Refusal) -> Response {
    let message: RPCMessage
    do {
      message = try RPCMessage.parse(body)
    } catch {
      return HTTPAnswer.error(error.id, error.error, isModern: true)
    }
    switch message {
    case .request(let id, let method, let parameters):
      if method == Method.initialize.rawValue, !hasModernHeader, !RequestScope.isModern(method, parameters) {
        return initialize(id, parameters)
      }
      if hasModernHeader || RequestScope.isModern(method, parameters) {
        return try await modern(id, method, parameters)
      }
      return try await legacy(id, method, parameters, routes.session(request.headers, token))
    case .notification(let method, let parameters):
      // The stateless revisions have none that a client sends over HTTP: to cancel, it closes the stream.
      if !hasModernHeader { notification(method, parameters, try routes.session(request.headers, token)) }
      return HTTPAnswer.accepted()
    case .response:
      // This server asks nothing; the newest revision forbids answers, the older ones have them accepted.
      if hasModernHeader { throw .init(status: .badRequest, reason: "no answer is awaited") }
      _ = try routes.session(request.headers, token)
      return HTTPAnswer.accepted()
    }
  }

  private func notification(_ method: String, _ parameters: JSONValue, _ session: HTTPSession) {
    switch method {
    case "notifications/initialized": try? session.withSession { session throws(RPCError) in session.clientIsReady() }
    case "notifications/cancelled":
      if let id = parameters["requestId"].flatMap(RequestID.init) { session.cancel(id) }
    default: break
    }
  }

  /// Calls that change records need a token that allows it.
  private func authorize(_ method: Method?, _ parameters: JSONValue) throws(RequestGuard.Refusal) {
    guard method == .callTool, token?.scope == .read, case .string(let name) = parameters["name"],
      let tool = handler.catalog.tool(name), !tool.annotations.isReadOnly
    else { return }
    throw RequestGuard.insufficient(.write)
  }
}

// The older revisions.
extension HTTPExchange {
  private func initialize(_ id: RequestID, _ parameters: JSONValue) -> Response {
    do {
      var state = LegacySession()
      let revision = try state.initialize(parameters)
      let session = try routes.sessions.open(owner: token, session: state)
      return HTTPAnswer.json(
        Outgoing.result(id, handler.initialization(revision)), headers: [.sessionID: session.id])
    } catch {
      return HTTPAnswer.error(id, error, isModern: false)
    }
  }

  private func legacy(
    _ id: RequestID, _ name: String, _ parameters: JSONValue, _ session: HTTPSession
  ) async throws(RequestGuard.Refusal) -> Response {
    let scope: RequestScope
    do {
      scope = try session.withSession { session throws(RPCError) in try session.scope(name, parameters) }
    } catch {
      return HTTPAnswer.error(id, error, isModern: false)
    }
    switch handler.plan(name, parameters, scope) {
    case .answered(let answer): return HTTPAnswer.reply(id, answer, isModern: false)
    case .connection(let method):
      return HTTPAnswer.reply(id, await change(session, method, parameters, scope), isModern: false)
    case .work(let work):
      let method = Method(rawValue: name)
      try authorize(method, parameters)
      return await perform(work, id, method ?? .ping, scope, session)
    }
  }

  /// Requests that change the session.
  private func change(
    _ session: HTTPSession, _ method: Method, _ parameters: JSONValue, _ scope: RequestScope
  ) async -> Answer {
    do {
      switch method {
      case .setLevel:
        try session.withSession { session throws(RPCError) in try session.setLevel(parameters) }
      case .unsubscribe:
        let uri = try RequestHandler.string("uri", parameters)
        try session.withSession { session throws(RPCError) in session.unsubscribe(uri) }
      case .subscribe:
        let uri = try RequestHandler.string("uri", parameters)
        guard let text = uri.text, await handler.offering.isSubscribable(text) else {
          return .failure(.resourceNotFound(uri, scope.revision))
        }
        try session.withSession { session throws(RPCError) in try session.subscribe(uri) }
      default: return .failure(.methodNotFound(method.rawValue))
      }
      return .success(Array("{}".utf8))
    } catch {
      return .failure(error)
    }
  }

  /// Runs a request in the session, where a cancellation finds it. A client that goes away does not cancel it: it may
  /// come back for the answer.
  private func perform(
    _ work: @escaping @Sendable (CallContext) async throws -> [UInt8], _ id: RequestID, _ method: Method,
    _ scope: RequestScope, _ session: HTTPSession
  ) async -> Response {
    let log = EventLog()
    let mayStream = accepted.events
    let number: Int
    do {
      number = try session.start(id, log) { [handler] in
        let answer = await handler.answer(work, method, scope) { if mayStream { log.append($0) } }
        session.finish(id, answer, log)
      }
    } catch {
      return HTTPAnswer.error(error.id, error.error, isModern: false)
    }
    let timer = mayStream ? routes.timer : nil
    switch accepted.json ? await log.firstOutcome(within: timer) : .stream {
    case .answer(let answer):
      session.forget(number)
      return HTTPAnswer.reply(id, answer, isModern: false)
    case .nothing where !mayStream:
      session.forget(number)
      return HTTPAnswer.accepted()
    case .nothing, .stream:
      let response = routes.stream(
        log, name: String(number), after: 0, isPrimed: scope.revision >= .november2025, request,
        onShutdown: log.detach)
      return response ?? HTTPAnswer.error(id, .busy("too many streams are open"), isModern: false)
    }
  }
}

// The stateless revision.
extension HTTPExchange {
  private func modern(
    _ id: RequestID, _ name: String, _ parameters: JSONValue
  ) async throws(RequestGuard.Refusal) -> Response {
    let scope: RequestScope
    do {
      let headers = RoutingHeaders(request.headers)
      scope = try .modern(parameters) { version throws(RPCError) in
        try headers.check(version: version, method: name, parameters)
      }
    } catch {
      return HTTPAnswer.error(id, error, isModern: true)
    }
    switch handler.plan(name, parameters, scope) {
    case .answered(let answer): return HTTPAnswer.reply(id, answer, isModern: true)
    case .connection: return await listen(id, parameters, scope)
    case .work(let work):
      let method = Method(rawValue: name) ?? .ping
      try authorize(method, parameters)
      // Nothing is said before the answer, and a read is over before its client could think better of it.
      if method != .callTool, scope.progressToken == nil, scope.logLevel == nil, accepted.json {
        return HTTPAnswer.reply(id, await handler.answer(work, method, scope) { _ in }, isModern: true)
      }
      return await perform(work, id, method, scope)
    }
  }

  /// Runs a request that is its own stream: closing it is the cancellation.
  private func perform(
    _ work: @escaping @Sendable (CallContext) async throws -> [UInt8], _ id: RequestID, _ method: Method,
    _ scope: RequestScope
  ) async -> Response {
    let log = EventLog()
    let mayStream = accepted.events
    let task = Task { [handler] in
      log.finish(id, await handler.answer(work, method, scope) { if mayStream { log.append($0) } })
    }
    let timer = mayStream ? routes.timer : nil
    switch accepted.json ? await log.firstOutcome(within: timer) : .stream {
    case .answer(let answer): return HTTPAnswer.reply(id, answer, isModern: true)
    case .nothing, .stream:
      let response = routes.stream(
        log, name: nil, after: 0, isPrimed: false, request, onShutdown: {}, onEnd: task.cancel)
      if let response { return response }
      task.cancel()
      return HTTPAnswer.error(id, .busy("too many streams are open"), isModern: true)
    }
  }

  private func listen(_ id: RequestID, _ parameters: JSONValue, _ scope: RequestScope) async -> Response {
    do {
      let filter = try ListenFilter(id, parameters)
      guard accepted.events else {
        return HTTPAnswer.refusal(.init(status: .notAcceptable, reason: "the answer is a text/event-stream"))
      }
      let honoured = await filter.honoured(by: handler.offering)
      let log = EventLog()
      // The acknowledgement is the first message whatever happens meanwhile.
      log.append(honoured.acknowledgement)
      let listener = routes.feed.add { change in
        for message in honoured.notifications(for: change) { log.append(message) }
      }
      let result = handler.finished(Array("{}".utf8), .listen, scope, listening: id)
      let response = routes.stream(
        log, name: nil, after: 0, isPrimed: false, request, onShutdown: { log.finish(id, .success(result)) },
        onEnd: { [feed = routes.feed] in feed.remove(listener) })
      if let response { return response }
      routes.feed.remove(listener)
      return HTTPAnswer.error(id, .busy("too many streams are open"), isModern: true)
    } catch {
      return HTTPAnswer.error(id, error, isModern: true)
    }
  }
}
