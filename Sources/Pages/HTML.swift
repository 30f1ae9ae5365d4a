internal import Records

/// Markup that is escaped by construction.
///
/// Names of elements and attributes are literals of this program; every text and every attribute's value goes through
/// `escaped`, so no text of a record can become markup. There is no way to put markup in as a string.
package struct HTML: Sendable {
  package private(set) var markup: String

  package static let empty = HTML(markup: "")

  private init(markup: String) { self.markup = markup }

  package static func text(_ text: String) -> HTML { HTML(markup: escaped(text)) }

  /// - Parameter attributes: those whose value is nil are left out, and an empty value is that of a flag.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:],
    @Builder content: () -> HTML = { .empty }
  ) -> HTML {
    var markup = "<\(name)"
    for (key, value) in attributes {
      guard let value else { continue }
      markup += value.isEmpty ? " \(key)" : " \(key)=\"\(escaped(value))\""
    }
    switch "\(name)" {
    case "meta", "link", "input": return HTML(markup: markup + ">")
    // Of SVG, where an element that is not closed holds all that follows.
    case "path", "rect": return HTML(markup: markup + "/>")
    default: break
    }
    return HTML(markup: "\(markup)>\(content().markup)</\(name)>")
  }

  /// Markup side by side, without an element around it.
  static func group(@Builder content: () -> HTML) -> HTML { content() }

  /// A whole document, the style sheet in it.
  static func document(language: StaticString, head: HTML, styleSheet: StaticString, body: HTML) -> String {
    """
    <!doctype html>
    <html lang="\(language)"><head>\(head.markup)<style>\(styleSheet)</style></head>
    <body>\(body.markup)</body></html>

    """
  }

  /// Text as it may stand between tags and in a quoted value: what is hidden becomes visible, what is markup text.
  static func escaped(_ text: String) -> String {
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count + 16)
    for byte in VisibleText.text(text).utf8 {
      switch byte {
      case UInt8(ascii: "&"): output += "&amp;".utf8
      case UInt8(ascii: "<"): output += "&lt;".utf8
      case UInt8(ascii: ">"): output += "&gt;".utf8
      case UInt8(ascii: "\""): output += "&quot;".utf8
      case UInt8(ascii: "'"): output += "&#39;".utf8
      default: output.append(byte)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Joins what a closure lists: markup, and strings as text.
  @resultBuilder package enum Builder {
    package static func buildExpression(_ html: HTML) -> HTML { html }
    package static func buildExpression(_ text: String) -> HTML { .text(text) }
    package static func buildBlock(_ parts: HTML...) -> HTML { buildArray(parts) }
    package static func buildArray(_ parts: [HTML]) -> HTML { HTML(markup: parts.map(\.markup).joined()) }
    package static func buildOptional(_ part: HTML?) -> HTML { part ?? .empty }
    package static func buildEither(first: HTML) -> HTML { first }
    package static func buildEither(second: HTML) -> HTML { second }
  }
}

/// Short for `HTML.element`, since pages consist of it.
func h(
  _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:],
  @HTML.Builder content: () -> HTML = { .empty }
) -> HTML {
  HTML.element(name, attributes, content: content)
}
