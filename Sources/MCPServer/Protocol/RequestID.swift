internal import Records

/// The id of a request: a string, or an integer in the spelling that it came in, so that an answer echoes it exactly.
///
/// `7` and `"7"` are two ids. A number with a point or an exponent is none, whatever its value.
enum RequestID: Hashable, Sendable {
  case string(JSONString)
  /// The digits, of any length: an id beyond 64 bits is echoed as it came.
  case integer(String)

  /// Longer ids are refused, since each is held and echoed.
  static let maximumLength = 256

  /// Nil for null, a fraction, a boolean, a structure, a lone surrogate and what is too long.
  init?(_ value: JSONValue) {
    switch value {
    case .string(let string):
      guard let text = string.text, text.utf8.count <= Self.maximumLength else { return nil }
      self = .string(string)
    case .number(let number):
      let digits = number.spelling.utf8.drop { $0 == 0x2D }
      guard digits.count <= Self.maximumLength, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
      self = .integer(number.spelling)
    case .null, .bool, .array, .object: return nil
    }
  }

  var value: JSONValue {
    switch self {
    case .string(let string): .string(string)
    case .integer(let spelling): JSONNumber(spelling).map(JSONValue.number) ?? .null
    }
  }
}
