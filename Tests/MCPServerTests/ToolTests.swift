internal import Records
internal import Testing

/// Statements 51 to 56: tools.
@Suite("Tools") struct ToolTests {
  private func tools(_ client: StdioClient) async throws -> [JSONValue] {
    try await client.request("tools", "tools/list").at("result/tools")?.elements ?? []
  }

  @Test("51 every input schema is an object without alternatives at its root, and names no draft")
  func schemas() async throws {
    let tools = try await tools(StdioClient.initialized())
    #expect(tools.count > 8)
    for tool in tools {
      let schema = try #require(tool["inputSchema"])
      #expect(schema["type"]?.text == "object")
      #expect(Set(schema.keys).isDisjoint(with: ["$schema", "oneOf", "anyOf", "allOf", "$ref"]))
    }
  }

  @Test("52 names are plain and unique, in the same order each time")
  func names() async throws {
    let client = try await StdioClient.initialized()
    let names = try await tools(client).compactMap { $0["name"]?.text }
    #expect(names == names.sorted())
    #expect(Set(names).count == names.count)
    #expect(
      names.allSatisfy {
        (1...64).contains($0.utf8.count)
          && $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
      })
    #expect(try await tools(client).compactMap { $0["name"]?.text } == names)
  }

  @Test("53 a tool with an output schema gives an object and the same as text")
  func structured() async throws {
    let client = try await StdioClient.initialized()
    let value: JSONValue = ["n": 1, "deep": [["a": .null], "é"]]
    let parameters: JSONValue = ["name": "test_structured", "arguments": .object([.init("value", value)])]
    let result = try #require(try await client.request(1, "tools/call", parameters)["result"])
    let object = try #require(result["structuredContent"])
    #expect(object == .object([.init("value", value)]))
    #expect(try JSONValue.parse(result.at("content/0/text")?.text ?? "") == object)
  }

  @Test("53 an error has no structured content")
  func errorContent() async throws {
    let client = try await StdioClient.initialized()
    let result = try await client.request(1, "tools/call", ["name": "test_error_handling"])["result"]
    #expect(result?["isError"] == true)
    #expect(result?["structuredContent"] == nil)
    #expect(result?.at("content/0/text")?.text?.isEmpty == false)
  }

  @Test("54 an unknown tool is a protocol error, a bad argument is a result with an error")
  func failures() async throws {
    let client = try await StdioClient.initialized()
    for parameters: JSONValue in [
      ["name": "none"], ["name": "TEST_SIMPLE_TEXT"], ["name": "test_simple_text "], ["name": 7], .emptyObject,
      ["name": "test_simple_text", "arguments": [1]], ["name": "test_simple_text", "arguments": "a"],
    ] {
      #expect(try await client.request(1, "tools/call", parameters).errorCode == -32602, "\(parameters.text())")
    }
    let bad: JSONValue = ["name": "test_wait", "arguments": ["milliseconds": "x"]]
    let result = try await client.request(2, "tools/call", bad)["result"]
    #expect(result?["isError"] == true)
    #expect(result?.at("content/0/text")?.text?.contains("milliseconds") == true)
  }

  @Test("54 a fault of the server is told without its details")
  func fault() async throws {
    let client = try await StdioClient.initialized()
    let answer = try await client.request(1, "tools/call", ["name": "test_fault"])
    #expect(answer.errorCode == -32603)
    #expect(answer.at("error/message")?.text?.contains("Fault") == false)
  }

  @Test("55 all four hints are stated")
  func hints() async throws {
    for tool in try await tools(StdioClient.initialized()) {
      for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
        guard case .bool? = tool.at("annotations/\(hint)") else {
          Issue.record("\(tool.text()) lacks \(hint)")
          continue
        }
      }
    }
  }

  @Test("56 arguments with duplicate keys are refused, at any depth")
  func duplicates() async throws {
    let client = try await StdioClient.initialized()
    for arguments in [#"{"a":1,"a":2}"#, #"{"v":[{"b":1,"\u0062":2}]}"#] {
      try await client.send(
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_structured","arguments":\#(arguments)}}"#
      )
      #expect(try await client.answer(to: 1).errorCode == -32602)
    }
  }

  @Test("every kind of content has its wire form")
  func content() async throws {
    let client = try await StdioClient.initialized()
    let types = [
      ("test_simple_text", ["text"]), ("test_image_content", ["image"]), ("test_audio_content", ["audio"]),
      ("test_embedded_resource", ["resource"]), ("test_multiple_content_types", ["text", "image", "resource"]),
    ]
    for (name, expected) in types {
      let result = try await client.request(1, "tools/call", ["name": .string(name)])["result"]
      let content = result?["content"]?.elements ?? []
      #expect(content.compactMap { $0["type"]?.text } == expected)
      for block in content where block["data"] != nil {
        #expect(block["data"]?.text?.isEmpty == false)
        #expect(block["mimeType"]?.text?.isEmpty == false)
      }
    }
  }
}
