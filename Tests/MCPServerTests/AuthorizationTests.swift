internal import Records
internal import Testing

@testable internal import MCPServer

/// Statements 70 to 75: who may come in.
@Suite("Authorization") struct AuthorizationTests {
  private static let initialize = Wire.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
  private static let token = ("Authorization", "Bearer correct horse")

  @Test("71 with authorization servers their metadata is served and named in a refusal")
  func metadata() async throws {
    try await HTTPFixture.run(["--token", "t", "--issuer", "https://login.example"]) { (fixture) async throws in
      let refused = try await fixture.post(Self.initialize)
      #expect(refused.status == 401)
      let challenge = try #require(refused.header("WWW-Authenticate"))
      #expect(challenge.hasPrefix("Bearer "))
      let path = "/.well-known/oauth-protected-resource/mcp"
      #expect(challenge.contains("resource_metadata=\"http://127.0.0.1:\(fixture.port)\(path)\""))
      for path in [path, "/.well-known/oauth-protected-resource"] {
        let reply = try await fixture.exchange("GET", path: path)
        #expect(reply.status == 200)
        let document = try reply.json
        #expect(document["authorization_servers"] == ["https://login.example"])
        #expect(document["resource"]?.text == "http://127.0.0.1:\(fixture.port)/mcp")
      }
    }
  }

  @Test("71 behind a proxy the metadata names the address that clients know")
  func publicURL() async throws {
    let options = ["--token", "t", "--issuer", "https://login.example", "--public-url", "https://records.example"]
    try await HTTPFixture.run(options) { (fixture) async throws in
      let challenge = try await fixture.post(Self.initialize).header("WWW-Authenticate")
      let path = "/.well-known/oauth-protected-resource/mcp"
      #expect(challenge?.contains("resource_metadata=\"https://records.example\(path)\"") == true)
      let reply = try await fixture.exchange("GET", path: path)
      #expect(try reply.json["resource"]?.text == "https://records.example/mcp")
    }
  }

  @Test("71 without authorization servers there is no metadata to be found")
  func noMetadata() async throws {
    try await HTTPFixture.run(["--token", "t"]) { (fixture) async throws in
      #expect(try await fixture.exchange("GET", path: "/.well-known/oauth-protected-resource").status == 404)
    }
  }

