internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Events that other programs write: into the log with the type in capitals, and into the table with the type as it came,
/// each at its own clock and the row without a key.
@Suite struct OtherWriterTests {
  /// What such a program appends to the log: nothing of the text is escaped.
  private static func entry(_ time: Instant, _ type: String, _ text: String) -> String {
    "## [\(time)] \(type.uppercased())\n\n\(text)\n\n---\n\n"
  }

  private static func instant(_ seconds: Int64) throws -> Instant {
    try #require(Instant(seconds: 1_770_000_000 + seconds))
  }

  /// A tree with a log of these events, and a migrated database without rows.
  private func tree(_ events: [(second: Int64, type: String, text: String)]) async throws -> MavenTree {
    let tree = try await MavenTree()
    let log = try events.map { Self.entry(try Self.instant($0.second), $0.type, $0.text) }
    try tree.write("session_log.md", "# Maven Session Log\n\n---\n\n" + log.joined())
    try tree.write("identity.json", "{}")
    try tree.git.commit("log")
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    await connection.close()
    return tree
  }

  private func insert(
    _ tree: MavenTree, _ type: String, _ text: String, at second: Int64, milliseconds: Int = 0, metadata: String = "{}"
  ) async throws {
    let connection = try await tree.database.connect()
    _ = try await connection.execute(
      """
      INSERT INTO maven_memory (event_type, description, metadata, created_at)
      VALUES ($1, $2, $3, to_timestamp($4::bigint) + $5::bigint * interval '1 millisecond')
      """,
      [.text(type), .text(text), .json(metadata), .int(1_770_000_000 + second), .int(Int64(milliseconds))])
    await connection.close()
  }

  private func quarantined(_ tree: MavenTree) async throws -> String? {
    try await tree.value("SELECT count(*) FROM maven_quarantine")
  }

