internal import Records

/// An error of JSON-RPC, as it goes onto the wire.
struct RPCError: Error, Hashable, Sendable {
  let code: Int
  let message: String
  let data: JSONValue?

  init(_ code: Int, _ message: String, data: JSONValue? = nil) {
    self.code = code
    self.message = message
    self.data = data
  }

  static func parse(_ reason: String) -> RPCError { RPCError(-32700, "Parse error: \(reason)") }
  static func invalidRequest(_ reason: String) -> RPCError { RPCError(-32600, "Invalid request: \(reason)") }
  static func invalidParameters(_ reason: String) -> RPCError { RPCError(-32602, "Invalid params: \(reason)") }
  static let internalFault = RPCError(-32603, "Internal error: the server could not answer; its log says why")
  static let givenUp = RPCError(
    -32603, "The server ended before this was done; look whether a write was made before you send it again")
  static func busy(_ reason: String) -> RPCError { RPCError(-32603, "The server is busy: \(reason); try again later") }

  static func methodNotFound(_ method: String) -> RPCError {
    // A method is the client's text: what is echoed of it is bounded.
    RPCError(-32601, "Method not found: \(method.prefix(100))")
  }

  /// The older revisions have a code of their own for a resource that does not exist; the newest has not.
  static func resourceNotFound(_ uri: JSONString, _ revision: Revision) -> RPCError {
    let code = revision.isModern ? -32602 : -32002
    return RPCError(code, "Resource not found", data: .object([JSONValue.Member("uri", .string(uri))]))
  }

  /// Header and body of a request over HTTP disagree.
  static func headerMismatch(_ reason: String) -> RPCError { RPCError(-32020, "Header mismatch: \(reason)") }

  static func unsupportedVersion(_ requested: String) -> RPCError {
    let supported = Revision.allCases.filter(\.isModern).map { JSONValue.string($0.rawValue) }
    return RPCError(
      -32022, "Unsupported protocol version",
      data: ["supported": .array(supported), "requested": .string(String(requested.prefix(100)))])
  }

  var value: JSONValue {
    var members = [
      JSONValue.Member("code", .integer(code)), JSONValue.Member("message", .string(message)),
    ]
    if let data { members.append(JSONValue.Member("data", data)) }
    return .object(members)
  }
}
