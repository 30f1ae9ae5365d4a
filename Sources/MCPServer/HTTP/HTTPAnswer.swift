internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// Responses that are not streams.
enum HTTPAnswer {
  static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = .init()) -> Response {
    var headers = headers
    headers[.contentType] = "application/json"
    return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  /// A refusal for a fault of the transport: a JSON-RPC error without an id, since no message was read.
  static func refusal(_ refusal: RequestGuard.Refusal) -> Response {
    let error = RPCError(-32600, "Invalid request: \(refusal.reason)")
    return json(Outgoing.error(nil, error), status: refusal.status, headers: refusal.headers)
  }

  static func error(_ id: RequestID?, _ error: RPCError, isModern: Bool) -> Response {
    json(Outgoing.error(id, error), status: status(of: error, isModern: isModern))
  }

  /// The answer to a request in one piece.
  static func reply(_ id: RequestID, _ answer: Answer, isModern: Bool, headers: HTTPFields = .init()) -> Response {
    switch answer {
    case .success(let result): json(Outgoing.result(id, result), headers: headers)
    case .failure(let error):
      json(Outgoing.error(id, error), status: status(of: error, isModern: isModern), headers: headers)
    }
  }

  /// The newest revision gives each error a status; the older ones answer a request that could be read with 200.
  private static func status(of error: RPCError, isModern: Bool) -> HTTPResponse.Status {
    switch error.code {
    case -32700, -32600: .badRequest
    case -32601 where isModern: .notFound
    case -32602, -32020, -32021, -32022: isModern ? .badRequest : .ok
    default: .ok
    }
  }

  static func accepted() -> Response { Response(status: .accepted) }

  static func methodNotAllowed(_ allowed: String) -> Response {
    Response(status: .methodNotAllowed, headers: [.allow: allowed])
  }
}

/// What a client takes for an answer.
struct AcceptedTypes: Sendable {
  let json: Bool
  let events: Bool

  init(_ headers: HTTPFields) {
    let values = headers[values: .accept]
    guard !values.isEmpty else {
      // A client that does not say takes anything.
      json = true
      events = true
      return
    }
    var json = false
    var events = false
    for range in values.joined(separator: ",").split(separator: ",") {
      let parts = range.split(separator: ";").map { $0.trimmingSpace.lowercased() }
      guard let type = parts.first else { continue }
      // A weight of nothing means: not this.
      let isRefused = parts.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
      guard !isRefused else { continue }
      if type == "application/json" || type == "application/*" || type == "*/*" { json = true }
      if type == "text/event-stream" || type == "text/*" || type == "*/*" { events = true }
    }
    self.json = json
    self.events = events
  }
}
