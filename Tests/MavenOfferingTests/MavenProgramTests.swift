internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `moha-sync` as a client starts it, with its outputs in files.
private final class ServingProgram {
  private let process: pid_t
  private let input: Int32
  private let folder: TemporaryDirectory
  private var hasEnded = false

  init(_ tree: OfferingTree, _ arguments: [String], environment extra: [String: String] = [:]) throws {
    let folder = try TemporaryDirectory(prefix: "moha-mcp")
    self.folder = folder
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    let outputs = ["out", "err"].map { open("\(folder.path)/\($0)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) }
    let environment = [
      "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": tree.git.base, "MOHA_STATE_DIR": "\(tree.git.base)/state",
      "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org",
    ]
    process = try ChildProcess.spawn(
      OfferingTree.program(), arguments + ["--root", tree.git.path], environment: environment.merging(extra) { $1 },
      descriptors: [ends[0]] + outputs)
    input = ends[1]
    for descriptor in [ends[0]] + outputs { close(descriptor) }
  }

  deinit {
    close(input)
    if !hasEnded {
      kill(process, SIGKILL)
      _ = ChildProcess.wait(for: process)
    }
  }

  func send(_ id: Int, _ method: String, _ parameters: JSONValue = .emptyObject) throws {
    let message: JSONValue = ["jsonrpc": "2.0", "id": .integer(id), "method": .string(method), "params": parameters]
    let bytes = message.serialized() + [0x0A]
    try #require(write(input, bytes, bytes.count) == bytes.count)
  }

  func initialize() async throws {
    try send(
      0, "initialize",
      [
        "protocolVersion": "2025-11-25", "capabilities": .emptyObject,
        "clientInfo": ["name": "test", "version": "1"],
      ])
    _ = try await answer(0)
    let bytes = Array(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.utf8) + [0x0A]
    try #require(write(input, bytes, bytes.count) == bytes.count)
  }

  func closeInput() { shutdown(input, Int32(SHUT_WR)) }
  func signal(_ number: Int32) { kill(process, number) }

  /// The messages on standard output: each line is one.
  func messages() throws -> [JSONValue] {
    try text("out").split(separator: "\n").map { try JSONValue.parse(String($0)) }
  }

  func text(_ name: String) throws -> String {
    try ChildProcess.runChecked("cat", ["\(folder.path)/\(name)"]).stdoutText
  }

  func answer(_ id: Int) async throws -> JSONValue {
    try await eventually("an answer to \(id)") {
      let whole = try self.text("out")
      let lines = whole.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      return try lines.lazy.map { try JSONValue.parse(String($0)) }.first { $0["id"]?.integer == id }
    }
  }

  /// The port from the line that says that the server listens.
  func port() async throws -> Int {
    try await eventually("a port") {
      try self.text("err").firstMatch(of: /listening on http:\/\/127\.0\.0\.1:(\d+)\/mcp\n/).flatMap { Int($0.1) }
    }
  }

  func eventually<R>(_ what: String, _ body: () throws -> R?) async throws -> R {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if let found = try body() { return found }
      try await Task.sleep(for: .milliseconds(2))
    }
    let errors = try text("err")
    return try #require(nil as R?, "\(what) did not come: \(errors)")
  }

  /// Waits for the end and returns the exit code.
  func end() async throws -> Int32 {
    let process = process
    let status = await BlockingWork().run { ChildProcess.wait(for: process) }
    hasEnded = true
    return status
  }
}

@Suite struct MavenProgramTests {
  private func record(_ index: Int) -> JSONValue {
    [
      "name": "maven_record_decision",
      "arguments": [
        "decision_type": "buy", "action": .string("Buy \(index)"), "reasoning": "r", "confidence": 80,
        "risk_level": "low",
      ],
    ]
  }

  @Test("mcp starts without a database, starts none, speaks nothing but the protocol, and ends with its input")
  func standardInput() async throws {
    let tree = try await OfferingTree.sample()
    let program = try ServingProgram(tree, ["mcp"])
    let start = ContinuousClock.now
    try await program.initialize()
    print("first reply after \(ContinuousClock.now - start)")
    try program.send(1, "resources/read", ["uri": "maven://memory"])
    try program.send(2, "tools/call", ["name": "maven_search", "arguments": ["query": "event"]])
    try program.send(3, "tools/call", ["name": "maven_verify", "arguments": .emptyObject])
    try program.send(4, "tools/call", record(1))
    for id in 1...4 { #expect(try await program.answer(id)["result"] != nil) }
    #expect(try await program.answer(4)["result"]?["structuredContent"]?["data"]?["db_persisted"] == false)
    #expect(try await program.answer(3)["result"]?["isError"] == true)
    program.closeInput()
    #expect(try await program.end() == 0)
    #expect(try program.messages().allSatisfy { $0["jsonrpc"] == "2.0" })
    #expect(try program.text("err") == "")
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try ChildProcess.run("ls", ["\(tree.git.base)/state/postgres"]).status != 0)
  }

