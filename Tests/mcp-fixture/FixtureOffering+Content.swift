internal import MCPServer
internal import Records
internal import Synchronization

extension FixtureOffering {
  var resourceTemplates: [ResourceTemplate] {
    [
      ResourceTemplate(
        uriTemplate: "test://template/{id}/data", name: "template-data", title: "Data of an id",
        description: "A resource with a parameter.", mimeType: "application/json")
    ]
  }

  func resources() async throws -> [Resource] {
    var resources = [
      Resource(
        uri: "test://static-binary", name: "static-binary", title: "Binary", description: "An image.",
        mimeType: "image/png", size: Self.pixel.count),
      Resource(
        uri: "test://static-text", name: "static-text", title: "Text", description: "A text.", mimeType: "text/plain"),
      Resource(
        uri: "test://watched-resource", name: "watched-resource", title: "Watched",
        description: "A text that test_touch changes.", mimeType: "text/plain"),
    ]
    resources += (0..<120).map { number in
      let digits = String(number)
      let name = "numbered-\(String(repeating: "0", count: 3 - digits.count))\(digits)"
      return Resource(uri: "test://\(name)", name: name, mimeType: "text/plain")
    }
    resources += state.withLock { $0.added }.map { Resource(uri: $0, name: $0) }
    return resources.sorted { $0.uri.utf8.lexicographicallyPrecedes($1.uri.utf8) }
  }

  func read(_ uri: String, context: CallContext) async throws -> [ResourceContents]? {
    func text(_ text: String, _ mimeType: String = "text/plain") -> [ResourceContents] {
      [ResourceContents(uri: uri, mimeType: mimeType, body: .text(text))]
    }
    switch JSONString(uri) {
    case "test://static-text": return text("This is the content of the static text resource.")
    case "test://static-binary":
      return [ResourceContents(uri: uri, mimeType: "image/png", body: .blob(Self.pixel))]
    case "test://watched-resource": return text("Watched resource content \(state.withLock { $0.watched })")
    default: break
    }
    if let id = templateID(uri) {
      let object: JSONValue = [
        "id": .string(id), "templateTest": true, "data": .string("Data for ID: \(id)"),
      ]
      return text(object.text(), "application/json")
    }
    let isListed = try await resources().contains { JSONString($0.uri) == JSONString(uri) }
    return isListed ? text("Content of \(uri)") : nil
  }

  /// The one variable of the template: letters, digits, `-` and `_`.
  private func templateID(_ uri: String) -> String? {
    guard uri.hasPrefix("test://template/"), uri.hasSuffix("/data") else { return nil }
    let id = uri.dropFirst("test://template/".count).dropLast("/data".count)
    let isPlain = id.utf8.allSatisfy {
      0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 || $0 == 0x2D || $0 == 0x5F
    }
    return isPlain && !id.isEmpty ? String(id) : nil
  }

  func isSubscribable(_ uri: String) async -> Bool {
    (try? await read(uri, context: CallContext())) != nil
  }

  var prompts: [Prompt] {
    let arguments = [
      Prompt.Argument(name: "arg1", description: "The first argument.", isRequired: true),
      Prompt.Argument(name: "arg2", description: "The second argument.", isRequired: true),
    ]
    let uri = [Prompt.Argument(name: "resourceUri", description: "The resource to embed.", isRequired: true)]
    return [
      Prompt(name: "test_simple_prompt", title: "Simple", description: "A prompt without arguments.", arguments: []),
      Prompt(
        name: "test_prompt_with_arguments", title: "Arguments", description: "A prompt with two arguments.",
        arguments: arguments),
      Prompt(
        name: "test_prompt_with_embedded_resource", title: "Resource", description: "A prompt with a resource.",
        arguments: uri),
      Prompt(name: "test_prompt_with_image", title: "Image", description: "A prompt with an image.", arguments: []),
    ]
  }

  func prompt(_ name: String, arguments: [String: String], context: CallContext) async throws -> PromptResult {
    let messages: [(role: PromptResult.Role, content: Content)]
    switch name {
    case "test_simple_prompt": messages = [(.user, .text("This is a simple prompt for testing."))]
    case "test_prompt_with_arguments":
      let values = "arg1='\(arguments["arg1"] ?? "")', arg2='\(arguments["arg2"] ?? "")'"
      messages = [(.user, .text("Prompt with arguments: \(values)"))]
    case "test_prompt_with_embedded_resource":
      let contents = ResourceContents(
        uri: arguments["resourceUri"] ?? "", mimeType: "text/plain",
        body: .text("Embedded resource content for testing."))
      messages = [(.user, .resource(contents)), (.user, .text("Please process the embedded resource above."))]
    case "test_prompt_with_image":
      messages = [
        (.user, .image(Self.pixel, mimeType: "image/png")), (.user, .text("Please analyze the image above.")),
      ]
    default: throw Fault()
    }
    return PromptResult(description: "A prompt of the fixture", messages: messages)
  }

  func complete(_ request: CompletionRequest) async throws -> Completion {
    switch request.argument {
    case "arg1":
      // More than may be given at once.
      let all = (0..<150).map { "value\($0)" }.filter { $0.hasPrefix(request.value) }
      return Completion(values: all, total: all.count)
    case "arg2":
      return Completion(values: [request.chosen["arg1"].map { "after-\($0)" } ?? "first"])
    case "id": return Completion(values: ["1", "2", "3"].filter { $0.hasPrefix(request.value) })
    default: return Completion(values: [])
    }
  }
}
