/// A JSON value that keeps what the text said: number spellings, the order of members, duplicate keys, lone surrogates.
///
/// Values that come from `parse` are at most 512 levels deep, so every recursive walk of one is bounded.
package indirect enum JSONValue: Hashable, Sendable {
  /// A key and its value.
  package struct Member: Hashable, Sendable {
    package var key: JSONString
    package var value: JSONValue

    package init(_ key: JSONString, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(JSONString)
  case array([JSONValue])
  /// The members as written, duplicates included.
  case object([Member])

  /// The deepest nesting that any reader of this module accepts.
  package static let maximumDepth = 512

  package static let emptyObject = JSONValue.object([])

  package static func string(_ text: String) -> JSONValue {
    .string(JSONString(text))
  }

  package static func integer(_ value: Int) -> JSONValue {
    .number(JSONNumber(value))
  }

  /// The value of the last member with this key, as jsonb would keep it; nil for other values.
  package subscript(key: JSONString) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  /// The text of a string without lone surrogates; nil for other values.
  package var text: String? {
    guard case .string(let string) = self else { return nil }
    return string.text
  }

  /// The integer that a number spells; nil for other values.
  package var integer: Int? {
    guard case .number(let number) = self else { return nil }
    return number.integer
  }

  package var isEmptyObject: Bool {
    guard case .object(let members) = self else { return false }
    return members.isEmpty
  }

  /// A key that some object of the value holds twice; nil where none does.
  package var duplicateKey: JSONString? {
    switch self {
    case .array(let elements):
      for element in elements {
        if let key = element.duplicateKey { return key }
      }
    case .object(let members):
      if let key = Self.firstRepeated(in: members) { return key }
      for member in members {
        if let key = member.value.duplicateKey { return key }
      }
    case .null, .bool, .number, .string: break
    }
    return nil
  }

  private static func firstRepeated(in members: [Member]) -> JSONString? {
    // Comparing pairs is cheaper than a set for the few members that metadata has.
    if members.count > 16 {
      var seen: Set<JSONString> = []
      for member in members where !seen.insert(member.key).inserted { return member.key }
      return nil
    }
    for index in members.indices.dropFirst() {
      for earlier in 0..<index where members[earlier].key == members[index].key { return members[index].key }
    }
    return nil
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  package init(stringLiteral value: String) { self = .string(JSONString(value)) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(nilLiteral: ()) { self = .null }

  package init(dictionaryLiteral elements: (JSONString, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}
