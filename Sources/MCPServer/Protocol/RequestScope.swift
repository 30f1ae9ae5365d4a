internal import Records

/// What a request says about itself beside its method and arguments: the part of it that the era decides.
struct RequestScope: Sendable {
  let revision: Revision
  /// A string or an integer, with its type.
  let progressToken: JSONValue?
  /// The lowest level of log messages to send; nil for none.
  let logLevel: CallContext.LogLevel?

  private static let prefix = "io.modelcontextprotocol/"
  private static let versionKey: JSONString = "io.modelcontextprotocol/protocolVersion"
  private static let capabilitiesKey: JSONString = "io.modelcontextprotocol/clientCapabilities"
  private static let clientKey: JSONString = "io.modelcontextprotocol/clientInfo"
  private static let levelKey: JSONString = "io.modelcontextprotocol/logLevel"

  /// Whether a request speaks the stateless revisions: it carries one of their keys, or a method that only they have.
  ///
  /// Both eras share one connection, so this is asked of each request and remembered of none.
  static func isModern(_ method: String, _ parameters: JSONValue) -> Bool {
    if Method(rawValue: method)?.isModernOnly == true { return true }
    guard let meta = parameters["_meta"] else { return false }
    return [versionKey, capabilitiesKey, clientKey, levelKey].contains { meta[$0] != nil }
  }

  /// The version that the body names; nil where it names none that is text.
  static func statedVersion(_ parameters: JSONValue) -> String? {
    parameters["_meta"]?[versionKey]?.text
  }

  /// The scope of a stateless request.
  ///
  /// - Parameter verify: compares the version with what the transport says; called before the version is judged, so
  ///   that a client that contradicts itself is told that.
  /// - Throws: -32602 where a required key is missing or malformed, -32022 for a revision that is not served.
  static func modern(
    _ parameters: JSONValue, verify: (_ version: String) throws(RPCError) -> Void = { (_) throws(RPCError) in }
  ) throws(RPCError) -> RequestScope {
    guard let meta = parameters["_meta"], case .object = meta else {
      throw .invalidParameters("`_meta` must be an object with \(versionKey) and \(capabilitiesKey)")
    }
    let missing = [versionKey, capabilitiesKey].filter { meta[$0] == nil }
    guard missing.isEmpty else {
      throw .invalidParameters("`_meta` lacks \(missing.map(\.description).joined(separator: " and "))")
    }
    guard let version = meta[versionKey]?.text else {
      throw .invalidParameters("\(versionKey) must be a string")
    }
    guard case .object = meta[capabilitiesKey] else {
      throw .invalidParameters("\(capabilitiesKey) must be an object")
    }
    try verify(version)
    guard let revision = Revision(rawValue: version), revision.isModern else { throw .unsupportedVersion(version) }
    if let client = meta[clientKey] {
      guard client["name"]?.text != nil, client["version"]?.text != nil else {
        throw .invalidParameters("\(clientKey) must be an object with a name and a version")
      }
    }
    var level: CallContext.LogLevel?
    if let stated = meta[levelKey] {
      guard let known = stated.text.flatMap(CallContext.LogLevel.init) else {
        throw .invalidParameters("\(levelKey) must be a level of RFC 5424")
      }
      level = known
    }
    return RequestScope(revision: revision, progressToken: try progressToken(meta), logLevel: level)
  }

  static func legacy(
    _ parameters: JSONValue, revision: Revision, logLevel: CallContext.LogLevel
  ) throws(RPCError) -> RequestScope {
    RequestScope(
      revision: revision, progressToken: try parameters["_meta"].flatMap(progressToken), logLevel: logLevel)
  }

  private static func progressToken(_ meta: JSONValue) throws(RPCError) -> JSONValue? {
    guard let token = meta["progressToken"] else { return nil }
    guard RequestID(token) != nil else {
      throw .invalidParameters("a progress token is a string or an integer")
    }
    return token
  }
}
