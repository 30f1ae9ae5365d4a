internal import Git
internal import Glibc
internal import MCPServer
internal import Persistence
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// A repository with an agent's records, a database of its own, and what is offered of them.
final class OfferingTree {
  let git: GitScratch
  let database: TestDatabase
  let agent: Agent
  /// Made when first used, so that a test can fill the tree before.
  private(set) lazy var offering: Result<MavenOffering, any Error> = Result { try makeOffering() }

  init(agent: Agent = .default) async throws {
    git = try GitScratch()
    database = try await PostgresServer.shared().database()
    self.agent = agent
  }

  /// Three decisions, two milestones, a log of three entries, an identity, a persona and infrastructure.
  static func sample(agent: Agent = .default) async throws -> OfferingTree {
    let tree = try await OfferingTree(agent: agent)
    for index in 1...3 { try tree.writeDecision(index) }
    for index in 1...2 {
      try tree.write(
        "milestones/milestone_2026020\(index)_090000_step_+_\(index).md",
        """
        # Milestone: Step \(index)

        **Timestamp:** 2026-02-0\(index)T09:00:00+00:00
        **Category:** trading

        ## Description

        Reached step \(index).

        ---
        *Milestone recorded by Maven*

        """)
    }
    try tree.write("session_log.md", "# Maven Session Log\n\n---\n" + (1...3).map(entry).joined())
    try tree.write("identity.json", "{\n  \"name\": \"Maven\",\n  \"rebirth_count\": 1,\n  \"total_decisions\": 3\n}")
    try tree.write("personas/maven-v2.md", "# Second\n")
    try tree.write("personas/maven-v10.md", "# Tenth\n")
    try tree.write("infrastructure.json", "{\"host\": \"one\"}\n")
    try tree.git.commit("records")
    return tree
  }

  static func entry(_ index: Int) -> String {
    let second = String(index % 60 + 100).dropFirst()
    return "\n## [2026-02-01T10:00:\(second).\(String(1_000_000 + index).dropFirst())+00:00] NOTE\n\n"
      + "Event number \(index).\n\n---\n"
  }

  static func decisionName(_ index: Int) -> String {
    func two(_ number: Int) -> Substring { String(number + 100).dropFirst() }
    return "decision_20260201_\(two(index / 3600))\(two(index / 60 % 60))\(two(index % 60)).md"
  }

  func writeDecision(_ index: Int, action: String = "Bought") throws {
    func two(_ number: Int) -> Substring { String(number + 100).dropFirst() }
    let time = "\(two(index / 3600)):\(two(index / 60 % 60)):\(two(index % 60))"
    try write(
      "decisions/\(OfferingTree.decisionName(index))",
      """
      # Decision Record

      **Timestamp:** 2026-02-01T\(time).250000+00:00
      **Type:** buy
      **Asset:** BTC
      **Risk Level:** low
      **Confidence:** 80.0%

      ## Action

      \(action) \(index)

      ## Reasoning

      Momentum above support

      ---
      *Recorded by Maven*

      """)
  }

  func write(_ file: String, _ text: String) throws {
    try git.write(".moha/\(agent)/\(file)", text)
  }

  func write(_ file: String, _ bytes: [UInt8]) throws {
    try git.write(Array(".moha/\(agent)/\(file)".utf8), bytes)
  }

  // MARK: What is offered

  func repository() throws -> Repository { try Repository(at: git.path, configuration: .hermetic) }

  /// - Parameter database: nil for one that is not running.
  func makeOffering(
    _ options: MavenOffering.Options = .init(), database other: ConnectionSettings?? = .none
  ) throws -> MavenOffering {
    let settings: ConnectionSettings? =
      switch other {
      case .none: database.settings
      case .some(let settings): settings
      }
    let target = settings.map { Database(settings: $0) }
    let records = AgentRecords(
      repository: try repository(), agent: agent, writing: WriteSettings(),
      database: DatabaseAccess(
        ifUp: { target },
        starting: {
          guard let target else { throw PersistenceError(.notFound, "there is no server to start") }
          return target
        }))
    return MavenOffering(records: records, options: options, version: "1.2.3")
  }

  func call(_ tool: String, _ arguments: JSONValue = .emptyObject, of other: MavenOffering? = nil) async throws
    -> Answer
  {
    let offering = try other ?? offering.get()
    return try Answer(await offering.call(tool, arguments: arguments, context: CallContext()))
  }

  /// The text of a resource; nil where there is none.
  func read(_ uri: String, of other: MavenOffering? = nil) async throws -> String? {
    guard let contents = try await (other ?? offering.get()).read(uri, context: CallContext()) else { return nil }
    let one = try #require(contents.first)
    #expect(contents.count == 1 && one.uri == uri)
    guard case .text(let text) = one.body else { return nil }
    return text
  }

  func readJSON(_ uri: String, of other: MavenOffering? = nil) async throws -> JSONValue {
    try JSONValue.parse(try #require(try await read(uri, of: other)))
  }

  /// A tool's result, with what every one of them has to fulfil checked.
  struct Answer {
    let json: JSONValue
    let isError: Bool

    init(_ result: ToolResult) throws {
      try #require(result.content.count == 1)
      let text = try #require(result.content[0].text)
      json = try JSONValue.parse(text)
      isError = result.isError
      #expect(text.unicodeScalars.count <= 25_000)
      if isError {
        #expect(result.structured == nil && json["success"] == false)
      } else {
        #expect(result.structured == json && json["success"] == true && json["error"] == .null)
      }
    }

    var data: JSONValue { json["data"] ?? .null }
    var error: String { json["error"]?.text ?? "" }
  }

  // MARK: Looking from outside

  func value(_ query: String) async throws -> String? {
    let connection = try await database.connect()
    let rows = try await connection.query(query)
    await connection.close()
    return try rows.first?.optionalString(0)
  }

  func sql(_ script: String) async throws {
    let connection = try await database.connect()
    try await connection.script(script)
    await connection.close()
  }

  var decisionFiles: [String] {
    get throws {
      try git.git("ls-files", "--", ".moha/\(agent)/decisions").split(separator: "\n").map(String.init)
    }
  }

  /// The executable of this build, beside the test bundle, which is this process.
  static func program() throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    try #require(count > 0 && count < buffer.count)
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let slash = try #require(path.lastIndex(of: "/"))
    return "\(path[..<slash])/moha-sync"
  }
}

extension Content {
  /// The text of a text.
  var text: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }
}

extension JSONValue {
  subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  var elements: [JSONValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }
}
