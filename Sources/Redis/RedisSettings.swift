/// Where a Redis server is and how to log in.
package struct RedisSettings: Sendable, Hashable {
  package enum Endpoint: Sendable, Hashable {
    case tcp(host: String, port: UInt16)
    /// The path of a Unix socket.
    case unix(path: String)
  }

  package var endpoint: Endpoint
  /// The user of `AUTH`; nil for the default one.
  package var user: String?
  package var password: String?
  /// The database that `SELECT` chooses.
  package var database: Int
  /// The limit for connecting, and for each answer.
  package var timeout: Duration

  package init(
    _ endpoint: Endpoint, user: String? = nil, password: String? = nil, database: Int = 0,
    timeout: Duration = .seconds(5)
  ) {
    (self.endpoint, self.user, self.password) = (endpoint, user, password)
    (self.database, self.timeout) = (database, timeout)
  }

  /// Settings from a URL: `redis://[[user]:password@]host[:port][/database]`, or `unix://` or `redis+unix://` with
  /// `[[user]:password@]/path/of/socket[?db=database]`. All parts may be percent-encoded.
  ///
  /// - Throws: `.invalidParameter`, without quoting the URL, which may hold a password; `.unsupported` for `rediss:`.
  package init(url: String) throws(RedisError) {
    guard let separator = url.utf8.firstRange(of: "://".utf8) else { throw Self.invalid("it has no scheme") }
    let scheme = url[..<separator.lowerBound].lowercased()
    var rest = url[separator.upperBound...]
    var credentials: Substring?
    // A password may hold an unescaped @, a host or a socket hardly ever does.
    if let mark = rest.lastIndex(of: "@") {
      credentials = rest[..<mark]
      rest = rest[rest.index(after: mark)...]
    }
    switch scheme {
    case "redis":
      try self.init(authority: rest)
    case "unix", "redis+unix":
      try self.init(socket: rest)
    case "rediss":
      throw RedisError(
        .unsupported, operation: "reading the Redis URL",
        message: "rediss: needs TLS, which this client's hiredis does not have; use redis: or a Unix socket")
    default:
      throw Self.invalid("its scheme is none of redis, unix, redis+unix")
    }
    if let credentials {
      let parts = credentials.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let user = try Self.decoded(parts[0])
      self.user = user.isEmpty || parts.count == 1 ? nil : user
      password = parts.count == 1 ? user : try Self.decoded(parts[1])
    }
  }

  /// The part behind `redis://` and the credentials.
  private init(authority rest: Substring) throws(RedisError) {
    let parts = rest.prefix { $0 != "?" }.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let (host, port) = try Self.hostAndPort(parts.first ?? "")
    self.init(.tcp(host: host, port: port), database: try Self.databaseNumber(parts.count > 1 ? parts[1] : ""))
  }

  /// The part behind `unix://` and the credentials.
  private init(socket rest: Substring) throws(RedisError) {
    let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = try Self.decoded(parts.first ?? "")
    guard path.hasPrefix("/") else { throw Self.invalid("a socket's path begins with /") }
    var database = 0
    for item in (parts.count > 1 ? parts[1] : "").split(separator: "&") where item.hasPrefix("db=") {
      database = try Self.databaseNumber(item.dropFirst(3))
    }
    self.init(.unix(path: path), database: database)
  }

  private static func hostAndPort(_ text: Substring) throws(RedisError) -> (String, UInt16) {
    var (host, port) = (text, Substring(""))
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = text[text.index(after: text.startIndex)..<end]
      port = text[text.index(after: end)...]
      guard port.isEmpty || port.hasPrefix(":") else { throw invalid("its port is not a number") }
      port = port.dropFirst()
    } else if let mark = text.lastIndex(of: ":") {
      host = text[..<mark]
      port = text[text.index(after: mark)...]
    }
    guard let number = port.isEmpty ? 6379 : UInt16(port) else { throw invalid("its port is not a number") }
    let name = try decoded(host)
    return (name.isEmpty ? "localhost" : name, number)
  }

  private static func databaseNumber(_ text: Substring) throws(RedisError) -> Int {
    if text.isEmpty { return 0 }
    guard let number = Int(text), number >= 0 else { throw invalid("its database is not a number") }
    return number
  }

  private static func decoded(_ text: Substring) throws(RedisError) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value != 0 else {
        throw invalid("a percent sign is not followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard !bytes.contains(0) else { throw invalid("it holds U+0000") }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func invalid(_ reason: String) -> RedisError {
    RedisError(.invalidParameter, operation: "reading the Redis URL", message: reason)
  }
}

extension RedisSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The URL with user and password left out.
  package var redactedURL: String {
    switch endpoint {
    case .tcp(let host, let port):
      let name = host.contains(":") ? "[\(host)]" : Self.percentEncoded(host)
      return "redis://\(name):\(port)/\(database)"
    case .unix(let path):
      return "unix://\(Self.percentEncoded(path))" + (database == 0 ? "" : "?db=\(database)")
    }
  }

  package var description: String { redactedURL }
  package var debugDescription: String { redactedURL }
  /// Keeps `dump` and failed expectations from printing the password.
  package var customMirror: Mirror { Mirror(self, children: ["url": redactedURL]) }

  private static func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      let isPlain =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || "-._~/".utf8.contains(byte)
      if isPlain {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}
