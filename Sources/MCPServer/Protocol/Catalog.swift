internal import Records

/// What an offering offers for as long as it runs, with its wire form at hand.
///
/// Tools, prompts and templates are read once: lists that clients keep must not depend on the connection or the
/// moment. Each is sorted by name in byte order, which is what pages count on.
struct Catalog: Sendable {
  struct Entry<Value: Sendable>: Sendable {
    let name: String
    let value: Value
    let bytes: [UInt8]
  }

  let tools: [Entry<Tool>]
  let prompts: [Entry<Prompt>]
  let templates: [Entry<ResourceTemplate>]
  let hasCompletions: Bool
  private let toolPositions: [JSONString: Int]
  private let promptPositions: [JSONString: Int]

  init(_ offering: any Offering) {
    tools = Self.sorted(offering.tools, by: \.name, Rendering.tool)
    prompts = Self.sorted(offering.prompts, by: \.name, Rendering.prompt)
    templates = Self.sorted(offering.resourceTemplates, by: \.uriTemplate, Rendering.template)
    hasCompletions = !templates.isEmpty || prompts.contains { !$0.value.arguments.isEmpty }
    toolPositions = Self.positions(tools)
    promptPositions = Self.positions(prompts)
  }

  func tool(_ name: JSONString) -> Tool? { toolPositions[name].map { tools[$0].value } }
  func prompt(_ name: JSONString) -> Prompt? { promptPositions[name].map { prompts[$0].value } }
  func template(_ uri: JSONString) -> ResourceTemplate? {
    templates.first { JSONString($0.name) == uri }?.value
  }

  private static func sorted<Value>(
    _ values: [Value], by name: (Value) -> String, _ render: (Value) -> JSONValue
  ) -> [Entry<Value>] {
    values.map { Entry(name: name($0), value: $0, bytes: render($0).serialized()) }
      .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  private static func positions<Value>(_ entries: [Entry<Value>]) -> [JSONString: Int] {
    Dictionary(entries.enumerated().map { (JSONString($1.name), $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The capabilities to advertise: each one works, and what is not advertised is not there.
  ///
  /// The newest revision has deprecated the capability of logging, and asks with each request for what it wants logged.
  func capabilities(_ revision: Revision) -> JSONValue {
    var members = [JSONValue.Member("resources", ["subscribe": true, "listChanged": true])]
    if !tools.isEmpty { members.append(JSONValue.Member("tools", .emptyObject)) }
    if !prompts.isEmpty { members.append(JSONValue.Member("prompts", .emptyObject)) }
    if hasCompletions { members.append(JSONValue.Member("completions", .emptyObject)) }
    if !revision.isModern { members.append(JSONValue.Member("logging", .emptyObject)) }
    return .object(members)
  }

  func offers(_ method: Method) -> Bool {
    switch method {
    case .listTools, .callTool: !tools.isEmpty
    case .listPrompts, .getPrompt: !prompts.isEmpty
    case .complete: hasCompletions
    default: true
    }
  }
}
