package import Redis

/// A lock that processes of several machines agree on, for a limited time: `lock:<name>`.
///
/// It keeps honest programs out of each other's way and is never a guard alone: a holder that was stopped for longer
/// than the lifetime believes that it has a lock which somebody else has. What proves the right to write is the
/// fencing token that PostgreSQL checks; see `FencedLock`.
package struct RedisLock: Sendable {
  private let client: RedisClient
  package let name: CacheName
  package let lifetime: Duration

  /// - Parameter lifetime: how long the lock stays without being renewed, a second to a day.
  /// - Throws: `.invalidRequest`.
  package init(_ client: RedisClient, name: CacheName, lifetime: Duration) throws(PersistenceError) {
    guard lifetime >= .seconds(1), lifetime <= .seconds(86_400) else {
      throw PersistenceError(.invalidRequest, "a lock's lifetime is one second at least and a day at most")
    }
    (self.client, self.name, self.lifetime) = (client, name, lifetime)
  }

  /// Takes the lock, trying again while somebody else has it; nil once the patience has ended.
  ///
  /// - Parameter holder: who has it, for people who look: a host and a process.
  package func acquire(holder: String, patience: Duration) async throws -> Lease? {
    let deadline = ContinuousClock.now + patience
    var generator = SystemRandomNumberGenerator()
    let (high, low) = (generator.next(), generator.next())
    var lease = Lease(
      client: client, key: Self.key(name), value: "\(String(high, radix: 16))-\(String(low, radix: 16)) \(holder)",
      lifetime: lifetime, taken: .now)
    while true {
      try Task.checkCancellation()
      lease.taken = .now
      if try await lease.take() { return lease }
      let left = deadline - .now
      guard left > .zero else { return nil }
      try await Task.sleep(for: min(left, .milliseconds(Int.random(in: 20...80))))
    }
  }

  /// Who has the lock, and for how long unless it is renewed; nil where nobody has.
  package static func holder(
    of name: CacheName, on client: RedisClient
  ) async throws -> (holder: String, remaining: Duration?)? {
    let replies = try await client.pipeline([["GET", key(name)], ["PTTL", key(name)]])
    if replies[0] == .null { return nil }
    guard let bytes = replies[0].bytes else {
      throw PersistenceError(
        .cacheValue, "\(key(name)) holds something other than a lock", hint: "look at it with redis-cli")
    }
    let words = String(decoding: bytes.prefix(300), as: UTF8.self).split(separator: " ", maxSplits: 1)
    let milliseconds = replies[1].integer ?? -1
    return (words.count == 2 ? String(words[1]) : "", milliseconds < 0 ? nil : .milliseconds(milliseconds))
  }

  private static func key(_ name: CacheName) -> String { "lock:\(name)" }
}

/// A lock in hand. It is held until `release`, or until its lifetime has passed since it was last renewed.
package struct Lease: Sendable {
  fileprivate let client: RedisClient
  fileprivate let key: String
  /// A random token that nobody else has, and the holder.
  fileprivate let value: String
  fileprivate let lifetime: Duration
  /// A moment, not later than the one at which the lock was taken.
  package fileprivate(set) var taken: ContinuousClock.Instant

  /// Why a lease ended.
  package enum Loss: Hashable, Sendable {
    /// The lifetime passed, or the cache was emptied; perhaps somebody else has the lock.
    case gone
    /// Redis did not answer for the whole lifetime.
    case unreachable(String)
  }

  /// Takes the lock, or keeps it: asking again after a broken connection does no harm.
  fileprivate func take() async throws -> Bool {
    try await run(
      """
      if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
      return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
      """)
  }

  /// Extends the lock by its lifetime from now; false when it is no longer ours.
  package func renew() async throws -> Bool {
    try await run(
      "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0")
  }

  /// Gives the lock back; false when it was no longer ours, and then nothing is touched.
  @discardableResult
  package func release() async throws -> Bool {
    try await run("return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0")
  }

  private func run(_ script: String) async throws -> Bool {
    let milliseconds = lifetime.components.seconds * 1_000 + lifetime.components.attoseconds / 1_000_000_000_000_000
    do {
      return try await client.evaluate(
        script, keys: [key], arguments: [value, String(milliseconds)], retry: .afterLostConnection
      ).integer == 1
    } catch {
      guard error.message.contains("WRONGTYPE") else { throw error }
      throw PersistenceError(
        .cacheValue, "\(key) holds something other than a lock: it was left as it is", hint: "look at it with redis-cli"
      )
    }
  }

  /// Renews the lock every third of its lifetime, until the task is cancelled (nil) or the lock is lost.
  ///
  /// - Parameter taken: a moment, not later than the one at which the lock was taken or renewed.
  package func keep(since taken: ContinuousClock.Instant) async -> Loss? {
    var end = taken + lifetime
    var next = taken + lifetime / 3
    while true {
      guard (try? await Task.sleep(until: next, clock: .continuous)) != nil else { return nil }
      let started = ContinuousClock.now
      do {
        guard try await renew() else { return .gone }
        (end, next) = (started + lifetime, started + lifetime / 3)
      } catch {
        if Task.isCancelled { return nil }
        let now = ContinuousClock.now
        if now >= end { return .unreachable("\(error)") }
        next = min(end, now + min(lifetime / 10, .milliseconds(500)))
      }
    }
  }
}
