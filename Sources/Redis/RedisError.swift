/// An error of the server, of hiredis, or of a call that could not be made.
///
/// Neither description holds arguments of the command or a password; both name the command only.
package struct RedisError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, as a caller would branch on it.
  package var code: Code
  /// What was being done: `connecting to redis://…`, `GET`.
  package var operation: String
  /// The server's or hiredis's message.
  package var message: String

  package init(_ code: Code, operation: String, message: String) {
    (self.code, self.operation, self.message) = (code, operation, message)
  }

  /// A kind of failure. New kinds may be added: a `switch` over it needs a default.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private let name: String

    private init(_ name: StaticString) { self.name = "\(name)" }

    package var description: String { name }

    /// No connection could be made.
    package static let connectionFailed = Code("connection-failed")
    /// The connection broke. A command that was sent may or may not have been carried out.
    package static let connectionLost = Code("connection-lost")
    /// No answer in time. The command may or may not have been carried out.
    package static let timeout = Code("timeout")
    /// `NOAUTH`, `WRONGPASS` and the like.
    package static let authenticationFailed = Code("authentication-failed")
    /// Any other error that the server answered; `message` begins with its kind, such as `WRONGTYPE`.
    package static let server = Code("server")
    /// The answer is not RESP.
    package static let protocolViolation = Code("protocol-violation")
    /// The server's `maxmemory` is reached (`OOM`), or this process is out of memory.
    package static let outOfMemory = Code("out-of-memory")
    /// Something that this client does not do, such as TLS.
    package static let unsupported = Code("unsupported")
    /// A URL or an argument that cannot be used.
    package static let invalidParameter = Code("invalid-parameter")
    /// The client has been closed.
    package static let closed = Code("closed")
  }

  /// True if the same command may succeed later. What was sent before a connection broke may have been carried out.
  package var isTransient: Bool {
    [.connectionFailed, .connectionLost, .timeout, .outOfMemory].contains(code)
      || code == .server && ["LOADING ", "BUSY ", "TRYAGAIN ", "MASTERDOWN "].contains { message.hasPrefix($0) }
  }

  package var description: String { "\(operation): \(message)" }
}
