internal import DedicatedThread
internal import Glibc
internal import Records
internal import TestSupport

/// A running fixture that serves HTTP.
struct HTTPFixture: Sendable {
  let port: Int
  let program: FixtureProgram

  /// Starts a fixture for `body` and ends it after.
  static func run<R: Sendable>(
    _ arguments: [String] = [], _ body: @Sendable (HTTPFixture) async throws -> R
  ) async throws -> R {
    let fixture = try await start(arguments)
    let result = try await body(fixture)
    withExtendedLifetime(fixture.program) {}
    return result
  }

  private static func start(_ arguments: [String]) async throws -> HTTPFixture {
    let program = try FixtureProgram(["--http", "0"] + arguments, log: "warning")
    for _ in 0..<12_000 {
      if let line = program.errorText.split(separator: "\n").first(where: { $0.hasPrefix("listening on ") }),
        let port = line.split(separator: ":").last.flatMap({ Int($0) })
      {
        return HTTPFixture(port: port, program: program)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw TestFailure("the fixture does not listen: \(program.errorText)")
  }

  func connect() throws -> HTTPClient { try HTTPClient(port: port) }

  /// Sends one request on a connection of its own and returns the whole answer.
  func exchange(
    _ method: String = "POST", path: String = "/mcp", headers: [(String, String)] = [], body: String? = nil
  ) async throws -> HTTPReply {
    let client = try connect()
    try await client.send(method, path: path, headers: headers, body: body)
    return try await client.reply()
  }

  /// Posts a message with the headers that every client sends.
  func post(_ body: String, headers: [(String, String)] = []) async throws -> HTTPReply {
    try await exchange(headers: Headers.usual + headers, body: body)
  }

  /// Begins a session of the older revisions and says that the client is ready; returns the header of the session.
  func session(_ revision: String = "2025-11-25", headers: [(String, String)] = []) async throws -> [(String, String)] {
    let body = Wire.request(1, "initialize", LegacyParameters.initialize(revision))
    let reply = try await post(body, headers: headers)
    guard let id = reply.header("Mcp-Session-Id") else { throw TestFailure("no session: \(reply)") }
    let session = headers + [("Mcp-Session-Id", id), ("MCP-Protocol-Version", revision)]
    let ready = try await post(Wire.notification("notifications/initialized"), headers: session)
    guard ready.status == 202 else { throw TestFailure("not ready: \(ready)") }
    return session
  }

  /// Posts a request of the newest revision with the headers that it demands.
  func modern(
    _ id: JSONValue, _ method: String, _ parameters: JSONValue = ModernParameters.with(), name: String? = nil,
    headers: [(String, String)] = []
  ) async throws -> HTTPReply {
    try await post(
      Wire.request(id, method, parameters), headers: Headers.modern(method, name: name) + headers)
  }
}

enum Headers {
  static let usual = [
    ("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"),
  ]

  static func modern(_ method: String, name: String? = nil) -> [(String, String)] {
    [("MCP-Protocol-Version", ModernParameters.version), ("Mcp-Method", method)]
      + (name.map { [("Mcp-Name", $0)] } ?? [])
  }
}

struct HTTPReply: Sendable, CustomStringConvertible {
  let status: Int
  let headers: [(String, String)]
  var body: [UInt8] = []

  func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
  var json: JSONValue { get throws { try JSONValue.parse(body) } }
  var text: String { String(decoding: body, as: UTF8.self) }
  /// The data of each event of a stream, in order, without the empty ones.
  var events: [JSONValue] {
    get throws {
      try text.split(separator: "\n").filter { $0.hasPrefix("data: ") && $0.utf8.count > 6 }
        .map { try JSONValue.parse(String($0.dropFirst(6))) }
    }
  }
  var description: String { "\(status) \(headers) \(text.prefix(500))" }
}

struct ServerSentEvent: Sendable {
  var id: String?
  var data: String?
  var comment: String?
  var json: JSONValue { get throws { try JSONValue.parse(data ?? "") } }
}

/// One connection, on which any bytes may be sent.
actor HTTPClient {
  private nonisolated let thread = DedicatedThread(name: "http-client")
  private let socket: Int32
  private let port: Int
  private var buffer: [UInt8] = []
  private var isChunked = false
  private var streamText: [UInt8] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  init(port: Int) throws {
    self.port = port
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw TestFailure("connect: \(String(cString: strerror(errno)))") }
  }

  deinit { Glibc.close(socket) }

  /// Says that nothing more is sent, and that nothing more is read.
  func disconnect() { shutdown(socket, Int32(SHUT_RDWR)) }

  func send(
    _ method: String = "POST", path: String = "/mcp", headers: [(String, String)] = [], body: String? = nil
  ) throws {
    var text = "\(method) \(path) HTTP/1.1\r\n"
    if !headers.contains(where: { $0.0.lowercased() == "host" }) { text += "Host: 127.0.0.1:\(port)\r\n" }
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    try send(bytes: Array("\(text)\r\n\(body ?? "")".utf8))
  }

  func send(bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress.map { $0 + offset }, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw TestFailure("send: \(String(cString: strerror(errno)))") }
      offset += count
    }
  }

  /// Reads more; false at the end.
  private func fill(until deadline: ContinuousClock.Instant) throws -> Bool {
    while ContinuousClock.now < deadline {
      guard isReadable(socket, within: 100) else { continue }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(socket, &chunk, chunk.count, 0)
      guard count > 0 else { return false }
      buffer += chunk[..<count]
      return true
    }
    throw TestFailure("nothing came; so far: \(String(decoding: buffer.prefix(500), as: UTF8.self))")
  }

  /// Whether the server closes the connection without another byte.
  func isClosed(within seconds: Int = 60) throws -> Bool {
    try !fill(until: .now + .seconds(seconds))
  }

  private func line(_ deadline: ContinuousClock.Instant) throws -> String {
    while true {
      if let end = buffer.firstIndex(of: 0x0A) {
        let line = buffer[..<end].filter { $0 != 0x0D }
        buffer.removeFirst(end + 1)
        return String(decoding: line, as: UTF8.self)
      }
      guard try fill(until: deadline) else { throw TestFailure("the connection was closed") }
    }
  }

  /// The head of an answer, with no body yet.
  func head(within seconds: Int = 60) throws -> HTTPReply {
    let deadline = ContinuousClock.now + .seconds(seconds)
    let status = try line(deadline).split(separator: " ")
    guard status.count >= 2, let code = Int(status[1]) else { throw TestFailure("no status line: \(status)") }
    var headers: [(String, String)] = []
    while true {
      let line = try line(deadline)
      if line.isEmpty { break }
      let parts = line.split(separator: ":", maxSplits: 1)
      headers.append((String(parts[0]), String(parts.last?.drop { $0 == " " } ?? "")))
    }
    let reply = HTTPReply(status: code, headers: headers)
    isChunked = reply.header("Transfer-Encoding")?.lowercased() == "chunked"
    return reply
  }

  /// A whole answer; of a stream, all of it until its end.
  func reply(within seconds: Int = 60) throws -> HTTPReply {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var reply = try head(within: seconds)
    if isChunked {
      while let chunk = try chunk(deadline) { reply.body += chunk }
    } else if let length = reply.header("Content-Length").flatMap({ Int($0) }) {
      while buffer.count < length {
        guard try fill(until: deadline) else { throw TestFailure("the body is cut off") }
      }
      reply.body = Array(buffer.prefix(length))
      buffer.removeFirst(length)
    }
    return reply
  }

  /// One chunk; nil for the last, which is empty.
  private func chunk(_ deadline: ContinuousClock.Instant) throws -> [UInt8]? {
    guard let size = Int(try line(deadline), radix: 16) else { throw TestFailure("no size of a chunk") }
    while buffer.count < size + 2 {
      guard try fill(until: deadline) else { throw TestFailure("the stream is cut off") }
    }
    let chunk = Array(buffer.prefix(size))
    buffer.removeFirst(size + 2)
    return size == 0 ? nil : chunk
  }

  /// The next event or comment of a stream whose head was read; nil at its end.
  func event(within seconds: Int = 60) throws -> ServerSentEvent? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      let text = String(decoding: streamText, as: UTF8.self)
      if let end = text.range(of: "\n\n") {
        let block = text[..<end]
        streamText.removeFirst(block.utf8.count + 2)
        var event = ServerSentEvent()
        for line in block.split(separator: "\n") {
          if line.hasPrefix(":") { event.comment = String(line) }
          if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
          if line.hasPrefix("data: ") { event.data = String(line.dropFirst(6)) }
        }
        return event
      }
      guard let chunk = try chunk(deadline) else { return nil }
      streamText += chunk
    }
  }

  /// The next event with data; comments and empty events are passed over.
  func message(within seconds: Int = 60) throws -> JSONValue? {
    while let event = try event(within: seconds) {
      if let data = event.data, !data.isEmpty { return try JSONValue.parse(data) }
    }
    return nil
  }
}

extension String {
  /// Where a text begins in this one.
  fileprivate func range(of text: String) -> String.Index? {
    let bytes = Array(utf8)
    let pattern = Array(text.utf8)
    guard bytes.count >= pattern.count else { return nil }
    for start in 0...(bytes.count - pattern.count) where bytes[start..<(start + pattern.count)].elementsEqual(pattern) {
      return utf8.index(utf8.startIndex, offsetBy: start)
    }
    return nil
  }
}
