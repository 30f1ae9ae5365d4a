internal import CHiredis
internal import Glibc

/// Owns a connected `redisContext`: `redisFree` on deinit.
///
/// `@safe`: the pointer is private, lives as long as the value, and is used on one thread.
@safe struct RedisHandle: ~Copyable {
  private let pointer: UnsafeMutablePointer<redisContext>

  private init(_ pointer: UnsafeMutablePointer<redisContext>) {
    unsafe self.pointer = pointer
  }

  deinit {
    unsafe redisFree(pointer)
  }

  /// True once the connection is of no more use: an answer that comes late would be taken for the next one.
  private(set) var isBroken = false

  /// Connects, logs in and selects the database, all within the settings' limit, but for the look-up of a host's name,
  /// which the C library bounds.
  ///
  /// - Throws: `.connectionFailed`, `.timeout`, `.authenticationFailed`, `.outOfMemory`, `.server`.
  static func connect(_ settings: RedisSettings) throws(RedisError) -> RedisHandle {
    let operation = "connecting to \(settings.redactedURL)"
    let deadline = ContinuousClock.now + settings.timeout
    let started: UnsafeMutablePointer<redisContext>? =
      switch settings.endpoint {
      case .tcp(let host, let port): unsafe redisConnectWithTimeout(host, CInt(port), timeval(settings.timeout))
      case .unix(let path): unsafe redisConnectUnixWithTimeout(path, timeval(settings.timeout))
      }
    guard let pointer = unsafe started else {
      throw RedisError(.outOfMemory, operation: operation, message: "out of memory")
    }
    var handle = unsafe RedisHandle(pointer)
    guard unsafe pointer.pointee.err == 0 else {
      throw RedisError(.connectionFailed, operation: operation, message: handle.message)
    }
    // hiredis opens its socket without it, and a program that is started later must not inherit the connection.
    _ = unsafe fcntl(pointer.pointee.fd, F_SETFD, FD_CLOEXEC)
    try handle.setLimit(deadline - .now, operation)
    var greeting: [[[UInt8]]] = []
    if let password = settings.password {
      greeting.append((["AUTH"] + (settings.user.map { [$0] } ?? []) + [password]).map { Array($0.utf8) })
    }
    if settings.database != 0 { greeting.append(["SELECT", String(settings.database)].map { Array($0.utf8) }) }
    for (reply, command) in zip(try handle.pipeline(greeting), greeting) {
      if case .error(let message) = reply { throw serverError(message, name(of: command)) }
    }
    try handle.setLimit(settings.timeout, operation)
    return handle
  }

  /// The limit for each wait on the socket.
  private func setLimit(_ limit: Duration, _ operation: String) throws(RedisError) {
    guard unsafe redisSetTimeout(pointer, timeval(limit)) == REDIS_OK else {
      throw RedisError(.connectionFailed, operation: operation, message: message)
    }
  }

  /// Sends one command and waits for its answer; an error that the server answers is thrown.
  mutating func command(_ arguments: [[UInt8]]) throws(RedisError) -> Reply {
    let reply = try pipeline([arguments])[0]
    if case .error(let message) = reply { throw Self.serverError(message, Self.name(of: arguments)) }
    return reply
  }

  /// Sends commands in one go and waits for as many answers, which are in the same order; an error of the server is
  /// the answer of its command.
  mutating func pipeline(_ commands: [[[UInt8]]]) throws(RedisError) -> [Reply] {
    guard let first = commands.first else { return [] }
    guard commands.allSatisfy({ !$0.isEmpty }) else {
      throw RedisError(.invalidParameter, operation: "sending a command", message: "a command has a name")
    }
    let name = Self.name(of: first)
    try send(commands, name)
    var replies: [Reply] = []
    replies.reserveCapacity(commands.count)
    while replies.count < commands.count { replies.append(try reply(to: name)) }
    return replies
  }

