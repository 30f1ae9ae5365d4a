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

  /// Connects, logs in and selects the database.
  ///
  /// - Throws: `.connectionFailed`, `.timeout`, `.authenticationFailed`, `.outOfMemory`, `.server`.
  static func connect(_ settings: RedisSettings) throws(RedisError) -> RedisHandle {
    let operation = "connecting to \(settings.redactedURL)"
    let limit = timeval(settings.timeout)
    let started: UnsafeMutablePointer<redisContext>? =
      switch settings.endpoint {
      case .tcp(let host, let port): unsafe redisConnectWithTimeout(host, CInt(port), limit)
      case .unix(let path): unsafe redisConnectUnixWithTimeout(path, limit)
      }
    guard let pointer = unsafe started else {
      throw RedisError(.outOfMemory, operation: operation, message: "out of memory")
    }
    let handle = unsafe RedisHandle(pointer)
    guard unsafe pointer.pointee.err == 0 else {
      throw RedisError(.connectionFailed, operation: operation, message: handle.message)
    }
    guard unsafe redisSetTimeout(pointer, limit) == REDIS_OK else {
      throw RedisError(.connectionFailed, operation: operation, message: handle.message)
    }
    if let password = settings.password {
      let credentials = (settings.user.map { [$0] } ?? []) + [password]
      _ = try handle.command((["AUTH"] + credentials).map { Array($0.utf8) })
    }
    if settings.database != 0 {
      _ = try handle.command(["SELECT", String(settings.database)].map { Array($0.utf8) })
    }
    return handle
  }

  /// Sends one command and waits for its answer.
  ///
  /// After `.connectionLost`, `.timeout` or `.protocolViolation` the connection is of no more use: an answer that
  /// comes late would be taken for that of the next command.
  func command(_ arguments: [[UInt8]]) throws(RedisError) -> Reply {
    let name = String(decoding: arguments.first?.prefix(20) ?? [], as: UTF8.self).uppercased()
    guard let count = CInt(exactly: arguments.count), count > 0 else {
      throw RedisError(.invalidParameter, operation: "sending a command", message: "a command has a name")
    }
    // All arguments in one buffer, which holds still while hiredis reads them.
    let joined = Array(arguments.joined()) + [0]
    let lengths = arguments.map(\.count)
    let answer = unsafe joined.withUnsafeBytes { buffer -> UnsafeMutableRawPointer? in
      guard let base = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
      var offset = 0
      var pointers: [UnsafePointer<CChar>?] = unsafe []
      for length in lengths {
        unsafe pointers.append(base + offset)
        offset += length
      }
      return unsafe redisCommandArgv(pointer, count, &pointers, lengths)
    }
    guard let answer = unsafe answer else { throw failure(name) }
    defer { unsafe freeReplyObject(answer) }
    let reply = unsafe Self.decode(answer.assumingMemoryBound(to: redisReply.self))
    if case .error(let message) = reply { throw Self.serverError(message, name) }
    return reply
  }

  /// True once hiredis has met an error, after which a context cannot be used.
  var isBroken: Bool { unsafe pointer.pointee.err != 0 }

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
