internal import DedicatedThread
internal import Glibc

/// Messages of channels, over a connection and a thread of its own.
///
/// The connection is made at the first call of `next`, and anew, after pauses that grow, whenever it is lost. Messages
/// that were published meanwhile are gone: Redis keeps none. A consumer that is slow holds up the connection, and the
/// server ends it once too much waits.
package actor RedisSubscription {
  package enum Event: Sendable, Hashable {
    /// All channels are subscribed to: what is published from now on arrives.
    case connected
    case message(channel: String, payload: [UInt8])
    /// The connection was lost, or the first one could not be made. Not repeated while attempts go on failing.
    case disconnected(RedisError)
  }

  private let thread: DedicatedThread
  private let settings: RedisSettings
  private let channels: [String]
  private let wakeUp = WakeUp()
  private var handle: RedisHandle?
  private var confirmations = 0
  private var isPinged = false
  private var isLost = false
  /// How long to wait before the next attempt; nil before the first one.
  private var pause: Duration?

  /// A quiet connection is asked for a sign of life this often.
  private static let quiet = Duration.seconds(15)
  private static let name = CommandName("SUBSCRIBE")
  private static let longestPause = Duration.seconds(5)

  package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  package init(_ settings: RedisSettings, channels: [String]) {
    (self.settings, self.channels) = (settings, channels)
    thread = DedicatedThread(name: "redis-subscribe")
    handle = nil
  }

  isolated deinit {
    handle = nil
  }

  /// The events in order, until the task that asks for one is cancelled.
  package nonisolated var events: Events { Events(subscription: self) }

  package struct Events: AsyncSequence, AsyncIteratorProtocol, Sendable {
    fileprivate let subscription: RedisSubscription

    package func makeAsyncIterator() -> Events { self }

    package mutating func next() async -> Event? { await subscription.next() }

    package mutating func next(isolation actor: isolated (any Actor)?) async -> Event? { await subscription.next() }
  }

  /// Waits for the next event; nil, for good, once a task that waited here has been cancelled.
  package func next() async -> Event? {
    await withTaskCancellationHandler {
      nextEvent()
    } onCancel: {
      wakeUp.send()
    }
  }

  private func nextEvent() -> Event? {
    while true {
      do throws(RedisError) {
        if Task.isCancelled { return nil }
        if handle == nil {
          guard wakeUp.sleep(pause ?? .zero) else { return nil }
          try connect()
        }
        if let reply = try handle?.bufferedReply(Self.name) {
          if let event = try event(reply) { return event }
          continue
        }
        switch wakeUp.wait(for: handle?.descriptor ?? -1, limit: isPinged ? settings.timeout : Self.quiet) {
        case .woken: return nil
        case .readable: try handle?.read(Self.name)
        case .late where isPinged:
          throw RedisError(.timeout, operation: "SUBSCRIBE", message: "no sign of life in time")
        case .late:
          try handle?.send(Exchange([[Array("PING".utf8)]]).bytes[...], CommandName("PING"))
          isPinged = true
        }
      } catch {
        handle = nil
        pause = min((pause ?? .milliseconds(50)) * 2, Self.longestPause)
        if !isLost {
          isLost = true
          return .disconnected(error)
        }
      }
    }
  }

  private func connect() throws(RedisError) {
    var connection = try RedisHandle.connect(settings)
    let exchange = Exchange([(["SUBSCRIBE"] + channels).map { Array($0.utf8) }])
    try connection.send(exchange.bytes[...], exchange.name)
    handle = consume connection
    (confirmations, isPinged) = (0, false)
  }

  /// What an answer means; nil where it is nothing to tell.
  private func event(_ reply: Reply) throws(RedisError) -> Event? {
    isPinged = false
    if case .error(let message) = reply { throw RedisError(.server, operation: "SUBSCRIBE", message: message) }
    guard let parts = reply.elements, let kind = parts.first?.text else { return nil }
    switch kind {
    case "subscribe":
      confirmations += 1
      guard confirmations == channels.count else { return nil }
      (isLost, pause) = (false, nil)
      return .connected
    case "message":
      guard parts.count == 3, let channel = parts[1].text, let payload = parts[2].bytes else { return nil }
      return .message(channel: channel, payload: payload)
    default: return nil
    }
  }
}

/// A pipe by which any thread ends the waiting of another one, for good.
///
/// `@unchecked Sendable`: both descriptors are set once, and closed when nobody can use them any more.
private final class WakeUp: @unchecked Sendable {
  private let readEnd: CInt
  private let writeEnd: CInt

  enum Outcome {
    case woken
    case readable
    case late
  }

  init() {
    var ends: [CInt] = [-1, -1]
    // Without descriptors nothing can be woken, and nothing can be connected to either.
    _ = unsafe pipe(&ends)
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  func send() {
    var byte: UInt8 = 1
    _ = unsafe write(writeEnd, &byte, 1)
  }

  /// Returns false where it was woken.
  func sleep(_ duration: Duration) -> Bool { wait(for: -1, limit: duration) != .woken }

  /// Waits until the descriptor has something to read; -1 for none.
  func wait(for descriptor: CInt, limit: Duration) -> Outcome {
    let deadline = ContinuousClock.now + limit
    while true {
      let left = deadline - .now
      let (seconds, attoseconds) = left.components
      let milliseconds = left <= .zero ? 0 : min(seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1, 60_000)
      var ends = [
        pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      ]
      let count = unsafe poll(&ends, 2, CInt(milliseconds))
      if ends[0].revents != 0 { return .woken }
      if count > 0 { return .readable }
      if left <= .zero { return .late }
    }
  }
}
