internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// The groups of hostile inputs over HTTP, beyond what the statements cover.
@Suite("Hostile inputs over HTTP") struct HostileHTTPTests {
  private static let initialize = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))

  @Test("hostile 2, 3, 4 and 6: bodies that are no message are refused with 400 and without an id")
  func bodies() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
      let bodies: [(String, Int)] = [
        ("", -32700), ("{", -32700), ("\u{FEFF}{}", -32700), (deep, -32700), ("{\"a\":NaN}", -32700), ("[]", -32600),
        ("[\(Wire.request(1, "ping"))]", -32600), (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1e400,"method":"ping"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1,"method":"ping"}x"#, -32700),
      ]
      for (body, code) in bodies {
        let reply = try await fixture.post(body, headers: session)
        #expect(reply.status == 400, "\(body.prefix(80))")
        let message = try reply.json
        #expect(message.errorCode == code, "\(body.prefix(80))")
        #expect(message["id"] == nil)
      }
      for bytes: [UInt8] in [[0xFF], [0xED, 0xA0, 0x80], [0x22, 0x00, 0x22]] {
        let client = try fixture.connect()
        try await client.send(headers: Headers.usual + session + [("Content-Length", "\(bytes.count)")])
        try await client.send(bytes: bytes)
        #expect(try await client.reply().status == 400)
      }
      for id in ["0", #""""#, "18446744073709551616", "9007199254740993"] {
        let reply = try await fixture.post(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#, headers: session)
        #expect(reply.text.contains(#""id":\#(id),"#))
      }
    }
  }

  @Test("hostile 5: a header that must not occur twice is refused")
  func duplicateHeaders() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let type = ("Content-Type", "application/json")
      #expect(try await fixture.exchange(headers: [type, type], body: Self.initialize).status == 415)
      let lengths = try fixture.connect()
      try await lengths.send(headers: Headers.usual + [("Content-Length", "2"), ("Content-Length", "3")])
      #expect(try await lengths.head().status == 400)
      let smuggled = try fixture.connect()
      try await smuggled.send(headers: Headers.usual + [("Content-Length", "4"), ("Transfer-Encoding", "chunked")])
      #expect(try await smuggled.head().status == 400)
    }
  }

  @Test("hostile 6: what is no HTTP, and headers without end, close the connection")
  func brokenHTTP() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for text in ["nonsense\r\n\r\n", "GET\r\n\r\n", "POST /mcp HTTP/9.9\r\n\r\n", "\u{0}\u{0}\u{0}\r\n\r\n"] {
        let client = try fixture.connect()
        try await client.send(bytes: Array(text.utf8))
        #expect(try await client.head().status == 400, "\(text)")
      }
      let client = try fixture.connect()
      try await client.send(bytes: Array("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ".utf8))
      // The server may close while the flood is still on its way.
      for _ in 0..<100 {
        do { try await client.send(bytes: [UInt8](repeating: 0x61, count: 10_000)) } catch { break }
      }
      let end = try? await client.head()
      #expect(end == nil || (400...499).contains(end?.status ?? 0))
      #expect(try await fixture.post(Self.initialize).status == 200)
    }
  }

  @Test("hostile 6: a request that trickles in, or never comes, is given up")
  func slowRequests() async throws {
    try await HTTPFixture.run(["--read-time", "400"]) { (fixture) async throws in
      let silent = try fixture.connect()
      let head = try fixture.connect()
      try await head.send(bytes: Array("POST /mcp HTTP/1.1\r\nHost: loc".utf8))
      let body = try fixture.connect()
      try await body.send(headers: Headers.usual + [("Content-Length", "100000")])
      // A byte now and then must not keep the connection open.
      var sent = 0
      for _ in 0..<200 {
        do { try await body.send(bytes: [0x20]) } catch { break }
        sent += 1
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(sent < 200)
      #expect(try await silent.isClosed())
      #expect(try await head.isClosed())
      #expect(try await fixture.post(Self.initialize).status == 200)
    }
  }

  @Test("hostile 6: a body without a length is none")
  func missingLength() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let client = try fixture.connect()
      try await client.send(headers: Headers.usual)
      #expect(try await client.reply().status == 400)
    }
  }

  @Test("hostile 8: after a restart a session is not there, and another is begun")
  func restart() async throws {
    let session = try await HTTPFixture.run { (fixture) async throws in try await fixture.session() }
    try await HTTPFixture.run { (fixture) async throws in
      #expect(try await fixture.post(Wire.request(2, "ping"), headers: session).status == 404)
      #expect(
        try await fixture.post(Self.initialize, headers: session.filter { $0.0 == "Mcp-Session-Id" }).status == 200)
    }
  }

  @Test("hostile 9: a thousand streams are open at once, and each is told; more are refused")
  func manyStreams() async throws {
    try await HTTPFixture.run(["--streams", "1000"]) { (fixture) async throws in
      let streams = ManyStreams(port: fixture.port)
      let filter = ModernParameters.with([.init("notifications", ["resourcesListChanged": true])])
      let body = Wire.request(1, "subscriptions/listen", filter)
      try await streams.open(1_000, body, until: "acknowledged")
      let more = try await fixture.modern(1, "subscriptions/listen", filter)
      #expect(try more.json.errorCode == -32603)
      let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "n"])])
      #expect(try await fixture.modern(2, "tools/call", add, name: "test_add").status == 200)
      try await streams.expect("list_changed")
      await streams.close()
      // Their places are free again.
      try await eventually {
        let client = try fixture.connect()
        try await client.send(headers: Headers.usual + Headers.modern("subscriptions/listen"), body: body)
        return try await client.head().header("Content-Type") == "text/event-stream"
      }
    }
  }

  @Test("requests beyond the number that is worked on at once are told to come again")
  func overload() async throws {
    try await HTTPFixture.run(["--requests", "2", "--patience", "10000"]) { (fixture) async throws in
      let hold = ModernParameters.with([.init("name", "test_hold")])
      var clients: [HTTPClient] = []
      try await eventually {
        let reply = try await fixture.modern(1, "tools/list")
        if reply.status == 503 { return reply.header("Retry-After") != nil }
        // A place is free: a call takes it. It may be refused itself, since the look's own place is given back only
        // after its answer, so that two calls sent once would not be certain to be two that are held.
        let client = try fixture.connect()
        clients.append(client)
        try await client.send(
          headers: Headers.usual + Headers.modern("tools/call", name: "test_hold"),
          body: Wire.request(1, "tools/call", hold))
        return false
      }
      // Whoever leaves makes room: at the latest when the patience is over, with which the answer becomes a stream.
      for client in clients { await client.disconnect() }
      try await eventually { try await fixture.modern(1, "tools/list").status == 200 }
    }
  }

  @Test("hostile 9: a client that is gone without a word holds nothing once its connection fails")
  func abandonedStreams() async throws {
    try await HTTPFixture.run(["--streams", "5", "--keep-alive", "50"]) { (fixture) async throws in
      let filter = ModernParameters.with([.init("notifications", ["resourcesListChanged": true])])
      for _ in 0..<30 {
        let client = try fixture.connect()
        try await client.send(
          headers: Headers.usual + Headers.modern("subscriptions/listen"),
          body: Wire.request(1, "subscriptions/listen", filter))
        try await eventually { try await client.head().status == 200 }
        await client.disconnect()
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  @Test(
    "hostile 16: header and body that disagree do nothing", arguments: ["test_touch", "=?base64?dGVzdF90b3VjaA==?="])
  func disagreement(name: String) async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let add = ModernParameters.with([.init("name", "test_add"), .init("arguments", ["name": "smuggled"])])
      let reply = try await fixture.modern(1, "tools/call", add, name: name)
      #expect(reply.status == 400)
      let read = ModernParameters.with([.init("uri", "test://added/smuggled")])
      #expect(try await fixture.modern(2, "resources/read", read, name: "test://added/smuggled").status == 400)
    }
  }

  @Test("reads do not wait for a call that takes its time")
  func concurrency() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let client = try fixture.connect()
      let call: JSONValue = ["name": "test_wait", "arguments": ["milliseconds": 600_000]]
      try await client.send(headers: Headers.usual + session, body: Wire.request(1, "tools/call", call))
      try await eventually { try await fixture.stats(session).began == 1 }
      for number in 2..<20 {
        let read = Wire.request(.integer(number), "resources/read", ["uri": "test://static-text"])
        #expect(try await fixture.post(read, headers: session).status == 200)
      }
    }
  }
}
