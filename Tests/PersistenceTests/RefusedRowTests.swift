internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What the database refuses is a finding, and everything else arrives.
@Suite struct RefusedRowTests {
  /// A way in which a user's database refuses whoever buys three, and the words by which the finding names it.
  struct Obstacle: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let sql: String
    let words: String
    let removal: String

    static let all: [Obstacle] = [
      Obstacle(
        testDescription: "a CHECK",
        sql: "ALTER TABLE maven_decisions ADD CONSTRAINT no_third CHECK (action <> 'Bought 3 BTC')",
        words: #"violates check constraint "no_third""#, removal: "ALTER TABLE maven_decisions DROP CONSTRAINT no_third"
      ),
      Obstacle(
        testDescription: "a trigger that raises",
        sql: function("IF NEW.action LIKE '%3 BTC' THEN RAISE 'three is too much'; END IF; RETURN NEW;")
          + "CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION mine();",
        words: "three is too much (PL/pgSQL function", removal: "DROP TRIGGER mine ON maven_decisions"),
      Obstacle(
        testDescription: "a trigger that raises a state of its own afterwards",
        sql: function(
          "IF NEW.action LIKE '%3 BTC' THEN RAISE 'not three' USING ERRCODE = '42501'; END IF; RETURN NEW;")
          + "CREATE TRIGGER mine AFTER INSERT OR UPDATE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION mine();",
        words: "not three", removal: "DROP TRIGGER mine ON maven_decisions"),
      Obstacle(
        testDescription: "a constraint trigger that waits for the end",
        sql: function(
          "IF NEW.action LIKE '%3 BTC' THEN RAISE 'at the end' USING ERRCODE = 'QQ001'; END IF; RETURN NEW;")
            + """
            CREATE CONSTRAINT TRIGGER mine AFTER INSERT OR UPDATE ON maven_decisions DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION mine();
            """, words: "at the end", removal: "DROP TRIGGER mine ON maven_decisions"),
      Obstacle(
        testDescription: "a trigger that swallows",
        sql: function("IF NEW.action LIKE '%3 BTC' THEN RETURN NULL; END IF; RETURN NEW;")
          + "CREATE TRIGGER \"My guard\" BEFORE INSERT OR UPDATE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION mine();",
        words: "the trigger My guard of maven_decisions swallows it",
        removal: "DROP TRIGGER \"My guard\" ON maven_decisions"),
      Obstacle(
        testDescription: "a trigger that changes",
        sql: function("IF NEW.action LIKE '%3 BTC' THEN NEW.reasoning := 'because'; END IF; RETURN NEW;")
          + "CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION mine();",
        words: "the trigger mine of maven_decisions changes it", removal: "DROP TRIGGER mine ON maven_decisions"),
      Obstacle(
        testDescription: "a unique index of somebody's own",
        sql: """
          INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, agent)
            VALUES ('nova/decision_20260101_000000.md', 'buy', 'Bought 3 BTC', 'r', 1, 'low', now(), 'nova');
          CREATE UNIQUE INDEX once ON maven_decisions (action);
          """, words: #"violates unique constraint "once""#, removal: "DROP INDEX once"),
      Obstacle(
        testDescription: "an index that a text does not fit",
        sql: """
          CREATE INDEX of_reasons ON maven_decisions
            ((CASE WHEN action = 'Bought 3 BTC' THEN repeat(md5(reasoning), 200) || md5(action) ELSE '' END) COLLATE "C");
          CREATE INDEX shorter ON maven_decisions ((1 / (CASE WHEN action = 'Bought 3 BTC' THEN 0 ELSE 1 END)));
          """, words: "division by zero", removal: "DROP INDEX of_reasons, shorter"),
    ]

    static let ofUpdatesToo: [Obstacle] =
      all + [
        Obstacle(
          testDescription: "a rule that does nothing instead",
          sql: "CREATE RULE nothing AS ON UPDATE TO maven_decisions WHERE NEW.action LIKE '%3 BTC' DO INSTEAD NOTHING",
          words: "the rule nothing of maven_decisions swallows it", removal: "DROP RULE nothing ON maven_decisions")
      ]

    private static func function(_ body: String) -> String {
      "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;"
    }
  }

