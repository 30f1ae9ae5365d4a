internal import Records

/// The wire forms of what an offering gives. Each is valid in every revision unless it takes one.
enum Rendering {
  typealias Member = JSONValue.Member

  static func tool(_ tool: Tool) -> JSONValue {
    var members = [
      Member("name", .string(tool.name)), Member("title", .string(tool.title)),
      Member("description", .string(tool.description)), Member("inputSchema", tool.inputSchema),
    ]
    if let schema = tool.outputSchema { members.append(Member("outputSchema", schema)) }
    let hints = tool.annotations
    members.append(
      Member(
        "annotations",
        [
          "readOnlyHint": .bool(hints.isReadOnly), "destructiveHint": .bool(hints.isDestructive),
          "idempotentHint": .bool(hints.isIdempotent), "openWorldHint": .bool(hints.isOpenWorld),
        ]))
    return .object(members)
  }

  static func resource(_ resource: Resource) -> JSONValue {
    .object(members(of: resource))
  }

  private static func members(of resource: Resource) -> [Member] {
    var members = [Member("uri", .string(resource.uri)), Member("name", .string(resource.name))]
    members.append("title", resource.title)
    members.append("description", resource.description)
    members.append("mimeType", resource.mimeType)
    if let size = resource.size { members.append(Member("size", .integer(size))) }
    return members
  }

  static func template(_ template: ResourceTemplate) -> JSONValue {
    var members = [Member("uriTemplate", .string(template.uriTemplate)), Member("name", .string(template.name))]
    members.append("title", template.title)
    members.append("description", template.description)
    members.append("mimeType", template.mimeType)
    return .object(members)
  }

  static func prompt(_ prompt: Prompt) -> JSONValue {
    let arguments = prompt.arguments.map { argument -> JSONValue in
      [
        "name": .string(argument.name), "description": .string(argument.description),
        "required": .bool(argument.isRequired),
      ]
    }
    return [
      "name": .string(prompt.name), "title": .string(prompt.title), "description": .string(prompt.description),
      "arguments": .array(arguments),
    ]
  }

  static func contents(_ contents: ResourceContents) -> JSONValue {
    var members = [Member("uri", .string(contents.uri))]
    members.append("mimeType", contents.mimeType)
    switch contents.body {
    case .text(let text): members.append(Member("text", .string(text)))
    case .blob(let bytes): members.append(Member("blob", .string(Base64.encode(bytes))))
    }
    return .object(members)
  }

  static func content(_ content: Content, _ revision: Revision) -> JSONValue {
    switch content {
    case .text(let text): return ["type": "text", "text": .string(text)]
    case .image(let bytes, let mimeType):
      return ["type": "image", "data": .string(Base64.encode(bytes)), "mimeType": .string(mimeType)]
    case .audio(let bytes, let mimeType):
      return ["type": "audio", "data": .string(Base64.encode(bytes)), "mimeType": .string(mimeType)]
    case .resource(let contents): return ["type": "resource", "resource": Self.contents(contents)]
    case .resourceLink(let resource):
      // The oldest revision knows no links.
      guard revision >= .june2025 else { return ["type": "text", "text": .string(resource.uri)] }
      return .object([Member("type", "resource_link")] + members(of: resource))
    }
  }

  static func toolResult(_ result: ToolResult, _ revision: Revision) -> JSONValue {
    var members = [Member("content", .array(result.content.map { content($0, revision) }))]
    // What an error carries need not fit the tool's output schema, and clients check what they are given.
    if let structured = result.structured, !result.isError {
      if case .object = structured {
        members.append(Member("structuredContent", structured))
      } else if revision.isModern {
        members.append(Member("structuredContent", structured))
      }
    }
    members.append(Member("isError", .bool(result.isError)))
    return .object(members)
  }

  static func promptResult(_ result: PromptResult, _ revision: Revision) -> JSONValue {
    var members: [Member] = []
    members.append("description", result.description)
    let messages = result.messages.map { message -> JSONValue in
      ["role": .string(message.role.rawValue), "content": content(message.content, revision)]
    }
    members.append(Member("messages", .array(messages)))
    return .object(members)
  }

  static func completion(_ completion: Completion) -> JSONValue {
    let values = completion.values.prefix(100).map { JSONValue.string($0) }
    var members = [Member("values", .array(values))]
    if let total = completion.total { members.append(Member("total", .integer(total))) }
    members.append(Member("hasMore", .bool(completion.hasMore || completion.values.count > values.count)))
    return ["completion": .object(members)]
  }

  static func implementation(_ server: ServerIdentity) -> JSONValue {
    ["name": .string(server.name), "title": .string(server.title), "version": .string(server.version)]
  }

  /// A number in the spelling that JSON has for it: whole ones without a point. Nil for what JSON cannot say.
  static func number(_ value: Double) -> JSONValue? {
    guard value.isFinite else { return nil }
    if value.rounded() == value, value.magnitude < 9e15 { return .integer(Int(value)) }
    return JSONNumber("\(value)").map(JSONValue.number)
  }
}

extension [JSONValue.Member] {
  /// Appends a text that is there.
  fileprivate mutating func append(_ key: JSONString, _ text: String?) {
    if let text { append(JSONValue.Member(key, .string(text))) }
  }
}
