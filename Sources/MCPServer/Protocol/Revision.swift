/// The revisions of the protocol that are served, in the order of their age.
enum Revision: String, CaseIterable, Comparable, Sendable {
  case march2025 = "2025-03-26"
  case june2025 = "2025-06-18"
  case november2025 = "2025-11-25"
  case july2026 = "2026-07-28"

  /// Whether each request stands for itself: no handshake, no session.
  var isModern: Bool { self >= .july2026 }

  /// What an `initialize` for a revision that is not served is answered with. A revision without a handshake is not
  /// one that a handshake can agree on.
  static let newestLegacy = Revision.november2025

  static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }
}

/// The requests that clients may send.
enum Method: String, CaseIterable, Sendable {
  case initialize
  case ping
  case setLevel = "logging/setLevel"
  case subscribe = "resources/subscribe"
  case unsubscribe = "resources/unsubscribe"
  case listTools = "tools/list"
  case callTool = "tools/call"
  case listResources = "resources/list"
  case listTemplates = "resources/templates/list"
  case readResource = "resources/read"
  case listPrompts = "prompts/list"
  case getPrompt = "prompts/get"
  case complete = "completion/complete"
  case discover = "server/discover"
  case listen = "subscriptions/listen"

  private var isLegacyOnly: Bool {
    switch self {
    case .initialize, .ping, .setLevel, .subscribe, .unsubscribe: true
    default: false
    }
  }

  var isModernOnly: Bool { self == .discover || self == .listen }

  func exists(in revision: Revision) -> Bool {
    revision.isModern ? !isLegacyOnly : !isModernOnly
  }

  /// The parameter that the header `Mcp-Name` repeats.
  var namingParameter: String? {
    switch self {
    case .callTool, .getPrompt: "name"
    case .readResource: "uri"
    default: nil
    }
  }
}
