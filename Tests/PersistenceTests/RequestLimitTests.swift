internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// The limits of a request are those behind it: what is accepted can be read again, reviewed and stored.
@Suite struct RequestLimitTests {
  private static let noon = Instant("2026-03-01T12:00:00.250000+00:00") ?? .earliest

  private static let complete: [RecordRequest.Kind: JSONValue] = [
    .decision: [
      "decision_type": "buy", "asset": "BTC", "action": "Bought", "reasoning": "Because", "confidence": 88,
      "risk_level": "low",
    ],
    .event: ["event_type": "note", "content": "Text"],
    .milestone: ["title": "First", "category": "trading", "significance": "high", "description": "Text"],
    .snapshot: ["total_value_usd": 1, "available_balance_usd": 1, "notes": "Text"],
    .identity: ["updates": ["name": "Maven"]],
  ]

  private func request(_ kind: RecordRequest.Kind, _ changes: [(JSONString, JSONValue)]) throws -> RecordRequest {
    guard case .object(var members)? = Self.complete[kind] else { throw PersistenceError(.notFound, "no such kind") }
    for (name, value) in changes {
      members.removeAll { $0.key == name }
      members.append(.init(name, value))
    }
    return try RecordRequest(kind, json: .object(members), now: Self.noon)
  }

  /// What is wrong with a request; nil where nothing is.
  private func fault(_ kind: RecordRequest.Kind, _ changes: (JSONString, JSONValue)...) -> String? {
    do {
      _ = try request(kind, changes)
      return nil
    } catch let error as PersistenceError where error.code == .invalidRequest {
      return error.message
    } catch {
      return "another error: \(error)"
    }
  }

  private static let texts: [(RecordRequest.Kind, JSONString, Int)] = [
    (.decision, "decision_type", 1_000), (.decision, "asset", 1_000), (.decision, "action", 1 << 20),
    (.decision, "reasoning", 1 << 20), (.event, "event_type", 1_000), (.event, "content", 1 << 20),
    (.milestone, "title", 1_000), (.milestone, "category", 1_000), (.milestone, "significance", 1_000),
    (.milestone, "description", 1 << 20), (.snapshot, "notes", 1 << 20), (.decision, "idempotency_key", 200),
  ]

  @Test("a text of the limit is taken, and one byte more is refused with its name, size and limit", arguments: texts)
  func lengths(kind: RecordRequest.Kind, name: JSONString, limit: Int) {
    #expect(fault(kind, (name, .string(String(repeating: "a", count: limit)))) == nil)
    // Bytes count, not characters.
    let over = String(repeating: "é", count: limit / 2) + "a"
    #expect(fault(kind, (name, .string(over)))?.contains("\(name) has \(limit + 1) bytes; at most \(limit) are taken") == true)
  }

