internal import MCPServer
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@Suite struct MavenSearchTests {
  private func uris(_ answer: OfferingTree.Answer) -> [String] {
    (answer.data["results"]?.elements ?? []).compactMap { $0["uri"]?.text ?? $0["title"]?.text }
  }

  @Test("search finds word forms in every kind, newest first, with where each record came from")
  func everyKind() async throws {
    let tree = try await OfferingTree.sample()
    _ = try await tree.call("maven_log_event", ["event_type": "note", "content": "The hedges were bought late"])
    _ = try await tree.call("maven_sync_from_git")
    try await tree.sql(
      "INSERT INTO maven_insights (insight_type, asset, content) VALUES ('risk', 'ETH', 'Hedging pays'), ('trend', null, 'Nothing')"
    )
    let answer = try await tree.call("maven_search", ["query": "hedge"])
    #expect(answer.data["source"] == "database" && answer.data["next_cursor"] == .null)
    let results = answer.data["results"]?.elements ?? []
    #expect(results.map { $0["kind"] } == ["insights", "memory"])
    #expect(results[0]["title"] == "risk ETH" && results[0]["excerpt"] == "Hedging pays")
    #expect(results[1]["commit"]?.text == (try tree.git.git("rev-parse", "HEAD")))
    #expect(results[1]["path"] == ".moha/maven/session_log.md")
    #expect(try await tree.read(try #require(results[1]["uri"]?.text))?.contains("hedges") == true)

    let decisions = try await tree.call(
      "maven_search", ["query": "\"momentum above\" -nothing", "kinds": ["decisions"]])
    #expect(uris(decisions) == (1...3).reversed().map { "maven://decisions/\(OfferingTree.decisionName($0))" })
    #expect(try await uris(tree.call("maven_search", ["query": "reached", "kinds": ["milestones"]])).count == 2)
    #expect(try await uris(tree.call("maven_search", ["query": "'; DROP TABLE maven_memory; --"])).isEmpty)
    #expect(try await uris(tree.call("maven_search", ["query": "the"])).isEmpty)
  }

  @Test("without a database the files are searched, in the same order, and the answer says so")
  func files() async throws {
    let tree = try await OfferingTree.sample()
    _ = try await tree.call("maven_sync_from_git")
    let gone = ConnectionSettings(parameters: ["host": tree.git.base, "dbname": "gone", "user": "postgres"])
    let queries: [JSONValue] = [
      ["query": "Momentum"], ["query": "EVENT number"], ["query": "step reached"], ["query": "\"Event number 2\""],
      ["query": "event -2", "kinds": ["memory"]], ["query": "absent"],
    ]
    for settings in [gone, nil] {
      let offering = try tree.makeOffering(database: .some(settings))
      for query in queries {
        let there = try await tree.call("maven_search", query)
        let away = try await tree.call("maven_search", query, of: offering)
        #expect(away.data["source"] == "files" && away.json["message"]?.text?.contains("files") == true)
        #expect(uris(away) == uris(there), "\(query.text())")
      }
    }
  }

  @Test("pages neither repeat nor lose a hit while records are written", arguments: [true, false])
  func paging(hasDatabase: Bool) async throws {
    let tree = try await OfferingTree()
    for index in 1...57 { try tree.writeDecision(index) }
    // Many events of one moment: only their keys tell them apart.
    try tree.write(
      "session_log.md",
      "# Log\n\n---\n"
        + (1...40).map { "\n## [2026-02-01T00:00:30+00:00] NOTE\n\nMomentum \($0)\n\n---\n" }.joined())
    try tree.git.commit("records")
    let offering = try tree.makeOffering(database: hasDatabase ? .none : .some(nil))
    if hasDatabase { _ = try await tree.call("maven_sync_from_git", of: offering) }
    var seen: Set<String> = []
    var last = "9"
    var cursor: String?
    var pages = 0
    repeat {
      var arguments: [JSONValue.Member] = [.init("query", "momentum"), .init("limit", 10)]
      if let cursor { arguments.append(.init("cursor", .string(cursor))) }
      let page = try await tree.call("maven_search", .object(arguments), of: offering)
      pages += 1
      for result in page.data["results"]?.elements ?? [] {
        let time = try #require(result["time"]?.text)
        #expect(time <= last)
        last = time
        let key = "\(result["uri"]?.text ?? "") \(result["excerpt"]?.text ?? "")"
        #expect(seen.insert(key).inserted, "\(key) twice")
      }
      cursor = page.data["next_cursor"]?.text
      _ = try await tree.call(
        "maven_log_event", ["event_type": "note", "content": .string("Momentum of page \(pages)")], of: offering)
      try #require(pages < 30)
    } while cursor != nil
    #expect(seen.count == 97 && pages == 10)
  }

  @Test("a cursor serves its own query only")
  func cursors() async throws {
    let tree = try await OfferingTree.sample()
    let page = try await tree.call("maven_search", ["query": "momentum", "limit": 1])
    let cursor = try #require(page.data["next_cursor"]?.text)
    #expect(try await !tree.call("maven_search", ["query": "momentum", "cursor": .string(cursor)]).isError)
    for wrong in [cursor + "0", String(cursor.dropLast()), "", "-", String(repeating: "g", count: 10)] {
      #expect(try await tree.call("maven_search", ["query": "momentum", "cursor": .string(wrong)]).isError)
    }
    #expect(try await tree.call("maven_search", ["query": "other", "cursor": .string(cursor)]).isError)
  }

  @Test("long results are cut to the limit of a text, and the cursor goes on from there")
  func longResults() async throws {
    let tree = try await OfferingTree()
    let long = String(repeating: "é\u{202E}momentum ", count: 400)
    for index in 1...60 { try tree.writeDecision(index, action: "\(long) \(index)") }
    try tree.git.commit("records")
    for hasDatabase in [true, false] {
      let offering = try tree.makeOffering(database: hasDatabase ? .none : .some(nil))
      if hasDatabase { _ = try await tree.call("maven_sync_from_git", of: offering) }
      var seen = 0
      var cursor: String?
      repeat {
        var arguments: [JSONValue.Member] = [.init("query", "momentum"), .init("limit", 50)]
        if let cursor { arguments.append(.init("cursor", .string(cursor))) }
        let page = try await tree.call("maven_search", .object(arguments), of: offering)
        seen += page.data["results"]?.elements.count ?? 0
        cursor = page.data["next_cursor"]?.text
        #expect(!page.json.text().contains("\u{202E}"))
      } while cursor != nil
      #expect(seen == 60)
    }
  }
}
