internal import Records
internal import TestSupport
internal import Testing

/// `decisions`, `search` and `performance`, as people and scripts use them.
@Suite struct QueryCommandTests {
  /// The sample in the database, with a trade of each kind.
  private func traded() async throws -> CommandTree {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd, status, opened_at, closed_at)
      SELECT id, 'manual', CASE WHEN id % 2 = 0 THEN 'BTC' ELSE 'ETH' END, 'long', 'open', 100,
        CASE WHEN id = 6 THEN NULL WHEN id % 2 = 0 THEN 12.50 ELSE -3.125 END, 0.10,
        CASE WHEN id = 6 THEN 'open' ELSE 'closed' END, decided_at, decided_at + interval '1 day'
      FROM maven_decisions WHERE id <= 6
      """)
    return tree
  }

  @Test("decisions: JSON has stable names, numbers as the database spells them, and a cursor that walks all")
  func decisions() async throws {
    let tree = try await traded()
    var files: [String] = []
    var cursor: [String] = []
    for _ in 1...4 {
      let document = try await tree.run(["decisions", "--json", "--limit", "2"] + cursor).json()
      let shape: JSONShape = """
        {"schema": 1, "total": 6, "total_is_exact": true, "next_cursor": "text?", "decisions": [{"file": "text",
         "decided_at": "text", "decision_type": "buy", "asset": "BTC", "confidence": "number", "risk_level": "low",
         "action": "text", "reasoning": "text", "trades_executed": 1, "open_trades": "integer", "total_pnl": "number?",
         "outcome": "profitable|loss|breakeven|open", "path": "text", "commit": "id", "git_status": "current"}]}
        """
      #expect(shape.violations(in: document).isEmpty, "\(shape.violations(in: document))")
      guard case .array(let decisions)? = document["decisions"] else { break }
      files += decisions.compactMap { $0["file"]?.text }
      guard let next = document["next_cursor"]?.text else { break }
      cursor = ["--cursor", next]
    }
    #expect(files.count == 6 && Set(files).count == 6 && files == files.sorted(by: >))
    let text = try await tree.expect(0, "decisions", "--outcomes", "--limit", "2")
    #expect(text.stdoutText.contains("12.40") == false && text.stdoutText.contains("80.0 %"))
    #expect(
      text.stdoutText.split(separator: "\n").count == 3
        && text.stderrText.hasPrefix("2 of 6; the next begins with --cursor "))
  }

  @Test("decisions: filters narrow, nothing found is said on stderr with status 0, and bad ones are usage errors")
  func filters() async throws {
    let tree = try await traded()
    func count(_ arguments: String...) async throws -> Int? {
      try await tree.run(["decisions", "--json"] + arguments).json()["total"]?.integer
    }
    #expect(try await count("--asset", "BTC", "--risk", "low", "--type", "buy", "--min-confidence", "80%") == 6)
    #expect(try await count("--asset", "ETH") == 0)
    #expect(try await count("--min-confidence", "80.01") == 0)
    #expect(try await count("--search", "momentum -resistance", "--since", "2026-02-01") == 6)
    #expect(try await count("--until", "2026-02-01T08:00:00.000004Z") == 3)
    #expect(try await count("--since", "24h") == 0)
    let empty = try await tree.expect(0, "decisions", "--asset", "NONE")
    #expect(empty.stdout.isEmpty && empty.stderrText == "no decision matches\n")
    for (arguments, words) in [
      (["--risk", "extreme"], ["low", "medium", "high", "critical"]),
      (["--since", "yesterday"], ["7d", "2026-01-31"]),
      (["--min-confidence", "much"], ["percentage"]), (["--limit", "0"], ["1 to 1000"]),
      (["--cursor", "x"], ["--cursor"]),
    ] {
      let output = try await tree.run(["decisions"] + arguments)
      #expect(output.status == 2 && words.allSatisfy { output.stderrText.contains($0) }, "\(output.everything)")
    }
  }

  @Test("performance: win rates and P&L net of fees by asset, confidence and period, as tables and JSON")
  func performance() async throws {
    let tree = try await traded()
    let document = try await tree.expect(0, "performance", "--json").json()
    let shape: JSONShape = """
      {"schema": 1, "since": "text?", "by_asset": [{"asset": "BTC|ETH", "total_trades": "integer", "wins": "integer",
       "losses": "integer", "win_rate": "number", "net_pnl": "number"}], "by_confidence": [{"confidence_from": 80,
       "confidence_to": 90, "decisions": 6, "traded": 5, "wins": 2, "losses": 3, "win_rate": 40.00, "net_pnl": "number"}],
       "by_period": [{"period": "2026-02-02", "total_trades": 5, "cumulative_pnl": "number"}], "stored": []}
      """
    #expect(shape.violations(in: document).isEmpty, "\(shape.violations(in: document))")
    let text = try await tree.expect(0, "performance", "--by", "asset").stdoutText
    #expect(
      text.contains("ETH") && text.contains("0.00 %") && text.contains("100.00 %") && text.contains("24.80"), "\(text)")
    let none = try await tree.expect(0, "performance", "--by", "asset", "--days", "1")
    #expect(none.stdout.isEmpty && none.stderrText == "there is nothing to count yet\n")
    try await tree.expect(2, "performance", "--by", "colour")
    try await tree.expect(2, "performance", "--days", "0")
  }

  @Test("search: finds by words and kinds, in the database or else in the files, which stderr says")
  func search() async throws {
    let tree = try await traded()
    let found = try await tree.expect(0, "search", "event -nothing", "--kind", "memory", "--json").json()
    let shape: JSONShape = """
      {"schema": 1, "source": "database", "next_cursor": null, "hits": [{"time": "text", "kind": "memory", "key": "text",
       "title": "text", "excerpt": "text", "path": ".moha/maven/session_log.md", "commit": "id", "archived": false}]}
      """
    #expect(shape.violations(in: found).isEmpty, "\(shape.violations(in: found))")
    var keys: [String] = []
    var cursor: [String] = []
    for _ in 1...12 {
      let page = try await tree.run(["search", "momentum or event or step", "--limit", "1", "--json"] + cursor).json()
      guard case .array(let hits)? = page["hits"] else { break }
      keys += hits.compactMap { $0["key"]?.text }
      guard let next = page["next_cursor"]?.text else { break }
      cursor = ["--cursor", next]
    }
    #expect(keys.count == 11 && Set(keys).count == 11, "\(keys)")
    let empty = try await tree.expect(0, "search", "zebra")
    #expect(empty.stdout.isEmpty && empty.stderrText == "nothing found\n")
    let files = try await tree.runBare([
      "search", "momentum", "--limit", "1", "--database", "postgresql://nobody@127.0.0.1:1/none",
    ])
    #expect(
      files.status == 0 && files.stdoutText.contains("decision_20260201")
        && files.stderrText.contains("the files were searched"))
    try await tree.expect(2, "search", "x", "--kind", "everything")
  }

  @Test(
    "tables are cut to a terminal's width and whole in a pipe; wide characters count as two; controls show as marks")
  func tables() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(
      CommandTree.decisionFile(1),
      CommandTree.decision(1, action: "\u{1B}[2J比特币上涨\u{202E}" + String(repeating: "很长的文字", count: 40)))
    try tree.git.commit("long")
    try await tree.expect(0, "sync")
    let piped = try await tree.expect(0, "decisions").stdoutText
    #expect(piped.contains(String(repeating: "很长的文字", count: 40)) && !piped.unicodeScalars.contains("\u{202E}"))
    #expect(!piped.contains("\u{1B}") && piped.contains("\u{FFFD}[2J"))
    let command = "stty cols 70; '\(try Program.path())' decisions --color never --database '\(tree.database.url)'"
    let shown = try await Program.run(
      ["script", "--quiet", "--return", "--command", command, "/dev/null"], environment: tree.environment,
      folder: tree.git.path
    ).stdoutText
    let lines = shown.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("2026-") || $0.hasPrefix("Decided") }
    #expect(lines.count == 7, "\(shown)")
    for line in lines {
      let columns = line.reduce(0) {
        $0 + ($1.unicodeScalars.contains { (0x4E00...0x9FFF).contains($0.value) } ? 2 : 1)
      }
      #expect(columns <= 70, "\(columns): \(line)")
    }
    #expect(shown.contains("…"))
  }

  @Test("a database that is away is a service that is down; one without tables says how to fill it")
  func away() async throws {
    let tree = try await CommandTree.sample()
    for command in ["decisions", "performance"] {
      let down = try await tree.runBare([command, "--json", "--database", "postgresql://nobody@127.0.0.1:1/none"])
      #expect(down.status == 69, "\(down.everything)")
      let empty = try await tree.run(command)
      #expect(empty.status == 1 && empty.stderrText.contains("moha-sync sync"), "\(empty.everything)")
    }
  }
}
