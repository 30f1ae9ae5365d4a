internal import Records
internal import Testing

/// Statements 1 to 7 of the checklist: the base of JSON-RPC, on standard input and output.
@Suite("JSON-RPC base") struct MessageTests {
  @Test(
    "1 an id that is no string or integer is refused and never taken for a notification",
    arguments: ["null", "1.5", "true", "[]", "{}", "1e2", "1.0", "1e400", #""\ud800""#])
  func badIDs(id: String) async throws {
    let client = try await StdioClient.initialized()
    try await client.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#)
    let answer = try await client.message()
    #expect(answer.errorCode == -32600)
    #expect(answer["id"] == nil)
  }

  @Test(
    "2 the answer echoes the id with its type and spelling",
    arguments: [
      "7", #""7""#, "0", #""""#, "-1", "9007199254740993", "18446744073709551616", #""a\u2028b""#, #""é""#, #""null""#,
    ])
  func echoedIDs(id: String) async throws {
    let client = try await StdioClient.initialized()
    try await client.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#)
    let line = try #require(try await client.line())
    let value = try JSONValue.parse(id)
    #expect(try JSONValue.parse(line)["id"] == value)
    #expect(String(decoding: line, as: UTF8.self).contains(#""id":\#(value.text()),"#))
  }

  @Test(
    "3 a notification is not answered, whatever is wrong with it",
    arguments: [
      #"{"jsonrpc":"2.0","method":"notifications/unknown"}"#, #"{"jsonrpc":"2.0","method":"ping"}"#,
      #"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"test_fault"}}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":null}}"#,
      #"{"jsonrpc":"1.0","method":"notifications/initialized"}"#, #"{"method":"notifications/initialized"}"#,
      #"{"jsonrpc":"2.0","method":"initialize","params":7}"#,
    ])
  func notifications(line: String) async throws {
    let client = try await StdioClient.initialized()
    try await client.send(line)
    try await client.expectSilence()
  }

  @Test("4 what cannot be parsed is answered -32700 without an id")
  func parseErrors() async throws {
    let client = try await StdioClient.initialized()
    for text in [
      "{", "nonsense", #"{"jsonrpc":"2.0","id":1,"method":"ping",}"#, "NaN", "'a'", "{\"a\":01}", "\u{FEFF}{}",
    ] {
      try await client.send(text)
      let answer = try await client.message()
      #expect(answer.errorCode == -32700, "\(text)")
      #expect(answer["id"] == nil, "\(text)")
      #expect(answer.at("error/message")?.text?.isEmpty == false)
    }
  }

  @Test("4 a bad envelope is answered -32600 without an id")
  func envelopes() async throws {
    let client = try await StdioClient.initialized()
    let texts = [
      "7", "null", #""text""#, "{}", #"{"id":1}"#, #"{"jsonrpc":"2.0","id":1}"#,
      #"{"jsonrpc":"2.0","id":1,"method":7}"#,
      #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, #"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
      #"{"id":1,"method":"ping"}"#, #"{"jsonrpc":"2.0","method":7}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
    ]
    for text in texts {
      try await client.send(text)
      let answer = try await client.message()
      #expect(answer.errorCode == -32600, "\(text)")
      #expect(answer["id"] == nil, "\(text)")
    }
  }

  @Test("4 parameters that are no object fail for the request that has them")
  func parameters() async throws {
    let client = try await StdioClient.initialized()
    for parameters: JSONValue in [7, "a", [1]] {
      #expect(try await client.request(1, "tools/list", parameters).errorCode == -32602)
    }
    #expect(try await client.request(1, "tools/list", .null)["result"] != nil)
  }

  @Test("5 a batch is refused with one error and nothing of it is done", arguments: ["2025-03-26", "2025-11-25"])
  func batches(revision: String) async throws {
    let client = try await StdioClient.initialized(revision)
    let call = Wire.request(5, "tools/call", ["name": "test_add", "arguments": ["name": "batched"]])
    for batch in ["[]", "[\(call)]", "[\(call),\(call)]"] {
      try await client.send(batch)
      let answer = try await client.message()
      #expect(answer.errorCode == -32600)
      #expect(answer["id"] == nil)
    }
    try await client.expectSilence()
    #expect(try await client.request(1, "resources/read", ["uri": "test://added/batched"]).errorCode == -32002)
  }

  @Test("6 each message is one line of UTF-8 JSON whose control characters are escaped")
  func lines() async throws {
    let client = try await StdioClient.initialized()
    let value: JSONValue = .string("line\nfeed\r\u{2028}\u{2029}\u{85}\u{0} 😀 é \u{202E}")
    let parameters: JSONValue = ["name": "test_structured", "arguments": .object([.init("value", value)])]
    try await client.send(Wire.request(1, "tools/call", parameters))
    let line = try #require(try await client.line())
    let text = try #require(String(validating: line, as: UTF8.self))
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 || $0.value == 0x2029 })
    #expect(try JSONValue.parse(line).at("result/structuredContent/value") == value)
  }

  @Test("7 errors of the newest revision have codes that it allows")
  func modernCodes() async throws {
    let client = try StdioClient()
    let meta = ModernParameters.with()
    let requests: [(String, JSONValue)] = [
      ("nonsense", meta), ("initialize", meta), ("tools/call", meta),
      ("resources/read", ModernParameters.with([.init("uri", "test://none")])),
      ("tools/call", ModernParameters.with([.init("name", "test_fault")])),
      ("tools/list", ModernParameters.with(version: "2099-01-01")), ("tools/list", ["_meta": .emptyObject]),
      ("tools/list", ModernParameters.with([.init("cursor", "?")])),
      ("prompts/get", ModernParameters.with([.init("name", "none")])),
    ]
    for (method, parameters) in requests {
      let code = try #require(try await client.request(1, method, parameters).errorCode, "\(method)")
      let allowed = [-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022]
      #expect(allowed.contains(code), "\(method): \(code)")
    }
  }
}
