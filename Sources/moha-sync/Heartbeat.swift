import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Persistence

/// Tells a monitoring service that a periodic job started, succeeded or failed.
///
/// `GET URL/start`, then `URL` or `URL/<exit code>`, as healthchecks.io and its like take them. A service that is away
/// costs a few seconds and never fails the job. The URL is a secret: whoever has it can say that all is well.
struct Heartbeat: Sendable {
  enum Event: Sendable {
    case start
    case end(Int32)
  }

  private let base: String
  private let query: String
  private static let connectLimit = TimeAmount.seconds(2)
  private static let limit = Duration.seconds(5)

  /// Nil for what is no http or https URL with a host.
  init?(_ url: String) {
    let scheme = ["http://", "https://"].first { url.lowercased().hasPrefix($0) }
    guard let scheme, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    let host = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !host.isEmpty, !host.hasPrefix(":"), !host.hasSuffix("@") else { return nil }
    let plain = url.prefix { $0 != "#" }
    let mark = plain.firstIndex(of: "?") ?? plain.endIndex
    var base = String(plain[..<mark])
    while base.hasSuffix("/") { base.removeLast() }
    self.base = base
    query = String(plain[mark...])
  }

  /// Whether the service took it.
  func send(_ event: Event) async -> Bool {
    let suffix =
      switch event {
      case .start: "/start"
      case .end(0): ""
      case .end(let status): "/\(status)"
      }
    let url = base + suffix + query
    // Looking up a name blocks a thread of its own and knows no limit.
    let ending = await Deadline.run(Heartbeat.limit, grace: .milliseconds(100)) { try await Heartbeat.get(url) }
    if case .returned(let isTaken) = ending { return isTaken }
    return false
  }

  private static func get(_ url: String) async throws -> Bool {
    // The URL is a secret: an answer shall not send it, or the exit code, to somebody else.
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout = .init(connect: connectLimit, read: .seconds(5))
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(5))
      try await client.shutdown()
      return (200..<300).contains(response.status.code)
    } catch {
      try await client.shutdown()
      throw error
    }
  }
}
