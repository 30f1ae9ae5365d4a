internal import Redis
internal import TestSupport
internal import Testing

@Suite("Redis client", .timeLimit(.minutes(5)))
struct RedisClientTests {
  private func settings(_ server: RedisServer, password: String? = nil, timeout: Duration = .seconds(5)) throws -> RedisSettings {
    var settings = try RedisSettings(url: server.url)
    (settings.password, settings.timeout) = (password, timeout)
    return settings
  }

  @Test("Replies of every type arrive, binary safe")
  func replies() async throws {
    let server = try await RedisServer.shared()
    let client = try await RedisClient(settings(server))
    try await client.ping()
    let bytes: [UInt8] = [0, 13, 10, 255, 0]
    #expect(try await client.command([Array("SET".utf8), Array("replies:a".utf8), bytes]) == .status("OK"))
    #expect(try await client.command("GET", "replies:a").bytes == bytes)
    #expect(try await client.command("GET", "replies:missing") == .null)
    #expect(try await client.command("INCRBY", "replies:n", "-5") == .integer(-5))
    #expect(try await client.command("GET", "replies:n").integer == -5)
    #expect(try await client.command("SET", "", "") == .status("OK"))
    #expect(try await client.command("MGET", "", "replies:missing").elements == [.string([]), .null])
    #expect(try await client.command("EVAL", "return {1, {'x', {}}}", "0") == .array([.integer(1), .array([.string([120]), .array([])])]))
    let error = await #expect(throws: RedisError.self) { try await client.command("LPUSH", "replies:a", "canary") }
    #expect(error?.code == .server)
    #expect(error?.message.hasPrefix("WRONGTYPE") == true)
    #expect(error?.description.contains("canary") == false)
    #expect(try await client.command("DEL", "replies:a", "").integer == 2)
  }

  @Test("A password is needed, and does not show in errors")
  func authentication() async throws {
    let server = try await RedisServer.start(password: "p@ss:w/rd%")
    let client = try await RedisClient(RedisSettings(url: "unix://:p%40ss%3Aw%2Frd%25@\(server.socket)?db=3"))
    try await client.command("SET", "k", "v")
    #expect(try server.cli("-n", "3", "GET", "k").hasSuffix("v"))
    for password in ["canary", nil] {
      let error = await #expect(throws: RedisError.self) {
        try await RedisClient(settings(server, password: password)).ping()
      }
      #expect(error?.code == .authenticationFailed)
      #expect(error?.description.contains("canary") == false)
    }
  }

  @Test("A server that was killed and started again answers the next command")
  func reconnects() async throws {
    let server = try await RedisServer.start()
    let client = try await RedisClient(settings(server))
    try await client.ping()
    try server.kill()
    try await server.restart()
    try await client.ping()
    try server.kill()
    let error = await #expect(throws: RedisError.self) { for _ in 0..<2 { try await client.command("PING", retry: .once) } }
    #expect(error?.isTransient == true)
  }

  @Test("An answer that does not come in time is a timeout, and never taken for the next answer")
  func timeout() async throws {
    let server = try await RedisServer.start()
    let client = try await RedisClient(settings(server, timeout: .milliseconds(100)))
    let error = await #expect(throws: RedisError.self) { try await client.command("BLPOP", "nothing", "30") }
    #expect(error?.code == .timeout)
    #expect(try await client.command("ECHO", "mine").text == "mine")
  }

  @Test("A full server is out of memory")
  func outOfMemory() async throws {
    let server = try await RedisServer.start(configuration: ["--maxmemory", "1"])
    let client = try await RedisClient(settings(server))
    let error = await #expect(throws: RedisError.self) { try await client.command("SET", "k", "v") }
    #expect(error?.code == .outOfMemory)
    try await client.ping()
  }

  @Test("A missing server is a failed connection, and a closed client refuses by name")
  func failures() async throws {
    let missing = await #expect(throws: RedisError.self) { try await RedisClient(RedisSettings(.unix(path: "/tmp/no-such-socket"))) }
    #expect(missing?.code == .connectionFailed)
    let client = try await RedisClient(settings(RedisServer.shared()))
    await client.close()
    let closed = await #expect(throws: RedisError.self) { try await client.ping() }
    #expect(closed?.code == .closed)
    let pipeline = await #expect(throws: RedisError.self) { try await client.pipeline([["PING"]]) }
    #expect(pipeline?.code == .closed)
  }

  @Test(
    "A URL is read, and written without its password",
    arguments: [
      ("redis://", "redis://localhost:6379/0"), ("redis://h", "redis://h:6379/0"), ("redis://:p@h:1/2", "redis://h:1/2"),
      ("redis://u:p%40%2F@[::1]:7/", "redis://[::1]:7/0"), ("redis://:a@b@h", "redis://h:6379/0"),
      ("unix:///tmp/a%20b", "unix:///tmp/a%20b"), ("redis+unix://:p@/tmp/s?db=4", "unix:///tmp/s?db=4"),
    ])
  func urls(url: String, redacted: String) throws {
    #expect(try RedisSettings(url: url).redactedURL == redacted)
  }

  @Test("Users and passwords are percent-decoded")
  func credentials() throws {
    let settings = try RedisSettings(url: "redis://us%65r:p%40%2F%25@h")
    #expect(settings.user == "user")
    #expect(settings.password == "p@/%")
    #expect(try RedisSettings(url: "redis://:x@h").user == nil)
    #expect(!"\(settings)".contains("p@"))
  }

  @Test(
    "A URL that cannot be used is refused without being quoted",
    arguments: ["", "canary", "http://h", "redis://:canary@h:x", "redis://h/x", "redis://:canary%zz@h", "unix://canary", "redis://:canary%00@h"])
  func badURLs(url: String) {
    let error = #expect(throws: RedisError.self) { try RedisSettings(url: url) }
    #expect(error?.code == .invalidParameter)
    #expect(error?.description.contains("canary") == false)
  }

  @Test("rediss: is refused with its reason")
  func encrypted() {
    let error = #expect(throws: RedisError.self) { try RedisSettings(url: "rediss://h") }
    #expect(error?.code == .unsupported)
  }
}

