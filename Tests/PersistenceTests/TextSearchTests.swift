internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Searching the files and searching the database is one language, with the same hits.
@Suite struct TextSearchTests {
  private static let endings = [
    "", "s", "es", "ed", "ing", "ly", "er", "ation", "ational", "ization", "izer", "ness", "fulness", "fully", "lessly",
    "ement", "ments", "ent", "ance", "ency", "able", "ibly", "ality", "iviti", "ive", "iveness", "ously", "ousness",
    "alism", "al", "ally", "ical", "icate", "ative", "alize", "ied", "ies", "y", "edly", "ingly", "eed", "eedly", "sion",
    "ogi", "logy", "ll", "e", "ss", "us", "ized", "ated", "bli", "li", "ie", "ying", "yed",
  ]
  private static let beginnings = [
    "trad", "market", "risk", "hop", "hopp", "gener", "commun", "arsen", "agre", "fe", "fl", "cr", "sk", "d", "l", "t", "inn",
    "out", "cann", "herr", "earr", "proc", "exc", "succ", "new", "how", "atla", "bia", "ear", "on", "gent", "ug", "singl",
    "happ", "sa", "bo", "relat", "ration", "oper", "volat", "liquid", "conf", "strateg", "knitt", "ow", "box", "bow", "pla",
  ]

  @Test("stems are those of the database's dictionary")
  func stems() async throws {
    var random = SeededGenerator(seed: 7)
    var words: Set<String> = []
    for beginning in TextSearchTests.beginnings { for ending in TextSearchTests.endings { words.insert(beginning + ending) } }
    for _ in 0..<8_000 {
      let letters = (0...random.below(6)).map { _ in random.pick(Array("aeiouybcdfghlmnprstwxz")) }
      words.insert(String(letters) + random.pick(TextSearchTests.endings) + random.pick(TextSearchTests.endings))
    }
    let list = words.sorted()
    let connection = try await PostgresServer.shared().database().connect()
    let rows = try await connection.query(
      """
      SELECT (ts_lexize('english_stem', word))[1] FROM unnest($1::text[]) WITH ORDINALITY AS w (word, place) ORDER BY place
      """, [.textArray(list)])
    var differing: [String] = []
    for (word, row) in zip(list, rows) {
      // A word that says nothing has no stem there.
      guard let expected = try row.optionalString(0) else { continue }
      let stem = String(decoding: EnglishStemmer.stem(Array(word.utf8)), as: UTF8.self)
      if stem != expected { differing.append("\(word): \(stem), \(expected)") }
    }
    #expect(rows.count > 8_000 && differing.isEmpty, "\(differing.prefix(20))")
  }

  private static let words = [
    "alpha", "beta", "gamma", "foo", "bar", "market", "Markets", "MARKETING", "the", "running", "run", "stop", "loss",
    "BTC/USDT", "BTC-USD", "risk-off", "foo_bar", "5", "1.5", "-3", "2026-02-01", "08:30", "10k", "don't", "naïve", "and",
    "example.com", "a@example.com", "24/7", "e.g.", "<b>bold</b>", "&amp;", "12%", "日本語", "v1.2.3", "end.",
  ]

  private static func text(_ random: inout SeededGenerator) -> String {
    (0...random.below(14)).map { _ in
      random.pick(words) + random.pick(["", "", "", ",", ".", ";", " -", " ("])
    }.joined(separator: " ")
  }

  private static func query(_ random: inout SeededGenerator) -> String {
    var parts: [String] = []
    for _ in 0...random.below(3) {
      var part = random.pick(words)
      if random.below(4) == 0 {
        part = "\"" + (0...random.below(2)).map { _ in random.pick(words) }.joined(separator: " ") + "\""
      }
      if random.below(4) == 0 { part = "-" + part }
      parts.append(part)
      if random.below(4) == 0 { parts.append(random.pick(["or", "OR", "Or"])) }
      if random.below(20) == 0 { parts.append(random.pick(["-", "\"", "|", "&", "!", "(", ")", ":", "or-", "--", "\"\"", "x:y", "b(a)"])) }
    }
    return parts.joined(separator: " ")
  }

  @Test("random texts match random queries where PostgreSQL says so, and nowhere else")
  func randomQueries() async throws {
    var random = SeededGenerator(seed: 11)
    let connection = try await PostgresServer.shared().database().connect()
    var hits = 0
    for _ in 0..<40 {
      let texts = (0..<100).map { _ in TextSearchTests.text(&random) }
      let queries = (0..<100).map { _ in TextSearchTests.query(&random) }
      let rows = try await connection.query(
        """
        SELECT to_tsvector('english', text) @@ websearch_to_tsquery('english', query)
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (text, query, place) ORDER BY place
        """, [.textArray(texts), .textArray(queries)])
      for (row, (text, query)) in zip(rows, zip(texts, queries)) {
        let isMatch = try row.bool(0)
        if isMatch { hits += 1 }
        #expect((SearchQuery(query).match(text) != nil) == isMatch, "\(query) in \(text)")
      }
    }
    #expect((400...3_600).contains(hits))
  }

