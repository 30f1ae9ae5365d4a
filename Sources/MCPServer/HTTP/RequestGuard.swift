internal import HTTPTypes
internal import HummingbirdCore

/// Decides, before anything of a request is read, whether it may be answered: where it comes from, what it is meant
/// for, and who sends it.
struct RequestGuard: Sendable {
  /// Why a request is refused.
  struct Refusal: Error {
    let status: HTTPResponse.Status
    let reason: String
    var headers = HTTPFields()
  }

  private let settings: HTTPSettings
  private let allowedOrigins: Set<String>
  private let allowedHosts: Set<String>
  private let metadataPath: String

  init(_ settings: HTTPSettings, metadataPath: String) {
    self.settings = settings
    self.metadataPath = metadataPath
    allowedOrigins = Set(settings.allowedOrigins.map { $0.lowercased() })
    allowedHosts = Set(settings.allowedHosts.map { $0.lowercased() })
  }

  /// Refuses pages of other sites, and names that were bound to this address to look like it.
  func checkOrigin(_ head: HTTPRequest) throws(Refusal) {
    guard head.headerFields[values: .hostName].isEmpty else {
      throw Refusal(status: .badRequest, reason: "the header Host occurs twice")
    }
    guard let authority = head.authority, isAllowedHost(authority) else {
      throw Refusal(status: .forbidden, reason: "the header Host names no address of this server")
    }
    let origins = head.headerFields[values: .origin]
    guard origins.count <= 1 else { throw Refusal(status: .forbidden, reason: "the header Origin occurs twice") }
    if let origin = origins.first, !isAllowedOrigin(origin) {
      throw Refusal(status: .forbidden, reason: "pages of this origin may not call the server")
    }
  }

  /// Whether a page of the origin may read answers. An origin is scheme, host and port and nothing else, so any other
  /// character, as of user information, makes it another one.
  func isAllowedOrigin(_ origin: String) -> Bool {
    let origin = origin.lowercased()
    if allowedOrigins.contains(origin) { return true }
    for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
      return Self.isOwn(String(origin.dropFirst(scheme.count)))
    }
    return false
  }

  private func isAllowedHost(_ authority: String) -> Bool {
    let authority = authority.lowercased()
    if Self.isOwn(authority) || allowedHosts.contains(authority) { return true }
    return allowedHosts.isEmpty && !settings.tokens.isEmpty && !HTTPSettings.isLoopback(settings.host)
  }

  /// Whether an authority is this machine's loopback address, with any port or none.
  private static func isOwn(_ authority: String) -> Bool {
    var host = Substring(authority)
    if let bracket = authority.lastIndex(of: "]") {
      host = authority[...bracket]
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
    }
    let rest = authority[host.endIndex...]
    let hasPort =
      rest.first == ":" && (1...5).contains(rest.utf8.count - 1)
      && rest.utf8.dropFirst().allSatisfy { 0x30...0x39 ~= $0 }
    return (rest.isEmpty || hasPort) && host != "::1" && HTTPSettings.isLoopback(String(host))
  }

  /// The token that a request carries; nil where none is needed.
  ///
  /// - Parameter allowsBasic: whether the token may also be the password of basic authentication, for browsers.
  /// - Throws: 401 where it is missing, wrong or in a place where logs would keep it.
  func authenticate(_ head: HTTPRequest, allowsBasic: Bool = false) throws(Refusal) -> BearerToken? {
    guard !settings.tokens.isEmpty else { return nil }
    guard !Self.queryHoldsToken(head.path ?? "") else {
      throw unauthorized(head, "a token belongs into the header Authorization, never into the address", allowsBasic)
    }
    let values = head.headerFields[values: .authorization]
    guard values.count == 1, let value = values.first else {
      throw unauthorized(head, "one header `Authorization: Bearer` is needed", allowsBasic, error: nil)
    }
    let parts = value.split(separator: " ", maxSplits: 1)
    var presented: String?
    if parts.count == 2 {
      switch parts[0].lowercased() {
      case "bearer": presented = parts[1].trimmingSpace
      case "basic" where allowsBasic: presented = Self.password(basic: parts[1].trimmingSpace)
      default: break
      }
    }
    guard let presented, let token = BearerToken.match(presented, in: settings.tokens) else {
      throw unauthorized(head, "the token is not valid", allowsBasic)
    }
    return token
  }

  /// The password of basic authentication (RFC 7617), whatever the user's name.
  private static func password(basic credentials: String) -> String? {
    guard let bytes = Base64.decode(credentials), let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return String(decoding: bytes[(colon + 1)...], as: UTF8.self)
  }

  private static func queryHoldsToken(_ path: String) -> Bool {
    guard let mark = path.firstIndex(of: "?") else { return false }
    return path[mark...].dropFirst().split(separator: "&").contains { pair in
      let name = pair.prefix { $0 != "=" }.lowercased()
      return name == "access_token" || name == "token"
    }
  }

  /// The URL of the server as the client sees it, without a path.
  func base(_ head: HTTPRequest) -> String {
    settings.publicURL ?? "http://\(head.authority ?? settings.host)"
  }

  private func unauthorized(
    _ head: HTTPRequest, _ reason: String, _ allowsBasic: Bool, error: String? = "invalid_token"
  ) -> Refusal {
    var challenge = ["realm=\"moha-sync\""]
    if let error { challenge.append("error=\"\(error)\"") }
    if !settings.authorizationServers.isEmpty {
      challenge.append("resource_metadata=\"\(base(head))\(metadataPath)\"")
    }
    var headers: HTTPFields = [.wwwAuthenticate: "Bearer \(challenge.joined(separator: ", "))"]
    // Asked so, a browser shows its own form for a name and a password.
    if allowsBasic {
      headers.append(HTTPField(name: .wwwAuthenticate, value: "Basic realm=\"moha-sync\", charset=\"UTF-8\""))
    }
    return Refusal(status: .unauthorized, reason: reason, headers: headers)
  }

  /// The refusal of a call that needs more than the token allows.
  static func insufficient(_ scope: BearerToken.Scope) -> Refusal {
    Refusal(
      status: .forbidden, reason: "the token does not allow calls that change records",
      headers: [.wwwAuthenticate: "Bearer error=\"insufficient_scope\", scope=\"\(scope.rawValue)\""])
  }
}

extension StringProtocol {
  /// The text without spaces and tabs at its ends: the optional white space of a header's value.
  var trimmingSpace: String {
    var bytes = Substring(self).utf8[...]
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension HTTPField.Name {
  private static func named(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no name of a header") }
    return name
  }

  static let hostName = named("Host")
  static let sessionID = named("Mcp-Session-Id")
  static let protocolVersion = named("MCP-Protocol-Version")
  static let mcpMethod = named("Mcp-Method")
  static let mcpName = named("Mcp-Name")
  static let lastEventID = named("Last-Event-ID")
  static let accelBuffering = named("X-Accel-Buffering")
  static let contentTypeOptions = named("X-Content-Type-Options")
  static let referrerPolicy = named("Referrer-Policy")
}
