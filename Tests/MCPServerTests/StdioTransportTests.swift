internal import Glibc
internal import Records
internal import Testing

/// Statements 21 to 25: standard input and output.
@Suite("Standard input and output") struct StdioTransportTests {
  @Test("21 standard output carries the protocol alone: logs and noise go to standard error")
  func noise() async throws {
    let client = try await StdioClient.initialized()
    let answer = try await client.request(1, "tools/call", ["name": "test_noise"])
    #expect(answer.at("result/content/0/text")?.text == "done")
    #expect(try await client.request(2, "tools/call", ["name": "test_fault"]).errorCode == -32603)
    await client.closeInput()
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() == 0)
    let errors = await client.errorText
    for text in [
      "noise from a library", "noise from the C library", "noise from a print", "noise from a child",
      "a request failed",
    ] {
      #expect(errors.contains(text))
    }
  }

  @Test("21 a crash says nothing on standard output")
  func crash() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(1, "tools/call", ["name": "test_crash"]))
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() > 128)
    #expect(await client.errorText.contains("the crash of a tool"))
  }

  @Test("22 lines end at the byte 0x0A: a carriage return before it and blank lines are tolerated")
  func framing() async throws {
    let client = try await StdioClient.initialized()
    let first = Wire.request(1, "ping")
    let second = Wire.request(2, "ping")
    try await client.send(bytes: Array("\(first)\r\n\n \t\r\n\r\n\(second)\n".utf8))
    #expect(try await client.message()["id"] == 1)
    #expect(try await client.message()["id"] == 2)
    // No other character is an end of line, and a message may come in any pieces.
    let odd = Wire.request(.string("\u{2028}\u{2029}\u{85}\u{0B}\u{0C}\r"), "ping")
    for byte in Array(odd.replacing("\\u2028", with: "\u{2028}").replacing("\\u2029", with: "\u{2029}").utf8) + [0x0A] {
      try await client.send(bytes: [byte])
    }
    #expect(try await client.message()["id"] == .string("\u{2028}\u{2029}\u{85}\u{0B}\u{0C}\r"))
  }

  @Test("23 the end of the input has what is in flight answered, then the program ends with 0")
  func endOfInput() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(1, "tools/call", ["name": "test_wait", "arguments": ["milliseconds": 300]]))
    // The last line has no end, and counts.
    try await client.send(bytes: Array(Wire.request(2, "ping").utf8))
    await client.closeInput()
    let answers = [try await client.message(), try await client.message()]
    #expect(Set(answers.compactMap { $0["id"]?.integer }) == [1, 2])
    #expect(answers.allSatisfy { $0["result"] != nil })
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() == 0)
  }

  @Test("23 no answer is lost to the end of the input, whenever that comes")
  func answersAtTheEnd() async throws {
    // Which of the two is first, the last answer or the end, differs from run to run.
    for _ in 0..<150 {
      let client = try await StdioClient.initialized()
      let ids = Set(1...10)
      for id in ids { try await client.send(Wire.request(.integer(id), "tools/call", ["name": "test_simple_text"])) }
      await client.closeInput()
      var answered: Set<Int> = []
      while let line = try await client.line() {
        answered.insert(try #require(try JSONValue.parse(line)["id"]?.integer))
      }
      try #require(answered == ids)
      try #require(try await client.exitStatus() == 0)
    }
  }

  @Test("23 a termination signal has what is in flight answered, then the program ends with 0")
  func termination() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(1, "tools/call", ["name": "test_wait", "arguments": ["milliseconds": 500]]))
    try await client.waits(began: 1)
    await client.signal(SIGTERM)
    #expect(try await client.answer(to: 1).at("result/content/0/text")?.text == "waited")
    #expect(try await client.line() == nil)
    #expect(try await client.exitStatus() == 0)
  }

  @Test("23 a client that no longer reads ends the program instead of keeping it busy")
  func brokenOutput() async throws {
    let client = try await StdioClient.initialized()
    await client.closeOutput()
    // The first write finds out, if nothing has before.
    try? await client.send(Wire.request(1, "ping"))
    #expect(try await client.exitStatus() == 0)
  }

  @Test("22 a client that closed the output and sends nothing more ends the server; what it sent before counts")
  func brokenOutputSilent() async throws {
    let client = try await StdioClient.initialized()
    await client.closeOutput()
    #expect(try await client.exitStatus() == 0)
    let busy = try await StdioClient.initialized()
    let lines = (1...20).map { Wire.request(.integer($0), "tools/call", ["name": "test_noise"]) + "\n" }
    try await busy.send(bytes: Array(lines.joined().utf8))
    await busy.closeOutput()
    #expect(try await busy.exitStatus() == 0)
    #expect(await busy.errorText.split(separator: "\n").count { $0 == "noise from a library" } == 20)
  }

  @Test("22 a client that closed the output ends the server, also where a late answer finds out")
  func brokenOutputLate() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(1, "tools/call", ["name": "test_hold"]))
    try await client.waits(began: 1)
    await client.closeOutput()
    // Both answers are written by tasks, when the reading thread waits for input again, which does not come.
    try? await client.send(Wire.request(2, "tools/call", ["name": "test_release"]))
    #expect(try await client.exitStatus() == 0)
  }

  @Test("24 the server never asks the client anything")
  func noRequests() async throws {
    let client = try await StdioClient.initialized()
    for name in ["test_tool_with_logging", "test_tool_with_progress", "test_touch", "test_add"] {
      let parameters: JSONValue = [
        "name": .string(name), "arguments": ["name": "n"], "_meta": ["progressToken": 1],
      ]
      try await client.request(1, "tools/call", parameters)
    }
    try await client.expectSilence()
    let notifications = await client.notifications
    #expect(notifications.count > 5)
    #expect(notifications.allSatisfy { $0["id"] == nil })
  }

  @Test("25 after a malformed line the next one works")
  func resynchronises() async throws {
    let client = try await StdioClient.initialized()
    for bytes: [UInt8] in [[0xFF, 0xFE], [0x00], Array("{\"a\":".utf8), [0xC3], Array("\u{FEFF}{}".utf8)] {
      try await client.send(bytes: bytes + [0x0A])
      #expect(try await client.message().errorCode == -32700)
      #expect(try await client.request(1, "ping")["result"] != nil)
    }
  }

  @Test("70 over standard input no token is asked for")
  func noToken() async throws {
    let client = try await StdioClient.initialized()
    #expect(try await client.request(1, "tools/call", ["name": "test_simple_text"])["result"] != nil)
  }

  @Test("a slow call does not hold up a fast one")
  func concurrency() async throws {
    let client = try await StdioClient.initialized()
    try await client.send(Wire.request(1, "tools/call", ["name": "test_hold"]))
    #expect(try await client.request(2, "resources/read", ["uri": "test://static-text"])["result"] != nil)
    try await client.release()
    #expect(try await client.answer(to: 1)["result"] != nil)
  }

  @Test("a client that sends much and reads nothing for a while loses no answer")
  func backPressure() async throws {
    let client = try await StdioClient.initialized()
    let count = 40
    for number in 0..<count {
      let parameters: JSONValue = ["name": "test_large_text", "arguments": ["bytes": 400_000]]
      try await client.send(Wire.request(.integer(number), "tools/call", parameters))
    }
    var answered: Set<Int> = []
    for _ in 0..<count {
      let answer = try await client.message()
      #expect(answer.at("result/content/0/text")?.text?.utf8.count == 400_000)
      answered.insert(try #require(answer["id"]?.integer))
    }
    #expect(answered.count == count)
  }
}

extension StdioClient {
  /// Waits until the waiting tool has begun this often.
  func waits(began count: Int) throws {
    for _ in 0..<1_000 {
      if try stats().began >= count { return }
      usleep(5_000)
    }
    throw TestFailure("the tool did not begin")
  }

  /// Lets the held calls end, once there is one.
  func release() throws {
    try waits(began: 1)
    try request("release", "tools/call", ["name": "test_release"])
  }

  func stats() throws -> (began: Int, cancelled: Int) {
    let answer = try request("stats", "tools/call", ["name": "test_stats"])
    let text = try JSONValue.parse(answer.at("result/content/0/text")?.text ?? "")
    return (text["began"]?.integer ?? -1, text["cancelled"]?.integer ?? -1)
  }
}
