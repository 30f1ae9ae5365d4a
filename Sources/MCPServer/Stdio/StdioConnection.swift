internal import Records
internal import Synchronization

/// One client on standard input and output: both eras at once, each request by its own.
///
/// Called from the reading thread and from tasks; the state is small and guarded by a mutex, so that a request that
/// waits for nothing changes no threads.
final class StdioConnection: Sendable {
  private struct State {
    var session = LegacySession()
    var inFlight = InFlight()
    /// Open `subscriptions/listen` requests. They are in flight until they are cancelled or the connection closes.
    var listening: [RequestID: (filter: ListenFilter, scope: RequestScope)] = [:]
    var isClosing = false
    /// Finished when the last request in flight is.
    var idle: AsyncStream<Void>.Continuation?
  }

  private static let maximumListening = 64

  private let handler: RequestHandler
  private let writer: LineWriter
  private let state = Mutex(State())

  init(_ handler: RequestHandler, _ writer: LineWriter) {
    self.handler = handler
    self.writer = writer
  }

  /// Whether the client still reads.
  var isOpen: Bool { !writer.isBroken }
  var isBackedUp: Bool { writer.isBackedUp }

  func refuseLongLine() {
    writer.write(
      Outgoing.error(nil, .invalidRequest("a message is at most \(LineReader.maximumLine) bytes long")))
  }

  /// Takes one line. Waits for nothing.
  func receive(_ line: [UInt8]) {
    do {
      switch try RPCMessage.parse(line) {
      case .request(let id, let method, let parameters): try request(id, method, parameters)
      case .notification(let method, let parameters): notification(method, parameters)
      case .response: break
      }
    } catch {
      if !error.isSilent { writer.write(Outgoing.error(error.id, error.error)) }
    }
  }

  private func notification(_ method: String, _ parameters: JSONValue) {
    switch method {
    case "notifications/initialized": state.withLock { $0.session.clientIsReady() }
    case "notifications/cancelled":
      guard let id = parameters["requestId"].flatMap(RequestID.init) else { return }
      state.withLock { state in
        state.listening[id] = nil
        state.inFlight.cancel(id)
      }
    default: break
    }
  }

  private func request(_ id: RequestID, _ name: String, _ parameters: JSONValue) throws(RPCMessage.Refusal) {
    let scope: RequestScope
    do {
      if RequestScope.isModern(name, parameters) {
        scope = try .modern(parameters)
      } else if name == Method.initialize.rawValue {
        return try initialize(id, parameters)
      } else {
        scope = try state.withLock { state throws(RPCError) in try state.session.scope(name, parameters) }
      }
    } catch {
      throw RPCMessage.Refusal(id: id, error: error)
    }
    switch handler.plan(name, parameters, scope) {
    case .answered(let answer): writer.write(Outgoing.reply(id, answer))
    case .work(let work):
      guard let method = Method(rawValue: name) else { return }
      try start(id) { [self] in
        finish(id, await handler.answer(work, method, scope) { [writer] in writer.write($0, isDispensable: true) })
      }
    case .connection(let method): try connectionRequest(id, method, parameters, scope)
    }
  }

  private func initialize(_ id: RequestID, _ parameters: JSONValue) throws(RPCError) {
    let revision = try state.withLock { state throws(RPCError) in try state.session.initialize(parameters) }
    writer.write(Outgoing.result(id, handler.initialization(revision)))
  }

  /// Requests that read or change the state of the connection.
  private func connectionRequest(
    _ id: RequestID, _ method: Method, _ parameters: JSONValue, _ scope: RequestScope
  ) throws(RPCMessage.Refusal) {
    switch method {
    case .setLevel:
      try refusing(id) { () throws(RPCError) in
        try state.withLock { state throws(RPCError) in try state.session.setLevel(parameters) }
      }
      writer.write(Outgoing.result(id, Array("{}".utf8)))
    case .unsubscribe:
      let uri = try refusing(id) { () throws(RPCError) in try RequestHandler.string("uri", parameters) }
      state.withLock { $0.session.unsubscribe(uri) }
      writer.write(Outgoing.result(id, Array("{}".utf8)))
    case .subscribe:
      let uri = try refusing(id) { () throws(RPCError) in try RequestHandler.string("uri", parameters) }
      try start(id) { [self] in finish(id, await subscribe(uri, scope.revision)) }
    case .listen:
      let filter = try refusing(id) { () throws(RPCError) in try ListenFilter(id, parameters) }
      try start(id) { [self] in await listen(filter, scope) }
    default: throw RPCMessage.Refusal(id: id, error: .methodNotFound(method.rawValue))
    }
  }

