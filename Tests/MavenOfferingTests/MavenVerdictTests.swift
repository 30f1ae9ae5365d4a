internal import Records
internal import TestSupport
internal import Testing

/// What `maven_verify` and `maven_sync_from_git` tell a model that acts on it.
@Suite struct MavenVerdictTests {
  @Test("a file that cannot become a record is named by both, and neither sends the model to the other for it")
  func unreadable() async throws {
    let tree = try await OfferingTree.sample()
    let file = "decisions/decision_20260203_090000.md"
    try tree.write(file, "# Decision Record\n\nnothing else\n")
    let sync = try await tree.call("maven_sync_from_git")
    let verify = try await tree.call("maven_verify")
    for answer in [sync, verify] {
      let message = answer.json["message"]?.text ?? ""
      #expect(message.contains(file) && message.contains("until they are mended, which no sync does"), "\(message)")
      #expect(!message.contains("maven_sync_from_git") && !message.contains("holds what git holds"), "\(message)")
      let files = answer.data["unreadable_files"]?.elements ?? []
      #expect(files.compactMap { $0["path"]?.text } == [".moha/maven/\(file)"])
      #expect(files.first?["message"]?.text?.isEmpty == false)
    }
    #expect(verify.data["in_sync"] == .bool(false) && sync.data["remaining"]?.integer == 0)
    #expect(verify.data["kinds"]?["decisions"]?["findings"]?.integer == 1)
  }

  @Test("an empty database is said first, with the number of records; what is missing is counted and not listed")
  func empty() async throws {
    let tree = try await OfferingTree.sample()
    for index in 10..<1_200 { try tree.writeDecision(index) }
    try tree.write("decisions/decision_20260203_090000.md", "no decision\n")
    let verify = try await tree.call("maven_verify")
    let message = verify.json["message"]?.text ?? ""
    #expect(message.hasPrefix("the database is empty: maven_sync_from_git restores its 1198 records"), "\(message)")
    #expect(verify.data["database_empty"] == .bool(true))
    let missing = try #require(verify.data["differences"]?["missing"]?.integer)
    #expect(missing == 1_198)
    let findings = verify.data["findings"]?.elements ?? []
    #expect(!findings.contains { $0["class"]?.text == "missing" })
    // Everything that is not shown is counted: no record is lost between the two.
    let omitted = try #require(verify.data["findings_omitted"]?.integer)
    #expect(omitted >= missing && omitted <= missing + 3, "\(omitted)")
    _ = try await tree.call("maven_sync_from_git")
    let after = try await tree.call("maven_verify")
    #expect(after.data["database_empty"] == .bool(false) && after.data["differences"]?["missing"]?.integer == 0)
  }

  @Test("wrong counters are told by both with their number, and none of them calls it a difference")
  func counters() async throws {
    let tree = try await OfferingTree.sample()
    try tree.write("identity.json", #"{"name": "Maven", "total_decisions": 9}"#)
    let sync = try await tree.call("maven_sync_from_git")
    let verify = try await tree.call("maven_verify")
    #expect(sync.data["counter_drift"]?.integer == 1 && verify.data["differences"]?["counter_drift"]?.integer == 1)
    #expect(verify.data["in_sync"] == .bool(true))
    for answer in [sync, verify] {
      #expect(answer.json["message"]?.text?.contains("1 counters of identity.json differ from the files") == true)
    }
  }

  @Test("rows that a wipe took are named by both after the sync")
  func wiped() async throws {
    let tree = try await OfferingTree.sample()
    _ = try await tree.call("maven_sync_from_git")
    try await tree.sql(
      """
      INSERT INTO maven_trades (trade_source, asset, side, position_action, size_usd, status, opened_at)
      SELECT 'manual', 'BTC', 'long', 'open', 100, 'open', now() FROM generate_series(1, 4)
      """)
    _ = try await tree.call("maven_sync_from_git")
    try await tree.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    let sync = try await tree.call("maven_sync_from_git")
    let verify = try await tree.call("maven_verify")
    for answer in [sync, verify] {
      #expect(answer.json["message"]?.text?.contains("4 trades are gone: maven_trades held 4") == true, "\(answer.json)")
      #expect(answer.data["lost"]?.elements.first?["table"]?.text == "maven_trades")
    }
    #expect(verify.data["in_sync"] == .bool(true))
  }
}
