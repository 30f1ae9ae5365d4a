internal import Records

/// The few JSON Schema forms that the tools use, written short: they are part of every client's context.
enum JSONSchema {
  /// An object that has these members and no other; all are required unless `required` names fewer.
  static func object(_ members: [(name: String, value: JSONValue)], required: [String]? = nil) -> JSONValue {
    let names = required ?? members.map(\.name)
    var schema: [JSONValue.Member] = [
      .init("type", "object"),
      .init("properties", .object(members.map { .init(JSONString($0.name), $0.value) })),
    ]
    if !names.isEmpty { schema.append(.init("required", .array(names.map { .string($0) }))) }
    schema.append(.init("additionalProperties", false))
    return .object(schema)
  }

  /// Any object, its members free.
  static let anyObject: JSONValue = ["type": "object"]

  static func array(_ items: JSONValue) -> JSONValue {
    ["type": "array", "items": items]
  }

  static let string: JSONValue = ["type": "string"]
  static let integer: JSONValue = ["type": "integer"]
  static let bool: JSONValue = ["type": "boolean"]
  static let optionalString: JSONValue = ["type": ["string", "null"]]
  static let optionalInteger: JSONValue = ["type": ["integer", "null"]]

  static func string(_ description: String) -> JSONValue {
    ["type": "string", "description": .string(description)]
  }
}
