internal import Persistence
internal import Records
internal import Redis
internal import TestSupport
internal import Testing

/// Prices and positions in a real Redis, also where others have put something else.
@Suite(.timeLimit(.minutes(8))) struct CacheTests {
  private func start() async throws -> (server: RedisServer, client: RedisClient) {
    let server = try await RedisServer.start()
    return (server, try await RedisClient(RedisSettings(url: server.url)))
  }

  private func decimal(_ text: String) throws -> ExactDecimal { try #require(ExactDecimal(text)) }

  @Test("a price keeps its digits under the users' key, and is gone after its minute")
  func price() async throws {
    let (server, client) = try await start()
    let prices = PriceCache(client)
    let asset = try Asset("BTC")
    #expect(try await prices.price(asset) == nil)
    try await prices.put(asset, decimal("43210.123456789012345678900"))
    #expect(try server.cli("GET", "market:BTC:price") == "43210.123456789012345678900")
    let price = try #require(try await prices.price(asset))
    #expect(price.value.text == "43210.123456789012345678900")
    let remaining = try #require(price.remaining)
    #expect(remaining > .zero && remaining <= .seconds(60))
    #expect(try server.cli("PEXPIRE", "market:BTC:price", "0") == "1")
    #expect(try await prices.price(asset) == nil)
    #expect(try await prices.all().prices == [])
  }

  @Test("a position is the users' hash, comes back as it was, and stays until it is removed")
  func position() async throws {
    let (server, client) = try await start()
    let positions = PositionCache(client)
    let opened = try #require(Instant("2026-01-13T03:56:13.642576Z"))
    let long = Position(
      asset: try Asset("BTC"), side: .long, entry: try decimal("43000.10"), size: try decimal("0.50000000"), openedAt: opened)
    let short = Position(
      asset: try Asset("btc"), side: .short, entry: try decimal("1"), size: try decimal("0"), openedAt: opened)
    try await positions.put(long)
    try await positions.put(short)
    #expect(
      try server.cli("HGETALL", "position:BTC")
        == "side\nlong\nentry\n43000.10\nsize\n0.50000000\nopened_at\n2026-01-13T03:56:13.642576+00:00")
    #expect(try server.cli("TTL", "position:BTC") == "-1")
    let all = try await positions.all()
    #expect(all.problems == [])
    #expect(all.positions == [long, short])
    #expect(all.positions[0].size.text == "0.50000000")
    #expect(try await positions.position(try Asset("btc")) == short)
    #expect(try await positions.remove(try Asset("btc")))
    #expect(try await positions.remove(try Asset("btc")) == false)
    #expect(try await positions.all().positions == [long])
  }

  @Test("what others put in place of a position is told by its key, and the rest is read")
  func hostilePositions() async throws {
    let (server, client) = try await start()
    let positions = PositionCache(client)
    func hash(_ asset: String, _ fields: String...) async throws {
      try await client.command((["HSET", "position:\(asset)"] + fields).map { Array($0.utf8) })
    }
    let time = "2026-01-13T03:56:13Z"
    try await hash("GOOD", "side", "long", "entry", "1", "size", "2", "opened_at", time)
    try await hash("SIDE", "side", "LONG!", "entry", "1", "size", "2", "opened_at", time)
    try await hash("SIZE", "side", "long", "entry", "1", "size", "-2", "opened_at", time)
    try await hash("NAN", "side", "long", "entry", "nan", "size", "2", "opened_at", time)
    try await hash("TIME", "side", "long", "entry", "1", "size", "2", "opened_at", "soon")
    try await hash("LESS", "side", "long")
    try await hash("OTHER", "x", "y")
    try await hash("a:b", "side", "long", "entry", "1", "size", "2", "opened_at", time)
    try await hash("\u{1B}[2J", "side", "long", "entry", "1", "size", "2", "opened_at", time)
    #expect(try server.cli("SET", "position:TEXT", String(repeating: "x", count: 5_000)) == "OK")
    #expect(try server.cli("LPUSH", "position:LIST", "1") == "1")
    try await client.command([Array("SET".utf8), Array("position:".utf8) + [0xFF, 0xC3], Array("x".utf8)])
    let all = try await positions.all()
    #expect(all.positions.map(\.asset.name) == ["GOOD"])
    #expect(all.problems.count == 11, "\(all.problems)")
    for name in ["SIDE", "SIZE", "NAN", "TIME", "LESS", "OTHER", "TEXT", "LIST"] {
      #expect(all.problems.contains { $0.hasPrefix("position:\(name)") }, "\(name)")
    }
    #expect(all.problems.allSatisfy { $0.utf8.count < 400 })
    let error = await #expect(throws: PersistenceError.self) { try await positions.position(try Asset("TEXT")) }
    #expect(error?.code == .cacheValue)
  }

  @Test("what others put in place of a price is told by its key, and one that never expires is told too")
  func hostilePrices() async throws {
    let (server, client) = try await start()
    let prices = PriceCache(client)
    try await prices.put(try Asset("GOOD"), try decimal("1.5"))
    #expect(try server.cli("SET", "market:EVER:price", "2") == "OK")
    #expect(try server.cli("SET", "market:TEXT:price", "dear") == "OK")
    #expect(try server.cli("LPUSH", "market:LIST:price", "1") == "1")
    let all = try await prices.all()
    #expect(all.prices.map(\.asset.name) == ["EVER", "GOOD"])
    #expect(all.problems.count == 3, "\(all.problems)")
    for name in ["EVER", "TEXT", "LIST"] { #expect(all.problems.contains { $0.hasPrefix("market:\(name):price") }) }
    await #expect(throws: PersistenceError.self) { try await prices.price(try Asset("LIST")) }
  }

  @Test("a listing goes through thousands of keys, and stops at its bound with a word")
  func manyKeys() async throws {
    let (server, client) = try await start()
    defer { withExtendedLifetime(server) {} }
    let fill = """
      for i = 1, tonumber(ARGV[1]) do
        redis.call('HSET', 'position:A' .. i, 'side', 'long', 'entry', '1', 'size', '1', 'opened_at', '2026-01-01')
        redis.call('SET', 'other:' .. i, 'x')
      end
      """
    _ = try await client.evaluate(fill, keys: [], arguments: ["2000"])
    let some = try await PositionCache(client).all()
    #expect(some.positions.count == 2_000 && some.problems == [])
    _ = try await client.evaluate(fill, keys: [], arguments: ["12000"])
    let many = try await PositionCache(client).all()
    #expect(many.positions.count >= 10_000 && many.problems.contains { $0.contains("the rest was not read") })
  }

  @Test("names that would be another key, or hide in a terminal, are no assets", arguments: ["", "a:b", "a b", "a\n", "\u{1B}[1m", "\u{202E}x", String(repeating: "x", count: 65)])
  func names(name: String) {
    let error = #expect(throws: PersistenceError.self) { try Asset(name) }
    #expect(error?.code == .invalidName)
  }
}
