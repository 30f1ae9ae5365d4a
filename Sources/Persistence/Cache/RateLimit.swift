package import Redis

/// At most so many calls in each window of time, counted by the server for all processes.
///
/// The key is `ratelimit:<name>:<minute>` with the minutes since 1970 for windows of a minute, and
/// `ratelimit:<name>:<start>/<seconds>` with the window's start in seconds since 1970 for others, so that two windows
/// of one name never share a count. Windows begin at multiples of their length by the server's clock: those of the
/// clients do not matter. Redis in a cluster would want the key by name; this is for one server.
package struct RateLimit: Sendable {
  private let client: RedisClient
  private let name: CacheName
  private let maximum: Int
  private let window: Int

  /// - Parameters:
  ///   - maximum: calls in a window, 1 to 1,000,000,000.
  ///   - window: whole seconds, 1 to 31,622,400 (a leap year).
  /// - Throws: `.invalidRequest`.
  package init(
    _ client: RedisClient, name: CacheName, maximum: Int, window: Duration = .seconds(60)
  ) throws(PersistenceError) {
    let (seconds, rest) = window.components
    guard (1...1_000_000_000).contains(maximum) else {
      throw PersistenceError(.invalidRequest, "a limit is a number from 1 to 1,000,000,000")
    }
    guard rest == 0, (1...31_622_400).contains(seconds) else {
      throw PersistenceError(.invalidRequest, "a window is whole seconds, one at least and a year at most")
    }
    (self.client, self.name, self.maximum, self.window) = (client, name, maximum, Int(seconds))
  }

  package struct Answer: Hashable, Sendable {
    package let isAllowed: Bool
    /// How many more calls are allowed in this window.
    package let remaining: Int
    /// Until the next window.
    package let reset: Duration
  }

  /// Counts one call, unless the limit is reached: a call that is refused counts for nothing and extends nothing.
  ///
  /// It is not sent twice: when the connection breaks after it was sent, it may have been counted.
  ///
  /// - Throws: `.cacheValue` where the key holds no count; an error of Redis.
  package func take() async throws -> Answer {
    let reply = try await count()
    guard let parts = reply.elements?.map(\.integer), parts.count == 3, let allowed = parts[0],
      let remaining = parts[1], let reset = parts[2]
    else { throw RedisError(.protocolViolation, operation: "EVAL", message: "the answer is not three numbers") }
    return Answer(
      isAllowed: allowed == 1, remaining: Int(clamping: max(0, remaining)), reset: .milliseconds(max(0, reset)))
  }

  private func count() async throws -> Reply {
    do {
      return try await client.evaluate(
        Self.script, keys: [], arguments: ["ratelimit:\(name):", String(maximum), String(window)])
    } catch {
      guard error.message.contains("WRONGTYPE") || error.message.contains("not a count") else { throw error }
      throw PersistenceError(
        .cacheValue, "the key of the limit \(name) holds something other than a count",
        hint: "look at it with redis-cli")
    }
  }

  /// The first call sets count and expiry in one command, so no crash leaves a count for ever; one that somebody else
  /// has left without expiry gets it back.
  private static let script = """
    if redis.replicate_commands then redis.replicate_commands() end
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    local maximum, window = tonumber(ARGV[2]), tonumber(ARGV[3])
    local index = math.floor(now / (window * 1000))
    local label = window == 60 and string.format('%.0f', index) or string.format('%.0f/%.0f', index * window, window)
    local key = ARGV[1] .. label
    local left = (index + 1) * window * 1000 - now
    local value = redis.call('GET', key)
    if not value then
      redis.call('SET', key, '1', 'PX', left)
      return {1, maximum - 1, left}
    end
    local count = tonumber(value)
    if not count then return redis.error_reply('ERR not a count') end
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, left) end
    if count >= maximum then return {0, 0, left} end
    count = redis.call('INCR', key)
    return {1, maximum - count, left}
    """
}
