/// Where the embedded Redis listens.
package struct RedisEndpoint: Hashable, Sendable {
  /// The Unix socket. Nothing listens on TCP.
  package let socketPath: String

  /// `unix://` and the socket's path, percent-encoded: the form that most Redis clients read.
  package var url: String { "unix://\(percentEncoded(socketPath))" }
}

extension RedisEndpoint {
  init(_ layout: StateLayout) { self.init(socketPath: layout.redisSocket) }
}
