package import Redis

/// Counts that all processes share: `counter:<name>`, a 64-bit integer that stays until the cache is emptied.
package struct Counters: Sendable {
  private let client: RedisClient

  package init(_ client: RedisClient) {
    self.client = client
  }

  /// The count; zero where nobody has counted.
  ///
  /// - Throws: `.cacheValue` where the key holds no integer; an error of Redis.
  package func value(_ name: CacheName) async throws -> Int64 {
    let reply = try await Self.checked(name) { try await client.command("GET", "counter:\(name)") }
    if reply == .null { return 0 }
    guard let value = reply.integer else { throw Self.problem(name) }
    return value
  }

  /// Adds to the count and returns the new one. Not sent twice: a connection that breaks may have counted.
  ///
  /// - Throws: `.cacheValue` where the key holds no integer, or the sum does not fit; an error of Redis.
  package func add(_ name: CacheName, _ amount: Int64) async throws -> Int64 {
    let reply = try await Self.checked(name) {
      try await client.command("INCRBY", "counter:\(name)", String(amount), retry: .once)
    }
    guard let value = reply.integer else { throw Self.problem(name) }
    return value
  }

  private static func checked(_ name: CacheName, _ body: () async throws -> Reply) async throws -> Reply {
    do {
      return try await body()
    } catch let error as RedisError where error.code == .server {
      let words = ["WRONGTYPE", "not an integer", "overflow"]
      throw words.contains { error.message.contains($0) } ? problem(name) : error
    }
  }

  private static func problem(_ name: CacheName) -> any Error {
    PersistenceError(
      .cacheValue, "counter:\(name) holds no integer that can be counted on: it was left as it is",
      hint: "look at it with redis-cli")
  }
}
