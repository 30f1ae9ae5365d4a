internal import Records
internal import TestSupport
internal import Testing

private struct NotListed: Error {}

/// `cache`, on a Redis of the test's own.
@Suite(.timeLimit(.minutes(8))) struct CacheCommandTests {
  @Test("a price is set, got and listed, as text and as JSON, and a missing one is exit 1")
  func prices() async throws {
    let scene = try await RedisScene()
    #expect(try await scene.expect(1, "cache", "price", "get", "BTC").stdout.isEmpty)
    #expect(try await scene.expect(0, "cache", "price", "set", "BTC", "43210.50").everything.isEmpty)
    try await scene.expect(0, "cache", "price", "set", "OIL", "--", "-37.63")
    #expect(try await scene.expect(0, "cache", "price", "get", "BTC").stdoutText == "43210.50\n")
    let one = try await scene.expect(0, "--json", "cache", "price", "get", "BTC").json()
    let shape: JSONShape = #"{"schema": 1, "asset": "BTC", "price": "43210.50", "expires_in_seconds": "number"}"#
    #expect(shape.violations(in: one) == [])
    let list = try await scene.expect(0, "cache", "price", "list", "--json").json()
    let listShape: JSONShape =
      #"{"schema": 1, "prices": [{"asset": "text", "price": "text", "expires_in_seconds": "number"}], "problems": []}"#
    #expect(listShape.violations(in: list) == [])
    #expect(try await scene.expect(0, "cache", "price", "list").stdoutText.contains("-37.63"))
    // Two names that look the same, and one that begins with an accent.
    for asset in ["\u{E9}", "e\u{301}", "\u{301}X"] { try await scene.expect(0, "cache", "price", "set", asset, "1") }
    let accents = try await scene.expect(0, "cache", "price", "list", "--json").json()
    guard case .array(let prices)? = accents["prices"] else { throw NotListed() }
    let names = Set(prices.compactMap { $0["asset"]?.text.map { Array($0.utf8) } })
    for asset in ["\u{E9}", "e\u{301}", "\u{301}X"] { #expect(names.contains(Array(asset.utf8)), "\(asset)") }
    #expect(try scene.server.cli("SET", "market:BAD\u{1B}[2J:price", "x") == "OK")
    let partly = try await scene.expect(3, "cache", "price", "list")
    #expect(partly.stdoutText.contains("43210.50") && !partly.hasEscapeCode)
    for arguments in [["set", "BTC", "1e5"], ["set", "a:b", "1"], ["get", "a b"], ["set", "BTC"]] {
      let output = try await scene.run(["cache", "price"] + arguments)
      #expect(output.status == 2, "\(arguments): \(output.everything)")
    }
  }

  @Test("a position is set, got, listed and removed")
  func positions() async throws {
    let scene = try await RedisScene()
    let time = "2026-01-13T03:56:13Z"
    try await scene.expect(
      0, "cache", "position", "set", "BTC", "--side", "long", "--entry", "43000.5", "--size", "0.25", "--opened-at",
      time)
    #expect(try scene.server.cli("HGET", "position:BTC", "entry") == "43000.5")
    let shape: JSONShape = #"""
      {"schema": 1, "asset": "BTC", "side": "long", "entry": "43000.5", "size": "0.25",
       "opened_at": "2026-01-13T03:56:13.000000+00:00"}
      """#
    #expect(shape.violations(in: try await scene.expect(0, "cache", "position", "get", "BTC", "--json").json()) == [])
    #expect(try scene.server.cli("HSET", "position:ETH", "side", "up") == "1")
    let list = try await scene.expect(3, "cache", "position", "list", "--json").json()
    guard case .array(let positions)? = list["positions"], case .array(let problems)? = list["problems"] else {
      Issue.record("no lists: \(list)")
      return
    }
    #expect(positions.count == 1 && problems.count == 1)
    try await scene.expect(1, "cache", "position", "get", "ETH")
    #expect(try await scene.expect(0, "cache", "position", "remove", "ETH", "--json").json()["removed"] == .bool(true))
    #expect(try await scene.expect(0, "cache", "position", "remove", "ETH", "--json").json()["removed"] == .bool(false))
    try await scene.expect(0, "cache", "position", "list")
    try await scene.expect(2, "cache", "position", "set", "BTC", "--side", "up", "--entry", "1", "--size", "1")
    try await scene.expect(2, "cache", "position", "set", "BTC", "--side", "long", "--entry", "1", "--size", "-1")
    #expect(try scene.server.cli("HGET", "position:BTC", "size") == "0.25")
  }

  @Test("a limit allows so many calls, then is exit 11 with the time until the next window; a counter counts")
  func limits() async throws {
    let scene = try await RedisScene()
    // Months long, so that the window does not end while the test runs.
    let limit = ["cache", "limit", "api", "--max", "2", "--window", "8000h", "--json"]
    let shape: JSONShape =
      #"{"schema": 1, "name": "api", "allowed": "boolean", "remaining": "integer", "reset_seconds": "number"}"#
    for (status, allowed, remaining) in [(0, true, 1), (0, true, 0), (11, false, 0)] {
      let output = try await scene.run(limit)
      #expect(output.status == Int32(status), "\(output.everything)")
      let document = try output.json()
      #expect(shape.violations(in: document) == [])
      #expect(document["allowed"] == .bool(allowed) && document["remaining"]?.integer == remaining)
    }
    try await scene.expect(2, "cache", "limit", "api", "--max", "0")
    try await scene.expect(2, "cache", "limit", "api", "--max", "1", "--window", "soon")
    try await scene.expect(2, "cache", "limit", "a:b", "--max", "1")
    #expect(try await scene.expect(0, "cache", "counter", "runs").stdoutText == "0\n")
    #expect(try await scene.expect(0, "cache", "counter", "runs", "--add", "5").stdoutText == "5\n")
    #expect(
      try await scene.expect(0, "cache", "counter", "runs", "--add", "-7", "--json").json()["value"]?.integer == -2)
  }

  @Test("a Redis that is away is exit 69, a URL that cannot be used exit 2, and no password shows")
  func failures() async throws {
    let tree = try await CommandTree.sample()
    let cases: [(url: String, status: Int32, code: String)] = [
      ("unix://:canary@\(tree.git.base)/no-socket", 69, "redis-connection-failed"),
      ("rediss://:canary@localhost", 2, "redis-unsupported"),
      ("http://:canary@localhost", 2, "redis-invalid-parameter"),
    ]
    for (url, status, code) in cases {
      for command in [["cache", "price", "list"], ["cache", "limit", "x", "--max", "1"], ["watch"]] {
        let output = try await tree.runBare(command + ["--json"], environment: ["REDIS_URL": url])
        #expect(output.status == status, "\(command) \(url): \(output.everything)")
        #expect(try output.json()["error"]?["code"]?.text == code)
        #expect(!output.everything.contains("canary"))
      }
    }
    let server = try await RedisServer.start(password: "pass:word@")
    let ok = try await tree.runBare(
      ["cache", "price", "list"], environment: ["REDIS_URL": "unix://:pass%3Aword%40@\(server.socket)"])
    #expect(ok.status == 0, "\(ok.everything)")
  }
}
