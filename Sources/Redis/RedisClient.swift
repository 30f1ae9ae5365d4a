internal import CHiredis
internal import DedicatedThread
internal import Glibc

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
    guard !isClosed else { throw RedisError(.closed, operation: "using a Redis client", message: "it has been closed") }
    do throws(RedisError) {
      return try send(arguments)
    } catch where error.code == .connectionLost && retry == .afterLostConnection {
      return try send(arguments)
    }
  }

  /// Sends one command whose arguments are text.
  @discardableResult
  package func command(_ arguments: String..., retry: Retry = .afterLostConnection) throws(RedisError) -> Reply {
    try command(arguments.map { Array($0.utf8) }, retry: retry)
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
    // hiredis writes without MSG_NOSIGNAL: on this thread, and no other, a broken connection must not raise SIGPIPE.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    handle = try RedisHandle.connect(settings)
  }

  private func send(_ arguments: [[UInt8]]) throws(RedisError) -> Reply {
    if handle == nil { handle = try RedisHandle.connect(settings) }
    do throws(RedisError) {
      guard let reply = try handle?.command(arguments) else {
        throw RedisError(.connectionLost, operation: "sending a command", message: "there is no connection")
      }
      return reply
    } catch {
      // What is left on a broken connection would be taken for the next answer.
      if handle?.isBroken == true { handle = nil }
      throw error
    }
  }
}
