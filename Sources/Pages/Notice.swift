internal import Persistence

/// Why something is missing, and what to do about it.
struct Notice {
  let message: String
  let hint: String?

  init(_ problem: ErrorOutline) { (message, hint) = (problem.message, problem.hint) }

  init(_ message: String, hint: String? = nil) { (self.message, self.hint) = (message, hint) }

  var html: HTML {
    h("div", ["class": "notice", "role": "status"]) {
      h("p") {
        "⚠ "
        Notice.sentence(message)
      }
      if let hint { h("p", ["class": "soft"]) { Notice.sentence(hint) } }
    }
  }

  /// With a capital and a full stop; what stands between backquotes is a command.
  private static func sentence(_ text: String) -> HTML {
    guard let first = text.first else { return .empty }
    let whole = "\(first.uppercased())\(text.dropFirst())\(text.hasSuffix(".") ? "" : ".")"
    let parts = whole.split(separator: "`", omittingEmptySubsequences: false)
    guard parts.count.isMultiple(of: 2) == false else { return .text(whole) }
    return HTML.Builder.buildArray(
      parts.enumerated().map { index, part in
        index.isMultiple(of: 2) ? .text(String(part)) : h("code") { String(part) }
      })
  }
}
