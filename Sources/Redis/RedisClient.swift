internal import DedicatedThread
internal import Synchronization

/// A connection to a Redis server.
///
/// Commands of one task run one after another. A connection that has broken is made anew: at once for a command that
/// found it broken, once; otherwise for the next command.
///
/// A server on the same machine answers within some ten microseconds, less than it takes to wake another thread. So a
/// command is sent, and its answer awaited for a few milliseconds at most, by whoever calls, as with a lock that is
/// held for a moment. Everything that may take longer (connecting, a slow answer, a queue of callers) is done on a
/// thread of the client's own, and after answers that were late the next commands go there at once.
package final class RedisClient: Sendable {
  private let settings: RedisSettings
  private let session: Mutex<Session>
  private let lane = BlockingLane()

  /// Connects, logs in and selects the database.
  ///
  /// - Throws: `.connectionFailed`, `.timeout`, `.authenticationFailed`, `.server`.
  package init(_ settings: RedisSettings) async throws(RedisError) {
    self.settings = settings
    session = Mutex(Session(settings))
    try await lane.perform { self.session.withLock { session in session.open() } }.get()
  }

  /// Sends one command and waits for its answer.
  ///
  /// When the connection breaks, the command is sent once more on a new one, so it may be carried out twice. Use
  /// `.once` for a command that must not be.
  ///
  /// - Throws: `.server` and its special cases for an error that the server answers, `.connectionLost`, `.timeout`
  ///   (never sent again), `.closed`.
  @discardableResult
  package func command(
    _ arguments: [[UInt8]], retry: Retry = .afterLostConnection
  ) async throws(RedisError) -> Reply {
    let reply = try await replies(to: [arguments], retry: retry)[0]
    if case .error(let message) = reply { throw RedisHandle.serverError(message, CommandName(arguments)) }
    return reply
  }

  /// Sends one command whose arguments are text.
  @discardableResult
  package func command(
    _ arguments: String..., retry: Retry = .afterLostConnection
  ) async throws(RedisError) -> Reply {
    try await command(arguments.map { Array($0.utf8) }, retry: retry)
  }

  /// Sends commands in one go; their answers are in the same order, and an error of the server is one of them.
  ///
  /// - Throws: `.connectionLost`, `.timeout`, `.closed`: then any number of them may have been carried out.
  package func pipeline(
    _ commands: [[String]], retry: Retry = .afterLostConnection
  ) async throws(RedisError) -> [Reply] {
    commands.isEmpty ? [] : try await replies(to: commands.map { $0.map { Array($0.utf8) } }, retry: retry)
  }

  /// Runs a Lua script, which the server does in one piece.
  ///
  /// The server keeps a script that it has seen; sending its few hundred bytes again costs less than a second round
  /// trip after `NOSCRIPT`.
  package func evaluate(
    _ script: String, keys: [String], arguments: [String], retry: Retry = .once
  ) async throws(RedisError) -> Reply {
    let words = ["EVAL", script, String(keys.count)] + keys + arguments
    return try await command(words.map { Array($0.utf8) }, retry: retry)
  }

  /// What to do when the connection breaks between sending a command and its answer.
  package enum Retry: Sendable {
    case afterLostConnection
    case once
  }

  /// Asks whether the server is there.
  package func ping() async throws(RedisError) {
    let reply = try await command("PING")
    guard reply == .status("PONG") else {
      throw RedisError(.protocolViolation, operation: "PING", message: "the answer is not PONG")
    }
  }

  /// Closes the connection. Later commands throw `.closed`.
  package func close() async {
    await lane.perform { self.session.withLock { session in session.close() } }
  }

  package var redactedURL: String { settings.redactedURL }

  /// The answers, as many as there are commands.
  private func replies(to commands: [[[UInt8]]], retry: Retry) async throws(RedisError) -> [Reply] {
    guard commands.allSatisfy({ !$0.isEmpty }) else {
      throw RedisError(.invalidParameter, operation: "sending a command", message: "a command has a name")
    }
    let exchange = Exchange(commands)
    do throws(RedisError) {
      switch session.withLockIfAvailable({ session in session.attempt(exchange) }) ?? .notSent {
      case .answered(let result): return try result.get()
      case .late(let ticket):
        return try await lane.perform { self.session.withLock { session in session.finish(ticket) } }.get()
      case .notSent:
        return try await lane.perform { self.session.withLock { session in session.run(exchange) } }.get()
      }
    } catch {
      guard error.code == .connectionLost && retry == .afterLostConnection else { throw error }
      return try await lane.perform { self.session.withLock { session in session.run(exchange) } }.get()
    }
  }
}

/// A thread for calls that block.
private actor BlockingLane {
  private let thread = DedicatedThread(name: "redis")

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  func perform<R: Sendable>(_ body: @Sendable () -> R) -> R { body() }
}
