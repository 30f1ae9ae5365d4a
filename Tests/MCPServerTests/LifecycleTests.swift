internal import Records
internal import Testing

/// Statements 8 to 13: the handshake of the older revisions.
@Suite("Lifecycle of the older revisions") struct LegacyLifecycleTests {
  @Test("8 initialize with a revision that is served echoes it", arguments: ["2025-03-26", "2025-06-18", "2025-11-25"])
  func echo(revision: String) async throws {
    let client = try StdioClient()
    let answer = try await client.request(1, "initialize", LegacyParameters.initialize(revision))
    #expect(answer.at("result/protocolVersion")?.text == revision)
  }

  @Test(
    "8 initialize with any other revision is answered with the newest that has a handshake",
    arguments: ["2024-11-05", "2026-07-28", "2099-01-01", "", "1"])
  func other(revision: String) async throws {
    let client = try StdioClient()
    let answer = try await client.request(1, "initialize", LegacyParameters.initialize(revision))
    #expect(answer.at("result/protocolVersion")?.text == "2025-11-25")
  }

  @Test("8 initialize without a revision is refused")
  func missing() async throws {
    let client = try StdioClient()
    #expect(try await client.request(1, "initialize", .emptyObject).errorCode == -32602)
    #expect(try await client.request(1, "initialize", ["protocolVersion": 1]).errorCode == -32602)
  }

  @Test("9 the result has its three members, each capability works and other methods do not exist")
  func capabilities() async throws {
    let client = try StdioClient()
    let answer = try await client.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
    let result = try #require(answer["result"])
    #expect(Set(result.keys).isSuperset(of: ["protocolVersion", "capabilities", "serverInfo"]))
    #expect(result.at("serverInfo/name")?.text == "mcp-fixture")
    #expect(result.at("serverInfo/version")?.text != nil)
    let capabilities = try #require(result["capabilities"])
    #expect(Set(capabilities.keys) == ["tools", "resources", "prompts", "completions", "logging"])
    let works: [(String, JSONValue)] = [
      ("tools/list", .emptyObject), ("resources/list", .emptyObject), ("resources/templates/list", .emptyObject),
      ("resources/subscribe", ["uri": "test://static-text"]), ("resources/unsubscribe", ["uri": "test://static-text"]),
      ("prompts/list", .emptyObject), ("logging/setLevel", ["level": "info"]),
      (
        "completion/complete",
        [
          "ref": ["type": "ref/prompt", "name": "test_prompt_with_arguments"],
          "argument": ["name": "arg1", "value": ""],
        ]
      ),
    ]
    for (method, parameters) in works {
      #expect(try await client.request(2, method, parameters)["result"] != nil, "\(method)")
    }
    for method in ["tasks/list", "tasks/get", "sampling/createMessage", "roots/list", "elicitation/create", "x", ""] {
      #expect(try await client.request(3, method).errorCode == -32601, "\(method)")
    }
  }

  @Test("10 before the client is ready it is told nothing")
  func quiet() async throws {
    let client = try StdioClient()
    try await client.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
    try await client.request(2, "tools/call", ["name": "test_add", "arguments": ["name": "early"]])
    try await client.expectSilence()
    #expect(await client.notifications.isEmpty)
    try await client.send(Wire.notification("notifications/initialized"))
    try await client.request(3, "tools/call", ["name": "test_add", "arguments": ["name": "late"]])
    #expect(try await client.notice()["method"]?.text == "notifications/resources/list_changed")
  }

  @Test("11 a request before initialize gets an error")
  func early() async throws {
    let client = try StdioClient()
    for method in ["tools/list", "resources/read", "logging/setLevel"] {
      #expect(try await client.request(1, method).errorCode == -32602)
    }
  }

  @Test("12 ping is answered with nothing, also before initialize")
  func ping() async throws {
    let client = try StdioClient()
    #expect(try await client.request(1, "ping")["result"] == .emptyObject)
    try await client.request(2, "initialize", LegacyParameters.initialize("2025-06-18"))
    #expect(try await client.request(3, "ping")["result"] == .emptyObject)
  }

  @Test("13 a cancellation of initialize is ignored")
  func cancelledInitialize() async throws {
    let client = try StdioClient()
    try await client.send(Wire.notification("notifications/cancelled", ["requestId": 1]))
    try await client.send(Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25")))
    try await client.send(Wire.notification("notifications/cancelled", ["requestId": 1]))
    #expect(try await client.answer(to: 1)["result"] != nil)
  }
}

/// Statements 14 to 20: requests that stand for themselves.
@Suite("Requests of the newest revision") struct ModernLifecycleTests {
  @Test("14 server/discover says what is served")
  func discover() async throws {
    let client = try StdioClient()
    let result = try #require(try await client.request(1, "server/discover", ModernParameters.with())["result"])
    #expect(result["supportedVersions"]?.elements.contains("2026-07-28") == true)
    #expect(result.at("capabilities/tools") != nil)
    #expect(result["resultType"]?.text == "complete")
    #expect((result["ttlMs"]?.integer ?? -1) >= 0)
    #expect(["public", "private"].contains(result["cacheScope"]?.text))
  }

