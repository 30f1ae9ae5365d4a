internal import Records
internal import Synchronization

/// A session of the older revisions over HTTP: what `initialize` agreed on, what is in flight, and the streams that can
/// be resumed.
final class HTTPSession: Sendable {
  private struct State {
    var session: LegacySession
    var inFlight = InFlight()
    /// The stream that a GET opens, with the server's own notices.
    var standing = EventLog(maximumMessages: 128)
    /// Streams of requests by number, the newest last.
    var streams: [(number: Int, log: EventLog)] = []
    var lastStream = 0
    var lastUse = ContinuousClock.now
    var listener: Int?
    var isEnded = false
  }

  /// Ended streams that are kept for a client that comes back, and the bytes of all of them.
  private static let keptStreams = 8
  private static let keptBytes = 1 << 20

  let id: String
  /// Who began the session; nobody else may use it.
  let owner: BearerToken?
  private let state: Mutex<State>

  init(id: String, owner: BearerToken?, session: LegacySession) {
    self.id = id
    self.owner = owner
    state = Mutex(State(session: session))
  }

  /// Applies `body` to the protocol's state.
  func withSession<Value: Sendable>(
    _ body: (inout LegacySession) throws(RPCError) -> Value
  ) throws(RPCError) -> Value {
    try state.withLock { state throws(RPCError) in try body(&state.session) }
  }

  func touch() {
    state.withLock { $0.lastUse = .now }
  }

  /// When the session was last used; nil while a request or a stream is open.
  var idleSince: ContinuousClock.Instant? {
    state.withLock { state in
      let isBusy =
        !state.inFlight.isEmpty || state.standing.hasConsumer || state.streams.contains { $0.log.hasConsumer }
      return isBusy ? nil : state.lastUse
    }
  }

  func listen(to feed: ChangeFeed) {
    let number = feed.add { [weak self] in self?.deliver($0) }
    state.withLock { $0.listener = number }
  }

  private func deliver(_ change: OfferingChange) {
    state.withLock { state in
      for message in state.session.notifications(for: change) { state.standing.append(message) }
    }
  }

  /// Cancels what is in flight and ends every stream. Returns the listener to remove.
  func end() -> Int? {
    state.withLock { state in
      state.isEnded = true
      state.inFlight.cancelAll()
      state.standing.finish()
      for stream in state.streams { stream.log.finish() }
      state.streams = []
      return state.listener
    }
  }

  func cancel(_ id: RequestID) {
    state.withLock { $0.inFlight.cancel(id) }
  }

  /// Starts a request; `work` must call `finish`. Returns the number of its stream.
  func start(
    _ id: RequestID, _ log: EventLog, _ work: @escaping @Sendable () async -> Void
  ) throws(RPCMessage.Refusal) -> Int {
    try state.withLock { state throws(RPCMessage.Refusal) in
      guard !state.isEnded else { throw RPCMessage.Refusal(id: id, error: .invalidRequest("the session has ended")) }
      try state.inFlight.admit(id)
      state.lastStream += 1
      state.streams.append((state.lastStream, log))
      Self.dropOldStreams(&state)
      state.inFlight.insert(id, Task { await work() })
      return state.lastStream
    }
  }

  /// Keeps of the ended streams the newest ones, within the bounds; those that are being read do not count.
  private static func dropOldStreams(_ state: inout State) {
    var count = 0
    var bytes = 0
    for index in state.streams.indices.reversed() {
      let log = state.streams[index].log
      guard log.isFinished, !log.hasConsumer else { continue }
      count += 1
      bytes += log.byteCount
      if count > keptStreams || bytes > keptBytes { state.streams.remove(at: index) }
    }
  }

  /// Ends a request. A cancelled one is not answered.
  func finish(_ id: RequestID, _ answer: Answer, _ log: EventLog) {
    let isAwaited = state.withLock { state in
      state.lastUse = .now
      return state.inFlight.finish(id)
    }
    log.finish(id, isAwaited ? answer : nil)
  }

  /// Forgets a stream that was not needed.
  func forget(_ number: Int) {
    state.withLock { $0.streams.removeAll { $0.number == number } }
  }

  /// The stream that an event id is of, and the number of the event; nil for ids that this session gave to no event.
  func stream(_ eventID: String) -> (name: String, log: EventLog, after: Int)? {
    let parts = eventID.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let after = Int(parts[1]), after >= 0 else { return nil }
    return state.withLock { state in
      if parts[0] == "g" { return ("g", state.standing, after) }
      guard let number = Int(parts[0]), let found = state.streams.first(where: { $0.number == number }) else {
        return nil
      }
      return (String(number), found.log, after)
    }
  }

  /// The stream of the server's own notices, from here on.
  var standing: EventLog { state.withLock { $0.standing } }
}

/// The sessions that are open.
final class SessionStore: Sendable {
  private let settings: HTTPSettings
  private let feed: ChangeFeed
  private let sessions = Mutex<[String: HTTPSession]>([:])

  init(_ settings: HTTPSettings, _ feed: ChangeFeed) {
    self.settings = settings
    self.feed = feed
  }

  /// Opens a session with an id that cannot be guessed.
  ///
  /// - Throws: where there are too many and none is idle.
  func open(owner: BearerToken?, session: LegacySession) throws(RPCError) -> HTTPSession {
    var generator = SystemRandomNumberGenerator()
    let words = [generator.next() as UInt64, generator.next() as UInt64]
    let id = words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
    let opened = HTTPSession(id: id, owner: owner, session: session)
    let removed = try sessions.withLock { sessions throws(RPCError) in
      let removed = makeRoom(&sessions)
      guard sessions.count < settings.maximumSessions else {
        throw .busy("\(settings.maximumSessions) sessions are open")
      }
      sessions[id] = opened
      return removed
    }
    for session in removed { close(session) }
    opened.listen(to: feed)
    return opened
  }

  /// Takes out what is idle for too long, and the longest idle one where there is no room.
  private func makeRoom(_ sessions: inout [String: HTTPSession]) -> [HTTPSession] {
    guard sessions.count >= min(64, settings.maximumSessions) else { return [] }
    let deadline = ContinuousClock.now - settings.sessionIdleTime
    let idle = sessions.values.compactMap { session in session.idleSince.map { (session, $0) } }
    var removed = idle.filter { $0.1 < deadline }.map(\.0)
    if removed.isEmpty, sessions.count >= settings.maximumSessions, let oldest = idle.min(by: { $0.1 < $1.1 }) {
      removed = [oldest.0]
    }
    for session in removed { sessions[session.id] = nil }
    return removed
  }

  /// The session with this id, where it is open and its owner's; nil otherwise.
  func find(_ id: String, owner: BearerToken?) -> HTTPSession? {
    guard let session = sessions.withLock({ $0[id] }), session.owner == owner else { return nil }
    if let idle = session.idleSince, idle < ContinuousClock.now - settings.sessionIdleTime {
      remove(session)
      return nil
    }
    session.touch()
    return session
  }

  func remove(_ session: HTTPSession) {
    sessions.withLock { _ = $0.removeValue(forKey: session.id) }
    close(session)
  }

  private func close(_ session: HTTPSession) {
    if let listener = session.end() { feed.remove(listener) }
  }
}
