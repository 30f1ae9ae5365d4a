internal import Records
internal import Testing

/// Statements 33 to 40: sessions and streams of the older revisions.
@Suite("HTTP of the older revisions") struct LegacyHTTPTests {
  private static let initialize = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))

  @Test("33 initialize gives a session an id of plain characters that nobody guesses")
  func sessionID() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      var ids: Set<String> = []
      for _ in 0..<20 {
        let id = try #require(try await fixture.post(Self.initialize).header("Mcp-Session-Id"))
        #expect(id.utf8.count >= 32)
        #expect(id.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        ids.insert(id)
      }
      #expect(ids.count == 20)
    }
  }

  @Test("34 without a session a request is refused with 400, with one that is not there with 404")
  func missingSession() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for method in ["ping", "tools/list", "nonsense"] {
        #expect(try await fixture.post(Wire.request(1, method)).status == 400)
        let gone = [("Mcp-Session-Id", "0123456789abcdef0123456789abcdef")]
        #expect(try await fixture.post(Wire.request(1, method), headers: gone).status == 404)
      }
      for method in ["GET", "DELETE"] {
        let accept = [("Accept", "text/event-stream")]
        #expect(try await fixture.exchange(method, headers: accept).status == 400)
        #expect(try await fixture.exchange(method, headers: accept + [("Mcp-Session-Id", "x")]).status == 404)
      }
      let twice = [("Mcp-Session-Id", "a"), ("Mcp-Session-Id", "b")]
      #expect(try await fixture.post(Wire.request(1, "ping"), headers: twice).status == 400)
    }
  }

  @Test("34 initialize with the id of a session that is gone begins another")
  func staleInitialize() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let reply = try await fixture.post(Self.initialize, headers: [("Mcp-Session-Id", "stale")])
      #expect(reply.status == 200)
      #expect(reply.header("Mcp-Session-Id") != "stale")
    }
  }

  @Test("35 DELETE ends the session; afterwards it is not there")
  func delete() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let stream = try fixture.connect()
      try await stream.send("GET", headers: [("Accept", "text/event-stream")] + session)
      #expect(try await stream.head().status == 200)
      #expect(try await fixture.exchange("DELETE", headers: session).status == 204)
      #expect(try await stream.event() == nil)
      #expect(try await fixture.post(Wire.request(1, "ping"), headers: session).status == 404)
      #expect(try await fixture.exchange("DELETE", headers: session).status == 404)
      #expect(try await fixture.exchange("GET", headers: [("Accept", "text/event-stream")] + session).status == 404)
    }
  }

  @Test("36 a version that is not served is refused with 400; without the header the negotiated one holds")
  func versions() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session().filter { $0.0 == "Mcp-Session-Id" }
      for version in ["2024-11-05", "1.0", "latest", "", "2025-11-25, 2025-11-25"] {
        let headers = session + [("MCP-Protocol-Version", version)]
        #expect(try await fixture.post(Wire.request(1, "ping"), headers: headers).status == 400, "\(version)")
      }
      #expect(try await fixture.post(Wire.request(1, "ping"), headers: session).status == 200)
      for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let headers = session + [("MCP-Protocol-Version", version)]
        #expect(try await fixture.post(Wire.request(1, "ping"), headers: headers).status == 200)
      }
    }
  }

  @Test("37 a GET stream carries the server's own notices and no answers, and each goes to one stream")
  func standingStream() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let stream = try fixture.connect()
      try await stream.send("GET", headers: [("Accept", "text/event-stream")] + session)
      #expect(try await stream.head().status == 200)
      let add: JSONValue = ["name": "test_add", "arguments": ["name": "one"]]
      let call = try await fixture.post(Wire.request(2, "tools/call", add), headers: session)
      #expect(try call.json["id"] == 2)
      #expect(try await stream.message()?["method"]?.text == "notifications/resources/list_changed")
      // A second stream takes over: the first may be dead without a sign.
      let second = try fixture.connect()
      try await second.send("GET", headers: [("Accept", "text/event-stream")] + session)
      #expect(try await second.head().status == 200)
      #expect(try await stream.message() == nil)
      try await fixture.post(Wire.request(3, "tools/call", add), headers: session).expect(200)
      #expect(try await second.message()?["method"]?.text == "notifications/resources/list_changed")
      try await fixture.post(Wire.request(4, "ping"), headers: session).expect(200)
      #expect(try await fixture.exchange("GET", headers: [("Accept", "application/json")] + session).status == 406)
    }
  }

  @Test("38 a stream begins with an id and no data, and ends after the answer")
  func priming() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let client = try fixture.connect()
      let call: JSONValue = ["name": "test_tool_with_progress", "_meta": ["progressToken": 1]]
      try await client.send(headers: Headers.usual + session, body: Wire.request(7, "tools/call", call))
      #expect(try await client.head().header("Content-Type") == "text/event-stream")
      let first = try #require(try await client.event())
      #expect(first.id != nil)
      #expect(first.data == "")
      var ids = [first.id]
      var last: JSONValue?
      while let event = try await client.event() {
        ids.append(event.id)
        last = try event.json
      }
      #expect(last?["id"] == 7)
      #expect(ids.count == 5)
      #expect(Set(ids).count == ids.count)
      #expect(!ids.contains(nil))
    }
  }

  @Test("38 clients of revisions that know no such event are not sent it", arguments: ["2025-03-26", "2025-06-18"])
  func noPriming(revision: String) async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session(revision)
      let call: JSONValue = ["name": "test_tool_with_progress", "_meta": ["progressToken": 1]]
      let reply = try await fixture.post(Wire.request(7, "tools/call", call), headers: session)
      #expect(!reply.text.contains("data: \n"))
      #expect(try reply.events.count == 4)
    }
  }

  /// Begins a slow call, drops its connection after the first event, and returns that event's id.
  private func interrupted(_ fixture: HTTPFixture, _ session: [(String, String)]) async throws -> String {
    let client = try fixture.connect()
    let call: JSONValue = ["name": "test_tool_with_progress", "_meta": ["progressToken": 1]]
    try await client.send(headers: Headers.usual + session, body: Wire.request(7, "tools/call", call))
    #expect(try await client.head().status == 200)
    let id = try #require(try await client.event()?.id)
    await client.disconnect()
    return id
  }

  @Test("39 and 40 a call goes on when its client is gone, and the client comes back for the rest")
  func resume() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let id = try await interrupted(fixture, session)
      let again = try await fixture.exchange(
        "GET", headers: [("Accept", "text/event-stream"), ("Last-Event-ID", id)] + session)
      #expect(again.status == 200)
      let events = try again.events
      #expect(events.count == 4)
      #expect(events.last?["id"] == 7)
      #expect(events.last?.at("result/content/0/text")?.text?.contains("progress executed") == true)
      // From a later event on, only what followed it.
      let later = String(id.prefix { $0 != "-" }) + "-3"
      let rest = try await fixture.exchange(
        "GET", headers: [("Accept", "text/event-stream"), ("Last-Event-ID", later)] + session)
      #expect(try rest.events.map { $0["id"] } == [7])
    }
  }

  @Test("39 the ids of another session and made-up ones are refused")
  func foreignEvents() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let other = try await fixture.session()
      let id = try await interrupted(fixture, session)
      for (id, session) in [
        (id, other), ("99-1", session), ("x", session), ("1--1", session), ("", session), ("1-1-1", session),
      ] {
        let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", id)] + session
        #expect(try await fixture.exchange("GET", headers: headers).status == 400, "\(id)")
      }
    }
  }

  @Test("39 notices that came between two GET streams are in the second")
  func missedNotices() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let first = try fixture.connect()
      try await first.send("GET", headers: [("Accept", "text/event-stream")] + session)
      #expect(try await first.head().status == 200)
      let add: JSONValue = ["name": "test_add", "arguments": ["name": "one"]]
      try await fixture.post(Wire.request(2, "tools/call", add), headers: session).expect(200)
      let id = try #require(try await first.event()?.id)
      await first.disconnect()
      try await fixture.post(Wire.request(3, "tools/call", add), headers: session).expect(200)
      let second = try fixture.connect()
      try await second.send("GET", headers: [("Accept", "text/event-stream"), ("Last-Event-ID", id)] + session)
      #expect(try await second.head().status == 200)
      #expect(try await second.message()?["method"]?.text == "notifications/resources/list_changed")
    }
  }

  @Test("67 a call is cancelled by a notification in its session, and by none from another")
  func cancellation() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let other = try await fixture.session()
      let client = try fixture.connect()
      let call: JSONValue = ["name": "test_wait", "arguments": ["milliseconds": 600_000]]
      try await client.send(headers: Headers.usual + session, body: Wire.request(0, "tools/call", call))
      #expect(try await client.head().status == 200)
      let cancel = Wire.notification("notifications/cancelled", ["requestId": 0])
      try await fixture.post(cancel, headers: other).expect(202)
      #expect(try await fixture.stats(session).cancelled == 0)
      try await fixture.post(cancel, headers: session).expect(202)
      #expect(try await client.message() == nil)
      #expect(try await fixture.stats(session).cancelled == 1)
    }
  }

  @Test("an id that is in flight in a session cannot be used again meanwhile")
  func duplicateIDs() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let client = try fixture.connect()
      let call: JSONValue = ["name": "test_wait", "arguments": ["milliseconds": 600_000]]
      try await client.send(headers: Headers.usual + session, body: Wire.request(5, "tools/call", call))
      #expect(try await client.head().status == 200)
      let again = try await fixture.post(Wire.request(5, "resources/list"), headers: session)
      #expect(again.status == 400)
      #expect(try again.json["id"] == nil)
      let cancel = Wire.notification("notifications/cancelled", ["requestId": 5])
      try await fixture.post(cancel, headers: session).expect(202)
      #expect(try await client.message() == nil)
      // Its id is free again.
      #expect(try await fixture.post(Wire.request(5, "resources/list"), headers: session).status == 200)
    }
  }

  @Test("sessions are bounded in number and in idle time")
  func bounds() async throws {
    try await HTTPFixture.run(["--sessions", "3"]) { (fixture) async throws in
      var sessions: [[(String, String)]] = []
      for _ in 0..<4 { sessions.append(try await fixture.session()) }
      #expect(try await fixture.post(Wire.request(1, "ping"), headers: sessions[0]).status == 404)
      #expect(try await fixture.post(Wire.request(1, "ping"), headers: sessions[3]).status == 200)
    }
    try await HTTPFixture.run(["--session-idle", "1"]) { (fixture) async throws in
      let id = try #require(try await fixture.post(Self.initialize).header("Mcp-Session-Id"))
      try await Task.sleep(for: .milliseconds(20))
      let reply = try await fixture.post(Wire.request(1, "ping"), headers: [("Mcp-Session-Id", id)])
      #expect(reply.status == 404)
    }
  }
}

extension HTTPReply {
  func expect(_ status: Int) throws {
    guard self.status == status else { throw TestFailure("not \(status): \(self)") }
  }
}

extension HTTPFixture {
  func stats(_ session: [(String, String)]) async throws -> (began: Int, cancelled: Int) {
    let reply = try await post(Wire.request("stats", "tools/call", ["name": "test_stats"]), headers: session)
    let text = try JSONValue.parse(reply.json.at("result/content/0/text")?.text ?? "")
    return (text["began"]?.integer ?? -1, text["cancelled"]?.integer ?? -1)
  }
}
