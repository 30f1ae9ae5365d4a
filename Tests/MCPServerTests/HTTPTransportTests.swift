internal import Glibc
internal import Records
internal import Testing

/// Statements 26 to 32: HTTP, whatever the revision.
@Suite("HTTP") struct HTTPTransportTests {
  private static let ping = Wire.request(1, "ping")

  @Test("26 and 31 one path takes POST, GET, DELETE and OPTIONS, and answers other methods 405 with Allow")
  func methods() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for method in ["PUT", "PATCH", "HEAD", "TRACE"] {
        let client = try fixture.connect()
        try await client.send(method)
        let reply = try await client.head()
        #expect(reply.status == 405, "\(method)")
        #expect(reply.header("Allow") == "POST, GET, DELETE, OPTIONS")
      }
      let options = try await fixture.exchange("OPTIONS")
      #expect(options.status == 204)
      #expect(options.header("Allow") == "POST, GET, DELETE, OPTIONS")
      #expect(try await fixture.exchange("POST", path: "/other", headers: Headers.usual, body: "{}").status == 404)
      #expect(try await fixture.exchange("GET", path: "/healthz").text == "ok")
    }
  }

  @Test("27 an origin that is present and not allowed is refused with 403 on every method")
  func origins() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let evil = [
        "http://evil.example", "null", "http://127.0.0.1:1@evil.example", "http://localhost.evil.example",
        "http://evil.example/localhost", "http://127.0.0.1.evil.example", "http://127.0.0.1:80/evil", "localhost",
        "http://localhost:", "http://localhost:80a", "http://localhost:999999", "ftp://localhost", "http://[::1]evil",
        "http://0.0.0.0", "http://127.1", "http://2130706433", "http://localhost#", "http://localhost?", "file://", "",
      ]
      for origin in evil {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
          let reply = try await fixture.exchange(
            method, headers: Headers.usual + [("Origin", origin)], body: method == "POST" ? Self.ping : nil)
          #expect(reply.status == 403, "\(method) \(origin)")
          #expect(reply.header("Access-Control-Allow-Origin") == nil)
        }
      }
    }
  }

  @Test("27 pages of this machine may call, and a request without an origin")
  func ownOrigins() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let body = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
      for origin in [
        "http://localhost", "http://127.0.0.1:6274", "https://localhost:1", "http://[::1]:80", "HTTP://LOCALHOST",
      ] {
        let reply = try await fixture.post(body, headers: [("Origin", origin)])
        #expect(reply.status == 200, "\(origin)")
        #expect(reply.header("Access-Control-Allow-Origin") == origin)
        #expect(reply.header("Access-Control-Expose-Headers")?.contains("Mcp-Session-Id") == true)
      }
      #expect(try await fixture.post(body).status == 200)
      let twice = [("Origin", "http://localhost"), ("Origin", "http://evil.example")]
      #expect(try await fixture.post(body, headers: twice).status == 403)
    }
  }

  @Test("27 a name that was bound to this address is refused by its Host")
  func hosts() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for host in [
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost:80:80", "", "localhost@evil", "0.0.0.0",
      ] {
        let reply = try await fixture.post(Self.ping, headers: [("Host", host)])
        #expect(reply.status == 403 || reply.status == 400, "\(host): \(reply)")
      }
      for host in ["localhost", "127.0.0.1", "[::1]:80", "LOCALHOST:3100"] {
        let body = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
        #expect(try await fixture.post(body, headers: [("Host", host)]).status == 200, "\(host)")
      }
      let two = try await fixture.post(Self.ping, headers: [("Host", "localhost"), ("Host", "localhost")])
      #expect(two.status == 400)
    }
  }

  @Test(
    "28 an address that others reach is refused without a token",
    arguments: ["0.0.0.0", "::", "10.0.0.1", "example.org"])
  func bind(host: String) throws {
    let program = try FixtureProgram(["--http", "0", "--host", host])
    #expect(try program.wait() == 2)
    #expect(program.errorText.contains("no token"))
  }

  @Test("29 a notification that is accepted is answered 202 with nothing, one that is refused with 4xx")
  func notifications() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      for text in [
        Wire.notification("notifications/unknown"), Wire.notification("notifications/cancelled", ["requestId": 99]),
        #"{"jsonrpc":"2.0","id":1,"result":{}}"#,
      ] {
        let reply = try await fixture.post(text, headers: session)
        #expect(reply.status == 202)
        #expect(reply.body.isEmpty)
      }
      #expect(try await fixture.post(#"{"jsonrpc":"1.0","method":"a"}"#, headers: session).status == 400)
      #expect(try await fixture.post(Wire.notification("notifications/initialized")).status == 400)
      let modern = [("MCP-Protocol-Version", "2026-07-28")]
      #expect(try await fixture.post(Wire.notification("notifications/x"), headers: modern).status == 202)
    }
  }

  @Test("30 a request is answered with JSON, or with a stream where it has something to say before")
  func types() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let quick = try await fixture.post(Wire.request(1, "tools/list"), headers: session)
      #expect(quick.header("Content-Type") == "application/json")
      let call: JSONValue = ["name": "test_tool_with_progress", "_meta": ["progressToken": 1]]
      let long = try await fixture.post(Wire.request(2, "tools/call", call), headers: session)
      #expect(long.header("Content-Type") == "text/event-stream")
      #expect(try long.events.last?["id"] == 2)
    }
  }

  @Test("31 a body that is no JSON by its type is refused with 415, and one that is no JSON with 400")
  func contentType() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data", ""] {
        let reply = try await fixture.exchange(headers: [("Content-Type", type)], body: Self.ping)
        #expect(reply.status == 415, "\(type)")
      }
      #expect(try await fixture.exchange(body: Self.ping).status == 415)
      for type in ["application/json; charset=utf-8", "Application/JSON"] {
        let reply = try await fixture.exchange(headers: [("Content-Type", type)], body: "{")
        #expect(reply.status == 400, "\(type)")
        #expect(try reply.json.errorCode == -32700)
      }
    }
  }

  @Test("31 a body over the limit is refused with 413, announced or not")
  func tooLarge() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let announced = try fixture.connect()
      try await announced.send(headers: Headers.usual + [("Content-Length", "10000000")])
      #expect(try await announced.reply().status == 413)
      let chunked = try fixture.connect()
      try await chunked.send(headers: Headers.usual + [("Transfer-Encoding", "chunked")])
      let chunk = Array("80000\r\n\(String(repeating: " ", count: 0x80000))\r\n".utf8)
      for _ in 0..<9 { try await chunked.send(bytes: chunk) }
      #expect(try await chunked.reply().status == 413)
    }
  }

  @Test("31 a client that takes neither JSON nor a stream is told so with 406")
  func accept() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let body = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
      let type = ("Content-Type", "application/json")
      for accept in ["text/html", "image/*", "application/json;q=0", "application/xml, text/plain"] {
        let reply = try await fixture.exchange(headers: [type, ("Accept", accept)], body: body)
        #expect(reply.status == 406, "\(accept)")
      }
      for accept in [
        "*/*", "application/*", "application/json", "text/html, application/json;q=0.1", "APPLICATION/JSON",
      ] {
        let reply = try await fixture.exchange(headers: [type, ("Accept", accept)], body: body)
        #expect(reply.status == 200, "\(accept)")
      }
      #expect(try await fixture.exchange(headers: [type], body: body).status == 200)
    }
  }

  @Test("31 a client that takes JSON alone gets its answer in one piece, without the notices before it")
  func jsonOnly() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let call: JSONValue = ["name": "test_tool_with_progress", "_meta": ["progressToken": 1]]
      let headers = [("Content-Type", "application/json"), ("Accept", "application/json")] + session
      let reply = try await fixture.exchange(headers: headers, body: Wire.request(2, "tools/call", call))
      #expect(reply.header("Content-Type") == "application/json")
      #expect(try reply.json["id"] == 2)
    }
  }

  @Test("32 a stream asks proxies not to hold it back and says that it is alive")
  func keepAlive() async throws {
    try await HTTPFixture.run(["--keep-alive", "50"]) { (fixture) async throws in
      let session = try await fixture.session()
      let client = try fixture.connect()
      try await client.send("GET", headers: [("Accept", "text/event-stream")] + session)
      let head = try await client.head()
      #expect(head.status == 200)
      #expect(head.header("X-Accel-Buffering") == "no")
      #expect(head.header("Content-Type") == "text/event-stream")
      for _ in 0..<3 { #expect(try await client.event()?.comment == ": keep-alive") }
    }
  }

  @Test("a connection serves one request after another")
  func persistence() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let client = try fixture.connect()
      for number in 1...5 {
        try await client.send(
          headers: Headers.usual + Headers.modern("tools/list"),
          body: Wire.request(.integer(number), "tools/list", ModernParameters.with()))
        #expect(try await client.reply().json["id"] == .integer(number))
      }
    }
  }

  @Test("a termination signal ends open streams and the program")
  func termination() async throws {
    try await HTTPFixture.run { (fixture) async throws in
      let session = try await fixture.session()
      let standing = try fixture.connect()
      try await standing.send("GET", headers: [("Accept", "text/event-stream")] + session)
      #expect(try await standing.head().status == 200)
      let listening = try fixture.connect()
      let filter = ModernParameters.with([.init("notifications", ["resourcesListChanged": true])])
      try await listening.send(
        headers: Headers.usual + Headers.modern("subscriptions/listen"),
        body: Wire.request(9, "subscriptions/listen", filter))
      #expect(try await listening.head().status == 200)
      #expect(try await listening.message()?["method"] != nil)
      fixture.program.signal(SIGTERM)
      // The end of a listening stream is a result.
      #expect(try await listening.message()?.at("result/resultType")?.text == "complete")
      #expect(try await standing.message() == nil)
      #expect(try fixture.program.wait() == 0)
    }
  }
}