@Suite("Redis pipelines", .timeLimit(.minutes(5)))
struct RedisPipelineTests {
  @Test("Answers of a pipeline are in order, an error among them, and the connection goes on")
  func pipeline() async throws {
    let client = try await RedisClient(RedisSettings(url: RedisServer.shared().url))
    var commands = [["SET", "pipe:a", "1"], ["LPUSH", "pipe:a", "x"], ["GET", "pipe:a"]]
    commands += (0..<2_000).map { ["ECHO", "\($0)"] }
    let replies = try await client.pipeline(commands)
    #expect(replies.count == 2_003)
    #expect(replies[0] == .status("OK") && replies[2].text == "1")
    if case .error(let message) = replies[1] { #expect(message.hasPrefix("WRONGTYPE")) } else { Issue.record("no error") }
    #expect(replies[3...].enumerated().allSatisfy { $1.text == "\($0)" })
    #expect(try await client.pipeline([]) == [])
    #expect(try await client.command("DEL", "pipe:a").integer == 1)
  }

  @Test("A user of the access control list logs in, and may do no more than the list says")
  func user() async throws {
    let server = try await RedisServer.start(configuration: ["--user", "reader", "on", ">s3c:ret@", "~*", "+get", "+ping"])
    let client = try await RedisClient(RedisSettings(url: "unix://reader:s3c%3Aret%40@\(server.socket)"))
    #expect(try await client.command("GET", "nothing") == .null)
    let refused = await #expect(throws: RedisError.self) { try await client.command("SET", "k", "v") }
    #expect(refused?.code == .authenticationFailed)
    let wrong = await #expect(throws: RedisError.self) {
      try await RedisClient(RedisSettings(url: "unix://reader:canary@\(server.socket)"))
    }
    #expect(wrong?.code == .authenticationFailed && wrong?.description.contains("canary") == false)
  }

  @Test("A script runs in one piece and answers like a command")
  func script() async throws {
    let client = try await RedisClient(RedisSettings(url: RedisServer.shared().url))
    let reply = try await client.evaluate("return {KEYS[1], ARGV[1], 7}", keys: ["k"], arguments: ["é"])
    #expect(reply.elements == [.string(Array("k".utf8)), .string(Array("é".utf8)), .integer(7)])
    let error = await #expect(throws: RedisError.self) {
      try await client.evaluate("return redis.error_reply('MINE failed')", keys: [], arguments: [])
    }
    #expect(error?.code == .server && error?.message.hasPrefix("MINE") == true)
  }
}