  @Test("72 a missing or wrong token is refused with 401 on every method")
  func wrongTokens() async throws {
    try await HTTPFixture.run(["--token", "correct horse"]) { (fixture) async throws in
      let values: [String?] = [
        nil, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer correct horsf", "Bearer correct hors",
        "Bearer correct horse2", "Basic correct horse", "correct horse", "Bearer CORRECT HORSE",
      ]
      for value in values {
        let header = value.map { [("Authorization", $0)] } ?? []
        for method in ["POST", "GET", "DELETE"] {
          let reply = try await fixture.exchange(
            method, headers: Headers.usual + header, body: method == "POST" ? Self.initialize : nil)
          #expect(reply.status == 401, "\(method) \(value ?? "none")")
          #expect(reply.header("WWW-Authenticate")?.hasPrefix("Bearer ") == true)
          #expect(!reply.text.contains("correct horse"))
        }
      }
      #expect(try await fixture.post(Self.initialize, headers: [Self.token]).status == 200)
      #expect(
        try await fixture.post(Self.initialize, headers: [("authorization", "bearer  correct horse ")]).status == 200)
      #expect(try await fixture.post(Self.initialize, headers: [Self.token, Self.token]).status == 401)
      // A preflight of a browser cannot carry one.
      #expect(try await fixture.exchange("OPTIONS", headers: [("Origin", "http://localhost")]).status == 204)
    }
  }

  @Test("72 a token to read may not change records, and is told what would")
  func scopes() async throws {
    try await HTTPFixture.run(["--token", "all", "--read-token", "some"]) { (fixture) async throws in
      let some = [("Authorization", "Bearer some")]
      let all = [("Authorization", "Bearer all")]
      let touch = ModernParameters.with([.init("name", "test_touch")])
      let refused = try await fixture.modern(1, "tools/call", touch, name: "test_touch", headers: some)
      #expect(refused.status == 403)
      #expect(refused.header("WWW-Authenticate")?.contains("insufficient_scope") == true)
      #expect(refused.header("WWW-Authenticate")?.contains("scope=\"write\"") == true)
      #expect(try await fixture.modern(1, "tools/call", touch, name: "test_touch", headers: all).status == 200)
      let read = ModernParameters.with([.init("name", "test_simple_text")])
      for token in [some, all] {
        #expect(try await fixture.modern(1, "tools/call", read, name: "test_simple_text", headers: token).status == 200)
      }
      let session = try await fixture.session(headers: some)
      let call = try await fixture.post(Wire.request(1, "tools/call", ["name": "test_touch"]), headers: session)
      #expect(call.status == 403)
    }
  }

  @Test("73 a token in the address is refused, even a right one with a right header beside it")
  func tokenInAddress() async throws {
    try await HTTPFixture.run(["--token", "t"]) { (fixture) async throws in
      for query in ["access_token=t", "a=b&access_token=t", "token=t", "ACCESS_TOKEN=t", "access_token"] {
        for headers in [[], [("Authorization", "Bearer t")]] {
          let reply = try await fixture.exchange(
            path: "/mcp?\(query)", headers: Headers.usual + headers, body: Self.initialize)
          #expect(reply.status == 401, "\(query)")
        }
      }
    }
  }

  @Test("74 the id of a session lets nobody in, and nobody into another's session")
  func sessionIsNoToken() async throws {
    try await HTTPFixture.run(["--token", "one", "--token", "two"]) { (fixture) async throws in
      let session = try await fixture.session(headers: [("Authorization", "Bearer one")])
      let ping = Wire.request(1, "ping")
      #expect(try await fixture.post(ping, headers: session).status == 200)
      let bare = session.filter { $0.0 != "Authorization" }
      #expect(try await fixture.post(ping, headers: bare).status == 401)
      #expect(try await fixture.post(ping, headers: bare + [("Authorization", "Bearer two")]).status == 404)
      #expect(try await fixture.exchange("DELETE", headers: bare + [("Authorization", "Bearer two")]).status == 404)
      #expect(try await fixture.post(ping, headers: session).status == 200)
    }
  }

  @Test("75 tokens are kept as hashes, and no log holds one")
  func hashes() async throws {
    let token = BearerToken(token: "secret value")
    #expect(!"\(token)".contains("secret"))
    let hex = "a0b5d3d8ddd5cb0fdf5b1b24b7d2f2c47b4fd6db2fbb2c9e26b13aaa8ab8be3e"
    #expect(BearerToken(sha256: hex) != nil)
    for bad in [
      "", "abc", String(hex.dropLast()), hex + "0", String(hex.dropLast()) + "g", String(hex.dropLast(2)) + "é",
    ] {
      #expect(BearerToken(sha256: bad) == nil, "\(bad)")
    }
    // echo -n t | sha256sum
    let hashed = BearerToken(sha256: "e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8")
    #expect(hashed == BearerToken(token: "t"))
    #expect(hashed == BearerToken(sha256: "E3B98A4DA31A127D4BDE6E43033F66BA274CAB0EB7EB1C70EC41402BF6273DD8"))
    #expect(BearerToken.match("t", in: [token, BearerToken(token: "t", scope: .read)])?.scope == .read)
    #expect(BearerToken.match("u", in: [token]) == nil)
    try await HTTPFixture.run(["--token", "correct horse"]) { (fixture) async throws in
      _ = try await fixture.post(Self.initialize, headers: [("Authorization", "Bearer wrong horse")])
      _ = try await fixture.post(Self.initialize, headers: [Self.token])
      #expect(!fixture.program.errorText.contains("horse"))
    }
  }

  @Test(
    "28 only addresses of this machine alone need no token",
    arguments: [
      ("127.0.0.1", true), ("127.8.9.255", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("::", false),
      ("127.0.0.256", false), ("127.0.0", false), ("127.0.0.1.example", false), ("1270.0.0.1", false),
      ("127.0.0.+1", false),
      ("localhost.example", false), ("", false), ("192.168.0.1", false),
    ])
  func loopback(host: String, isLoopback: Bool) throws {
    var settings = HTTPSettings()
    settings.host = host
    if isLoopback {
      try settings.check()
    } else {
      #expect(throws: HTTPSettings.Refusal.self) { try settings.check() }
    }
    settings.tokens = [BearerToken(token: "t")]
    try settings.check()
  }
}