  private func prepared(_ obstacle: Obstacle) async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    try await tree.sql(obstacle.sql)
    return tree
  }

  private func openEntries(_ tree: MavenTree) async throws -> String? {
    try await tree.value(
      """
      SELECT string_agg(record_key || ' ' || (raw_bytes IS NOT NULL), ', ' ORDER BY record_key) FROM maven_quarantine
      WHERE reason = 'refused-row' AND resolved_at IS NULL
      """)
  }

  private func refusals(_ survey: Survey) -> [Diagnostic] { survey.git.findings.filter { $0.code == "row-refused" } }

  @Test(
    "a record that is refused is a finding with the server's words, and all others are restored",
    arguments: Obstacle.all)
  func restored(obstacle: Obstacle) async throws {
    let tree = try await prepared(obstacle)
    let name = MavenTree.decisionName(3)
    for attempt in 1...3 {
      let outcome = try await tree.run(attempt == 1 ? "sync" : "reconcile")
      #expect(outcome.remaining == 0 && outcome.survey.hasErrors, "\(attempt)")
      #expect(outcome.repaired[.missing] == (attempt == 1 ? 11 : 0), "\(attempt)")
      let found = refusals(outcome.survey)
      #expect(found.map(\.path.text) == [".moha/maven/decisions/\(name)"], "\(attempt)")
      #expect(found.allSatisfy { $0.severity == .error && $0.message.contains(obstacle.words) }, "\(found)")
      // One entry, however often it is tried.
      #expect(try await openEntries(tree) == "\(name) true")
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "1", "\(attempt)")
      #expect(
        try await tree.value("SELECT convert_from(raw_bytes, 'UTF8') FROM maven_quarantine") == MavenTree.decision(3))
      let verification = try await tree.verification()
      #expect(!verification.isInSync && verification.survey.rowDifferences == 0)
      for kind in verification.kinds {
        #expect(kind.git == kind.rows + kind.findings && kind.gitDigest == kind.rowDigest, "\(kind)")
      }
      #expect(refusals(verification.survey) == found)
    }
    try await tree.sql(obstacle.removal)
    let outcome = try await tree.run()
    #expect(refusals(outcome.survey).isEmpty && outcome.remaining == 0)
    #expect(try await openEntries(tree) == nil)
    #expect(try await tree.verification().isInSync)
  }

  @Test("a change that is refused leaves the row and the quarantine as they are", arguments: Obstacle.ofUpdatesToo)
  func updated(obstacle: Obstacle) async throws {
    let tree = try await MavenTree.sample()
    for index in 1...6 { try tree.writeDecision(index, reasoning: "before") }
    let third = MavenTree.decision(3).replacing("Bought 3", with: "Bought 4")
    try tree.write("decisions/\(MavenTree.decisionName(3))", third)
    try tree.write(
      "decisions/\(MavenTree.decisionName(4))",
      third.replacing(":13.25", with: ":14.25").replacing("4 BTC", with: "4.0 BTC"))
    try tree.git.commit("before")
    try await tree.run("sync")
    try await tree.sql(obstacle.sql)
    let before = try await tree.value(
      "SELECT d::text FROM maven_decisions d WHERE git_filename = '\(MavenTree.decisionName(3))'")
    for index in [1, 3, 6] { try tree.writeDecision(index, reasoning: "after") }
    try tree.git.commit("changed")
    for attempt in 1...3 {
      let outcome = try await tree.run()
      #expect(outcome.remaining == 0)
      #expect(outcome.repaired[.stale] == (attempt == 1 ? 2 : 0), "\(attempt)")
      #expect(
        refusals(outcome.survey).map(\.message).allSatisfy {
          $0.contains(obstacle.words) && $0.contains("its row says something else")
        })
      #expect(refusals(outcome.survey).count == 1)
      #expect(
        try await tree.value(
          "SELECT d::text FROM maven_decisions d WHERE git_filename = '\(MavenTree.decisionName(3))'") == before)
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason = 'stale'") == "2")
      #expect(try await openEntries(tree) == "\(MavenTree.decisionName(3)) true")
      let verification = try await tree.verification()
      for kind in verification.kinds {
        #expect(kind.git == kind.rows + kind.findings && kind.gitDigest == kind.rowDigest, "\(kind)")
      }
    }
    try await tree.sql(obstacle.removal)
    try await tree.run()
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason = 'stale'") == "3")
  }

  @Test(
    "a row that cannot be taken out stays, is named, and stops nothing else",
    arguments: [
      (
        """
        CREATE TABLE notes (decision int REFERENCES maven_decisions (id));
        INSERT INTO notes SELECT min(id) FROM maven_decisions
        """,
        "notes_decision_fkey"
      ),
      ("CREATE RULE keep AS ON DELETE TO maven_decisions DO INSTEAD NOTHING", "the rule keep"),
      (
        """
        CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never delete'; END $$;
        CREATE TRIGGER mine BEFORE DELETE ON maven_decisions FOR EACH ROW EXECUTE FUNCTION mine()
        """,
        "never delete"
      ),
    ])
  func removed(sql: String, words: String) async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.sql(sql)
    try tree.git.remove("\(tree.root)/decisions/\(MavenTree.decisionName(1))")
    try tree.writeDecision(2, reasoning: "changed")
    try tree.writeDecision(7)
    try tree.git.commit("removed")
    for _ in 1...2 {
      let outcome = try await tree.run()
      #expect(outcome.remaining == 1)
      #expect(
        refusals(outcome.survey).map(\.message).filter { $0.contains(words) }.count == 1, "\(refusals(outcome.survey))")
      #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE reason = 'orphaned'") == "0")
      #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE reasoning = 'changed'") == "1")
    }
  }

  @Test("records of every kind are refused beside each other, the first and the last of each among them")
  func everyKind() async throws {
    let tree = try await MavenTree.sample()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    try await tree.sql(
      """
      ALTER TABLE maven_decisions ADD CHECK (action NOT IN ('Bought 1 BTC', 'Bought 6 BTC'));
      ALTER TABLE maven_milestones ADD CHECK (title <> 'Step 2');
      ALTER TABLE maven_memory ADD CHECK (description <> 'Event number 3.');
      ALTER TABLE maven_memory ALTER event_time SET NOT NULL;
      """)
    let outcome = try await tree.run("sync")
    #expect(refusals(outcome.survey).count == 6)
    #expect(outcome.remaining == 0 && outcome.inserted == [.decision: 4, .milestone: 2, .event: 0])
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE raw_bytes IS NOT NULL") == "6")
    // The bytes of an entry of the log are its own.
    #expect(
      try await tree.value(
        "SELECT convert_from(raw_bytes, 'UTF8') FROM maven_quarantine WHERE kind = 'memory' ORDER BY 1 LIMIT 1")
        == MavenTree.entry(1).dropLast().description)
    try await tree.sql("ALTER TABLE maven_memory ALTER event_time DROP NOT NULL")
    // The log has another id by then.
    try tree.write("session_log.md", MavenTree.log(entries: 1...4))
    try tree.git.commit("one more")
    let next = try await tree.run()
    #expect(next.inserted[.event] == 3 && refusals(next.survey).count == 4)
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine WHERE resolved_at IS NULL") == "4")
  }

  @Test("what was refused and is mended, or is gone, is no finding any more")
  func mended() async throws {
    let tree = try await prepared(Obstacle.all[0])
    try tree.writeDecision(7)
    try tree.write(
      "decisions/\(MavenTree.decisionName(7))", MavenTree.decision(7).replacing("Bought 7", with: "Bought 3"))
    try tree.git.commit("two of them")
    #expect(refusals(try await tree.run("sync").survey).count == 2)
    try tree.write(
      "decisions/\(MavenTree.decisionName(3))", MavenTree.decision(3).replacing("Bought 3", with: "Bought 4"))
    try tree.git.remove("\(tree.root)/decisions/\(MavenTree.decisionName(7))")
    try tree.git.commit("mended")
    let outcome = try await tree.run()
    #expect(refusals(outcome.survey).isEmpty && outcome.remaining == 0)
    #expect(try await openEntries(tree) == nil)
    #expect(try await tree.verification().isInSync)
  }

  @Test(
    "one bad row among thousands costs a bounded number of statements, and none more in the next run",
    arguments: [0, 2_399])
  func bounded(position: Int) async throws {
    let tree = try await MavenTree()
    for index in 0..<2_400 {
      let text = MavenTree.decision(index, timestamp: "2026-02-01T08:00:00Z")
      try tree.write("decisions/decision_\(20_260_000 + index)_000000.md", text)
    }
    try tree.git.commit("many")
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    // A sequence counts what a rollback takes back too.
    try await tree.sql(
      """
      CREATE SEQUENCE copies;
      CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('copies'); RETURN NULL; END $$;
      CREATE TRIGGER counted BEFORE INSERT ON maven_decisions FOR EACH STATEMENT EXECUTE FUNCTION counted();
      ALTER TABLE maven_decisions ADD CONSTRAINT mine CHECK (action <> 'Bought \(position) BTC');
      """)
    let outcome = try await tree.run("sync")
    #expect(refusals(outcome.survey).count == 1 && outcome.inserted == [.decision: 2_399])
    let copies = try #require(Int(try await tree.value("SELECT last_value FROM copies") ?? ""))
    #expect(copies <= 30, "\(copies)")
    try await tree.run()
    #expect(try await tree.value("SELECT last_value FROM copies") == String(copies + 1))
    // The indexes that a bulk copy leaves out are there.
    #expect(try await Migrator(schema: .public).drift(connection) == [])
  }

  @Test("a table that refuses everything is given up after a bounded number of rows")
  func allRefused() async throws {
    let tree = try await MavenTree()
    for index in 0..<1_500 {
      try tree.write(
        "decisions/decision_\(20_260_000 + index)_000000.md",
        MavenTree.decision(index, timestamp: "2026-02-01T08:00:00Z"))
    }
    try tree.writeMilestone(1)
    try tree.git.commit("many")
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    try await tree.sql("ALTER TABLE maven_decisions ADD strategy text NOT NULL")
    for _ in 1...2 {
      let outcome = try await tree.run("sync")
      #expect(outcome.survey.git.findings.contains { $0.message.contains("more were left out") })
      #expect(outcome.remaining > 0 && outcome.remaining < 1_500)
      #expect(refusals(outcome.survey).count + outcome.remaining == 1_501)
      #expect(try await tree.value("SELECT count(*) FROM maven_milestones") == "1")
      #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "0")
    }
    try await tree.sql("ALTER TABLE maven_decisions DROP strategy")
    #expect(try await tree.run("sync").remaining == 0)
    #expect(try await tree.verification().isInSync)
  }

  @Test("an index of somebody's own on the whole text is no reason to fail after the rows are visible")
  func ownFullText() async throws {
    let tree = try await MavenTree()
    for index in 0..<2_100 {
      try tree.write(
        "decisions/decision_\(20_260_000 + index)_000000.md",
        MavenTree.decision(index, timestamp: "2026-02-01T08:00:00Z"))
    }
    let long = (0..<60_000).map { "\(String($0, radix: 36))x\($0 &* 7_919)" }.joined(separator: " ")
    try tree.writeDecision(1, reasoning: long)
    try tree.git.commit("many")
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    try await tree.sql("CREATE INDEX whole ON maven_decisions USING gin (to_tsvector('english', reasoning))")
    let outcome = try await tree.run("sync")
    #expect(refusals(outcome.survey).map(\.path.text) == [".moha/maven/decisions/\(MavenTree.decisionName(1))"])
    #expect(outcome.inserted == [.decision: 2_100] && outcome.remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'whole'") == "1")
    #expect(try await Migrator(schema: .public).drift(connection) == [])
  }

  @Test("a key that another writer takes meanwhile is a race, not a refusal")
  func race() async throws {
    let tree = try await MavenTree.sample()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    let survey = try await tree.survey()
    try await tree.run("sync")
    await #expect { try await tree.apply(survey, connection: connection) } throws: {
      ($0 as? PostgresError)?.sqlState == .uniqueViolation
    }
    #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "0")
  }

  @Test("the answer to a write says why its row was refused", arguments: Obstacle.all)
  func answers(obstacle: Obstacle) async throws {
    let tree = try await prepared(obstacle)
    let request = try RecordRequest(
      .decision,
      json: [
        "decision_type": "buy", "action": "Bought 3 BTC", "reasoning": "Because", "confidence": 88, "risk_level": "low",
      ], now: Instant.now())
    let written = try await RecordWriter(
      repository: try tree.repository(), agent: tree.agent, settings: WriteSettings()
    )
    .write(request)
    let content = try #require(written.record)
    let row = await RowProjection(database: tree.target(), agent: tree.agent, patience: .seconds(60)).project(content)
    let error = try #require(row.error)
    // Which trigger swallows or changes a row is for a run to find out.
    #expect(error.contains(obstacle.words) || error.contains("a trigger"), "\(error)")
    #expect((row.rowID != nil) == obstacle.testDescription.contains("changes"))
  }
}
