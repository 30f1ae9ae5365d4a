internal import Records
internal import Testing

/// Statements 62 to 67: prompts, completion, pages, logs, progress and cancellation.
@Suite("Prompts, completion, pages, logs, progress, cancellation") struct UtilityTests {
  @Test("62 an unknown prompt and a missing argument are refused")
  func prompts() async throws {
    let client = try await StdioClient.initialized()
    for parameters: JSONValue in [
      ["name": "none"], .emptyObject, ["name": "test_prompt_with_arguments"],
      ["name": "test_prompt_with_arguments", "arguments": ["arg1": "a"]],
      ["name": "test_prompt_with_arguments", "arguments": ["arg1": "a", "arg2": 7]],
      ["name": "test_simple_prompt", "arguments": 7],
    ] {
      #expect(try await client.request(1, "prompts/get", parameters).errorCode == -32602, "\(parameters.text())")
    }
    let parameters: JSONValue = ["name": "test_prompt_with_arguments", "arguments": ["arg1": "a", "arg2": "b"]]
    let text = try await client.request(2, "prompts/get", parameters).at("result/messages/0/content/text")?.text
    #expect(text == "Prompt with arguments: arg1='a', arg2='b'")
    for name in ["test_simple_prompt", "test_prompt_with_image"] {
      #expect(try await client.request(3, "prompts/get", ["name": .string(name)])["result"] != nil)
    }
  }

  private func completion(_ reference: JSONValue, _ name: String, _ value: String) -> JSONValue {
    ["ref": reference, "argument": ["name": .string(name), "value": .string(value)]]
  }

  @Test("63 at most 100 values are given, and an unknown reference is refused")
  func completions() async throws {
    let client = try await StdioClient.initialized()
    let prompt: JSONValue = ["type": "ref/prompt", "name": "test_prompt_with_arguments"]
    let all = try await client.request(1, "completion/complete", completion(prompt, "arg1", ""))
    #expect(all.at("result/completion/values")?.elements.count == 100)
    #expect(all.at("result/completion/total") == 150)
    #expect(all.at("result/completion/hasMore") == true)
    let some = try await client.request(2, "completion/complete", completion(prompt, "arg1", "value14"))
    #expect(some.at("result/completion/values")?.elements.count == 11)
    let template: JSONValue = ["type": "ref/resource", "uri": "test://template/{id}/data"]
    let ids = try await client.request(3, "completion/complete", completion(template, "id", "2"))
    #expect(ids.at("result/completion/values") == ["2"])
    for parameters in [
      completion(["type": "ref/prompt", "name": "none"], "arg1", ""), completion(prompt, "none", ""),
      completion(["type": "ref/resource", "uri": "test://none/{id}"], "id", ""), completion(template, "none", ""),
      completion(["type": "ref/tool", "name": "x"], "a", ""), .emptyObject, ["ref": prompt], ["ref": 7, "argument": 7],
    ] {
      #expect(try await client.request(4, "completion/complete", parameters).errorCode == -32602)
    }
    let chosen: JSONValue = [
      "ref": prompt, "argument": ["name": "arg2", "value": ""], "context": ["arguments": ["arg1": "x"]],
    ]
    let next = try await client.request(5, "completion/complete", chosen)
    #expect(next.at("result/completion/values") == ["after-x"])
  }

  private func walk(_ client: StdioClient, start: JSONValue?, between: (_ page: Int) async throws -> Void) async throws
    -> [String]
  {
    var uris: [String] = []
    var cursor = start
    var number = 0
    repeat {
      let parameters = JSONValue.object(cursor.map { [.init("cursor", $0)] } ?? [])
      let answer = try await client.request("page", "resources/list", parameters)
      let page = try #require(answer.at("result/resources")).elements
      #expect(page.count <= 50)
      #expect(answer.text().utf8.count < 25_000)
      uris += page.compactMap { $0["uri"]?.text }
      cursor = answer.at("result/nextCursor")
      number += 1
      try await between(number)
    } while cursor != nil
    return uris
  }

  @Test("64 a walk over the pages gives each entry once, also while entries come")
  func pages() async throws {
    let client = try await StdioClient.initialized()
    let before = try await walk(client, start: nil) { _ in }
    #expect(before.count == 123)
    #expect(try await walk(client, start: "") { _ in } == before)
    let during = try await walk(client, start: nil) { page in
      // One before everything and one after.
      for name in ["a\(page)", "z\(page)"] {
        try await client.request("add", "tools/call", ["name": "test_add", "arguments": ["name": .string(name)]])
      }
    }
    #expect(Set(during).count == during.count)
    #expect(Set(during).isSuperset(of: before))
  }

  @Test("64 a cursor that the list did not give is refused")
  func badCursors() async throws {
    let client = try await StdioClient.initialized()
    let cursor = try #require(try await client.request(1, "resources/list").at("result/nextCursor")?.text)
    for bad: JSONValue in [
      "x", "AAAA", "====", .string(cursor + "A"), .string(String(cursor.dropLast(4))), 7, true, .string("\u{0}"),
    ] {
      let code = try await client.request(2, "resources/list", .object([.init("cursor", bad)])).errorCode
      // A cursor cut short may name a shorter key of the same list, which is a place in it.
      #expect(code == -32602 || bad == .string(String(cursor.dropLast(4))), "\(bad.text())")
    }
    #expect(try await client.request(3, "tools/list", ["cursor": .string(cursor)]).errorCode == -32602)
    #expect(try await client.request(4, "tools/list", ["cursor": ""])["result"] != nil)
  }

