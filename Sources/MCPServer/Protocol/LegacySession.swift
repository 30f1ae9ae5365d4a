internal import Records

/// The state of a connection, or of an HTTP session, of the revisions that begin with `initialize`.
///
/// A value without I/O: each call takes what the client sent, changes the state and returns what follows from it.
struct LegacySession: Sendable {
  /// What `initialize` agreed on; nil before it.
  private(set) var revision: Revision?
  /// Whether the client has said that it is ready; before, it is sent nothing of the server's own accord.
  private(set) var isReady = false
  /// Of messages that nobody asked for, those that a person would want to see.
  private(set) var logLevel = CallContext.LogLevel.info
  private(set) var subscriptions: Set<JSONString> = []

  static let maximumSubscriptions = 1_000

  /// Agrees on a revision: the one asked for, or the newest that has a handshake. Another `initialize` begins anew.
  mutating func initialize(_ parameters: JSONValue) throws(RPCError) -> Revision {
    guard let requested = parameters["protocolVersion"]?.text else {
      throw .invalidParameters("`protocolVersion` must be a string")
    }
    if let capabilities = parameters["capabilities"] {
      guard case .object = capabilities else { throw .invalidParameters("`capabilities` must be an object") }
    }
    let agreed = Revision(rawValue: requested).flatMap { $0.isModern ? nil : $0 } ?? .newestLegacy
    self = LegacySession()
    revision = agreed
    return agreed
  }

  mutating func clientIsReady() {
    isReady = revision != nil
  }

  /// The scope of a request that is not `initialize`.
  ///
  /// - Throws: -32602 before `initialize`. A request that lacks both a handshake and the keys of the stateless
  ///   revisions has the same fault in either era, and the same code there.
  func scope(_ method: String, _ parameters: JSONValue) throws(RPCError) -> RequestScope {
    guard let revision = revision ?? (method == Method.ping.rawValue ? .newestLegacy : nil) else {
      throw .invalidParameters(
        "neither `initialize` came before this request, nor does its `_meta` name a protocol version")
    }
    return try .legacy(parameters, revision: revision, logLevel: logLevel)
  }

  mutating func setLevel(_ parameters: JSONValue) throws(RPCError) {
    guard let level = parameters["level"]?.text.flatMap(CallContext.LogLevel.init) else {
      throw .invalidParameters(
        "`level` must be one of \(CallContext.LogLevel.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    logLevel = level
  }

  mutating func subscribe(_ uri: JSONString) throws(RPCError) {
    guard subscriptions.contains(uri) || subscriptions.count < Self.maximumSubscriptions else {
      throw .busy("a client may hold \(Self.maximumSubscriptions) subscriptions")
    }
    subscriptions.insert(uri)
  }

  mutating func unsubscribe(_ uri: JSONString) {
    subscriptions.remove(uri)
  }

  /// The notifications that a change means for this client.
  func notifications(for change: OfferingChange) -> [[UInt8]] {
    guard isReady else { return [] }
    switch change {
    case .resourceListChanged: return [Outgoing.notification("notifications/resources/list_changed", [])]
    case .updated(let uris):
      return uris.map { JSONString($0) }.filter(subscriptions.contains).map {
        Outgoing.notification("notifications/resources/updated", [JSONValue.Member("uri", .string($0))])
      }
    }
  }
}