  /// Sends commands without waiting for an answer.
  mutating func send(_ commands: [[[UInt8]]], _ operation: String) throws(RedisError) {
    // Not through hiredis, which writes without MSG_NOSIGNAL: a server that has gone away must not end the process.
    let bytes = RESP.encoded(commands)
    var start = 0
    while start < bytes.count {
      let count = unsafe bytes[start...].withUnsafeBytes { buffer in
        unsafe Glibc.send(pointer.pointee.fd, buffer.baseAddress, buffer.count, CInt(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        let code = errno
        isBroken = true
        let isLate = code == EAGAIN || code == EWOULDBLOCK
        throw RedisError(
          isLate ? .timeout : .connectionLost, operation: operation,
          message: isLate ? "the server takes nothing" : "errno \(code)")
      }
      start += count
    }
  }

  /// Waits for the next answer.
  ///
  /// After `.connectionLost`, `.timeout` or `.protocolViolation` the connection is of no more use.
  mutating func reply(to operation: String) throws(RedisError) -> Reply {
    while true {
      if let reply = try bufferedReply(operation) { return reply }
      try read(operation)
    }
  }

  /// The socket, to wait for. It belongs to the handle.
  var descriptor: CInt { unsafe pointer.pointee.fd }

  /// Waits until the server has sent something, and keeps it.
  mutating func read(_ operation: String) throws(RedisError) {
    while unsafe redisBufferRead(pointer) != REDIS_OK {
      guard unsafe pointer.pointee.err == REDIS_ERR_IO && errno == EINTR else {
        isBroken = true
        throw failure(operation)
      }
      unsafe pointer.pointee.err = 0
    }
  }

  /// The next answer, if all of it has been read.
  mutating func bufferedReply(_ operation: String) throws(RedisError) -> Reply? {
    var answer: UnsafeMutableRawPointer?
    guard unsafe redisGetReplyFromReader(pointer, &answer) == REDIS_OK else {
      isBroken = true
      throw failure(operation)
    }
    guard let answer = unsafe answer else { return nil }
    defer { unsafe freeReplyObject(answer) }
    return unsafe Self.decode(answer.assumingMemoryBound(to: redisReply.self))
  }

  private static func name(of arguments: [[UInt8]]) -> String {
    String(decoding: arguments.first?.prefix(20) ?? [], as: UTF8.self).uppercased()
  }

  private var message: String {
    unsafe withUnsafeBytes(of: pointer.pointee.errstr) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Why there was no answer.
  private func failure(_ operation: String) -> RedisError {
    let code: RedisError.Code =
      switch unsafe pointer.pointee.err {
      case REDIS_ERR_IO: errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT ? .timeout : .connectionLost
      case REDIS_ERR_EOF: .connectionLost
      case REDIS_ERR_PROTOCOL: .protocolViolation
      case REDIS_ERR_OOM: .outOfMemory
      default: .connectionLost
      }
    return RedisError(code, operation: operation, message: code == .timeout ? "no answer in time" : message)
  }

  private static func serverError(_ message: String, _ operation: String) -> RedisError {
    let kind = message.prefix { $0 != " " }
    // Before Redis 6.2, a wrong password was a plain ERR.
    let isRefusal = ["NOAUTH", "WRONGPASS", "NOPERM"].contains(kind) || operation == "AUTH"
    let code: RedisError.Code = kind == "OOM" ? .outOfMemory : isRefusal ? .authenticationFailed : .server
    return RedisError(code, operation: operation, message: message)
  }

  /// Copies an answer. hiredis reads at most nine levels of arrays, which bounds the recursion.
  private static func decode(_ reply: UnsafeMutablePointer<redisReply>) -> Reply {
    let content = unsafe reply.pointee
    let bytes = unsafe Array(UnsafeRawBufferPointer(start: content.str, count: content.str == nil ? 0 : content.len))
    switch unsafe content.type {
    case REDIS_REPLY_INTEGER: return .integer(unsafe content.integer)
    case REDIS_REPLY_STRING: return .string(bytes)
    case REDIS_REPLY_STATUS: return .status(String(decoding: bytes, as: UTF8.self))
    case REDIS_REPLY_ERROR: return .error(String(decoding: bytes, as: UTF8.self))
    case REDIS_REPLY_ARRAY:
      var elements: [Reply] = []
      for index in 0..<(unsafe content.elements) {
        if let element = unsafe content.element[index] { elements.append(unsafe decode(element)) }
      }
      return .array(elements)
    default: return .null
    }
  }
}

extension timeval {
  /// A positive time, of one microsecond at least: hiredis takes zero for no limit.
  fileprivate init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let microseconds = max(attoseconds / 1_000_000_000_000, seconds > 0 ? 0 : 1)
    self.init(tv_sec: Int(max(0, seconds)), tv_usec: Int(microseconds))
  }
}