  @Test("words keep their places over thousands, and long texts are searched as far as the database searches them")
  func longTexts() async throws {
    let connection = try await PostgresServer.shared().database().connect()
    let texts = [
      String(repeating: "a stop at the loss. ", count: 400) + "stop loss",
      String(repeating: "word ", count: 17_000) + "stop the loss", String(repeating: "loss stop ", count: 300) + "stop now loss",
      String(repeating: "x", count: 2_046) + " stop " + String(repeating: "y", count: 2_047) + " loss",
    ]
    for text in texts {
      for query in ["\"stop loss\"", "\"stop the loss\"", "\"loss stop stop\"", "\"stop now loss\"", "-\"stop loss\" word"] {
        let expected = try await connection.query(
          "SELECT to_tsvector('english', $1) @@ websearch_to_tsquery('english', $2)", [.text(text), .text(query)]
        ).first?.bool(0)
        #expect((SearchQuery(query).match(text) != nil) == expected, "\(query) in \(text.suffix(40))")
      }
    }
  }

  /// A tree of records with random texts, in the database too.
  private func tree(_ random: inout SeededGenerator) async throws -> MavenTree {
    let tree = try await MavenTree()
    for index in 1...30 { try tree.writeDecision(index, reasoning: TextSearchTests.text(&random)) }
    for index in 1...5 { try tree.writeMilestone(index) }
    let log = (10...49).map { index in
      "## [2026-02-01T10:00:\(index).000001+00:00] NOTE\n\n\(TextSearchTests.text(&random))\n\n---\n\n"
    }
    try tree.write("session_log.md", "# Log\n\n---\n\n" + log.joined())
    try tree.git.commit("records")
    try await tree.run("sync")
    return tree
  }

  @Test("the files give the hits of the database, in the same order and page by page")
  func files() async throws {
    var random = SeededGenerator(seed: 3)
    let tree = try await tree(&random)
    let files = AgentFiles(of: try tree.repository(), agent: tree.agent)
    let database = DatabaseSearch(database: tree.target(), agent: tree.agent)
    var hits = 0
    var queries = ["alpha or beta", "gamma -\"foo bar\"", "alp", "\"stop loss\" or -market", "step", "reached -trading", "the", "-step"]
    for _ in 0..<60 { queries.append(TextSearchTests.query(&random)) }
    for text in queries {
      for limit in [7, 200] {
        let query = RecordSearch.Query(text: text, kinds: [.decisions, .memory, .milestones], limit: limit, after: nil)
        let expected = try await database.hits(query).map(\.position)
        let found = try await FileSearch(files: files).hits(query).map(\.position)
        #expect(found == expected, "\(text)")
        hits += expected.count
      }
    }
    #expect(hits > 1_000)
  }

  @Test("a word that every record has is found by reading a few of the newest rows")
  func commonWord() async throws {
    let tree = try await MavenTree()
    let connection = try await tree.database.connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    try await connection.script(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at)
        SELECT i || '.md', 'buy', 'act', 'the market moved', 50, 'low', now() - make_interval(mins => i)
        FROM generate_series(1, 20000) i;
      INSERT INTO maven_memory (event_type, description, event_at, event_key)
        SELECT 'NOTE', 'the market moved', now() - make_interval(mins => i), md5(i::text) FROM generate_series(1, 20000) i;
      INSERT INTO maven_milestones (git_filename, title, description, achieved_at)
        SELECT i || '.md', 'step', 'the market moved', now() - make_interval(mins => i) FROM generate_series(1, 5000) i;
      INSERT INTO maven_insights (insight_type, content, created_at)
        SELECT 'trend', 'the market moved', now() - make_interval(mins => i) FROM generate_series(1, 5000) i;
      UPDATE maven_memory SET description = 'a rare event' WHERE event_key = md5('15000');
      """)
    // A run does so after it has filled a table.
    try await tree.sql("ANALYZE")
    let search = DatabaseSearch(database: tree.target(), agent: tree.agent)
    for kind in RecordSearch.Kind.allCases {
      let first = RecordSearch.Query(text: "markets", kinds: [kind], limit: 20, after: nil)
      let hits = try await search.hits(first)
      #expect(hits.count == 21)
      let next = RecordSearch.Query(text: "markets", kinds: [kind], limit: 20, after: hits[19].position)
      for query in [first, next] {
        let (sql, parameters) = search.statement(query, kind, within: 21 * DatabaseSearch.window, schema: .public)
        let plan = try await connection.transaction(readOnly: true) { transaction in
          try transaction.script("SET LOCAL enable_seqscan = off")
          return try transaction.query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) \(sql)", parameters)
            .map { try $0.string(0) }
        }
        let read = plan.flatMap { line in line.matches(of: /rows=(\d+)|Removed by Filter: (\d+)/) }.compactMap { match in
          (match.output.1 ?? match.output.2).flatMap { Int($0) }
        }
        // A sort that goes by groups reads one row further.
        #expect(!read.isEmpty && read.allSatisfy { $0 <= 21 * DatabaseSearch.window + 1 }, "\(plan.joined(separator: "\n"))")
        #expect(plan.contains { $0.contains("Index Scan") })
      }
      #expect(try await search.hits(next).first?.position == hits[20].position)
    }
    let rare = RecordSearch.Query(text: "rare", kinds: [.memory], limit: 20, after: nil)
    #expect(try await search.hits(rare).count == 1)
  }
}
