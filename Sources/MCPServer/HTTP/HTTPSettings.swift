internal import Crypto

/// How the server is reached over HTTP, and by whom.
package struct HTTPSettings: Sendable {
  /// The address to listen on. Any other than a loopback address needs a token.
  package var host = "127.0.0.1"
  package var port = 3100
  /// Who may come in; without any, everyone who reaches the address.
  package var tokens: [BearerToken] = []
  /// Origins of web pages beyond those of this machine, as `https://host` or `https://host:port`, each exact.
  package var allowedOrigins: [String] = []
  /// Values of `Host` beyond those of this machine, as `host` or `host:port`, each exact. Where none is given and a
  /// token is needed, any host is taken: a page that rebinds a name has no token.
  package var allowedHosts: [String] = []
  /// Where tokens come from, as URLs; with any, the metadata of RFC 9728 is served and named in refusals.
  package var authorizationServers: [String] = []
  /// The URL under which clients reach the server, without a path, where it is not what their `Host` says: behind a
  /// proxy, for instance.
  package var publicURL: String?

  /// Bytes of a request's body.
  package var maximumBody = 4 << 20
  /// Requests that are worked on at once, for all clients; more are answered with 503.
  package var maximumRequests = 512
  /// Sessions of the older revisions; the one longest unused goes first.
  package var maximumSessions = 1_000
  package var sessionIdleTime = Duration.seconds(30 * 60)
  /// Event streams that are open at once.
  package var maximumStreams = 2_048
  package var maximumConnections = 4_096
  /// How long a connection may take to send its next request, and a request to arrive in full.
  package var readTime = Duration.seconds(60)
  /// How often an event stream says that it is alive; proxies give up after 30 seconds and more.
  package var keepAlive = Duration.seconds(15)
  /// How long a call may take before its answer becomes an event stream, whose end the client can notice.
  package var patience = Duration.milliseconds(250)

  package init() {}

  /// Why the settings are refused.
  package struct Refusal: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Throws: `Refusal` where others could reach the server without a token.
  package func check() throws(Refusal) {
    guard Self.isLoopback(host) || !tokens.isEmpty else {
      throw Refusal(
        description: "will not listen on \(host): everyone who reaches the address could read and write the records, "
          + "since no token is set; nothing was started; set a token, or listen on 127.0.0.1")
    }
  }

  /// Whether an address or name is this machine's own and nobody else's. `0.0.0.0` is not.
  static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" || host == "::1" || host == "[::1]" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { part in
        (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { 0x30...0x39 ~= $0 } && UInt8(part) != nil
      }
  }
}

/// A token that lets a client in, of which only the SHA-256 is kept.
package struct BearerToken: Hashable, Sendable {
  package enum Scope: String, Sendable {
    /// Resources, prompts and tools that change nothing.
    case read
    /// Everything.
    case write
  }

  private let digest: [UInt8]
  let scope: Scope

  /// Keeps the hash of a token as the client sends it.
  package init(token: String, scope: Scope = .write) {
    digest = Array(SHA256.hash(data: Array(token.utf8)))
    self.scope = scope
  }

  /// Takes a hash of 64 hexadecimal digits, so that a configuration need not hold the token. Nil for other text.
  package init?(sha256 hex: String, scope: Scope = .write) {
    let digits = hex.utf8.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 ? $0 - 0x30 : ($0 | 0x20) &- 0x57 }
    guard digits.count == 64, hex.utf8.allSatisfy({ Self.isHexadecimal($0) }) else { return nil }
    digest = stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    self.scope = scope
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || 0x41...0x46 ~= byte || 0x61...0x66 ~= byte
  }

  /// The token that equals the one presented. Every one is compared, and every byte, so the time tells nothing.
  static func match(_ presented: String, in tokens: [BearerToken]) -> BearerToken? {
    let digest = Array(SHA256.hash(data: Array(presented.utf8)))
    var found: BearerToken?
    for token in tokens {
      var difference: UInt8 = 0
      for (left, right) in zip(token.digest, digest) { difference |= left ^ right }
      if difference == 0 { found = token }
    }
    return found
  }
}