  @Test("a control character is refused wherever it stands, with its place", arguments: texts)
  func controls(kind: RecordRequest.Kind, name: JSONString, limit: Int) {
    for scalar in (0...0x9F).compactMap({ Unicode.Scalar($0) }) {
      let isControl = scalar.value < 0x20 && !"\t\n\r".unicodeScalars.contains(scalar) || scalar.value >= 0x7F
      let message = fault(kind, (name, .string("é\u{10FFFD}text\(scalar)text")))
      if isControl {
        let code = (scalar.value < 16 ? "000" : "00") + String(scalar.value, radix: 16, uppercase: true)
        #expect(
          message?.contains("\(name) holds the control character U+\(code) at position 7: leave it out") == true,
          "\(message ?? "accepted")")
      } else {
        #expect(message == nil, "\(message ?? "")")
      }
    }
  }

  @Test func aControlCharacterInAKeyOrDeepInsideIsRefusedToo() throws {
    let metadata: [(String, String)] = [
      (#"{"a": "\u001b[31m"}"#, "metadata.a holds the control character U+001B at position 1"),
      (#"{"a": [{"b": "x\u0000"}]}"#, "metadata.a[0].b holds the control character U+0000 at position 2"),
      (#"{"a": {"b\u0085": 1}}"#, "the key metadata.a.b<U+0085> holds the control character U+0085 at position 2"),
    ]
    for kind in [RecordRequest.Kind.decision, .event, .milestone, .snapshot] {
      for (json, words) in metadata {
        #expect(fault(kind, ("metadata", try JSONValue.parse(json)))?.contains(words) == true, "\(kind) \(json)")
      }
    }
    let updates = try JSONValue.parse(#"{"traits": ["calm\u0007"]}"#)
    #expect(fault(.identity, ("updates", updates))?.contains("updates.traits[0] holds the control character U+0007") == true)
    #expect(fault(.decision, ("as\u{1}set", "x"))?.contains("the key as<U+0001>set holds") == true)
    let many = JSONValue.object((0..<1_000).map { .init(JSONString("k\($0)"), "\u{1}") })
    #expect(try #require(fault(.decision, ("metadata", many))).utf8.count < 1_000)
  }

  @Test func aRecordThatItsFileCannotHoldIsRefusedWithItsSize() throws {
    // Five MiB as given, and far more in the indented form of the file.
    let deep = String(repeating: "[", count: 500) + "0" + String(repeating: ",0", count: 20_000)
      + String(repeating: "]", count: 500)
    let wide = "[" + String(repeating: #""aaaaaaaa","#, count: 1_600_000) + "0]"
    for json in [deep, wide] {
      let metadata = JSONValue.object([.init("a", try JSONValue.parse(json))])
      let message = try #require(fault(.decision, ("metadata", metadata)))
      #expect(message.contains("the record has") && message.contains("bytes in all; at most"))
    }
    let fits = String(repeating: "[", count: 509) + String(repeating: "]", count: 509)
    for kind in [RecordRequest.Kind.decision, .event, .milestone, .snapshot] {
      #expect(fault(kind, ("metadata", .object([.init("a", try JSONValue.parse(fits))]))) == nil)
    }
    var tooDeep = JSONValue.array([])
    for _ in 0..<520 { tooDeep = .array([tooDeep]) }
    for kind in [RecordRequest.Kind.decision, .milestone, .snapshot] {
      let message = fault(kind, ("metadata", .object([.init("a", tooDeep)])))
      // A snapshot is read through the form of its file at once.
      let expected = kind == .snapshot ? "nested more than 512 deep" : "could not be read again"
      #expect(message?.contains(expected) == true, "\(kind): \(message ?? "taken")")
    }
  }

  @Test func aLogOrAnIdentityThatCouldNotBeReadAgainIsRefused() throws {
    try RecordLimits.checkLog(size: RecordLimits.log - 100, adding: 100)
    #expect(throws: PersistenceError.self) { try RecordLimits.checkLog(size: RecordLimits.log - 100, adding: 101) }
    let path = TreeLayout.identity(of: .default)
    try RecordLimits.checkIdentity(Array("{}".utf8), path: path)
    for bytes in [Array("{".utf8), Array("{\"a\": \"".utf8) + [UInt8](repeating: 0x61, count: 16 << 20) + Array("\"}".utf8)] {
      #expect { try RecordLimits.checkIdentity(bytes, path: path) } throws: {
        ($0 as? PersistenceError)?.code == .invalidRequest
      }
    }
  }

  @Test("a number as a text is taken where it is one", arguments: [
    ("80", "80.0"), ("82.5", "82.5"), ("0", "0.0"), ("100.00", "100.00"),
  ])
  func numbersAsTexts(text: String, kept: String) throws {
    guard case .decision(let decision, _) = try request(.decision, [("confidence", .string(text))]) else { return }
    #expect(decision.confidence.text == kept)
  }

  @Test("what is no number from 0 to 100 is refused", arguments: ["", " 80", "80%", "high", "101", "-1", "1e1", "080", "NaN", "٨٠"])
  func noNumbers(text: String) {
    #expect(fault(.decision, ("confidence", .string(text))) != nil)
  }

  @Test("a confidence that looks like a fraction warns in the answer", arguments: [
    ("0.8", "confidence 0.8 is recorded as 0.8 %; did you mean 80?"),
    ("1", "confidence 1 is recorded as 1 %; did you mean 100?"),
    ("0.005", "confidence 0.005 is recorded as 0.005 %; did you mean 0.5?"), ("1.01", nil), ("0", nil), ("80", nil),
  ] as [(String, String?)])
  func fractions(confidence: String, warning: String?) throws {
    let number = try #require(JSONNumber(confidence))
    for value in [JSONValue.number(number), .string(confidence)] {
      #expect(try request(.decision, [("confidence", value)]).warnings == (warning.map { [$0] } ?? []))
    }
    #expect(try request(.event, []).warnings.isEmpty)
  }

  @Test("counters of an identity take whole numbers from 0 on, and nothing else")
  func counters() throws {
    for name in ["total_decisions", "rebirth_count"] {
      for value in [JSONValue.integer(0), .integer(7)] {
        #expect(fault(.identity, ("updates", .object([.init(JSONString(name), value)]))) == nil)
      }
      for value: JSONValue in ["many", -5, nil, true, [], .number(try #require(JSONNumber("4.0")))] {
        let message = fault(.identity, ("updates", .object([.init(JSONString(name), value)])))
        #expect(message?.contains("\(name) must be a whole number from 0 on, and is \(value.text(.compact))") == true)
      }
    }
    let nested: JSONValue = ["performance_tracking": ["total_decisions": "4", "win_rate": 1]]
    #expect(fault(.identity, ("updates", nested))?.contains("performance_tracking.total_decisions must be") == true)
    guard case .identity(let updates, true, _) = try request(.identity, [("updates", ["rebirth": "true", "a": 1])]) else {
      Issue.record("no rebirth")
      return
    }
    #expect(updates == ["a": 1])
    #expect(fault(.identity, ("updates", ["rebirth": "yes"]))?.contains("rebirth must be true or false") == true)
  }

  @Test("whatever is accepted shows as text in git, and arrives", arguments: 0..<6 as Range<UInt64>)
  func accepted(seed: UInt64) async throws {
    let tree = try await MavenTree.sample()
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    var random = SeededGenerator(seed: seed)
    var accepted = 0
    for index in 0..<24 {
      let kind = RecordRequest.Kind.allCases[index % RecordRequest.Kind.allCases.count]
      guard case .object(var members)? = Self.complete[kind] else { continue }
      for place in members.indices where members[place].value.text != nil && members[place].key != "risk_level" {
        if random.below(2) == 0 { members[place].value = .string(Self.text(&random)) }
      }
      if kind != .identity, random.below(2) == 0 {
        let key = JSONString(Self.text(&random))
        members.append(.init("metadata", .object([.init(key, [.string(Self.text(&random)), .object([.init("\u{e9}", nil)])])])))
      } else if kind == .identity {
        members = [.init("updates", .object([.init(JSONString(Self.text(&random)), .string(Self.text(&random)))]))]
      }
      guard let request = try? RecordRequest(kind, json: .object(members), now: Self.noon) else { continue }
      let written = try await writer.write(request)
      #expect(written.commit != nil)
      accepted += 1
      let difference = try tree.git.git("diff", "HEAD~1", "--stat", "--patch")
      #expect(!difference.contains("Binary files"), "\(difference.prefix(500))")
    }
    #expect(accepted > 5)
    let outcome = try await tree.run("sync")
    #expect(outcome.remaining == 0 && !outcome.survey.hasErrors)
    #expect(try await tree.verification().isInSync)
  }

  private static func text(_ random: inout SeededGenerator) -> String {
    let pieces = [
      "word", " ", "\n", "\r\n", "\r", "\t", "\u{0}", "\u{1b}", "\u{7f}", "\u{85}", "\u{a0}", "\u{2028}", "\u{202e}",
      "\u{feff}", "\u{fffe}", "\u{10ffff}", "💎", "e\u{301}", "---", "## Metadata", "```", "**Type:** x", "\\", "\"", "<<<<<<< ",
      "## [2026-01-01T00:00:00Z] X", "*Recorded by Maven*", "# Decision Record", "\u{241B}0",
      String(repeating: "long", count: random.pick([1, 240, 260])),
    ]
    var text = ""
    for _ in 0...random.below(8) { text += random.pick(random.below(3) == 0 ? pieces : [pieces[0], pieces[1], pieces[15], pieces[17]]) }
    return text
  }
}
