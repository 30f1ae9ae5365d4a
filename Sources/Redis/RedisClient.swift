internal import CHiredis
internal import DedicatedThread

/// A connection to a Redis server, on a thread of its own.
///
/// Commands run one after another, in order of arrival. A connection that has broken is made anew: at once for a
/// command that found it broken, once; otherwise for the next command.
package actor RedisClient {
  private let thread: DedicatedThread
  private let settings: RedisSettings
  private var handle: RedisHandle?
  private var isClosed = false

  package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  /// Connects, logs in and selects the database.
  ///
  /// - Throws: `.connectionFailed`, `.timeout`, `.authenticationFailed`, `.server`.
  package init(_ settings: RedisSettings) async throws(RedisError) {
    self.settings = settings
    thread = DedicatedThread(name: "redis")
    handle = nil
    // From here on, with all properties set, the initializer runs on the thread.
    try start()
  }

  isolated deinit {
    // `redisFree` belongs on the client's thread like every other call.
    handle = nil
  }

  /// Sends one command and waits for its answer.
  ///
  /// When the connection breaks, the command is sent once more on a new one, so it may be carried out twice. Use
  /// `.once` for a command that must not be.
  ///
  /// - Throws: `.server` and its special cases for an error that the server answers, `.connectionLost`, `.timeout`
  ///   (never sent again), `.closed`.
  @discardableResult
  package func command(_ arguments: [[UInt8]], retry: Retry = .afterLostConnection) throws(RedisError) -> Reply {
    try checkOpen()
    return try trying(retry) { handle throws(RedisError) in try handle.command(arguments) }
  }

  /// Sends one command whose arguments are text.
  @discardableResult
  package func command(_ arguments: String..., retry: Retry = .afterLostConnection) throws(RedisError) -> Reply {
    try command(arguments.map { Array($0.utf8) }, retry: retry)
  }

  /// Sends commands in one go; their answers are in the same order, and an error of the server is one of them.
  ///
  /// - Throws: `.connectionLost`, `.timeout`, `.closed`: then any number of them may have been carried out.
  package func pipeline(_ commands: [[String]], retry: Retry = .afterLostConnection) throws(RedisError) -> [Reply] {
    try checkOpen()
    let commands = commands.map { $0.map { Array($0.utf8) } }
    return try trying(retry) { handle throws(RedisError) in try handle.pipeline(commands) }
  }

  /// Runs a Lua script, which the server does in one piece.
  ///
  /// The server keeps a script that it has seen; sending its few hundred bytes again costs less than a second round
  /// trip after `NOSCRIPT`.
  package func evaluate(
    _ script: String, keys: [String], arguments: [String], retry: Retry = .once
  ) throws(RedisError) -> Reply {
    let words = ["EVAL", script, String(keys.count)] + keys + arguments
    return try command(words.map { Array($0.utf8) }, retry: retry)
  }

  /// What to do when the connection breaks between sending a command and its answer.
  package enum Retry: Sendable {
    case afterLostConnection
    case once
  }

  /// Asks whether the server is there.
  package func ping() throws(RedisError) {
    let reply = try command("PING")
    guard reply == .status("PONG") else {
      throw RedisError(.protocolViolation, operation: "PING", message: "the answer is not PONG")
    }
  }

  /// Closes the connection. Later commands throw `.closed`.
  package func close() {
    isClosed = true
    handle = nil
  }

  package nonisolated var redactedURL: String { settings.redactedURL }

  private func start() throws(RedisError) {
    handle = try RedisHandle.connect(settings)
  }

  private func checkOpen() throws(RedisError) {
    guard !isClosed else { throw RedisError(.closed, operation: "using a Redis client", message: "it has been closed") }
  }

  /// Calls `body` with the connection, and once more with a new one where the first was found broken.
  private func trying<R>(
    _ retry: Retry, _ body: (inout RedisHandle) throws(RedisError) -> R
  ) throws(RedisError) -> R {
    do throws(RedisError) {
      return try withHandle(body)
    } catch {
      guard error.code == .connectionLost && retry == .afterLostConnection else { throw error }
      return try withHandle(body)
    }
  }

  private func withHandle<R>(_ body: (inout RedisHandle) throws(RedisError) -> R) throws(RedisError) -> R {
    var current = if let handle = handle.take() { handle } else { try RedisHandle.connect(settings) }
    do throws(RedisError) {
      let result = try body(&current)
      handle = consume current
      return result
    } catch {
      // What is left on a broken connection would be taken for the next answer.
      if !current.isBroken { handle = consume current }
      throw error
    }
  }
}
