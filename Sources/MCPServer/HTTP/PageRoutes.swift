internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore

/// Serves pages with the checks and limits that `/mcp` has.
struct PageRoutes: Sendable {
  private let pages: [HTTPPage]
  private let guardian: RequestGuard
  private let requests: Counter

  init(_ pages: [HTTPPage], settings: HTTPSettings) {
    self.pages = pages
    guardian = RequestGuard(settings, metadataPath: MCPRoutes.metadataPath)
    // A page may ask the database: a crowd of readers must not take it from those who work with it.
    requests = Counter(maximum: min(32, settings.maximumRequests))
  }

  func add<Context: RequestContext>(to router: Router<Context>) {
    for page in pages {
      for method: HTTPRequest.Method in [.get, .head, .post, .put, .patch, .delete, .options] {
        router.on(RouterPath(page.path), method: method) { request, context in
          var pageRequest = PageRequest()
          for (name, value) in context.parameters { pageRequest.parameters[String(name)] = String(value) }
          pageRequest.query = Self.query(request.head.path ?? "")
          var response = await respond(page, request.head, pageRequest)
          response.headers[.contentTypeOptions] = "nosniff"
          response.headers[.referrerPolicy] = "no-referrer"
          response.headers[.cacheControl] = "no-store"
          if request.method == .head { response.body = .init() }
          return response
        }
      }
    }
  }

  private func respond(_ page: HTTPPage, _ head: HTTPRequest, _ request: PageRequest) async -> Response {
    do throws(RequestGuard.Refusal) {
      try guardian.checkOrigin(head)
      guard head.method == .get || head.method == .head else {
        throw RequestGuard.Refusal(
          status: .methodNotAllowed, reason: "the page can only be read", headers: [.allow: "GET, HEAD"])
      }
      if case .guarded = page.access { _ = try guardian.authenticate(head, allowsBasic: true) }
      guard requests.begin() else {
        throw RequestGuard.Refusal(
          status: .serviceUnavailable, reason: "too many pages are being made", headers: [.retryAfter: "1"])
      }
    } catch {
      return Self.response(.text("\(error.reason)\n", status: error.status.code), headers: error.headers)
    }
    defer { requests.end() }
    return Self.response(await page.respond(request))
  }

  private static func response(_ answer: PageAnswer, headers: HTTPFields = .init()) -> Response {
    var headers = headers
    headers[.contentType] = answer.contentType
    headers[.contentSecurityPolicy] = answer.contentSecurityPolicy
    return Response(
      status: .init(code: answer.status), headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
  }

  /// The pairs of a query, as forms send them: `+` is a space, and what is no UTF-8 gets the replacement character.
  private static func query(_ target: String) -> [(name: String, value: String)] {
    guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return [] }
    return target.utf8[target.utf8.index(after: mark)...].split(separator: UInt8(ascii: "&")).map { pair in
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      return (decoded(parts[0]), parts.count == 2 ? decoded(parts[1]) : "")
    }
  }

  private static func decoded(_ text: Substring.UTF8View) -> String {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(hexadecimal),
        let low = rest.dropFirst().first.flatMap(hexadecimal)
      {
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
