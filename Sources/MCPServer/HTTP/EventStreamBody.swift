internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore
internal import ServiceLifecycle

/// The response that writes an event log to a client as server-sent events.
struct EventStreamBody: Sendable {
  let log: EventLog
  /// Messages up to this number were seen before; nil for those that were given to an earlier connection.
  var after: Int? = 0
  /// Names the stream in the ids of its events; nil where it cannot be resumed.
  var name: String?
  /// Whether the stream begins with an event that has an id and no data, from which the client could resume at once.
  var isPrimed = false
  let keepAlive: Duration
  /// Called when the server shuts down, to end the log.
  var onShutdown: @Sendable () -> Void
  /// Called at the end, whether or not the client has seen the end of the log.
  var onEnd: @Sendable () -> Void

  func response(to request: Request, headers: HTTPFields) -> Response {
    var headers = headers
    headers[.contentType] = "text/event-stream"
    headers[.cacheControl] = "no-cache, no-transform"
    headers[.accelBuffering] = "no"
    // The connection ends with the stream (below): a client that keeps connections must not send into its end.
    headers[.connection] = "close"
    let body = request.body
    // Before the response begins: what happens from now on is in the stream.
    let items = log.attach(after: after)
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { writer in
        defer { onEnd() }
        try await body.consumeWithCancellationOnInboundClose { _ in
          try await write(items, to: &writer)
        }
        try await writer.finish(nil)
      })
  }

  @concurrent
  private func write(_ items: AsyncStream<EventLog.Item>, to writer: inout any ResponseBodyWriter) async throws {
    if isPrimed, let name { try await writer.write(ByteBuffer(string: "id: \(name)-0\ndata: \n\n")) }
    let pulse = Task {
      while true {
        try await Task.sleep(for: keepAlive)
        log.keepAlive()
      }
    }
    defer { pulse.cancel() }
    try await withGracefulShutdownHandler {
      for await item in items {
        switch item {
        case .keepAlive: try await writer.write(ByteBuffer(string: ": keep-alive\n\n"))
        case .message(let number, let bytes):
          var buffer = ByteBuffer()
          buffer.reserveCapacity(bytes.count + 64)
          if let name { buffer.writeString("id: \(name)-\(number)\n") }
          buffer.writeString("event: message\ndata: ")
          buffer.writeBytes(bytes)
          buffer.writeString("\n\n")
          try await writer.write(buffer)
        }
      }
    } onGracefulShutdown: {
      onShutdown()
    }
    try Task.checkCancellation()
  }
}