  private func refusing<Value>(
    _ id: RequestID, _ body: () throws(RPCError) -> Value
  ) throws(RPCMessage.Refusal) -> Value {
    do {
      return try body()
    } catch {
      throw RPCMessage.Refusal(id: id, error: error)
    }
  }

  private func subscribe(_ uri: JSONString, _ revision: Revision) async -> Answer {
    guard let text = uri.text, await handler.offering.isSubscribable(text) else {
      return .failure(.resourceNotFound(uri, revision))
    }
    do {
      try state.withLock { state throws(RPCError) in try state.session.subscribe(uri) }
      return .success(Array("{}".utf8))
    } catch {
      return .failure(error)
    }
  }

  /// Opens a listening stream: it is acknowledged before anything is told, and stays in flight.
  private func listen(_ filter: ListenFilter, _ scope: RequestScope) async {
    let honoured = await filter.honoured(by: handler.offering)
    let isOpen = state.withLock { state -> Bool? in
      // A cancellation, too, takes the lock first.
      guard !state.isClosing, !Task.isCancelled else { return nil }
      guard state.listening.count < Self.maximumListening else { return false }
      state.listening[filter.id] = (honoured, scope)
      // Under the lock: no notice can come before the acknowledgement.
      writer.write(honoured.acknowledgement)
      return true
    }
    switch isOpen {
    case true:
      // It ends by cancellation, which is not answered, or when the connection closes.
      let (end, _) = AsyncStream<Void>.makeStream()
      for await _ in end {}
      state.withLock { $0.listening[filter.id] = nil }
      finish(filter.id, .success([]))
    case false: finish(filter.id, .failure(.busy("\(Self.maximumListening) listening streams are open")))
    default: finish(filter.id, .success(handler.finished(Array("{}".utf8), .listen, scope, listening: filter.id)))
    }
  }

  /// Starts the work of a request as a task that a cancellation finds by the id.
  private func start(_ id: RequestID, _ work: @escaping @Sendable () async -> Void) throws(RPCMessage.Refusal) {
    try state.withLock { state throws(RPCMessage.Refusal) in
      try state.inFlight.admit(id)
      // Within the lock: the task cannot finish before it is entered.
      state.inFlight.insert(id, Task { await work() })
    }
  }

  private func finish(_ id: RequestID, _ answer: Answer) {
    state.withLock { state in
      // Under the lock, and before the connection counts as idle: what closes it then closes the writer.
      if state.inFlight.finish(id) { writer.write(Outgoing.reply(id, answer)) }
      if state.inFlight.isEmpty { state.idle?.finish() }
    }
  }

  /// Tells the client of a change that it asked to hear of.
  func deliver(_ change: OfferingChange) {
    state.withLock { state in
      // Under the lock, so that nothing follows the end of a subscription.
      for message in state.session.notifications(for: change) { writer.write(message, isDispensable: true) }
      for (filter, _) in state.listening.values {
        for message in filter.notifications(for: change) { writer.write(message, isDispensable: true) }
      }
    }
  }

  /// Answers what is in flight and ends the listening streams with their results.
  ///
  /// After `patience` work is cancelled; a commit that has begun goes on, and has as long once more to be answered.
  func close(patience: Duration) async {
    let (idle, continuation) = AsyncStream<Void>.makeStream()
    let isIdle = state.withLock { state in
      state.isClosing = true
      for (id, listening) in state.listening {
        // The stream's own task ends by the cancellation and writes nothing.
        writer.write(
          Outgoing.result(
            id, handler.finished(Array("{}".utf8), .listen, listening.scope, listening: id)))
        state.inFlight.cancel(id)
      }
      state.listening = [:]
      state.idle = continuation
      return state.inFlight.isEmpty
    }
    writer.beginClosing()
    if isIdle { return }
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        for await _ in idle {}
        return true
      }
      group.addTask {
        try? await Task.sleep(for: patience)
        return false
      }
      if await group.next() == false {
        state.withLock { $0.inFlight.giveUp() }
        group.addTask {
          try? await Task.sleep(for: patience)
          return false
        }
        _ = await group.next()
      }
      group.cancelAll()
    }
  }
}
