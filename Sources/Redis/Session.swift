/// The state of a client: its connection, and an answer that is still owed to a caller.
///
/// Used by one thread at a time. Only `attempt` may be called by a thread that others wait for: it waits for a
/// millisecond, and as long again for each of three further parts of an answer that has begun.
struct Session: ~Copyable {
  private let settings: RedisSettings
  private var handle: RedisHandle?
  private var isClosed = false
  private var owed: Owed?
  /// Answers that were read for callers who have not come for them yet.
  private var settled: [UInt64: Result<[Reply], RedisError>] = [:]
  private var tickets: UInt64 = 0
  /// How many of the next commands are not attempted.
  private var skips = 0
  /// How many attempts in a row were late.
  private var misses = 0

  /// Answers that have not arrived in full.
  private struct Owed {
    let ticket: UInt64
    let count: Int
    let name: CommandName
    /// What has not been sent.
    var rest: ArraySlice<UInt8>
    var replies: [Reply] = []
  }

  /// What came of sending without waiting for long.
  enum Attempt: Sendable {
    case answered(Result<[Reply], RedisError>)
    /// It was sent, wholly or in part; `finish` gets the answer.
    case late(UInt64)
    /// Nothing was sent: there is no connection, or somebody else's answer is awaited.
    case notSent
  }

  /// Waits for the answer that long before a thread of its own does, in milliseconds.
  private static let patience: CInt = 1
  /// Longer than this, commands take their time in any case.
  private static let attemptLimit = 16_384

  init(_ settings: RedisSettings) {
    self.settings = settings
  }

  /// Connects.
  mutating func open() -> Result<Void, RedisError> {
    do throws(RedisError) {
      return .success(try connect())
    } catch {
      return .failure(error)
    }
  }

  mutating func attempt(_ exchange: Exchange) -> Attempt {
    guard !isClosed, owed == nil, handle != nil, exchange.bytes.count <= Self.attemptLimit else { return .notSent }
    if skips > 0 {
      skips -= 1
      return .notSent
    }
    do throws(RedisError) {
      let rest = try handle?.sendAvailable(exchange.bytes[...], exchange.name) ?? exchange.bytes[...]
      if rest.count == exchange.bytes.count { return .notSent }
      var owed = Owed(ticket: tickets, count: exchange.count, name: exchange.name, rest: rest)
      tickets &+= 1
      if try receive(&owed) {
        misses = 0
        return .answered(.success(owed.replies))
      }
      // One late answer is chance; a server that is far away, or busy, is left to the thread for a while.
      misses = min(misses + 1, 8)
      if misses > 1 { skips = 4 << misses }
      self.owed = owed
      return .late(owed.ticket)
    } catch {
      dropBroken()
      return .answered(.failure(error))
    }
  }

  /// Takes what arrives in time; whether that is all.
  private mutating func receive(_ owed: inout Owed) throws(RedisError) -> Bool {
    guard owed.rest.isEmpty else { return false }
    var readings = 0
    while owed.replies.count < owed.count {
      if let reply = try handle?.bufferedReply(owed.name) {
        owed.replies.append(reply)
        continue
      }
      // A long answer that trickles in is read by the thread.
      guard readings < 4, handle?.isReadable(within: Self.patience) == true else { return false }
      try handle?.read(owed.name)
      readings += 1
    }
    return true
  }

  /// The answer to an attempt that was late.
  mutating func finish(_ ticket: UInt64) -> Result<[Reply], RedisError> {
    settle()
    return settled.removeValue(forKey: ticket)
      ?? .failure(RedisError(.closed, operation: "using a Redis client", message: "it has been closed"))
  }

  /// Sends commands and waits for their answers.
  mutating func run(_ exchange: Exchange) -> Result<[Reply], RedisError> {
    settle()
    do throws(RedisError) {
      guard !isClosed else {
        throw RedisError(.closed, operation: "using a Redis client", message: "it has been closed")
      }
      if handle == nil { try connect() }
      return .success(try replies(exchange.bytes[...], exchange.count, exchange.name))
    } catch {
      dropBroken()
      return .failure(error)
    }
  }

  mutating func close() {
    isClosed = true
    handle = nil
    owed = nil
  }

  private mutating func connect() throws(RedisError) {
    handle = try RedisHandle.connect(settings)
  }

  /// Waits for what is owed, so that the connection is free for the next command.
  private mutating func settle() {
    guard let owed = owed.take() else { return }
    do throws(RedisError) {
      let more = try replies(owed.rest, owed.count - owed.replies.count, owed.name)
      settled[owed.ticket] = .success(owed.replies + more)
    } catch {
      dropBroken()
      settled[owed.ticket] = .failure(error)
    }
  }

  private mutating func replies(
    _ bytes: ArraySlice<UInt8>, _ count: Int, _ name: CommandName
  ) throws(RedisError) -> [Reply] {
    try handle?.send(bytes, name)
    var replies: [Reply] = []
    replies.reserveCapacity(count)
    while replies.count < count {
      guard let reply = try handle?.reply(to: name) else {
        throw RedisError(.connectionLost, operation: name.text, message: "there is no connection")
      }
      replies.append(reply)
    }
    return replies
  }

  /// What is left on a broken connection would be taken for the next answer.
  private mutating func dropBroken() {
    if handle?.isBroken == true { handle = nil }
  }
}