  @Test("15 without its _meta, or a key of it that is needed, a request is refused with -32602")
  func missingMeta() async throws {
    let client = try StdioClient()
    let version = JSONValue.Member("io.modelcontextprotocol/protocolVersion", "2026-07-28")
    let capabilities = JSONValue.Member("io.modelcontextprotocol/clientCapabilities", .emptyObject)
    let metas: [JSONValue?] = [
      nil, .emptyObject, .object([version]), .object([capabilities]), [], .null,
      .object([.init(version.key, 7), capabilities]), .object([version, .init(capabilities.key, 7)]),
    ]
    for meta in metas {
      let parameters = JSONValue.object(meta.map { [.init("_meta", $0)] } ?? [])
      #expect(try await client.request(1, "server/discover", parameters).errorCode == -32602, "\(parameters.text())")
    }
  }

  @Test("15 without clientInfo a request is served; a malformed one is refused")
  func clientInfo() async throws {
    let client = try StdioClient()
    #expect(try await client.request(1, "tools/list", ModernParameters.with())["result"] != nil)
    let bad = JSONValue.Member("io.modelcontextprotocol/clientInfo", 7)
    #expect(try await client.request(1, "tools/list", ModernParameters.with(meta: [bad])).errorCode == -32602)
    let good = JSONValue.Member("io.modelcontextprotocol/clientInfo", ["name": "a", "version": "1"])
    #expect(try await client.request(1, "tools/list", ModernParameters.with(meta: [good]))["result"] != nil)
  }

  @Test(
    "16 an unknown version is refused with those that are served", arguments: ["2099-01-01", "2025-11-25", "", "x"])
  func unknownVersion(version: String) async throws {
    let client = try StdioClient()
    let answer = try await client.request(1, "tools/list", ModernParameters.with(version: version))
    #expect(answer.errorCode == -32022)
    #expect(answer.at("error/data/requested")?.text == version)
    #expect(answer.at("error/data/supported") == ["2026-07-28"])
  }

  @Test("17 no call needs a capability of the client, so none is refused for it")
  func capabilitiesOfClient() async throws {
    let client = try StdioClient()
    let tools = try await client.request(1, "tools/list", ModernParameters.with()).at("result/tools")?.elements ?? []
    for name in tools.compactMap({ $0["name"] }) where !["test_crash", "test_hold"].contains(name) {
      let parameters = ModernParameters.with([.init("name", name)])
      #expect(try await client.request(2, "tools/call", parameters).errorCode != -32021)
    }
  }

  @Test("18 every result has its type and says who the server is")
  func results() async throws {
    let client = try StdioClient()
    let reference: JSONValue = ["type": "ref/resource", "uri": "test://template/{id}/data"]
    let requests: [(String, [JSONValue.Member])] = [
      ("server/discover", []), ("tools/list", []), ("resources/list", []), ("resources/templates/list", []),
      ("prompts/list", []), ("tools/call", [.init("name", "test_simple_text")]),
      ("tools/call", [.init("name", "test_error_handling")]), ("resources/read", [.init("uri", "test://static-text")]),
      ("prompts/get", [.init("name", "test_simple_prompt")]),
      ("completion/complete", [.init("ref", reference), .init("argument", ["name": "id", "value": ""])]),
    ]
    for (method, members) in requests {
      let result = try #require(
        try await client.request(1, method, ModernParameters.with(members))["result"], "\(method)")
      #expect(result["resultType"]?.text == "complete", "\(method)")
      let server = result["_meta"]?["io.modelcontextprotocol/serverInfo"]
      #expect(server?["name"]?.text == "mcp-fixture", "\(method)")
    }
  }

  @Test("19 a list is the same on every connection and whatever came before on one")
  func stateless() async throws {
    let fresh = try StdioClient()
    let used = try await StdioClient.initialized()
    try await used.request(1, "logging/setLevel", ["level": "debug"])
    try await used.request(2, "tools/call", ["name": "test_simple_text"])
    for method in ["server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
      let answers = try await (
        fresh.request(3, method, ModernParameters.with()), used.request(3, method, ModernParameters.with())
      )
      #expect(answers.0 == answers.1, "\(method)")
    }
    // The level that the session asked for is the session's alone.
    try await used.request(4, "tools/call", ModernParameters.with([.init("name", "test_tool_with_logging")]))
    #expect(await used.notifications.isEmpty)
  }

  @Test("20 both eras are served on one connection")
  func bothEras() async throws {
    let client = try StdioClient()
    #expect(try await client.request(1, "tools/list", ModernParameters.with()).at("result/resultType") != nil)
    #expect(try await client.request(2, "initialize", LegacyParameters.initialize("2025-06-18"))["result"] != nil)
    #expect(try await client.request(3, "tools/list", ModernParameters.with()).at("result/resultType") != nil)
    let legacy = try await client.request(4, "tools/list")
    #expect(legacy.at("result/tools") != nil)
    #expect(legacy.at("result/resultType") == nil)
  }
}
