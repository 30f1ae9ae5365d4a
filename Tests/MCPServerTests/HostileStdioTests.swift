internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// The groups of hostile inputs on standard input, beyond what the statements cover.
@Suite("Hostile inputs on standard input") struct HostileStdioTests {
  @Test("hostile 2: separators, control characters and broken encodings")
  func encodings() async throws {
    let client = try await StdioClient.initialized()
    let call = { (value: String) in
      Array(
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_structured","arguments":{"value":\#(value)}}}"#
          .utf8)
    }
    for text in ["\u{2028}", "\u{2029}", "\u{85}", "\u{202E}", "\u{FEFF}", "\u{1F600}", "e\u{301}", "\u{7F}"] {
      try await client.send(bytes: call("\"\(text)\"") + [0x0A])
      #expect(try await client.answer(to: 1).at("result/structuredContent/value") == .string(text))
    }
    for raw: [UInt8] in [
      [0x00], [0x01], [0x1F], [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
    ] {
      var bytes = call("\"@\"")
      let mark = try #require(bytes.firstIndex(of: UInt8(ascii: "@")))
      bytes.replaceSubrange(mark...mark, with: raw)
      try await client.send(bytes: bytes + [0x0A])
      let answer = try await client.message()
      #expect(answer.errorCode == -32700, "\(raw)")
      #expect(answer["id"] == nil)
    }
    // Half a surrogate pair is an escape that JSON allows; it comes back as it went.
    try await client.send(bytes: call(#""\ud800""#) + [0x0A])
    let line = try #require(try await client.line())
    #expect(String(decoding: line, as: UTF8.self).contains(#"\ud800"#))
    try await client.send(bytes: [0xEF, 0xBB, 0xBF] + Array(Wire.request(1, "ping").utf8) + [0x0A])
    #expect(try await client.message().errorCode == -32700)
    try await client.send(
      bytes: Array(Wire.request(1, "ping").utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } + [0x0A])
    #expect(try await client.message().errorCode == -32700)
    try await client.send(bytes: [0x0A])
    try await client.expectSilence()
  }

  @Test("hostile 3: an id that is in flight cannot name a second request")
  func duplicateID() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(7, "tools/call", ["name": "test_hold"]))
    try await client.waits(began: 1)
    try await client.send(Wire.request(7, "tools/call", ["name": "test_simple_text"]))
    let refusal = try await client.message()
    #expect(refusal.errorCode == -32600)
    #expect(refusal["id"] == nil)
    // The same digits as text are another id.
    let other = try await client.request("7", "tools/call", ["name": "test_simple_text"])
    #expect(other["result"] != nil)
    try await client.release()
    #expect(try await client.answer(to: 7)["result"] != nil)
    let long = String(repeating: "9", count: 300)
    try await client.send(#"{"jsonrpc":"2.0","id":\#(long),"method":"ping"}"#)
    #expect(try await client.message().errorCode == -32600)
  }

  @Test("hostile 5: a key that occurs twice in the envelope is refused without an id")
  func duplicateKeys() async throws {
    let client = try await StdioClient.initialized()
    for text in [
      #"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#,
      #"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"ping","\u0069d":1}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{},"params":{}}"#,
    ] {
      try await client.send(text)
      let answer = try await client.message()
      #expect(answer.errorCode == -32600, "\(text)")
      #expect(answer["id"] == nil)
    }
    try await client.send(
      #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_add","name":"test_simple_text"}}"#)
    #expect(try await client.answer(to: 1).errorCode == -32602)
  }

  @Test("hostile 6: numbers that JSON does not have, and depth")
  func numbersAndDepth() async throws {
    let client = try await StdioClient.initialized()
    for value in ["NaN", "Infinity", "-Infinity", "+1", "01", ".5", "1.", "0x10", "1e"] {
      try await client.send(#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":\#(value)}}"#)
      #expect(try await client.message().errorCode == -32700, "\(value)")
    }
    for depth in [65, 513, 100_000] {
      let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
      try await client.send(#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":\#(nested)}}"#)
      #expect(try await client.message().errorCode == -32700, "\(depth)")
    }
    try await client.send(String(repeating: #"{"a":"#, count: 100_000))
    #expect(try await client.message().errorCode == -32700)
    // Numbers keep their spelling on the way through.
    for number in ["9007199254740993", "18446744073709551616", "1e400", "1.0", "-0", "1E+2"] {
      try await client.send(
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_structured","arguments":{"value":\#(number)}}}"#
      )
      let line = try #require(try await client.line())
      #expect(String(decoding: line, as: UTF8.self).contains(#""structuredContent":{"value":\#(number)}"#))
    }
  }

  @Test("hostile 6: a line of 10 MiB is refused once, and the next one works")
  func longLine() async throws {
    let client = try await StdioClient.initialized()
    let padding = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
    for ending: [UInt8] in [[0x0A], [0x0D, 0x0A]] {
      try await client.send(bytes: Array(#"{"jsonrpc":"2.0","id":1,"method":""#.utf8))
      for _ in 0..<10 { try await client.send(bytes: padding) }
      try await client.send(bytes: Array("\"}".utf8) + ending)
      let answer = try await client.message()
      #expect(answer.errorCode == -32600)
      #expect(answer["id"] == nil)
      #expect(try await client.request(2, "ping")["result"] != nil)
    }
    // One that just fits is read.
    let name = String(repeating: "b", count: 3_900_000)
    #expect(try await client.request(3, name).errorCode == -32601)
    #expect(await client.peakMemory < 200_000)
  }

  @Test("hostile 10: cancellations before, during and after a call")
  func cancellations() async throws {
    let client = try await StdioClient.initialized()
    for number in 0..<50 {
      let cancel = Wire.notification("notifications/cancelled", ["requestId": .integer(number)])
      let call = Wire.request(.integer(number), "tools/call", ["name": "test_simple_text"])
      try await client.send(bytes: Array("\(cancel)\n\(call)\n\(cancel)\n".utf8))
    }
    // Each was answered once or not at all.
    try await client.send(Wire.request("end", "ping"))
    var answered: [JSONValue] = []
    while true {
      let message = try await client.message()
      if message["id"] == "end" { break }
      answered.append(try #require(message["id"]))
    }
    #expect(Set(answered).count == answered.count)
    // Answers of tasks may still come after that of the ping, never twice.
    for _ in 0..<20 { try await client.send(Wire.notification("notifications/cancelled", ["requestId": 1])) }
    await client.closeInput()
    while let line = try await client.line() {
      let id = try #require(try JSONValue.parse(line)["id"])
      #expect(!answered.contains(id))
      answered.append(id)
    }
    #expect(try await client.exitStatus() == 0)
  }

  @Test("hostile 11: the end of the input leaves no process, also while a call never ends, which is answered too")
  func noOrphan() async throws {
    let client = try StdioClient(["--patience-of-exit", "200"])
    try await client.request(1, "initialize", LegacyParameters.initialize("2025-11-25"))
    try await client.send(Wire.request(2, "tools/call", ["name": "test_wait", "arguments": ["milliseconds": 600_000]]))
    try await client.waits(began: 1)
    await client.closeInput()
    #expect(try await client.answer(to: 2).errorCode == -32603)
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() == 0)
  }

  @Test("more requests at once than a client has use for are refused, and those in flight are answered")
  func flood() async throws {
    let client = try await StdioClient.initialized()
    for number in 0..<200 { try await client.send(Wire.request(.integer(number), "tools/call", ["name": "test_hold"])) }
    for _ in 0..<72 { #expect(try await client.message().errorCode == -32603) }
    try await client.request("still there", "ping")
    // A call that is given up makes room for another.
    try await client.send(Wire.notification("notifications/cancelled", ["requestId": 0]))
    try await client.send(Wire.request("last", "tools/call", ["name": "test_simple_text"]))
    var last = try await client.answer(to: "last")
    while last["error"] != nil { last = try await client.request("last", "tools/call", ["name": "test_simple_text"]) }
    #expect(last["result"] != nil)
  }

  @Test("seeded noise between requests breaks nothing", arguments: [1, 2, 3] as [UInt64])
  func noise(seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let client = try await StdioClient.initialized()
    let template = Array(
      Wire.request(1, "tools/call", ["name": "test_simple_text", "arguments": ["a": [1, "x"]]]).utf8)
    for _ in 0..<300 {
      var bytes = template
      for _ in 0...generator.below(4) {
        let position = generator.below(bytes.count)
        switch generator.below(3) {
        case 0: bytes[position] = UInt8(generator.below(256))
        case 1: bytes.remove(at: position)
        default: bytes.insert(UInt8(generator.below(256)), at: position)
        }
      }
      try await client.send(bytes: bytes + [0x0A])
    }
    try await client.send(Wire.request("end", "ping"))
    while true {
      let message = try await client.message()
      if message["id"] == "end" { break }
      #expect(message["jsonrpc"]?.text == "2.0")
      #expect((message["result"] == nil) != (message["error"] == nil))
    }
    #expect(try await client.request("after", "tools/list")["result"] != nil)
  }
}
