internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// `reconcile --adopt`: rows that git lacks are written into git and stay.
@Suite struct AdoptCommandTests {
  /// A tree without decisions and without events, and a database with some of both that bots inserted.
  private func tree() async throws -> CommandTree {
    let tree = try await CommandTree()
    try tree.git.write(".moha/maven/session_log.md", "# Maven Session Log\n\n---\n")
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 0}"#)
    try tree.git.commit("empty")
    try await tree.expect(0, "sync")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, executed)
        SELECT format('decision_2026020%s_080000.md', n), 'buy', 'Act ' || n, 'Because', 50, 'low',
          timestamptz '2026-02-01T08:00:00Z' + n * interval '1 day', true FROM generate_series(1, 3) AS n;
      INSERT INTO maven_memory (event_type, description, created_at) VALUES ('note', 'By a bot', '2026-02-01T09:00:00Z');
      """)
    return tree
  }

  @Test("--adopt --dry-run shows what would be written where, and writes nothing")
  func preview() async throws {
    let tree = try await tree()
    let (dump, files) = (try tree.dump(), try tree.fileDigests())
    let text = try await tree.expect(4, "reconcile", "--adopt", "--dry-run").stdoutText
    #expect(text.contains("would write row 1 of maven_decisions to .moha/maven/decisions/decision_20260201_080000.md"))
    #expect(text.contains("would write row 1 of maven_memory to .moha/maven/session_log.md"))
    let json = try await tree.expect(4, "reconcile", "--adopt", "--dry-run", "--json").json()
    guard case .array(let rows)? = json["adoptable"] else {
      Issue.record("no list")
      return
    }
    #expect(rows.count == 4 && rows.allSatisfy { $0["path"]?.text != nil && $0["reason"] == .null })
    #expect(json["applied"] == .bool(false))
    #expect(try tree.dump() == dump && tree.fileDigests() == files)
  }

  @Test("--adopt is not refused for the number of rows, and the refusal without it names it")
  func adopt() async throws {
    let tree = try await tree()
    let refused = try await tree.expect(12, "reconcile", "--json").json()["error"]
    #expect(refused?["hint"]?.text?.contains("--adopt") == true)
    let json = try await tree.expect(0, "reconcile", "--adopt", "--json").json()
    guard case .array(let rows)? = json["adopted"] else {
      Issue.record("no list")
      return
    }
    #expect(rows.count == 4 && json["remaining"]?.integer == 0 && json["not_adopted"] == [])
    #expect(try await tree.value("SELECT string_agg(id::text || executed, ' ' ORDER BY id) FROM maven_decisions") == "1true 2true 3true")
    #expect(try await tree.value("SELECT event_type || count(*) FROM maven_memory WHERE event_key IS NOT NULL GROUP BY event_type") == "note1")
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "0")
    try await tree.expect(0, "verify")
    #expect(try tree.git.git("status", "--porcelain") == "")
  }
}