  @Test("SIGTERM in the middle of writes ends the server after they are whole")
  func termination() async throws {
    let tree = try await OfferingTree.sample()
    let program = try ServingProgram(tree, ["mcp", "--database", tree.database.url])
    try await program.initialize()
    for index in 1...12 { try program.send(index, "tools/call", record(index)) }
    _ = try await program.eventually("a first answer") {
      try program.text("out").contains("git_persisted") ? true : nil
    }
    program.signal(SIGTERM)
    #expect(try await program.end() == 0)
    let answers = try program.messages().filter { $0["result"]?["structuredContent"] != nil }
    #expect(!answers.isEmpty)
    for answer in answers {
      let path = try #require(answer["result"]?["structuredContent"]?["data"]?["path"]?.text)
      #expect(try tree.git.git("cat-file", "-t", "HEAD:\(path)") == "blob")
    }
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("fsck", "--full", "--strict") == "")
    #expect(try await tree.readJSON("maven://identity")["total_decisions"]?.integer == tree.decisionFiles.count)
  }

  @Test("--read-only and --tools choose what is offered, and a tool that does not exist is refused")
  func offer() async throws {
    let tree = try await OfferingTree.sample()
    let program = try ServingProgram(tree, ["mcp", "--read-only", "--tools", "maven_verify, maven_record_decision"])
    try await program.initialize()
    try program.send(1, "tools/list")
    let tools = try await program.answer(1)["result"]?["tools"]?.elements ?? []
    #expect(tools.map { $0["name"]?.text } == ["maven_verify"])
    try program.send(2, "tools/call", record(2))
    #expect(try await program.answer(2)["result"]?["isError"] != false)
    program.closeInput()
    #expect(try await program.end() == 0)
    #expect(try tree.decisionFiles.count == 3)
    let wrong = try ServingProgram(tree, ["mcp", "--tools", "maven_force_push"])
    #expect(try await wrong.end() == 2)
    #expect(try wrong.text("out") == "")
  }

  @Test("serve asks for a token where others can reach it, and keeps it to itself")
  func tokens() async throws {
    let tree = try await OfferingTree.sample()
    let open = try ServingProgram(tree, ["serve", "--host", "0.0.0.0", "--port", "0"])
    #expect(try await open.end() == 12)
    let token = "canary-token-0123456789"
    let file = "\(tree.git.base)/token"
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "printf '%s\\n' \"$1\" >\"$2\"; chmod 644 \"$2\"", "sh", token, file])
    let shared = try ServingProgram(tree, ["serve", "--port", "0", "--token-file", file])
    #expect(try await shared.end() == 12)
    #expect(!(try shared.text("err").contains(token)))
    try ChildProcess.runChecked("chmod", ["600", file])
    let program = try ServingProgram(
      tree, ["serve", "--token-file", file, "--database", tree.database.url], environment: ["MAVEN_MCP_PORT": "0"])
    let port = try await program.port()
    #expect(try request(port, "GET /healthz").hasPrefix("HTTP/1.1 200"))
    #expect(try request(port, "GET /readyz").hasPrefix("HTTP/1.1 200"))
    let body = #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"maven_get_stats","arguments":{}}}"#
    #expect(try request(port, "POST /mcp", body).hasPrefix("HTTP/1.1 401"))
    #expect(try request(port, "POST /mcp", body, token: "canary-token-0123456780").hasPrefix("HTTP/1.1 401"))
    let initialize =
      #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#
    let answer = try request(port, "POST /mcp", initialize, token: token)
    #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("\"name\":\"moha-sync\""))
    program.signal(SIGTERM)
    #expect(try await program.end() == 0)
    #expect(!(try program.text("err").contains(token)))
    #expect(try program.text("out") == "")
  }

  /// One exchange over a connection of its own.
  private func request(_ port: Int, _ line: String, _ body: String = "", token: String? = nil) throws -> String {
    var head =
      "\(line) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n"
    head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    if let token { head += "Authorization: Bearer \(token)\r\n" }
    return try ChildProcess.runChecked(
      "/bin/bash",
      [
        "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$1\"; printf '%s' \"$2\" >&3; cat <&3", "bash", String(port),
        "\(head)\r\n\(body)",
      ]
    ).stdoutText
  }
}
