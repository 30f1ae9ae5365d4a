internal import MCPServer
internal import Records
internal import TestSupport
internal import Testing

@Suite struct MavenContractTests {
  @Test("tools have the names and arguments that clients call, in order, and fit in a small context")
  func tools() async throws {
    let tree = try await OfferingTree.sample()
    let tools = try tree.offering.get().tools
    #expect(
      tools.map(\.name) == [
        "maven_create_milestone", "maven_get_stats", "maven_log_event", "maven_record_decision", "maven_search",
        "maven_sync_from_git", "maven_update_identity", "maven_verify",
      ])
    let arguments = [
      "maven_create_milestone": ["title", "description", "category", "significance", "metadata", "idempotency_key"],
      "maven_get_stats": ["include_decisions", "include_milestones", "include_identity"],
      "maven_log_event": ["event_type", "content", "metadata", "idempotency_key"],
      "maven_record_decision": [
        "decision_type", "asset", "action", "reasoning", "confidence", "risk_level", "metadata", "idempotency_key",
      ],
      "maven_search": ["query", "kinds", "limit", "cursor"], "maven_sync_from_git": ["force"],
      "maven_update_identity": ["updates", "idempotency_key"], "maven_verify": [],
    ]
    var size = 0
    for tool in tools {
      #expect(tool.inputSchema["properties"]?.keys == arguments[tool.name], "\(tool.name)")
      for schema in [tool.inputSchema, try #require(tool.outputSchema)] {
        #expect(schema["type"] == "object" && schema["additionalProperties"] == false)
        for key: JSONString in ["$schema", "oneOf", "anyOf", "allOf", "$ref"] { #expect(schema[key] == nil) }
        size += schema.text().utf8.count
      }
      size += tool.name.utf8.count + tool.title.utf8.count + tool.description.utf8.count + 190
      #expect(!tool.annotations.isOpenWorld)
    }
    #expect(size < 8_000, "tools/list takes about \(size) characters")
  }

  @Test("every answer fits the output schema of its tool")
  func outputs() async throws {
    let tree = try await OfferingTree.sample()
    let decision: JSONValue = [
      "decision_type": "hold", "action": "a", "reasoning": "r", "confidence": 98, "risk_level": "low",
      "idempotency_key": "k",
    ]
    let calls: [(String, JSONValue)] = [
      ("maven_record_decision", decision), ("maven_sync_from_git", .emptyObject), ("maven_record_decision", decision),
      ("maven_log_event", ["event_type": "REBIRTH", "content": "c"]),
      ("maven_create_milestone", ["title": "t", "description": "d", "category": "c"]),
      ("maven_update_identity", ["updates": ["x": 1]]), ("maven_get_stats", .emptyObject),
      ("maven_get_stats", ["include_decisions": false, "include_milestones": false, "include_identity": false]),
      ("maven_search", ["query": "momentum", "limit": 2]), ("maven_search", ["query": "absent"]),
      ("maven_verify", .emptyObject),
    ]
    let tools = try tree.offering.get().tools
    for offering in [try tree.offering.get(), try tree.makeOffering(database: .some(nil))] {
      for (name, arguments) in calls {
        let answer = try await tree.call(name, arguments, of: offering)
        if answer.isError { continue }
        let schema = try #require(tools.first { $0.name == name }?.outputSchema)
        let faults = schema.faults(of: answer.json)
        #expect(faults.isEmpty, "\(name): \(faults)")
      }
    }
    // On a detached HEAD the answer has a reason in place of a commit.
    try tree.git.git("checkout", "-q", "--detach")
    let pending = try await tree.call("maven_log_event", ["event_type": "note", "content": "c"])
    #expect(pending.data["commit_status"] == "pending" && pending.json["commit"] == .null)
    let schema = try #require(tools.first { $0.name == "maven_log_event" }?.outputSchema)
    #expect(schema.faults(of: pending.json).isEmpty)
  }

