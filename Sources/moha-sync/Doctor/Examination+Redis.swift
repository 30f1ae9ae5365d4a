import Redis

extension Examination {
  /// Redis: whether it answers, and whether it can be trusted to keep what has no expiry out.
  func redis() async -> [Diagnosis] {
    guard var layer = await layer("redis", down: .serviceDown) else { return [] }
    if isRedisEmbedded, ["not-running", "crashed"].contains(layer.code) { layer.remedy = .startServers }
    guard layer.severity == .ok, let settings = try? outlook.settings.get() else { return [layer] }
    do {
      let client = try await RedisClient(settings.redisSettings(outlook.servers))
      let found = try await Examination.memory(client) + Examination.keysWithoutExpiry(client)
      await client.close()
      return [layer] + found
    } catch {
      return [
        layer,
        Diagnosis(
          area: "redis", code: "redis-\(error.code)", severity: .warning, found: "it did not tell its state",
          cause: "it answers PING, and not INFO or SCAN", hint: "redis-cli INFO memory", status: .serviceDown),
      ]
    }
  }

  private static func memory(_ client: RedisClient) async throws(RedisError) -> [Diagnosis] {
    guard case .string(let bytes) = try await client.command("INFO", "memory") else { return [] }
    var values: [Substring: Substring] = [:]
    let text = String(decoding: bytes, as: UTF8.self)
    for line in text.split(whereSeparator: \.isNewline) {
      let pair = line.split(separator: ":", maxSplits: 1)
      if pair.count == 2 { values[pair[0]] = pair[1] }
    }
    var found: [Diagnosis] = []
    let used = values["used_memory"].flatMap { Int($0) } ?? 0
    let limit = values["maxmemory"].flatMap { Int($0) } ?? 0
    let policy = values["maxmemory_policy"] ?? "unknown"
    if limit > 0, used > limit / 10 * 9 {
      found.append(
        Diagnosis(
          area: "redis", code: "memory-full", severity: .warning, found: "\(used) of \(limit) bytes are used",
          cause: "a full server refuses writes, or evicts keys", hint: "raise maxmemory", status: .partlyDone))
    }
    if limit > 0, policy.hasPrefix("allkeys") {
      found.append(
        Diagnosis(
          area: "redis", code: "eviction-policy", severity: .warning,
          found: "maxmemory-policy is \(printable(String(policy)))",
          cause: "under pressure it may evict a lock that somebody holds",
          hint: "redis-cli CONFIG SET maxmemory-policy noeviction"))
    }
    return found.isEmpty
      ? [.ok("redis", "memory", "\(used >> 20) MiB used, policy \(printable(String(policy)))")] : found
  }

  /// Rate limits always expire; a key that does not would block for ever. A bounded look.
  private static func keysWithoutExpiry(_ client: RedisClient) async throws(RedisError) -> [Diagnosis] {
    var cursor = "0"
    var without = 0
    for _ in 0..<20 {
      guard
        case .array(let reply) = try await client.command(
          "SCAN", cursor, "MATCH", "ratelimit:*", "COUNT", "500"), reply.count == 2,
        case .string(let next) = reply[0], case .array(let keys) = reply[1]
      else { break }
      for case .string(let key) in keys.prefix(200) {
        if case .integer(-1) = try await client.command([Array("TTL".utf8), key]) { without += 1 }
      }
      cursor = String(decoding: next, as: UTF8.self)
      if cursor == "0" { break }
    }
    guard without > 0 else { return [] }
    return [
      Diagnosis(
        area: "redis", code: "ratelimit-without-expiry", severity: .warning,
        found: "\(without) keys below ratelimit: never expire",
        cause: "another program made them; a limit that is reached stays reached",
        hint: "redis-cli --scan --pattern 'ratelimit:*' shows them, redis-cli EXPIRE KEY 60 ends one")
    ]
  }
}