  @Test("rows get their key where they stand, and keep all else")
  func claimed() async throws {
    let events = (0..<17).map { (Int64($0 * 60), ["git_sync", "Note", "TRADE", "étude"][$0 % 4], "Event \($0)") }
    let tree = try await tree(events.map { ($0.0, $0.1, $0.2) })
    for (index, event) in events.enumerated() {
      try await insert(tree, event.1, event.2, at: event.0, milliseconds: index % 2 == 0 ? 7 : -1_900)
    }
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, agent)
        VALUES ('nova/d.md', 'buy', 'a', 'b', 1, 'low', now(), 'nova');
      UPDATE maven_memory SET related_decision_id = (SELECT max(id) FROM maven_decisions);
      CREATE TABLE alarms (id serial PRIMARY KEY, memory_id integer NOT NULL REFERENCES maven_memory (id));
      INSERT INTO alarms (memory_id) SELECT id FROM maven_memory;
      CREATE TABLE before AS SELECT id, event_type, description, metadata, related_decision_id, created_at FROM maven_memory;
      """)
    let planned = try await tree.survey()
    #expect(planned.counts[.stale] == 17 && planned.repairable == 17, "\(planned.counts)")
    let outcome = try await tree.run("sync")
    #expect(outcome.remaining == 0 && outcome.quarantined == 0)
    #expect(
      try await tree.value(
        """
        SELECT count(*) FROM maven_memory m JOIN before b USING (id, event_type, description, metadata,
          related_decision_id, created_at) JOIN alarms a ON a.memory_id = m.id
        WHERE m.event_key IS NOT NULL AND abs(extract(epoch FROM m.event_at - m.created_at)) < 2
        """) == "17")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "17")
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.kinds.allSatisfy { $0.gitDigest == $0.rowDigest })
    #expect(try await tree.run().survey.repairable == 0)
    #expect(try await quarantined(tree) == "0")
  }

  @Test("of the same text many times each row gets the entry that is nearest in time")
  func nearest() async throws {
    let tree = try await tree((0..<30).map { (Int64($0 * 3), "HEARTBEAT", "alive") })
    // Some are missing, some are late, and the order of the ids is another one.
    let seconds = (0..<30).filter { $0 % 7 != 3 }.reversed()
    for second in seconds { try await insert(tree, "heartbeat", "alive", at: Int64(second * 3), milliseconds: 400) }
    let outcome = try await tree.run("sync")
    #expect(outcome.inserted[.event] == 4 && outcome.quarantined == 0)
    #expect(
      try await tree.value(
        "SELECT count(*) FROM maven_memory WHERE created_at - event_at = interval '400 milliseconds'") == "26")
    #expect(try await tree.verification().isInSync)
  }

  @Test("a row without a time near its entry is matched by type and text, whatever the letters")
  func far() async throws {
    let tree = try await tree([(0, "NOTE", "one"), (60, "NOTE", "two"), (120, "NOTE", "two")])
    try await insert(tree, "note", "two", at: 90_000)
    try await insert(tree, "Note", "one", at: 90_000)
    try await insert(tree, "note", "two", at: 90_001)
    try await insert(tree, "note", "two", at: 90_002)
    let survey = try await tree.survey()
    #expect(survey.counts[.stale] == 3 && survey.counts[.duplicate] == 1 && survey.counts[.orphaned] == 0)
    #expect(try await tree.run("sync").quarantined == 1)
    #expect(
      try await tree.value("SELECT string_agg(id || description || extract(epoch FROM event_at)::bigint - 1770000000, ' ' ORDER BY id) FROM maven_memory")
        == "1two60 2one0 3two120")
    #expect(try await tree.verification().isInSync)
  }

  @Test("a row that says more or other than the log is found, and what it said is kept")
  func different() async throws {
    let tree = try await tree([(0, "NOTE", "has a rule"), (60, "NOTE", "has metadata")])
    try await insert(tree, "note", "has a rule\n\n---\n\nafter the rule", at: 0)
    try await insert(tree, "note", "has metadata", at: 60, metadata: #"{"by": "bot"}"#)
    let survey = try await tree.survey()
    #expect(survey.counts[.stale] == 2 && survey.repairable == 2)
    #expect(survey.differences.contains { $0.fields.contains { $0.name == "description" } })
    #expect(survey.differences.contains { $0.fields.contains { $0.name == "metadata" } })
    #expect(try await tree.run().quarantined == 2)
    #expect(try await tree.value("SELECT string_agg(id || description, ' ' ORDER BY id) FROM maven_memory") == "1has a rule 2has metadata")
    #expect(
      try await tree.value("SELECT string_agg(row_data ->> 'description', '|' ORDER BY id) FROM maven_quarantine")
        == "has a rule\n\n---\n\nafter the rule|has metadata")
    #expect(try await tree.verification().isInSync)
  }

  @Test("another case of a type is the same in meaning, another type is not")
  func letters() async throws {
    let tree = try await tree([(0, "NOTE", "one"), (60, "NOTE", "two")])
    try await tree.run("sync")
    try await tree.sql("UPDATE maven_memory SET event_type = 'nOtE' WHERE description = 'one'")
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.run().survey.repairable == 0)
    try await tree.sql("UPDATE maven_memory SET description = 'forged' WHERE description = 'one'")
    let survey = try await tree.survey()
    #expect(survey.differences.first?.fields.map(\.name) == ["description"])
    try await tree.run()
    #expect(try await tree.value("SELECT event_type FROM maven_memory WHERE description = 'one'") == "nOtE")
    try await tree.sql("UPDATE maven_memory SET event_type = 'note!' WHERE description = 'one'")
    #expect(try await tree.run().repaired[.stale] == 1)
    #expect(try await tree.value("SELECT event_type FROM maven_memory WHERE description = 'one'") == "NOTE")
  }

  @Test("a row that was inserted a moment ago waits for its entry, and is an orphan afterwards")
  func freshRow() async throws {
    let tree = try await tree([(0, "NOTE", "one")])
    try await tree.run("sync")
    try await tree.sql("INSERT INTO maven_memory (event_type, description) VALUES ('note', 'on its way')")
    let dump = try tree.dump()
    let waiting = try await tree.survey(patience: .seconds(60))
    #expect(waiting.isInSync && waiting.notes.contains { $0.contains("1 row of maven_memory was inserted a moment ago") })
    #expect(Verification(waiting, elapsed: .zero).isInSync)
    #expect(try await tree.run(patience: .seconds(60)).remaining == 0)
    #expect(Set(try tree.dump().split(separator: "\n")).subtracting(dump.split(separator: "\n")).count == 1)
    #expect(try await tree.survey().counts[.orphaned] == 1)
    let now = Instant.now()
    let log = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/session_log.md")]).stdoutText
    try tree.write("session_log.md", log + Self.entry(now, "note", "on its way"))
    #expect(try await tree.run(patience: .seconds(60)).quarantined == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE event_key IS NOT NULL") == "2")
  }

  @Test("beside a program that inserts rows, an entry that was logged a moment ago waits for its row")
  func freshEntry() async throws {
    let tree = try await tree([(0, "NOTE", "one")])
    let log = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/session_log.md")]).stdoutText
    try tree.write("session_log.md", log + Self.entry(Instant.now(), "note", "two"))
    // Nobody else writes here: its row is made at once.
    #expect(try await tree.run(patience: .seconds(60)).inserted[.event] == 2)
    try await tree.sql("DELETE FROM maven_memory; INSERT INTO maven_memory (event_type, description) VALUES ('x', 'y')")
    let outcome = try await tree.run(patience: .seconds(60))
    #expect(outcome.inserted[.event] == 1 && outcome.remaining == 0)
    #expect(Verification(try await tree.survey(patience: .seconds(60)), elapsed: .zero).isInSync)
    try await tree.sql("INSERT INTO maven_memory (event_type, description) VALUES ('note', 'two')")
    try await tree.run(patience: .seconds(60))
    #expect(try await tree.value("SELECT event_type FROM maven_memory WHERE description = 'two' AND event_key IS NOT NULL") == "note")
    #expect(try await quarantined(tree) == "0")
  }

  @Test("where the log cannot be read whole, a row without an entry is no orphan")
  func doubtfulLog() async throws {
    let tree = try await tree([(0, "NOTE", "one")])
    try await tree.run("sync")
    try await insert(tree, "note", "perhaps in the part that cannot be read", at: 60)
    let log = Array(try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/session_log.md")]).stdoutText.utf8)
    try tree.git.write(
      Array(".moha/maven/session_log.md".utf8),
      log + Array("## [2026-02-02T03:21:00+00:00] NOTE\n\nbad ".utf8) + [0xFF] + Array("\n\n---\n".utf8))
    let outcome = try await tree.run()
    #expect(outcome.survey.counts[.orphaned] == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "2")
  }

  @Test("side by side with another writer each tick is in sync, and nothing goes to quarantine")
  func sideBySide() async throws {
    let tree = try await tree([])
    let patience = Duration.milliseconds(1_500)
    let (path, database) = (tree.git.absolute(".moha/maven/session_log.md"), tree.database)
    let count = 400
    let writer = Task {
      let connection = try await database.connect()
      for index in 0..<count {
        let text = index % 5 == 0 ? "the same again" : "event \(index)"
        func log() throws {
          let entry = Self.entry(Instant.now(), "note", text)
          try ChildProcess.runChecked("sh", ["-c", "printf %s \"$1\" >>\"$2\"", "sh", entry, path])
        }
        func insert() async throws {
          _ = try await connection.execute(
            "INSERT INTO maven_memory (event_type, description) VALUES ('note', $1)", [.text(text)])
        }
        if index % 3 == 0 {
          try await insert()
          try log()
        } else {
          try log()
          try await Task.sleep(for: .milliseconds(index % 7))
          try await insert()
        }
      }
      await connection.close()
    }
    var ticks = 0
    let repository = try tree.repository()
    func tick() async throws {
      _ = try await AutomaticCommit(repository: repository, agent: tree.agent, settings: WriteSettings()).run(
        isDryRun: false)
      let outcome = try await tree.run("tick", patience: patience)
      #expect(outcome.remaining == 0 && outcome.quarantined == 0, "\(outcome.survey.differences.map(\.message))")
      ticks += 1
    }
    // The first row is there before the first tick: a program that never wrote a row is not waited for.
    while try await tree.value("SELECT count(*) FROM maven_memory") == "0" { try await Task.sleep(for: .milliseconds(5)) }
    let deadline = ContinuousClock.now + .seconds(120)
    while try await tree.value("SELECT count(*) FROM maven_memory") != "\(count)", ContinuousClock.now < deadline {
      try await tick()
    }
    try await writer.value
    try await Task.sleep(for: patience)
    try await tick()
    #expect(ticks > 2)
    #expect(try await quarantined(tree) == "0")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE event_key IS NOT NULL AND event_type = 'note'") == "\(count)")
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "\(count)")
    #expect(try await tree.verification().isInSync)
  }

  // MARK: Pairs

  /// The same by trying every pair.
  private func slowPairs(_ left: [Int64], _ right: [Int64], reach: Int64) -> Int64 {
    var (left, right) = (left, right)
    var sum: Int64 = 0
    while true {
      var best: (distance: Int64, left: Int, right: Int)?
      for (place, one) in left.enumerated() {
        for (other, moment) in right.enumerated() where abs(one - moment) <= reach {
          if best.map({ abs(one - moment) < $0.distance }) ?? true { best = (abs(one - moment), place, other) }
        }
      }
      guard let pair = best else { return sum * 1_000 + Int64(left.count) }
      sum += pair.distance
      left.remove(at: pair.left)
      right.remove(at: pair.right)
    }
  }

  @Test("pairs are the nearest first, each moment once and none too far", arguments: 1...200)
  func pairs(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    // Distances that are all different, so that there is one answer only.
    var moments: Set<Int64> = []
    while moments.count < 24 { moments.insert(Int64(random.below(1 << 40))) }
    let all = moments.shuffled(using: &random)
    let cut = 1 + random.below(22)
    let (left, right) = (Array(all[..<cut]), Array(all[cut...]))
    let reach = Int64(random.below(1 << 38))
    let pairs = NearestPairs.of(left, right, reach: reach)
    #expect(Set(pairs.map(\.left)).count == pairs.count && Set(pairs.map(\.right)).count == pairs.count)
    let distances = pairs.map { abs(left[$0.left] - right[$0.right]) }
    #expect(distances.allSatisfy { $0 <= reach } && distances == distances.sorted())
    #expect(distances.reduce(0, +) * 1_000 + Int64(left.count - pairs.count) == slowPairs(left, right, reach: reach))
  }

  @Test("the same text many times is matched in about linear time")
  func linear() throws {
    func seconds(_ count: Int) throws -> Double {
      let start = try Self.instant(0)
      let rows = (0..<count).map { index in
        UnkeyedEvent(
          id: Int64(index), type: "note", description: "alive", metadata: "{}", eventTime: nil,
          time: Instant(microseconds: start.microseconds + Int64(index) * 100), hasMore: false, isFresh: false)
      }
      let records = (0..<count).map { index in
        (
          key: RecordKey(String(index + 10_000_000)),
          event: Event(
            type: "NOTE", time: Instant(microseconds: start.microseconds + Int64(index) * 100 + 7), content: "alive")
        )
      }
      let clock = ContinuousClock()
      let begin = clock.now
      let claims = EventClaims(of: rows, records: records, taken: [])
      let elapsed = (clock.now - begin).seconds
      var paired = 0
      for (id, finding) in claims.findings {
        if case .record(let key) = finding, key == RecordKey(String(id + 10_000_000)) { paired += 1 }
      }
      // The first row has an entry behind it only; each other one is nearer to its own than to any.
      #expect(paired == count)
      return elapsed
    }
    let (few, many) = (try seconds(2_000), try seconds(20_000))
    #expect(many < few * 60 + 1, "\(few) \(many)")
  }
}
