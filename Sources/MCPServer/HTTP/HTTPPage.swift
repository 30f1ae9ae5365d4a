/// A document that the server gives beside `/mcp`: a page, metrics, a state.
///
/// Pages only read. They are answered to GET and HEAD, and the checks of `Host`, `Origin` and token are those of
/// `/mcp`; a browser, which cannot send `Authorization: Bearer` by itself, may give the token as the password of basic
/// authentication.
package struct HTTPPage: Sendable {
  /// Who may read it.
  package enum Access: Sendable {
    /// Whoever may read the records.
    case guarded
    /// Everyone who reaches the server, as for the probes of a supervisor: nothing of the records may be in it.
    case open
  }

  /// The path, with names in braces: `/decisions/{file}`.
  package let path: String
  package let access: Access
  let respond: @Sendable (PageRequest) async -> PageAnswer

  /// - Parameter respond: called on no particular thread, many times at once; must come to an end by itself.
  package init(
    _ path: String, access: Access = .guarded, respond: @escaping @Sendable (PageRequest) async -> PageAnswer
  ) {
    (self.path, self.access, self.respond) = (path, access, respond)
  }
}

/// What a page is asked for. All text is percent-decoded, and hostile.
package struct PageRequest: Sendable {
  /// The values of the names in the page's path.
  package var parameters: [String: String] = [:]
  /// The names and values of the query, in order.
  package var query: [(name: String, value: String)] = []

  package init() {}

  /// The first value of a name in the query that is not empty.
  package subscript(name: String) -> String? {
    query.first { $0.name == name && !$0.value.isEmpty }?.value
  }
}

/// The answer to a request for a page.
package struct PageAnswer: Sendable {
  /// The HTTP status, 200 to 599.
  package var status: Int
  package var contentType: String
  package var body: [UInt8]
  /// The `Content-Security-Policy`; nothing may be loaded or run unless it says so.
  package var contentSecurityPolicy: String

  package init(
    status: Int = 200, contentType: String, body: [UInt8],
    contentSecurityPolicy: String = "default-src 'none'; frame-ancestors 'none'"
  ) {
    (self.status, self.contentType, self.body) = (status, contentType, body)
    self.contentSecurityPolicy = contentSecurityPolicy
  }

  package static func text(_ text: String, status: Int = 200) -> PageAnswer {
    PageAnswer(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
  }

  /// A document, which gets a line feed at its end.
  package static func json(_ text: String, status: Int = 200) -> PageAnswer {
    PageAnswer(status: status, contentType: "application/json; charset=utf-8", body: Array("\(text)\n".utf8))
  }
}