  @Test("the rebirth prompt holds who, what, when and what is open, in about 4,000 tokens")
  func rebirth() async throws {
    let tree = try await OfferingTree.sample()
    try tree.write("identity.json", "{\"name\": \"M\", \"notes\": \"\(String(repeating: "n", count: 60_000))\"}")
    try tree.write("personas/maven-v12.md", String(repeating: "p ", count: 30_000))
    try tree.write("session_log.md", "# Log\n\n---\n" + (1...3_000).map(OfferingTree.entry).joined())
    for index in 1...200 { try tree.writeDecision(index) }
    try tree.git.commit("much")
    let offering = try tree.offering.get()
    func texts(_ arguments: [String: String], _ offering: MavenOffering) async throws -> [String] {
      try await offering.prompt("rebirth", arguments: arguments, context: CallContext()).messages.map { message in
        switch message.content {
        case .text(let text): text
        case .resource(let contents):
          if case .text(let text) = contents.body { text } else { "" }
        default: ""
        }
      }
    }
    let away = try await texts([:], offering)
    #expect(away.last?.contains("not known") == true)
    _ = try await tree.call("maven_sync_from_git")
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, opened_at)
      VALUES ('manual', 'SOL', 'long', 'open', 250, now())
      """)
    let all = try await texts([:], offering)
    #expect(all.reduce(0) { $0 + $1.unicodeScalars.count } <= 17_000)
    #expect(all.contains { $0.contains("Event number 3000.") } && all.contains { $0.contains("Bought 200") })
    #expect(all.last?.contains("\"SOL\"") == true && all[0].contains("data about the past"))
    let day = try await texts(["date": "2026-02-01"], offering)
    #expect(day.contains { $0.contains("Entries of 2026-02-01") })
    #expect(offering.prompts.map(\.name) == ["rebirth"])
  }

  @Test("completion gives what exists, by prefix, newest first")
  func completion() async throws {
    let tree = try await OfferingTree.sample()
    let offering = try tree.offering.get()
    func complete(_ template: String, _ argument: String, _ value: String) async throws -> [String] {
      try await offering.complete(
        .init(reference: .resourceTemplate(template), argument: argument, value: value, chosen: [:])
      ).values
    }
    #expect(
      try await complete("maven://decisions/{file}", "file", "")
        == (1...3).reversed().map { OfferingTree.decisionName($0) })
    #expect(try await complete("maven://milestones/{file}", "file", "milestone_20260201").count == 1)
    #expect(try await complete("maven://memory/{date}", "date", "2026") == ["2026-02-01"])
    #expect(try await complete("maven://memory/{date}", "date", "2025").isEmpty)
    let prompt = try await offering.complete(
      .init(reference: .prompt("rebirth"), argument: "date", value: "", chosen: [:]))
    #expect(prompt.values == ["2026-02-01"] && prompt.total == 1 && !prompt.hasMore)
    for template in offering.resourceTemplates {
      let argument = template.uriTemplate.contains("{date}") ? "date" : "file"
      for value in try await complete(template.uriTemplate, argument, "") {
        let uri = template.uriTemplate.replacing("{\(argument)}", with: value)
        #expect(try await tree.read(uri) != nil, "\(uri)")
      }
    }
  }
}

extension JSONValue {
  fileprivate var keys: [String]? {
    guard case .object(let members) = self else { return nil }
    return members.map(\.key.description)
  }

  /// What of `value` does not fit this schema, for the words that the tools use.
  fileprivate func faults(of value: JSONValue, at place: String = "") -> [String] {
    var faults: [String] = []
    if let type = self["type"] {
      let types = type.text.map { [$0] } ?? type.elements.compactMap(\.text)
      if !types.contains(where: { value.isOf(type: $0) }) { faults.append("\(place) is no \(types)") }
    }
    if let choices = self["enum"]?.elements, !choices.contains(value) {
      faults.append("\(place) is none of \(choices)")
    }
    if case .object(let members) = value {
      for name in self["required"]?.elements.compactMap(\.text) ?? [] where value[JSONString(name)] == nil {
        faults.append("\(place) lacks \(name)")
      }
      for member in members {
        if let schema = self["properties"]?[member.key] {
          faults += schema.faults(of: member.value, at: "\(place).\(member.key)")
        } else if self["additionalProperties"] == false {
          faults.append("\(place) has \(member.key)")
        }
      }
    }
    if case .array(let elements) = value, let items = self["items"] {
      for element in elements { faults += items.faults(of: element, at: "\(place)[]") }
    }
    return faults
  }

  private func isOf(type: String) -> Bool {
    switch (self, type) {
    case (.null, "null"), (.bool, "boolean"), (.string, "string"), (.array, "array"), (.object, "object"),
      (.number, "number"):
      true
    case (.number(let number), "integer"): number.integer != nil
    default: false
    }
  }
}
