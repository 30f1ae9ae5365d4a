internal import Records
internal import Testing

/// Statements 41 to 46, and of others what concerns HTTP in the newest revision.
@Suite("HTTP of the newest revision") struct ModernHTTPTests {
  private static let read = ModernParameters.with([.init("uri", "test://static-text")])
  private static let version = ("MCP-Protocol-Version", ModernParameters.version)

  private func refused(
    _ fixture: HTTPFixture, _ headers: [(String, String)], _ method: String = "resources/read",
    _ parameters: JSONValue = read
  ) async throws -> Int? {
    let reply = try await fixture.post(Wire.request(1, method, parameters), headers: headers)
    #expect(reply.status == 400, "\(headers) \(reply)")
    return try reply.json.errorCode
  }

  @Test("41 the headers that repeat the body are needed, once, and have to agree with it")
  func routing() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let method = ("Mcp-Method", "resources/read")
      let name = ("Mcp-Name", "test://static-text")
      #expect(
        try await fixture.post(Wire.request(1, "resources/read", Self.read), headers: [Self.version, method, name])
          .status == 200)
      let wrong: [[(String, String)]] = [
        [method, name], [Self.version, name], [Self.version, method], [Self.version],
        [Self.version, ("Mcp-Method", "tools/list"), name], [Self.version, ("Mcp-Method", "Resources/Read"), name],
        [Self.version, method, ("Mcp-Name", "test://static-binary")], [Self.version, method, ("Mcp-Name", "")],
        [Self.version, method, ("Mcp-Name", "TEST://static-text")], [Self.version, method, name, name],
        [Self.version, method, method, name], [Self.version, Self.version, method, name],
        [("MCP-Protocol-Version", "2025-11-25"), method, name],
      ]
      for headers in wrong { #expect(try await refused(fixture, headers) == -32020, "\(headers)") }
    }
  }

  @Test("41 names of headers are read in any case, their values without white space around them")
  func headerSyntax() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let headers = [
        ("mcp-PROTOCOL-version", " \(ModernParameters.version) \t"), ("MCP-METHOD", "  resources/read"),
        ("mcp-name", "\ttest://static-text "),
      ]
      let reply = try await fixture.post(Wire.request(1, "resources/read", Self.read), headers: headers)
      #expect(reply.status == 200)
    }
  }

  @Test("41 the name is needed for the methods that have one, each by its parameter")
  func names() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let tool = ModernParameters.with([.init("name", "test_simple_text")])
      #expect(try await fixture.modern(1, "tools/call", tool, name: "test_simple_text").status == 200)
      #expect(try await fixture.modernError(1, "tools/call", tool) == -32020)
      let prompt = ModernParameters.with([.init("name", "test_simple_prompt")])
      #expect(try await fixture.modern(1, "prompts/get", prompt, name: "test_simple_prompt").status == 200)
      #expect(try await fixture.modernError(1, "prompts/get", prompt, name: "x") == -32020)
      #expect(try await fixture.modern(1, "tools/list").status == 200)
    }
  }

  @Test("42 a value in base64 is compared after it is decoded; a malformed one is refused")
  func encodedNames() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let uri = "test://static-text"
      let encoded = "=?base64?dGVzdDovL3N0YXRpYy10ZXh0?="
      #expect(try await fixture.modern(1, "resources/read", Self.read, name: encoded).status == 200)
      for bad in [
        "=?base64?dGVzdDov?=", "=?base64?!!?=", "=?base64?/w==?=", "=?base64?dGVzdDovL3N0YXRpYy10ZXh0=?=",
        "=?base64??=",
      ] {
        #expect(try await fixture.modernError(1, "resources/read", Self.read, name: bad) == -32020, "\(bad)")
      }
      // A body may name what looks like an encoding; its header is then encoded once more.
      let odd = ModernParameters.with([.init("uri", .string(encoded))])
      #expect(try await fixture.modernError(1, "resources/read", odd, name: encoded) == -32020)
      #expect(uri.utf8.count == 18)
    }
  }

  @Test("43 an unknown method is answered 404 with -32601, as are those of the older revisions")
  func unknownMethods() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let methods = [
        "nonsense", "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
        "tasks/get",
      ]
      for method in methods {
        let reply = try await fixture.modern(1, method)
        #expect(reply.status == 404, "\(method)")
        #expect(try reply.json.errorCode == -32601)
        #expect(try reply.json["id"] == 1)
      }
    }
  }

  @Test("44 GET and DELETE are answered 405, and session ids neither read nor given")
  func noSessions() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for method in ["GET", "DELETE"] {
        let reply = try await fixture.exchange(method, headers: [Self.version, ("Accept", "text/event-stream")])
        #expect(reply.status == 405)
        #expect(reply.header("Allow")?.contains("POST") == true)
      }
      let stale = [("Mcp-Session-Id", "stale"), ("Last-Event-ID", "1-1")]
      for method in ["server/discover", "tools/list"] {
        let reply = try await fixture.modern(1, method, headers: stale)
        #expect(reply.status == 200)
        #expect(reply.header("Mcp-Session-Id") == nil)
      }
    }
  }

  @Test("45 closing the stream of an answer cancels the call")
  func closingCancels() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let client = try fixture.connect()
      let arguments: JSONValue = ["milliseconds": 600_000]
      let call = ModernParameters.with([.init("name", "test_wait"), .init("arguments", arguments)])
      try await client.send(
        headers: Headers.usual + Headers.modern("tools/call", name: "test_wait"),
        body: Wire.request(1, "tools/call", call))
      let head = try await client.head()
      #expect(head.header("Content-Type") == "text/event-stream")
      #expect(head.header("Mcp-Session-Id") == nil)
      #expect(try await fixture.stats(session).cancelled == 0)
      await client.disconnect()
      try await eventually { try await fixture.stats(session).cancelled == 1 }
    }
  }

  @Test("46 the stream of a request carries what is about it and no request")
  func relatedOnly() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let call = ModernParameters.with(
        [.init("name", "test_tool_with_progress")],
        meta: [.init("progressToken", "t"), .init("io.modelcontextprotocol/logLevel", "debug")])
      let client = try fixture.connect()
      try await client.send(
        headers: Headers.usual + Headers.modern("tools/call", name: "test_tool_with_progress"),
        body: Wire.request(1, "tools/call", call))
      _ = try await client.head()
      let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "n"])])
      #expect(try await fixture.modern(2, "tools/call", add, name: "test_add").status == 200)
      var methods: [String?] = []
      while let message = try await client.message() { methods.append(message["method"]?.text) }
      #expect(methods == ["notifications/progress", "notifications/progress", "notifications/progress", nil])
    }
  }

  @Test("48 and 50 over HTTP a listening stream begins with what is honoured and tells of changes")
  func listening() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let client = try fixture.connect()
      let filter: JSONValue = ["resourceSubscriptions": ["test://watched-resource"], "resourcesListChanged": true]
      try await client.send(
        headers: Headers.usual + Headers.modern("subscriptions/listen"),
        body: Wire.request("sub", "subscriptions/listen", ModernParameters.with([.init("notifications", filter)])))
      #expect(try await client.head().header("Content-Type") == "text/event-stream")
      let first = try #require(try await client.message())
      #expect(first["method"]?.text == "notifications/subscriptions/acknowledged")
      #expect(first.at("params/_meta")?["io.modelcontextprotocol/subscriptionId"] == "sub")
      let touch = ModernParameters.with([.init("name", "test_touch")])
      #expect(try await fixture.modern(2, "tools/call", touch, name: "test_touch").status == 200)
      let updated = try #require(try await client.message())
      #expect(updated.at("params/uri")?.text == "test://watched-resource")
      #expect(updated.at("params/_meta")?["io.modelcontextprotocol/subscriptionId"] == "sub")
      let json = [("Content-Type", "application/json"), ("Accept", "application/json")]
      let refused = try await fixture.exchange(
        headers: json + Headers.modern("subscriptions/listen"),
        body: Wire.request(1, "subscriptions/listen", ModernParameters.with([.init("notifications", filter)])))
      #expect(refused.status == 406)
    }
  }

  @Test("15 and 16 over HTTP a request without its _meta or with an unknown version is refused with 400")
  func envelopes() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let bare = try await fixture.modern(1, "tools/list", .emptyObject)
      #expect(bare.status == 400)
      #expect(try bare.json.errorCode == -32602)
      let probe = try await fixture.post(Wire.request(1, "server/discover"))
      #expect(probe.status == 400)
      #expect(try probe.json.errorCode == -32602)
      let headers = [("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "tools/list")]
      let body = Wire.request(1, "tools/list", ModernParameters.with(version: "2099-01-01"))
      let unknown = try await fixture.post(body, headers: headers)
      #expect(unknown.status == 400)
      #expect(try unknown.json.errorCode == -32022)
      #expect(try unknown.json.at("error/data/supported")?.elements.isEmpty == false)
    }
  }

  @Test("57 over HTTP a resource that is not there is refused with 400, and a fault of the server is told")
  func failures() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let absent = ModernParameters.with([.init("uri", "test://none")])
      let reply = try await fixture.modern(1, "resources/read", absent, name: "test://none")
      #expect(reply.status == 400)
      #expect(try reply.json.errorCode == -32602)
      let fault = ModernParameters.with([.init("name", "test_fault")])
      #expect(try await fixture.modernError(1, "tools/call", fault, name: "test_fault") == -32603)
    }
  }

  @Test("an answer to the server is refused with 400: it asked nothing")
  func responses() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let reply = try await fixture.post(#"{"jsonrpc":"2.0","id":1,"result":{}}"#, headers: [Self.version])
      #expect(reply.status == 400)
    }
  }
}

extension HTTPFixture {
  /// The code of the error that a request of the newest revision is answered with.
  func modernError(
    _ id: JSONValue, _ method: String, _ parameters: JSONValue = ModernParameters.with(), name: String? = nil
  ) async throws -> Int? {
    let reply = try await modern(id, method, parameters, name: name)
    return try reply.json.errorCode
  }
}

/// Waits until a condition holds.
func eventually(_ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(20))
  }
  throw TestFailure("the condition did not come true")
}
