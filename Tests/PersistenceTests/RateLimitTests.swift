internal import Persistence
internal import Redis
internal import TestSupport
internal import Testing

/// Limits, counters and locks, which live by what Redis does in one piece.
@Suite(.timeLimit(.minutes(8))) struct RateLimitTests {
  private func start(_ configuration: [String] = []) async throws -> (server: RedisServer, client: RedisClient) {
    let server = try await RedisServer.start(configuration: configuration)
    return (server, try await RedisClient(RedisSettings(url: server.url)))
  }

  private static let hour = Duration.seconds(3_600)

  @Test("so many calls pass in a window, the rest is refused, and a refusal changes neither count nor expiry")
  func limit() async throws {
    let (server, client) = try await start()
    // A year, so that no window ends while the test looks.
    let limit = try RateLimit(client, name: CacheName("api"), maximum: 3, window: .seconds(31_536_000))
    var answers: [RateLimit.Answer] = []
    for _ in 0..<3 { answers.append(try await limit.take()) }
    #expect(answers.map(\.isAllowed) == [true, true, true])
    #expect(answers.map(\.remaining) == [2, 1, 0])
    let key = try server.cli("KEYS", "*")
    let end = try server.cli("PEXPIRETIME", key)
    for _ in 0..<5 {
      let refused = try await limit.take()
      #expect(!refused.isAllowed && refused.remaining == 0 && refused.reset > .zero)
    }
    #expect(try server.cli("GET", key) == "3")
    #expect(try server.cli("PEXPIRETIME", key) == end)
    #expect(try await limit.take().reset <= .seconds(31_536_000))
  }

  @Test("the key of a minute is its number since 1970 by the server's clock, and expires with it")
  func minute() async throws {
    let (server, client) = try await start()
    func minute() throws -> Int { try #require(Int(server.cli("TIME").prefix { $0 != "\n" })) / 60 }
    let before = try minute()
    _ = try await RateLimit(client, name: CacheName("api"), maximum: 3).take()
    let after = try minute()
    let keys = try server.cli("KEYS", "*").split(separator: "\n").map(String.init)
    #expect(keys.count <= 1)
    for key in keys {
      #expect(["ratelimit:api:\(before)", "ratelimit:api:\(after)"].contains(key))
      let left = try #require(Int(server.cli("PTTL", key)))
      // -2: the minute has just ended.
      #expect(left == -2 || (0...60_000).contains(left))
    }
  }

  @Test("a count that was left without expiry gets one, and what is no count is told")
  func hostile() async throws {
    let (server, client) = try await start()
    let limit = try RateLimit(client, name: CacheName("api"), maximum: 3, window: .seconds(31_536_000))
    _ = try await limit.take()
    let key = try server.cli("KEYS", "*")
    #expect(try server.cli("PERSIST", key) == "1")
    _ = try await limit.take()
    #expect(try #require(Int(server.cli("PTTL", key))) > 0)
    #expect(try server.cli("SET", key, "many") == "OK")
    let error = await #expect(throws: PersistenceError.self) { try await limit.take() }
    #expect(error?.code == .cacheValue)
    #expect(try server.cli("DEL", key) == "1")
    #expect(try server.cli("LPUSH", key, "1") == "1")
    await #expect(throws: PersistenceError.self) { try await limit.take() }
  }

  @Test("a full server refuses the count, and leaves no key without expiry")
  func full() async throws {
    let (server, client) = try await start()
    let limit = try RateLimit(client, name: CacheName("api"), maximum: 3, window: .seconds(31_536_000))
    _ = try await limit.take()
    #expect(try server.cli("CONFIG", "SET", "maxmemory", "1") == "OK")
    let error = await #expect(throws: RedisError.self) { try await limit.take() }
    #expect(error?.code == .outOfMemory)
    #expect(try #require(Int(server.cli("PTTL", try server.cli("KEYS", "*")))) > 0)
  }

  @Test("10,000 calls of 8 processes: exactly the limit passes, and no key stays for ever", .timeLimit(.minutes(5)))
  func processes() async throws {
    let (server, client) = try await start()
    let program = try TestProgram.path("redis-fixture")
    let runs = try (0..<8).map { _ in
      try RunningProgram(program, [server.url, "limit", "crowd", "2500", "1250"], timeout: .seconds(240))
    }
    var passed = 0
    for run in runs {
      let output = try await run.output()
      #expect(output.status == 0, "\(output.stderrText)")
      passed += try #require(Int(output.stdoutText.filter(\.isNumber)))
    }
    #expect(passed == 2_500)
    let keys = try #require(try await client.command("KEYS", "*").elements?.compactMap(\.text))
    #expect(!keys.isEmpty)
    for key in keys { #expect(try #require(try await client.command("PTTL", key).integer) > 0, "\(key)") }
  }

  @Test("limits and windows that make no sense are refused before anything is asked")
  func nonsense() async throws {
    let (server, client) = try await start()
    let name = try CacheName("api")
    for (maximum, window) in [(0, 60), (-1, 60), (1, 0), (1, 40_000_000), (2_000_000_000, 60)] {
      #expect(throws: PersistenceError.self) {
        try RateLimit(client, name: name, maximum: maximum, window: .seconds(window))
      }
    }
    #expect(throws: PersistenceError.self) { try RateLimit(client, name: name, maximum: 1, window: .milliseconds(1_500)) }
    for text in ["", "a:b", "a b", "é", "a\n", String(repeating: "x", count: 101)] {
      #expect(throws: PersistenceError.self) { try CacheName(text) }
    }
    #expect(try server.cli("DBSIZE") == "0")
  }

  @Test("counters count, for all who share them, and refuse what is no number")
  func counters() async throws {
    let (server, client) = try await start()
    let counters = Counters(client)
    let name = try CacheName("runs")
    #expect(try await counters.value(name) == 0)
    #expect(try await counters.add(name, 5) == 5)
    #expect(try await counters.add(name, -7) == -2)
    #expect(try await counters.value(name) == -2)
    #expect(try server.cli("GET", "counter:runs") == "-2")
    #expect(try await counters.add(name, Int64.max - 1) == Int64.max - 3)
    let overflow = await #expect(throws: PersistenceError.self) { try await counters.add(name, 100) }
    #expect(overflow?.code == .cacheValue)
    #expect(try await counters.value(name) == Int64.max - 3)
    #expect(try server.cli("SET", "counter:runs", "x") == "OK")
    await #expect(throws: PersistenceError.self) { try await counters.value(name) }
  }

  @Test("one of two has a lock; it frees only its own, and a lease that passed on is lost")
  func locks() async throws {
    let (server, client) = try await start()
    let lock = try RedisLock(client, name: CacheName("job"), lifetime: .seconds(600))
    let first = try #require(try await lock.acquire(holder: "a:1", patience: .zero))
    #expect(try await lock.acquire(holder: "b:2", patience: .zero) == nil)
    #expect(try await RedisLock.holder(of: lock.name, on: client)?.holder == "a:1")
    #expect(try await first.renew())
    #expect(try #require(Int(server.cli("PTTL", "lock:job"))) > 0)
    // Its time passes, and somebody else takes the lock.
    #expect(try server.cli("DEL", "lock:job") == "1")
    let second = try #require(try await lock.acquire(holder: "b:2", patience: .zero))
    #expect(try await first.renew() == false)
    #expect(try await first.release() == false)
    #expect(try await RedisLock.holder(of: lock.name, on: client)?.holder == "b:2")
    #expect(try await second.release())
    #expect(try await RedisLock.holder(of: lock.name, on: client) == nil)
    #expect(try server.cli("DBSIZE") == "0")
  }

  @Test("a waiting holder gets the lock when it is freed")
  func waiting() async throws {
    let (_server, client) = try await start()
    defer { withExtendedLifetime(_server) {} }
    let lock = try RedisLock(client, name: CacheName("job"), lifetime: .seconds(600))
    let first = try #require(try await lock.acquire(holder: "a:1", patience: .zero))
    async let second = lock.acquire(holder: "b:2", patience: .seconds(60))
    try await first.release()
    #expect(try await second != nil)
  }

  @Test("renewing ends when the lock is gone, and when Redis is gone for the whole lifetime")
  func losses() async throws {
    let (server, client) = try await start()
    let lock = try RedisLock(client, name: CacheName("job"), lifetime: .seconds(1))
    let lease = try #require(try await lock.acquire(holder: "a:1", patience: .zero))
    let keeper = Task { await lease.keep(since: lease.taken) }
    #expect(try server.cli("DEL", "lock:job") == "1")
    #expect(await keeper.value == .gone)
    let next = try #require(try await lock.acquire(holder: "a:1", patience: .zero))
    try server.kill()
    guard case .unreachable = await next.keep(since: next.taken) else {
      Issue.record("the loss was not noticed")
      return
    }
  }
}
