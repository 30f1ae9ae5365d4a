internal import FoundationEssentials
internal import Records
internal import TestSupport
internal import Testing

/// `report` in its four forms.
@Suite struct ReportTests {
  private func traded() async throws -> CommandTree {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql(
      """
      INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd, status, opened_at, closed_at)
      SELECT id, 'manual', 'BTC', 'long', 'open', 100, 4.25 * (id - 3), 0.25, 'closed', decided_at, decided_at + make_interval(days => id)
      FROM maven_decisions;
      INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, snapshot_at)
      SELECT 1000 + i, 500, timestamptz '2026-02-01Z' + make_interval(days => i) FROM generate_series(1, 9) i
      """)
    try await tree.sql("UPDATE maven_decisions SET confidence = 12 WHERE id = 1")
    try await tree.expect(0, "reconcile")
    return tree
  }

  @Test("the page is one file that loads and runs nothing, and holds every part")
  func page() async throws {
    let tree = try await traded()
    let written = try await tree.expect(0, "report", "--html", "report.html")
    #expect(written.stdout.isEmpty && written.stderrText == "moha-sync: wrote report.html\n")
    let page = try String(contentsOfFile: tree.git.absolute("report.html"), encoding: .utf8)
    for part in [
      "Layers", "Equity", "Cumulative P&amp;L", "Drift over time", "Records by day", "Confidence against outcome",
      "Win rate by confidence", "Win rate by asset", "Last runs", "Found by the newest run", "Newest decisions",
      "stale",
    ] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(page.matches(of: /<svg role="img"/).count == 5)
    for word in ["<script", "<iframe", "http://", "https://", "url(", "@import", "<img", "src="] {
      #expect(!page.contains(word), "\(word)")
    }
    #expect(page.contains("default-src &#39;none&#39;"))
    // Links to pages that only a server has would lead nowhere.
    let links = page.matches(of: /href="([^"]*)"/).map { String($0.1) }
    #expect(Set(links) == ["#content", "data:,"])
    let stream = try await tree.expect(0, "report", "--html", "-", "--days", "30")
    #expect(stream.stdoutText.hasPrefix("<!doctype html>") && stream.stdoutText.contains("Figures of the last 30 days"))
  }

  @Test("JSON, Markdown and text say the same numbers")
  func forms() async throws {
    let tree = try await traded()
    let document = try await tree.expect(0, "report", "--json").json()
    let shape: JSONShape = """
      {"schema": 1, "agent": "maven", "taken_at": "text", "days": null, "unit": "day", "git": {"commit": "id"},
       "layers": {"git": {"status": "ok"}, "postgres": {"status": "ok"}}, "problems": [],
       "counts": [{"table": "text", "rows": "integer", "exact": true}],
       "by_asset": [{"asset": "BTC", "total_trades": 6, "wins": 3, "losses": 3, "win_rate": 50.00, "net_pnl": 11.25}],
       "by_confidence": [{"confidence_from": 80, "decisions": 6, "traded": 6}], "by_period": [{"period": "text"}],
       "equity": [{"total_value_usd": "number"}], "records": [{"day": "2026-02-01", "decisions": 6, "events": 3, "milestones": 2}],
       "runs": [{"run_id": "text", "differences": "integer"}], "differences": [{"class": "stale"}], "findings": [],
       "decisions": [{"total_pnl": "number"}], "confidence_and_outcome": [{"confidence": "number"}]}
      """
    #expect(shape.violations(in: document).isEmpty, "\(shape.violations(in: document))")
    let markdown = try await tree.expect(0, "report", "--markdown").stdoutText
    #expect(
      markdown.hasPrefix("# maven: report\n") && markdown.contains("| BTC | 6 | 3 | 3 | 50.00 % | 11.25 |"),
      "\(markdown)")
    let text = try await tree.expect(0, "report").stdoutText
    #expect(text.contains("11.25") && text.contains("stale") && text.contains("Win rate by asset"), "\(text)")
    try await tree.expect(2, "report", "--json", "--markdown")
  }

  @Test("text of a record stays text in Markdown and in a table")
  func hostile() async throws {
    let tree = try await CommandTree.sample()
    let text = "<script>x</script> | a | `b` [c](https://example.com) \u{1B}[2J\u{202E}"
    try tree.git.write(CommandTree.decisionFile(9), CommandTree.decision(9, action: text))
    try tree.git.commit("hostile")
    try await tree.expect(0, "sync")
    let markdown = try await tree.expect(0, "report", "--markdown").stdoutText
    #expect(markdown.contains(#"&lt;script&gt;x&lt;/script&gt; \| a \| \`b\` \[c\](https"#), "\(markdown)")
    for form in [[], ["--markdown"], ["--html", "-"]] {
      let output = try await tree.run(["report"] + form).stdoutText
      #expect(!output.contains("\u{1B}") && !output.unicodeScalars.contains("\u{202E}"))
    }
  }

  @Test("with the database away git's state still shows, the exit code is 69, and nothing half is written")
  func away() async throws {
    let tree = try await CommandTree.sample()
    let nowhere = ["--database", "postgresql://nobody@127.0.0.1:1/none"]
    let head = try tree.git.git("rev-parse", "HEAD").prefix(10)
    for form in [[], ["--markdown"], ["--html", "-"], ["--json"]] {
      let output = try await tree.runBare(["report"] + form + nowhere)
      #expect(output.status == 69 && output.stdoutText.contains(head), "\(output.everything)")
      #expect(output.stdoutText.contains("cannot be reached") && output.stdoutText.contains("holds every record"))
    }
    let unwritable = try await tree.run("report", "--html", "no/such/folder/report.html")
    #expect(unwritable.status == 1 && unwritable.stderrText.contains("nothing was changed"), "\(unwritable.everything)")
  }
}