  @Test("65 the level filters the messages of a session, and an unknown one is refused")
  func levels() async throws {
    let client = try await StdioClient.initialized()
    for (level, count) in [("debug", 4), ("info", 3), ("warning", 0), ("emergency", 0)] {
      #expect(try await client.request(1, "logging/setLevel", ["level": .string(level)])["result"] == .emptyObject)
      try await client.request(2, "tools/call", ["name": "test_tool_with_logging"])
      #expect(await client.takeNotifications().count == count, "\(level)")
    }
    for parameters: JSONValue in [["level": "loud"], ["level": 1], .emptyObject] {
      #expect(try await client.request(3, "logging/setLevel", parameters).errorCode == -32602)
    }
  }

  @Test("65 in the newest revision messages come only where the request asks for them")
  func modernLevels() async throws {
    let client = try StdioClient()
    for (level, count) in [(nil, 0), ("debug", 4), ("info", 3), ("error", 0)] as [(String?, Int)] {
      let meta = level.map { [JSONValue.Member("io.modelcontextprotocol/logLevel", .string($0))] } ?? []
      let parameters = ModernParameters.with([.init("name", "test_tool_with_logging")], meta: meta)
      #expect(try await client.request(1, "tools/call", parameters)["result"] != nil)
      let messages = await client.takeNotifications()
      #expect(messages.count == count, "\(level ?? "none")")
      #expect(messages.allSatisfy { $0["method"]?.text == "notifications/message" })
    }
    let bad = ModernParameters.with(
      [.init("name", "test_simple_text")], meta: [.init("io.modelcontextprotocol/logLevel", "loud")])
    #expect(try await client.request(2, "tools/call", bad).errorCode == -32602)
  }

  @Test("66 progress comes for a token alone, rises strictly, keeps the token's type and ends before the answer")
  func progress() async throws {
    let client = try await StdioClient.initialized()
    try await client.request(1, "tools/call", ["name": "test_tool_with_progress"])
    #expect(await client.takeNotifications().isEmpty)
    for token: JSONValue in [7, "7", 0, ""] {
      try await client.request(
        2, "tools/call",
        .object([
          .init("name", "test_tool_with_progress"), .init("_meta", .object([.init("progressToken", token)])),
        ]))
      let notices = await client.takeNotifications()
      #expect(notices.map { $0.at("params/progressToken") } == [token, token, token])
      #expect(notices.compactMap { $0.at("params/progress")?.integer } == [0, 50, 100])
    }
    try await client.expectSilence()
    #expect(await client.takeNotifications().isEmpty)
    for token: JSONValue in [(1.5).json, true, [], .null] {
      let parameters = JSONValue.object([
        .init("name", "test_simple_text"), .init("_meta", .object([.init("progressToken", token)])),
      ])
      #expect(try await client.request(3, "tools/call", parameters).errorCode == -32602, "\(token.text())")
    }
  }

  @Test("67 cancelled work stops and is not answered", arguments: ["5", #""5""#, "0"])
  func cancellation(id: String) async throws {
    let client = try await StdioClient.initialized()
    let id = try JSONValue.parse(id)
    let call: JSONValue = ["name": "test_wait", "arguments": ["milliseconds": 600_000]]
    try await client.send(Wire.request(id, "tools/call", call))
    try await client.waits(began: 1)
    try await client.send(
      Wire.notification(
        "notifications/cancelled", .object([.init("requestId", id), .init("reason", "changed my mind")])))
    try await client.waits(cancelled: 1)
    try await client.expectSilence()
    // The id is free again.
    #expect(try await client.request(id, "ping")["result"] != nil)
  }

  @Test("67 a cancellation of something else is ignored")
  func otherCancellations() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(5, "tools/call", ["name": "test_wait", "arguments": ["milliseconds": 400]]))
    try await client.waits(began: 1)
    for parameters: JSONValue in [
      ["requestId": "5"], ["requestId": 6], ["requestId": .null], ["requestId": (1.5).json], .emptyObject,
      ["requestId": [5]],
    ] {
      try await client.send(Wire.notification("notifications/cancelled", parameters))
    }
    #expect(try await client.answer(to: 5).at("result/content/0/text")?.text == "waited")
    try await client.send(Wire.notification("notifications/cancelled", ["requestId": 5]))
    try await client.expectSilence()
    #expect(try await client.stats().cancelled == 0)
  }

  @Test("68 and 69 nothing is asked of the client in a result, and tasks are not advertised")
  func notOffered() async throws {
    let client = try await StdioClient.initialized()
    let parameters: JSONValue = ["name": "test_simple_text", "task": ["ttl": 1_000]]
    #expect(try await client.request(1, "tools/call", parameters).at("result/content") != nil)
    let state = ModernParameters.with([.init("name", "test_simple_text"), .init("requestState", "forged")])
    #expect(try await client.request(2, "tools/call", state).at("result/resultType")?.text == "complete")
  }
}

extension Double {
  fileprivate var json: JSONValue { JSONNumber("\(self)").map(JSONValue.number) ?? .null }
}

extension StdioClient {
  /// The notifications that came, which are forgotten.
  func takeNotifications() -> [JSONValue] {
    defer { notifications = [] }
    return notifications
  }

  func waits(cancelled count: Int) throws {
    for _ in 0..<2_000 where try stats().cancelled < count {}
    guard try stats().cancelled >= count else { throw TestFailure("the tool was not cancelled") }
  }
}
