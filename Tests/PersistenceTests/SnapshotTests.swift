internal import Git
internal import Persistence
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// Portfolio snapshots of git and those of bots share a table.
@Suite struct SnapshotTests {
  private let backed = "SELECT count(*)::text FROM maven_portfolio_snaps WHERE git_filename IS NOT NULL"
  private let bots = "SELECT string_agg(notes, ',' ORDER BY id) FROM maven_portfolio_snaps WHERE git_filename IS NULL"

  private func record(_ tree: MavenTree, total: String, key: String? = nil) async throws -> RecordService.Outcome {
    var members = try JSONValue.parse(
      #"{"total_value_usd": \#(total), "available_balance_usd": 10, "open_positions": [{"asset": "BTC"}, {"asset": "ETH"}]}"#
    )
    if let key, case .object(let known) = members {
      members = .object(known + [.init("idempotency_key", .string(key))])
    }
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    let target = tree.target()
    return try await RecordService(writer: writer, database: { target }).record(
      RecordRequest(.snapshot, json: members, now: Instant.now()))
  }

  @Test func aSnapshotIsAFileACommitAndARow() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let outcome = try await record(tree, total: "123.45", key: "k")
    #expect(outcome.written.commit != nil && outcome.row?.rowID != nil)
    #expect(outcome.written.path.hasPrefix(".moha/maven/portfolio/snapshot_"))
    #expect(try await tree.value("SELECT position_count::text FROM maven_portfolio_snaps") == "2")
    #expect(try await tree.value("SELECT total_value::text FROM maven_get_current_portfolio()") == "123.45")
    let again = try await record(tree, total: "123.45", key: "k")
    #expect(again.written.isRepeated && again.written.path == outcome.written.path)
    await #expect { _ = try await record(tree, total: "200", key: "k") } throws: {
      ($0 as? PersistenceError)?.code == .keyConflict
    }
    #expect(try await tree.verification().isInSync)
    #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 1 snapshot")
  }

  @Test func snapshotsComeBackAndThoseOfBotsAreLeftAlone() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    for total in ["1.10", "2.20", "3.30"] { _ = try await record(tree, total: total) }
    try await tree.sql(
      """
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at, notes)
      VALUES (9, 9, now(), 'one'), (9, 9, now(), 'two');
      UPDATE maven_portfolio_snaps SET pnl_24h = 77 WHERE total_value_usd = 1.10;
      DELETE FROM maven_portfolio_snaps WHERE total_value_usd = 2.20;
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at, git_filename)
      VALUES (5, 5, now(), 'snapshot_19990101_000000.json');
      """)
    let survey = try await tree.survey()
    #expect(survey.counts[.stale] == 1 && survey.counts[.missing] == 1 && survey.counts[.orphaned] == 1)
    #expect(survey.counts[.unbacked] == 2)
    #expect(survey.differences.first { $0.class == .stale }?.fields.map(\.name) == ["pnl_24h"])
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value(backed) == "3")
    #expect(try await tree.value(bots) == "one,two")
    // What is told of the rows counts those that git holds.
    let database = tree.target()
    #expect(try await RecordQueries(agent: tree.agent) { database }.recordCounts()[.snapshot] == 3)
    #expect(try await tree.value("SELECT count(*)::text FROM maven_quarantine WHERE kind = 'portfolio_snaps'") == "2")
    #expect(try await tree.run().repaired.values.reduce(0, +) == 0)

    try await tree.sql("TRUNCATE maven_portfolio_snaps")
    try await tree.run("sync")
    #expect(try await tree.value(backed) == "3")
    #expect(try await tree.verification().isInSync)
  }

  @Test func aSnapshotOfQuarantineIsAdoptedAsAFile() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    _ = try await record(tree, total: "50")
    try await tree.sql(
      """
      INSERT INTO maven_portfolio_snaps
        (total_value_usd, available_balance_usd, open_positions, snapshot_type, snapshot_at, git_filename, notes)
      VALUES (5.5, 4, '[{"asset": "SOL", "size": 1.50}]', 'manual', '2026-01-02T03:04:05Z', 'snapshot_20260102_030405.json', 'kept')
      """)
    #expect(try await tree.run().quarantined == 1)
    let adoption = Adoption(
      repository: try tree.repository(), agent: tree.agent, database: tree.target(), writing: WriteSettings())
    let entry = try #require(try await adoption.entries().first)
    let (adopted, outcome) = try await adoption.adopt([entry.id])
    #expect(adopted.first?.path == ".moha/maven/portfolio/snapshot_20260102_030405.json" && outcome.remaining == 0)
    #expect(
      try await tree.value(
        "SELECT notes || position_count FROM maven_portfolio_snaps WHERE git_filename = 'snapshot_20260102_030405.json'"
      )
        == "kept1")
    #expect(try await tree.verification().isInSync)
  }
}
