internal import CLibPQ
internal import Glibc

/// Owns a `PGconn`: `PQfinish` on deinit.
///
/// `@safe`: the pointer lives as long as the value and is used on one thread, by `Wire` alone.
@safe struct ServerHandle: ~Copyable {
  let pointer: OpaquePointer

  /// Takes ownership of `pointer`.
  private init(_ pointer: OpaquePointer) {
    unsafe self.pointer = pointer
  }

  deinit {
    unsafe PQfinish(pointer)
  }

  /// Connects and waits.
  ///
  /// The steps of `PQconnectdb` are taken one by one, for two reasons. Verbose errors can be asked for before the
  /// server answers, and only they hold the SQLSTATE of a refused connection, which does not depend on the
  /// server's language. And a cancelled task need not wait for the time limit.
  ///
  /// - Throws: `.connectionFailed`, `.authenticationFailed`, `.databaseMissing`, `.serverStarting`, `.cancelled`,
  ///   `.invalidParameter`.
  static func connect(_ settings: ConnectionSettings, _ operation: Operation) throws(PostgresError) -> ServerHandle {
    let name = "connecting to \(settings.redactedURL)"
    let parameters = settings.effectiveParameters
    guard !parameters.contains(where: { $0.key.utf8.contains(0) || $0.value.utf8.contains(0) }) else {
      throw PostgresError(.invalidParameter, operation: name, message: "a setting holds U+0000")
    }
    guard let pointer = unsafe start(parameters) else {
      throw PostgresError(.connectionFailed, operation: name, message: "out of memory")
    }
    let handle = unsafe ServerHandle(pointer)
    _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
    // The default one writes to standard error, which belongs to the command.
    _ = unsafe PQsetNoticeReceiver(pointer, { _, _ in }, nil)
    try handle.finishConnecting(name, operation)
    _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
    return handle
  }

  /// Takes the steps that are left, in turns with waiting for the socket.
  private func finishConnecting(_ name: String, _ operation: Operation) throws(PostgresError) {
    guard unsafe PQstatus(pointer) != CONNECTION_BAD else { throw connectionError(name) }

    let limit = unsafe Self.timeLimit(pointer)
    let deadline = limit.map { ContinuousClock.now + $0 }
    var progress = PGRES_POLLING_WRITING
    while progress != PGRES_POLLING_OK {
      if progress == PGRES_POLLING_FAILED { throw connectionError(name) }
      if operation.isCancelled {
        throw PostgresError(.cancelled, operation: name, message: "the task was cancelled")
      }
      if let deadline, ContinuousClock.now >= deadline {
        throw PostgresError(.connectionFailed, operation: name, message: "no answer within \(limit ?? .zero)")
      }
      let events = progress == PGRES_POLLING_READING ? POLLIN : POLLOUT
      var descriptor = unsafe pollfd(fd: PQsocket(pointer), events: Int16(events), revents: 0)
      // Short waits, so that cancellation and the deadline are seen.
      if unsafe poll(&descriptor, 1, 50) == 0 { continue }
      progress = unsafe PQconnectPoll(pointer)
    }
  }

  /// False once the connection has broken.
  var isOpen: Bool { unsafe PQstatus(pointer) == CONNECTION_OK }

  var transactionStatus: PGTransactionStatusType { unsafe PQtransactionStatus(pointer) }

  /// libpq's last message without its line end.
  var message: String {
    guard let text = unsafe PQerrorMessage(pointer) else { return "" }
    return unsafe String(cString: text).trimmingLineEnd()
  }

