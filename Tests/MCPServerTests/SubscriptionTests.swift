internal import Records
internal import Testing

/// Statements 47 to 50: subscriptions, on standard input and output.
@Suite("Subscriptions") struct SubscriptionTests {
  private static let uri: JSONValue = ["uri": "test://watched-resource"]

  @Test("47 only a subscriber is told that a resource changed, until it unsubscribes")
  func legacy() async throws {
    let client = try await StdioClient.initialized()
    try await client.request(1, "tools/call", ["name": "test_touch"])
    try await client.expectSilence()
    #expect(await client.notifications.isEmpty)
    #expect(try await client.request(2, "resources/subscribe", Self.uri)["result"] == .emptyObject)
    try await client.request(3, "tools/call", ["name": "test_touch"])
    let notice = try await client.notice()
    #expect(notice["method"]?.text == "notifications/resources/updated")
    #expect(notice["params"] == Self.uri)
    #expect(try await client.request(4, "resources/unsubscribe", Self.uri)["result"] == .emptyObject)
    try await client.request(5, "tools/call", ["name": "test_touch"])
    try await client.expectSilence()
    #expect(await client.notifications.isEmpty)
  }

  @Test("47 a resource that cannot exist cannot be subscribed to")
  func unknown() async throws {
    let client = try await StdioClient.initialized()
    #expect(try await client.request(1, "resources/subscribe", ["uri": "test://none"]).errorCode == -32002)
    #expect(try await client.request(2, "resources/subscribe", ["uri": 7]).errorCode == -32602)
    #expect(try await client.request(3, "resources/unsubscribe", ["uri": "test://none"])["result"] != nil)
  }

  private func listen(_ id: JSONValue, _ filter: JSONValue) -> String {
    Wire.request(id, "subscriptions/listen", ModernParameters.with([.init("notifications", filter)]))
  }

  @Test("48 a listening stream begins with what is honoured and tells nothing else", arguments: ["7", #""7""#, "0"])
  func listening(id: String) async throws {
    let client = try StdioClient()
    let id = try JSONValue.parse(id)
    try await client.send(
      listen(
        id,
        [
          "resourcesListChanged": true, "toolsListChanged": true,
          "resourceSubscriptions": ["test://watched-resource", "test://none"],
        ]))
    let first = try await client.message()
    #expect(first["method"]?.text == "notifications/subscriptions/acknowledged")
    #expect(first.at("params/notifications/resourcesListChanged") == true)
    #expect(first.at("params/notifications/resourceSubscriptions") == ["test://watched-resource"])
    #expect(first.at("params/notifications/toolsListChanged") == nil)
    let tag = { (message: JSONValue) in message.at("params/_meta")?["io.modelcontextprotocol/subscriptionId"] }
    #expect(tag(first) == id)
    try await client.request(100, "tools/call", ModernParameters.with([.init("name", "test_touch")]))
    let updated = try await client.notice()
    #expect(updated["method"]?.text == "notifications/resources/updated")
    #expect(updated.at("params/uri")?.text == "test://watched-resource")
    #expect(tag(updated) == id)
    let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "x"])])
    try await client.request(101, "tools/call", add)
    let changed = try await client.notice()
    #expect(changed["method"]?.text == "notifications/resources/list_changed")
    #expect(tag(changed) == id)
  }

  @Test("48 only the types that were asked for are told")
  func filtered() async throws {
    let client = try StdioClient()
    try await client.send(listen(1, ["resourceSubscriptions": ["test://watched-resource"]]))
    _ = try await client.message()
    let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "x"])])
    try await client.request(2, "tools/call", add)
    try await client.request(3, "tools/call", ModernParameters.with([.init("name", "test_touch")]))
    #expect(try await client.notice()["method"]?.text == "notifications/resources/updated")
    #expect(await client.notifications.isEmpty)
    for filter: JSONValue in [
      7, ["resourcesListChanged": 1], ["resourceSubscriptions": [1]], ["resourceSubscriptions": "a"],
    ] {
      try await client.send(listen(4, filter))
      #expect(try await client.answer(to: 4).errorCode == -32602)
    }
  }

  @Test("49 the end of the connection ends a listening stream with an empty complete result")
  func closed() async throws {
    let client = try StdioClient()
    try await client.send(listen("s", ["resourcesListChanged": true]))
    _ = try await client.message()
    await client.closeInput()
    let end = try await client.message()
    #expect(end["id"] == "s")
    #expect(end.at("result/resultType")?.text == "complete")
    #expect(end.at("result/_meta")?["io.modelcontextprotocol/subscriptionId"] == "s")
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() == 0)
  }

  @Test("49 a cancelled listening stream ends without another word")
  func cancelled() async throws {
    let client = try StdioClient()
    try await client.send(listen(5, ["resourcesListChanged": true]))
    _ = try await client.message()
    try await client.send(Wire.notification("notifications/cancelled", ["requestId": 5]))
    let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "x"])])
    try await client.request(6, "tools/call", add)
    try await client.expectSilence()
    #expect(await client.notifications.isEmpty)
    await client.closeInput()
    #expect(try await client.line() == nil)
  }

  @Test("50 a change of the list is told to a client that is ready, and to nobody twice")
  func listChanged() async throws {
    let client = try await StdioClient.initialized()
    try await client.request(1, "tools/call", ["name": "test_add", "arguments": ["name": "one"]])
    #expect(try await client.notice()["method"]?.text == "notifications/resources/list_changed")
    try await client.expectSilence()
    #expect(await client.notifications.isEmpty)
  }
}
