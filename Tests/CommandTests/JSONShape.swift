internal import Records
internal import Testing

/// A pattern for a JSON document: an example whose strings name types.
///
/// `"integer"`, `"number"`, `"boolean"`, `"text"`, `"id"` (40 hexadecimal digits), `"digest"` (hexadecimal), each with
/// a `?` where null is allowed, and words joined by `|` for one of these texts. An array's one element is the
/// pattern of all. Any other value must be equal. A document may have more members than the pattern.
struct JSONShape: ExpressibleByStringLiteral {
  private let pattern: JSONValue

  init(stringLiteral text: String) {
    do {
      pattern = try JSONValue.parse(Array(text.utf8))
    } catch {
      preconditionFailure("the pattern is no JSON: \(error)")
    }
  }

  /// What in `value` is not as the pattern says: path and reason; empty when all is.
  func violations(in value: JSONValue) -> [String] {
    Self.violations(in: value, pattern, at: "")
  }

  private static func violations(in value: JSONValue, _ pattern: JSONValue, at path: String) -> [String] {
    switch (pattern, value) {
    case (.object(let members), .object):
      return members.flatMap { member in
        let path = "\(path).\(member.key)"
        guard let found = value[member.key] else { return ["\(path) is missing"] }
        return violations(in: found, member.value, at: path)
      }
    case (.array(let patterns), .array(let elements)):
      guard let pattern = patterns.first else { return [] }
      return elements.indices.flatMap { violations(in: elements[$0], pattern, at: "\(path)[\($0)]") }
    case (.string, _):
      return isOfType(value, pattern.text ?? "") ? [] : ["\(path) is \(value), not \(pattern.text ?? "")"]
    default:
      return pattern == value ? [] : ["\(path) is \(value), not \(pattern)"]
    }
  }

  private static func isOfType(_ value: JSONValue, _ type: String) -> Bool {
    if type.hasSuffix("?") { return value == .null || isOfType(value, String(type.dropLast())) }
    switch type {
    case "integer": return value.integer != nil
    case "number": if case .number = value { return true } else { return false }
    case "boolean": if case .bool = value { return true } else { return false }
    case "text": return value.text?.isEmpty == false
    case "id": return isHex(value.text) && value.text?.count == 40
    case "digest": return isHex(value.text)
    default: return value.text.map { type.split(separator: "|").contains($0[...]) } ?? false
    }
  }

  private static func isHex(_ text: String?) -> Bool {
    guard let text, !text.isEmpty else { return false }
    return text.allSatisfy { $0.isHexDigit && !$0.isUppercase }
  }
}