  /// Reads what has arrived while nothing was asked, such as the server's goodbye.
  ///
  /// The end of the stream shows only in the read after the one that fetched the goodbye.
  func noticeInput() {
    for _ in 0..<16 where isOpen {
      var descriptor = unsafe pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&descriptor, 1, 0) > 0 else { return }
      _ = unsafe PQconsumeInput(pointer)
    }
  }

  private static func start(_ parameters: [String: String]) -> OpaquePointer? {
    // Keywords and values lie in one buffer of C strings, whose offsets become the two arrays.
    var bytes: [UInt8] = []
    var offsets: [(keyword: Int, value: Int)] = []
    for (keyword, value) in parameters {
      let start = bytes.count
      bytes += Array(keyword.utf8) + [0]
      offsets.append((start, bytes.count))
      bytes += Array(value.utf8) + [0]
    }
    return unsafe bytes.withUnsafeBytes { buffer -> OpaquePointer? in
      guard let base = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
      let keywords = unsafe offsets.map { unsafe Optional(base + $0.keyword) } + [nil]
      let values = unsafe offsets.map { unsafe Optional(base + $0.value) } + [nil]
      // The last argument keeps a URL inside `dbname` from being read as one.
      return unsafe PQconnectStartParams(keywords, values, 0)
    }
  }

  /// What the server reported of itself, such as `server_encoding`; nil where it did not.
  func parameter(_ name: String) -> String? {
    guard let value = unsafe PQparameterStatus(pointer, name) else { return nil }
    return unsafe String(cString: value)
  }

  /// A connection option from wherever libpq took it: the settings, a variable, a service file.
  func option(_ name: String) -> String? {
    unsafe Self.option(name, pointer)
  }

  private static func option(_ name: String, _ pointer: OpaquePointer) -> String? {
    guard let options = unsafe PQconninfo(pointer) else { return nil }
    defer { unsafe PQconninfoFree(options) }
    var option = unsafe options
    while let keyword = unsafe option.pointee.keyword {
      if unsafe strcmp(keyword, name) == 0 {
        guard let value = unsafe option.pointee.val else { return nil }
        return unsafe String(cString: value)
      }
      unsafe option += 1
    }
    return nil
  }

  /// `connect_timeout`; 10 s where nothing sets it; nil, without limit, if it is not positive.
  private static func timeLimit(_ pointer: OpaquePointer) -> Duration? {
    guard let text = unsafe option("connect_timeout", pointer), let seconds = Int32(text) else { return .seconds(10) }
    return seconds > 0 ? .seconds(seconds) : nil
  }

  /// The reason why there is no connection, with the SQLSTATE that the verbose message begins with.
  private func connectionError(_ operation: String) -> PostgresError {
    let report = message
    guard let (state, rest) = Self.sqlState(in: report) else {
      return PostgresError(.connectionFailed, operation: operation, message: report)
    }
    // The lines after the first name the server's source file.
    let firstLine = rest.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? rest
    let code = PostgresError.Code.named(by: state)
    return PostgresError(
      code == .server || code == .connectionLost ? .connectionFailed : code, operation: operation,
      message: firstLine, sqlState: state)
  }

  /// Finds `: 28P01: ` and returns the code and the text behind it.
  private static func sqlState(in report: String) -> (SQLState, String)? {
    let bytes = Array(report.utf8)
    var position = 0
    while position + 9 <= bytes.count {
      if bytes[position] == UInt8(ascii: ":"), bytes[position + 1] == UInt8(ascii: " ") {
        // The word before it, FATAL, may be followed by one or two spaces.
        var start = position + 2
        while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
        // Every SQLSTATE has a digit, which tells it from a severity such as FATAL.
        if start + 7 <= bytes.count, bytes[start..<start + 5].contains(where: { $0 < UInt8(ascii: "A") }),
          bytes[start + 5] == UInt8(ascii: ":"), bytes[start + 6] == UInt8(ascii: " "),
          let state = SQLState(rawValue: String(decoding: bytes[start..<start + 5], as: UTF8.self))
        {
          return (state, String(decoding: bytes[(start + 7)...], as: UTF8.self))
        }
      }
      position += 1
    }
    return nil
  }
}

extension String {
  func trimmingLineEnd() -> String {
    var text = Substring(self)
    while text.last == "\n" { text.removeLast() }
    return String(text)
  }
}
