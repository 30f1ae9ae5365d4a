internal import Glibc
internal import MCPServer
internal import Records
internal import Synchronization

extension FixtureOffering {
  var tools: [Tool] {
    let none: JSONValue = ["type": "object", "properties": .emptyObject, "additionalProperties": false]
    let milliseconds: JSONValue = [
      "type": "object", "properties": ["milliseconds": ["type": "integer", "minimum": 0]],
      "required": ["milliseconds"],
    ]
    let echo: JSONValue = ["type": "object", "properties": ["value": .emptyObject], "required": ["value"]]
    let name: JSONValue = ["type": "object", "properties": ["name": ["type": "string"]], "required": ["name"]]
    return [
      tool("test_simple_text", "Gives one text", none),
      tool("test_image_content", "Gives an image", none),
      tool("test_audio_content", "Gives a sound", none),
      tool("test_embedded_resource", "Gives a resource", none),
      tool("test_multiple_content_types", "Gives a text, an image and a resource", none),
      tool("test_tool_with_logging", "Logs three messages", none),
      tool("test_tool_with_progress", "Reports its progress", none),
      tool("test_error_handling", "Always fails", none),
      tool("test_structured", "Gives an object and the same as text", echo, output: echo),
      tool("test_wait", "Waits, unless it is cancelled", milliseconds),
      tool("test_hold", "Waits until it is released", none),
      tool("test_release", "Releases every call that is held", none),
      tool("test_stats", "Says how many waits began and were cancelled", none),
      tool("test_fault", "Throws an error of the server", none),
      tool("test_noise", "Writes to standard output", none),
      tool("test_crash", "Ends the program in the middle of the call", none),
      tool("test_large_text", "Gives as many bytes as asked for", ["type": "object"]),
      tool("test_touch", "Changes the watched resource", none, isReadOnly: false),
      tool("test_add", "Adds a resource", name, isReadOnly: false),
    ]
  }

  private func tool(
    _ name: String, _ description: String, _ input: JSONValue, output: JSONValue? = nil, isReadOnly: Bool = true
  ) -> Tool {
    Tool(
      name: name, title: description, description: "\(description).", inputSchema: input, outputSchema: output,
      annotations: .init(isReadOnly: isReadOnly, isDestructive: false, isIdempotent: isReadOnly, isOpenWorld: false))
  }

  struct Fault: Error {}

  func call(_ tool: String, arguments: JSONValue, context: CallContext) async throws -> ToolResult {
    switch tool {
    case "test_simple_text": return text("This is a simple text response for testing.")
    case "test_image_content": return ToolResult(content: [.image(Self.pixel, mimeType: "image/png")])
    case "test_audio_content": return ToolResult(content: [.audio(Self.sound, mimeType: "audio/wav")])
    case "test_embedded_resource":
      return ToolResult(content: [
        .resource(
          ResourceContents(
            uri: "test://embedded-resource", mimeType: "text/plain",
            body: .text("This is an embedded resource content.")
          ))
      ])
    case "test_multiple_content_types":
      return ToolResult(content: [
        .text("Multiple content types test:"), .image(Self.pixel, mimeType: "image/png"),
        .resource(
          ResourceContents(
            uri: "test://mixed-content-resource", mimeType: "application/json",
            body: .text(#"{"test":"data","value":123}"#))),
      ])
    case "test_tool_with_logging":
      for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        context.log(.info, "mcp-fixture", .string(message))
        try await Task.sleep(for: .milliseconds(50))
      }
      context.log(.debug, "mcp-fixture", "Tool has nothing more to say")
      return text("Tool with logging executed successfully")
    case "test_tool_with_progress":
      for done in [0.0, 50, 50, 25, 100] {
        context.progress(done, 100, "Completed step \(Int(done)) of 100")
        try await Task.sleep(for: .milliseconds(50))
      }
      return text("Tool with progress executed successfully")
    case "test_error_handling":
      return ToolResult(
        content: [.text("This tool intentionally returns an error for testing")], structured: ["a": 1], isError: true)
    case "test_structured":
      guard let value = arguments["value"] else { return refusal("`value` is missing: give any JSON value") }
      let object: JSONValue = ["value": value]
      return ToolResult(content: [.text(object.text())], structured: object)
    case "test_wait": return try await wait(arguments)
    case "test_hold":
      let (released, continuation) = AsyncStream<Void>.makeStream()
      state.withLock { state in
        state.began += 1
        state.held.append(continuation)
      }
      for await _ in released {}
      return text("released")
    case "test_release":
      for held in state.withLock({ state in
        defer { state.held = [] }
        return state.held
      }) { held.finish() }
      return text("released")
    case "test_stats":
      let counts = state.withLock { ($0.began, $0.cancelled) }
      return text(
        JSONValue.object([.init("began", .integer(counts.0)), .init("cancelled", .integer(counts.1))]).text())
    case "test_fault": throw Fault()
    case "test_noise":
      // Straight to the descriptor and through the C library, as a dependency might.
      _ = write(STDOUT_FILENO, "noise from a library\n", 21)
      puts("noise from the C library")
      print("noise from a print")
      fflush(nil)
      try runChild()
      return text("done")
    case "test_crash": fatalError("the crash of a tool")
    case "test_large_text": return text(String(repeating: "x", count: arguments["bytes"]?.integer ?? 1_000_000))
    case "test_touch":
      state.withLock { $0.watched += 1 }
      publish(.updated(uris: ["test://watched-resource"]))
      return text("touched")
    case "test_add":
      guard let name = arguments["name"]?.text else { return refusal("`name` must be a string") }
      state.withLock { $0.added.append("test://added/\(name)") }
      publish(.resourceListChanged)
      return text("added")
    default: throw Fault()
    }
  }

  /// Runs a program that writes to the standard output that it inherits, and reads its input to the end.
  private func runChild() throws {
    var process = pid_t()
    let command: [String] = ["/bin/sh", "-c", "echo noise from a child; cat"]
    let words = command.map { strdup($0) }
    defer { for word in words { free(word) } }
    guard posix_spawn(&process, "/bin/sh", nil, nil, words + [nil], environ) == 0 else { throw Fault() }
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
  }

  private func wait(_ arguments: JSONValue) async throws -> ToolResult {
    guard let milliseconds = arguments["milliseconds"]?.integer, milliseconds >= 0 else {
      return refusal("`milliseconds` must be an integer that is not negative")
    }
    state.withLock { $0.began += 1 }
    do {
      try await Task.sleep(for: .milliseconds(milliseconds))
    } catch {
      state.withLock { $0.cancelled += 1 }
      throw error
    }
    return text("waited")
  }

  private func text(_ text: String) -> ToolResult { ToolResult(content: [.text(text)]) }

  private func refusal(_ text: String) -> ToolResult { ToolResult(content: [.text(text)], isError: true) }
}
