internal import Crypto
internal import FoundationEssentials
internal import Persistence
package import Records

/// What every document has around its content.
package struct PageFrame: Sendable {
  /// The pages of the server; a report is none of them.
  package enum Tab: String, CaseIterable, Sendable {
    case overview = "/"
    case decisions = "/decisions"
    case log = "/log"
    case runs = "/runs"

    var title: String {
      switch self {
      case .overview: "Overview"
      case .decisions: "Decisions"
      case .log: "Log"
      case .runs: "Runs"
      }
    }
  }

  package let agent: Agent
  /// Where the page belongs; nil for a document that stands alone and has no links to others.
  package let tab: Tab?
  package let now: Instant

  package init(agent: Agent, tab: Tab?, now: Instant) {
    (self.agent, self.tab, self.now) = (agent, tab, now)
  }

  /// Whether links to other pages lead anywhere.
  var isLive: Bool { tab != nil }

  /// For the server's header: the one style sheet may apply, forms may be sent here, and nothing may load or run.
  package static let contentSecurityPolicy =
    "\(policy); form-action 'self'; frame-ancestors 'none'"

  /// What a document says of itself too, so that a saved report keeps the promise without a server.
  private static let policy: String = {
    let digest = Data(SHA256.hash(data: Array("\(StyleSheet.text)".utf8))).base64EncodedString()
    return "default-src 'none'; style-src 'sha256-\(digest)'; img-src data:; base-uri 'none'"
  }()

  package func document(title: String, @HTML.Builder content: () -> HTML) -> String {
    let head = h("meta", ["charset": "utf-8"]).joined {
      h("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
      h("meta", ["http-equiv": "Content-Security-Policy", "content": "\(PageFrame.policy); form-action 'self'"])
      h("meta", ["name": "color-scheme", "content": "light dark"])
      h("link", ["rel": "icon", "href": "data:,"])
      h("title") { "\(title) · \(agent.name) · moha-sync" }
    }
    let body = h("a", ["class": "skip", "href": "#content"]) { "Skip to the content" }.joined {
      h("header", ["class": "bar"]) {
        h("div", ["class": "wrap"]) {
          h("div", ["class": "name"]) {
            "moha-sync "
            h("span") { agent.name }
          }
          if isLive { navigation }
        }
      }
      h("main", ["id": "content", "class": "wrap", "tabindex": "-1"], content: content)
      h("footer", ["class": "wrap"]) {
        "Times are UTC. Made "
        time(now)
        isLive ? ". Reload for the present state." : "."
      }
    }
    return HTML.document(language: "en", head: head, styleSheet: StyleSheet.text, body: body)
  }

  private var navigation: HTML {
    h("nav", ["aria-label": "Pages"]) {
      h("ul") {
        for tab in Tab.allCases {
          h("li") {
            h("a", ["href": tab.rawValue, "aria-current": tab == self.tab ? "page" : nil]) { tab.title }
          }
        }
      }
    }
  }

  /// A moment, and how long ago it was.
  func moment(_ instant: Instant?) -> HTML {
    guard let instant else { return .text("–") }
    return time(instant).joined {
      " "
      h("span", ["class": "soft"]) { "(\(PageFrame.relative(instant, to: now)))" }
    }
  }

  func time(_ instant: Instant) -> HTML {
    h("time", ["datetime": instant.description]) { instant.secondText }
  }

  static func relative(_ instant: Instant, to now: Instant) -> String {
    let seconds = (now.microseconds - instant.microseconds) / 1_000_000
    let units: [(Int64, String)] = [
      (31_556_952, "year"), (2_629_746, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"),
    ]
    for (length, name) in units where abs(seconds) >= length {
      let count = abs(seconds) / length
      let words = "\(count) \(name)\(count == 1 ? "" : "s")"
      return seconds < 0 ? "in \(words)" : "\(words) ago"
    }
    return seconds < 0 ? "in a moment" : "just now"
  }
}

extension HTML {
  /// This markup, and what follows it.
  func joined(@Builder _ rest: () -> HTML) -> HTML { Builder.buildBlock(self, rest()) }
}
