internal import CHiredis
internal import Glibc

/// Owns a connected `redisContext`: `redisFree` on deinit.
///
/// `@safe`: the pointer is private, lives as long as the value, and is used by one thread at a time.
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
    for command in greeting { try handle.send(Exchange([command]).bytes[...], CommandName(command)) }
    for command in greeting {
      let name = CommandName(command)
      if case .error(let message) = try handle.reply(to: name) { throw serverError(message, name) }
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

  /// Sends bytes, waiting for room.
  mutating func send(_ bytes: ArraySlice<UInt8>, _ name: CommandName) throws(RedisError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = write(rest, flags: MSG_NOSIGNAL)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw sendFailure(errno, name) }
      rest = rest.dropFirst(count)
    }
  }

  /// Sends as much as there is room for at once, and returns the rest.
  mutating func sendAvailable(_ bytes: ArraySlice<UInt8>, _ name: CommandName) throws(RedisError) -> ArraySlice<UInt8> {
    let count = write(bytes, flags: MSG_NOSIGNAL | MSG_DONTWAIT)
    if count >= 0 { return bytes.dropFirst(count) }
    if [EAGAIN, EWOULDBLOCK, EINTR].contains(errno) { return bytes }
    throw sendFailure(errno, name)
  }

  /// Not through hiredis, which writes without MSG_NOSIGNAL: a server that has gone away must not end the process.
  private func write(_ bytes: ArraySlice<UInt8>, flags: Int) -> Int {
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe Glibc.send(pointer.pointee.fd, buffer.baseAddress, buffer.count, CInt(flags))
    }
  }

  private mutating func sendFailure(_ code: CInt, _ name: CommandName) -> RedisError {
    isBroken = true
    let isLate = code == EAGAIN || code == EWOULDBLOCK
    return RedisError(
      isLate ? .timeout : .connectionLost, operation: name.text,
      message: isLate ? "the server takes nothing" : "errno \(code)")
  }

  /// Waits for the next answer, which may be an error of the server.
  ///
  /// After `.connectionLost`, `.timeout` or `.protocolViolation` the connection is of no more use.
  mutating func reply(to name: CommandName) throws(RedisError) -> Reply {
    while true {
      if let reply = try bufferedReply(name) { return reply }
      try read(name)
    }
  }

  /// The socket, to wait for. It belongs to the handle.
  var descriptor: CInt { unsafe pointer.pointee.fd }

  /// Whether there is something to read within that many milliseconds.
  func isReadable(within milliseconds: CInt) -> Bool {
    var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&end, 1, milliseconds) > 0
  }

  /// Waits until the server has sent something, and keeps it.
  mutating func read(_ name: CommandName) throws(RedisError) {
    while unsafe redisBufferRead(pointer) != REDIS_OK {
      guard unsafe pointer.pointee.err == REDIS_ERR_IO && errno == EINTR else {
        isBroken = true
        throw failure(name)
      }
      unsafe pointer.pointee.err = 0
    }
  }

  /// The next answer, if all of it has been read.
  mutating func bufferedReply(_ name: CommandName) throws(RedisError) -> Reply? {
    var answer: UnsafeMutableRawPointer?
    guard unsafe redisGetReplyFromReader(pointer, &answer) == REDIS_OK else {
      isBroken = true
      throw failure(name)
    }
    guard let answer = unsafe answer else { return nil }
    defer { unsafe freeReplyObject(answer) }
    return unsafe Self.decode(answer.assumingMemoryBound(to: redisReply.self))
  }

  private var message: String {
    unsafe withUnsafeBytes(of: pointer.pointee.errstr) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Why there was no answer.
  private func failure(_ name: CommandName) -> RedisError {
    let code: RedisError.Code =
      switch unsafe pointer.pointee.err {
      case REDIS_ERR_IO: errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT ? .timeout : .connectionLost
      case REDIS_ERR_EOF: .connectionLost
      case REDIS_ERR_PROTOCOL: .protocolViolation
      case REDIS_ERR_OOM: .outOfMemory
      default: .connectionLost
      }
    return RedisError(code, operation: name.text, message: code == .timeout ? "no answer in time" : message)
  }

  /// The error for one that the server answered.
  static func serverError(_ message: String, _ name: CommandName) -> RedisError {
    let kind = message.prefix { $0 != " " }
    // Before Redis 6.2, a wrong password was a plain ERR.
    let isRefusal = ["NOAUTH", "WRONGPASS", "NOPERM"].contains(kind) || name.text == "AUTH"
    let code: RedisError.Code = kind == "OOM" ? .outOfMemory : isRefusal ? .authenticationFailed : .server
    return RedisError(code, operation: name.text, message: message)
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