@Suite("Redis subscriptions", .timeLimit(.minutes(5)))
struct RedisSubscriptionTests {
  @Test("A listener hears again after the server was killed, and is told of the gap once")
  func reconnects() async throws {
    let server = try await RedisServer.start()
    let subscription = RedisSubscription(try RedisSettings(url: server.url), channels: ["a", "b"])
    #expect(await subscription.next() == .connected)
    #expect(try server.cli("PUBLISH", "b", "one") == "1")
    #expect(await subscription.next() == .message(channel: "b", payload: Array("one".utf8)))
    try server.kill()
    guard case .disconnected(let error) = await subscription.next() else {
      Issue.record("the loss was not told")
      return
    }
    #expect(error.isTransient)
    async let next = subscription.next()
    try await server.restart()
    #expect(await next == .connected)
    #expect(try server.cli("PUBLISH", "a", "two") == "1")
    #expect(await subscription.next() == .message(channel: "a", payload: Array("two".utf8)))
  }

  @Test("A listener that waits is cancelled, with and without a server")
  func cancelled() async throws {
    let server = try await RedisServer.start()
    let listening = RedisSubscription(try RedisSettings(url: server.url), channels: ["a"])
    #expect(await listening.next() == .connected)
    let missing = RedisSubscription(RedisSettings(.unix(path: "/tmp/no-such-socket")), channels: ["a"])
    guard case .disconnected = await missing.next() else {
      Issue.record("a missing server was not told")
      return
    }
    for subscription in [listening, missing] {
      let waiting = Task { await subscription.next() }
      waiting.cancel()
      #expect(await waiting.value == nil)
      #expect(await subscription.next() == nil)
    }
  }

  @Test("A listener that may not listen is told why")
  func refused() async throws {
    let server = try await RedisServer.start(configuration: ["--user", "quiet", "on", ">pw", "~*", "+get"])
    let subscription = RedisSubscription(
      try RedisSettings(url: "unix://quiet:pw@\(server.socket)"), channels: ["a"])
    guard case .disconnected(let error) = await subscription.next() else {
      Issue.record("the refusal was not told")
      return
    }
    #expect(error.message.hasPrefix("NOPERM"))
  }
}

@Suite("Redis client under concurrency", .timeLimit(.minutes(8)))
struct RedisConcurrencyTests {
  @Test("Each of many tasks on one client gets its own answers, quick and late ones mixed")
  func mixed() async throws {
    let server = try await RedisServer.start()
    let client = try await RedisClient(RedisSettings(url: server.url))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<16 {
        group.addTask {
          for number in 0..<200 {
            let text = "\(task)-\(number)"
            if number % 50 == task {
              // Later than anybody waits for on a thread of others.
              #expect(try await client.command("BLPOP", "nothing", "0.02") == .null)
            } else if number % 7 == 0 {
              let replies = try await client.pipeline([["ECHO", text], ["ECHO", text + "!"]])
              #expect(replies.map(\.text) == [text, text + "!"])
            } else {
              #expect(try await client.command("ECHO", text).text == text)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("A command whose answer comes after a stop of the server gets it, and so do those behind it")
  func stopped() async throws {
    let server = try await RedisServer.start()
    let client = try await RedisClient(RedisSettings(url: server.url))
    try await client.ping()
    try server.pause()
    async let first = client.command("ECHO", "first")
    async let second = client.command("ECHO", "second")
    try await Task.sleep(for: .milliseconds(20))
    try server.resume()
    #expect(try await first.text == "first")
    #expect(try await second.text == "second")
  }

  @Test("Commands and answers that are larger than a socket's buffer pass whole")
  func large() async throws {
    let server = try await RedisServer.start()
    let client = try await RedisClient(RedisSettings(url: server.url))
    let bytes = (0..<9_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await client.command([Array("SET".utf8), Array("large".utf8), bytes])
    #expect(try await client.command("GET", "large").bytes == bytes)
    #expect(try await client.command("STRLEN", "large").integer == 9_000_000)
  }
}
