internal import Records

/// One message of JSON-RPC 2.0 as a client sent it, taken from bytes and nothing else.
///
/// What is refused is refused for what it is, so that nothing that was meant as a request passes for a notification:
/// an envelope with the key `id` and no usable id is an error, not a message without an answer.
enum RPCMessage: Sendable {
  /// `parameters` is an object.
  case request(id: RequestID, method: String, parameters: JSONValue)
  case notification(method: String, parameters: JSONValue)
  /// An answer. This server asks nothing, so none is awaited.
  case response

  /// A message that is no good, and the id to answer with: absent where the envelope itself is at fault.
  struct Refusal: Error {
    let id: RequestID?
    let error: RPCError
    /// Where nothing may be answered: the message is a notification, if a malformed one.
    var isSilent = false
  }

  /// Arguments are nested a few levels deep at most; the bound keeps hostile depth cheap.
  static let maximumDepth = 64

  static func parse(_ bytes: [UInt8]) throws(Refusal) -> RPCMessage {
    let value: JSONValue
    do {
      value = try JSONValue.parse(bytes, maximumDepth: maximumDepth)
    } catch {
      throw Refusal(id: nil, error: .parse(error.description))
    }
    return try RPCMessage(value)
  }

  private init(_ value: JSONValue) throws(Refusal) {
    guard case .object(let members) = value else {
      if case .array = value {
        throw Refusal(id: nil, error: .invalidRequest("batches are not served, send one message at a time"))
      }
      throw Refusal(id: nil, error: .invalidRequest("a message is an object"))
    }
    var envelope = Envelope()
    for member in members {
      if let repeated = envelope.take(member) {
        throw Refusal(id: nil, error: .invalidRequest("the key `\(repeated)` occurs twice"))
      }
    }
    self = try envelope.message()
  }

  /// The members of the envelope, each at most once.
  private struct Envelope {
    var version: JSONValue?
    var id: JSONValue?
    var method: JSONValue?
    var parameters: JSONValue?
    var isAnswer = false
    private var hasResult = false
    private var hasError = false

    /// Returns the key where it was there before.
    mutating func take(_ member: JSONValue.Member) -> String? {
      switch member.key {
      case "jsonrpc": return Self.set(&version, member)
      case "id": return Self.set(&id, member)
      case "method": return Self.set(&method, member)
      case "params": return Self.set(&parameters, member)
      case "result":
        if hasResult { return "result" }
        hasResult = true
      case "error":
        if hasError { return "error" }
        hasError = true
      default: break
      }
      isAnswer = hasResult || hasError
      return nil
    }

    private static func set(_ slot: inout JSONValue?, _ member: JSONValue.Member) -> String? {
      if slot != nil { return member.key.description }
      slot = member.value
      return nil
    }

    func message() throws(Refusal) -> RPCMessage {
      let isNotification = id == nil && method?.text != nil && !isAnswer
      func refusal(_ reason: String) -> Refusal {
        Refusal(id: nil, error: .invalidRequest(reason), isSilent: isNotification)
      }
      guard version?.text == "2.0" else { throw refusal("`jsonrpc` must be \"2.0\"") }
      if method == nil, isAnswer { return .response }
      guard !isAnswer else { throw refusal("a message is a request or an answer, not both") }
      guard let name = method?.text else { throw refusal("`method` must be a string") }
      guard let id else {
        guard let parameters = Self.object(parameters) else { throw refusal("`params` must be an object") }
        return .notification(method: name, parameters: parameters)
      }
      guard let id = RequestID(id) else { throw refusal("`id` must be a string or an integer") }
      guard let parameters = Self.object(parameters) else {
        throw Refusal(id: id, error: .invalidParameters("`params` must be an object"))
      }
      if let key = parameters.duplicateKey {
        throw Refusal(id: id, error: .invalidParameters("the key `\(key.description.prefix(100))` occurs twice"))
      }
      return .request(id: id, method: name, parameters: parameters)
    }

    /// Absent parameters are none; null is written by clients that mean the same.
    private static func object(_ value: JSONValue?) -> JSONValue? {
      switch value {
      case nil, .null: .emptyObject
      case .object: value
      default: nil
      }
    }
  }
}

/// The messages that a server writes, each one line without a line feed.
enum Outgoing {
  /// `result` is a serialised object.
  static func result(_ id: RequestID, _ result: [UInt8]) -> [UInt8] {
    var bytes = Array("{\"jsonrpc\":\"2.0\",\"id\":".utf8)
    bytes.reserveCapacity(result.count + 64)
    bytes.append(contentsOf: id.value.serialized())
    bytes.append(contentsOf: ",\"result\":".utf8)
    bytes.append(contentsOf: result)
    bytes.append(0x7D)
    return bytes
  }

  /// Without an id where the request's is not known: the schema has an optional one, and no null.
  static func error(_ id: RequestID?, _ error: RPCError) -> [UInt8] {
    var members = [JSONValue.Member("jsonrpc", "2.0")]
    if let id { members.append(JSONValue.Member("id", id.value)) }
    members.append(JSONValue.Member("error", error.value))
    return JSONValue.object(members).serialized()
  }

  static func reply(_ id: RequestID, _ answer: Answer) -> [UInt8] {
    switch answer {
    case .success(let result): Self.result(id, result)
    case .failure(let error): Self.error(id, error)
    }
  }

  static func notification(_ method: String, _ parameters: [JSONValue.Member]) -> [UInt8] {
    var members = [JSONValue.Member("jsonrpc", "2.0"), JSONValue.Member("method", .string(method))]
    if !parameters.isEmpty { members.append(JSONValue.Member("params", .object(parameters))) }
    return JSONValue.object(members).serialized()
  }
}

/// What a request comes to: a serialised result object, or an error.
typealias Answer = Result<[UInt8], RPCError>
