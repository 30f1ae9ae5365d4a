package import Hummingbird
package import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOHTTPTypes

extension HTTPSettings {
  /// The HTTP/1.1 server with the limits on headers and on the time that a client may take.
  package func server() -> HTTPServerBuilder {
    let readTime = TimeAmount(readTime)
    return .http1(
      configuration: .init(
        additionalChannelHandlers: [ReadDeadline(readTime)], idleTimeout: readTime,
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)))
  }

  /// Where the application listens, and how many connections it takes.
  package func application(logger: Logger) -> ApplicationConfiguration {
    ApplicationConfiguration(
      address: .hostname(host, port: port), availableConnectionsDelegate: .maximum(maximumConnections, logger: logger))
  }
}

/// Closes a connection whose request does not arrive in full in time, however steadily its bytes trickle in.
///
/// The server's own idle timeout begins anew with each byte of a body.
private final class ReadDeadline: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart

  private let limit: TimeAmount
  private var isReading = false
  private var deadline: Scheduled<Void>?

  init(_ limit: TimeAmount) {
    self.limit = limit
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head: isReading = true
    case .body: break
    case .end:
      isReading = false
      deadline?.cancel()
      deadline = nil
    }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    // Most requests arrive at once and need no timer.
    if isReading, deadline == nil {
      let channel = context.channel
      deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }
    context.fireChannelReadComplete()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
  }
}
