internal import DedicatedThread
internal import Glibc
internal import Records
internal import TestSupport

/// A client of the fixture on standard input and output, which sends and receives bytes as it is told.
actor StdioClient {
  private nonisolated let thread = DedicatedThread(name: "stdio-client")
  private let program: FixtureProgram
  private var buffer: [UInt8] = []
  /// Notifications that came while an answer was awaited, oldest first.
  var notifications: [JSONValue] = []
  /// Answers that came while another was awaited.
  private var answers: [JSONValue] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  init(_ arguments: [String] = []) throws {
    program = try FixtureProgram(arguments)
  }

  /// A client that has said which revision it speaks and that it is ready.
  static func initialized(_ revision: String = "2025-11-25") async throws -> StdioClient {
    let client = try StdioClient()
    _ = try await client.request(1_000_000, "initialize", LegacyParameters.initialize(revision))
    try await client.send(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
    return client
  }

  func send(_ line: String) throws { try send(bytes: Array(line.utf8) + [0x0A]) }

  func send(bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(program.input, $0.baseAddress.map { $0 + offset }, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw TestFailure("send: \(String(cString: strerror(errno)))") }
      offset += count
    }
  }

  /// The next line; nil at the end of the output.
  func line(within seconds: Int = 60) throws -> [UInt8]? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      if let end = buffer.firstIndex(of: 0x0A) {
        let line = Array(buffer[..<end])
        buffer.removeFirst(end + 1)
        return line
      }
      guard ContinuousClock.now < deadline else { throw TestFailure("no line came: \(program.errorText)") }
      guard isReadable(program.output, within: 100) else { continue }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = read(program.output, &chunk, chunk.count)
      guard count > 0 else {
        guard buffer.isEmpty else { throw TestFailure("the output ends within a line") }
        return nil
      }
      buffer += chunk[..<count]
    }
  }

  /// The next message.
  func message(within seconds: Int = 60) throws -> JSONValue {
    guard let line = try line(within: seconds) else { throw TestFailure("the output has ended: \(program.errorText)") }
    return try JSONValue.parse(line)
  }

  /// Sends a request and returns its answer; notifications before it are kept.
  @discardableResult
  func request(_ id: JSONValue, _ method: String, _ parameters: JSONValue? = nil) throws -> JSONValue {
    try send(Wire.request(id, method, parameters))
    return try answer(to: id)
  }

  func answer(to id: JSONValue) throws -> JSONValue {
    if let index = answers.firstIndex(where: { $0["id"] == id }) { return answers.remove(at: index) }
    while true {
      let message = try message()
      if message["method"] != nil {
        notifications.append(message)
      } else if message["id"] == id {
        return message
      } else {
        answers.append(message)
      }
    }
  }

  /// Proves that the server says nothing to what was sent: a ping is the next to be answered.
  func expectSilence() throws {
    let answer = try request("silence", "ping")
    guard answer["result"] != nil, answers.isEmpty else {
      throw TestFailure("not silent: \(answer.text()) \(answers.map { $0.text() })")
    }
  }

  func closeInput() { program.closeInput() }
  func closeOutput() { program.closeOutput() }
  func signal(_ number: Int32) { program.signal(number) }
  func exitStatus(within seconds: Int = 60) throws -> Int32 { try program.wait(within: seconds) }
  var errorText: String { program.errorText }
  var process: pid_t { program.process }
  var peakMemory: Int { program.peakMemory }
}

/// The texts of requests.
enum Wire {
  static func request(_ id: JSONValue, _ method: String, _ parameters: JSONValue? = nil) -> String {
    var members = [
      JSONValue.Member("jsonrpc", "2.0"), JSONValue.Member("id", id), JSONValue.Member("method", .string(method)),
    ]
    if let parameters { members.append(JSONValue.Member("params", parameters)) }
    return JSONValue.object(members).text()
  }

  static func notification(_ method: String, _ parameters: JSONValue? = nil) -> String {
    var members = [JSONValue.Member("jsonrpc", "2.0"), JSONValue.Member("method", .string(method))]
    if let parameters { members.append(JSONValue.Member("params", parameters)) }
    return JSONValue.object(members).text()
  }
}

enum LegacyParameters {
  static func initialize(_ revision: String) -> JSONValue {
    [
      "protocolVersion": .string(revision), "capabilities": .emptyObject,
      "clientInfo": ["name": "test", "version": "1"],
    ]
  }
}

/// Parameters of the newest revision: the given members and the `_meta` that it demands.
enum ModernParameters {
  static let version = "2026-07-28"

  static func meta(_ version: String = version, _ more: [JSONValue.Member] = []) -> JSONValue {
    .object(
      [
        JSONValue.Member("io.modelcontextprotocol/protocolVersion", .string(version)),
        JSONValue.Member("io.modelcontextprotocol/clientCapabilities", .emptyObject),
      ] + more)
  }

  static func with(
    _ members: [JSONValue.Member] = [], version: String = version, meta more: [JSONValue.Member] = []
  ) -> JSONValue {
    .object(members + [JSONValue.Member("_meta", meta(version, more))])
  }
}

extension JSONValue {
  /// The value at a path of keys and positions; nil where there is none.
  func at(_ path: String) -> JSONValue? {
    path.split(separator: "/").reduce(Optional(self)) { value, step in
      if let index = Int(step), case .array(let elements)? = value {
        return elements.indices.contains(index) ? elements[index] : nil
      }
      return value?[JSONString(String(step))]
    }
  }

  var elements: [JSONValue] {
    if case .array(let elements) = self { return elements }
    return []
  }

  var keys: [String] {
    if case .object(let members) = self { return members.map(\.key.description) }
    return []
  }

  var errorCode: Int? { at("error/code")?.integer }
}

extension StdioClient {
  /// The next notification, of those that came before or will come.
  func notice() throws -> JSONValue {
    if !notifications.isEmpty { return notifications.removeFirst() }
    let message = try message()
    guard message["method"] != nil else { throw TestFailure("an answer: \(message.text())") }
    return message
  }
}
