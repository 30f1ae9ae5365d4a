internal import Records
internal import Testing

@testable internal import Pages
@testable internal import Persistence

/// What a page does with text that wants to be more than text.
@Suite struct HostileTextTests {
  static let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' autofocus onfocus='alert(1)",
    "</style><script>x",
    "</title><script>x</script>", "<!--", "]]><svg onload=x>", "&lt;script&gt;&#60;script>", "javascript:alert(1)",
    "\u{202E}gnp.exe\u{2066}", "\u{0}\u{1B}[2J\u{7}\u{9B}", "\u{FEFF}\u{2028}\u{E0041}",
    String(repeating: "W", count: 5_000),
    "{{7*7}}${7*7}", "../../etc/passwd", "https://example.com/", "\u{1F98A}مرحبا",
  ]

  /// The names of all tags, and everything outside of tags; nil where a tag is not as this program writes them.
  private func tags(_ document: String) -> [String]? {
    var names: [String] = []
    // The style sheet is this program's own and holds no text of a record.
    guard let start = document.firstRange(of: "<style>"), let end = document.firstRange(of: "</style>") else {
      return nil
    }
    for part in (document[..<start.lowerBound] + document[end.upperBound...]).split(separator: "<").dropFirst() {
      guard let close = part.firstIndex(of: ">") else { return nil }
      let tag = part[..<close]
      names.append(String(tag.prefix { $0 != " " && $0 != "/" || $0 == "/" && tag.first == "/" }))
      // Attributes: ` name` or ` name="value"`, and nothing else.
      let attributes = tag.drop { $0 != " " }
      guard attributes.wholeMatch(of: /( [a-zA-Z-]+(="[^"<>']*")?)*\/?/) != nil else { return nil }
    }
    return names
  }

  private func row(_ text: String) -> DecisionRow {
    DecisionRow(
      position: DecisionPosition("1.2")!, file: text, type: text, asset: text, action: text, reasoning: text,
      confidence: .text(text), risk: text, decidedAt: nil, recordedOutcome: text, metadata: text, path: text,
      commit: text, gitStatus: text, trades: 1, openTrades: 0, netPnL: .text(text), outcome: text)
  }

  private func documents(_ text: String) -> [(String, String)] {
    let now = Instant.now()
    let problem = ErrorOutline(PersistenceError(.notFound, text, hint: text), roots: [])
    let standing = Standing(id: text, author: text, time: now)
    let cells = Dataset(
      [.init("title", "T", .text), .init("win_rate", "W", .percent)], rows: [[.text(text), .text(text)]])
    let run = RunRecord(
      id: text, command: text, commit: text, startedAt: nil, finishedAt: now, differences: [(text, 3)], repaired: 1,
      remaining: 2)
    let page = DecisionPage(decisions: [row(text)], next: DecisionPosition("1.2"))
    let health = AgentHealth(layers: [
      .init(name: text, finding: .init(.down, code: text, text, hint: text), latency: .zero)
    ])
    let query = ["q", "asset", "type", "min", "since", "after"].reduce(into: [:]) { $0[$1] = text }
    func figures(_ problem: ErrorOutline?) -> Overview.Figures {
      func part<Value>(_ value: Value) -> Overview.Part<Value> { problem.map { .missing($0) } ?? .found(value) }
      let data: Overview.Part<Dataset> = part(cells)
      return .init(
        takenAt: now, unit: .day, counts: data, equity: data, periods: data, records: data, assets: data,
        confidence: data, outcomes: data, runs: part([run]),
        lastRun: part(RunDetail(run: run, items: cells, findings: cells)), decisions: part(page))
    }
    func overview(_ figures: Overview.Figures) -> Overview {
      let item = FileGlance.Item(file: text, header: RecordHeader(Array(text.utf8), path: RecordPath(text), agent: .default))
      let glance = FileGlance(
        decisionCount: 2, decisions: [item, .init(file: text, header: nil)], milestoneCount: 1, milestones: [item],
        events: cells)
      return Overview(
        agent: .default, takenAt: now, days: 7, standing: standing, health: health, figures: figures,
        glance: figures.problem == nil ? nil : glance)
    }
    let hit = RecordSearch.Hit(
      position: .init(time: now, kind: .decisions, key: text), time: nil, title: text, excerpt: text, path: text,
      commit: text, isArchived: false)
    let hits = RecordSearch.Page(hits: [hit], next: hit.position, databaseProblem: problem)
    let agent = Agent.default
    return [
      ("overview", OverviewPage(overview(figures(nil)), isLive: true).document),
      ("report", OverviewPage(overview(figures(nil)), isLive: false).document),
      ("overview without database", OverviewPage(overview(figures(problem)), isLive: true).document),
      (
        "decisions",
        DecisionsPage(
          agent: agent, query: query, content: .rows(page, count: BoundedCount(count: 3, isExact: false)), now: now
        ).document
      ),
      (
        "decision files",
        DecisionsPage(
          agent: agent, query: query,
          content: .files(
            [(text, RecordHeader(Array(text.utf8), path: RecordPath(text), agent: agent)), (text, nil)],
            problem: problem), now: now
        ).document
      ),
      ("refused", DecisionsPage(agent: agent, query: query, content: .refused(text), now: now).document),
      (
        "decision",
        DecisionDetailPage(
          agent: agent, file: text,
          content: .row(row(text), trades: cells, provenance: standing, comparison: .unknown(text)), now: now
        ).document
      ),
      (
        "decision that differs",
        DecisionDetailPage(
          agent: agent, file: text,
          content: .row(
            row(text), trades: cells, provenance: standing,
            comparison: .differs(
              ["decision_type", "asset", "action", "reasoning", "outcome", "metadata", "confidence", "decided_at", text]
                .map { FieldDifference(name: $0, git: text, row: text) })), now: now
        ).document
      ),
      (
        "decision's file",
        DecisionDetailPage(agent: agent, file: text, content: .file(text, path: text, problem: problem), now: now)
          .document
      ),
      ("no decision", DecisionDetailPage(agent: agent, file: text, content: .none, now: now).document),
      (
        "log",
        LogPage(agent: agent, text: text, searchesAll: true, isContinued: true, content: .found(hits), now: now)
          .document
      ),
      (
        "newest log",
        LogPage(agent: agent, text: nil, searchesAll: false, isContinued: false, content: .newest(cells), now: now)
          .document
      ),
      (
        "log without database",
        LogPage(
          agent: agent, text: nil, searchesAll: false, isContinued: false, content: .files(cells, problem: problem),
          now: now
        ).document
      ),
      ("runs", RunsPage(agent: agent, content: .runs([run], older: now, totals: nil), now: now).document),
      (
        "run",
        RunsPage(agent: agent, content: .run(RunDetail(run: run, items: cells, findings: cells)), now: now).document
      ),
    ]
  }

  @Test("no text of a record becomes markup, loads or runs anything, on any page", arguments: hostile.indices)
  func escaped(_ index: Int) throws {
    let text = Self.hostile[index]
    let plain = documents("plain").map { tags($0.1) }
    for ((name, document), expected) in zip(documents(text), plain) {
      let found = try #require(tags(document), "\(name): a tag is not well formed")
      let elements = try #require(expected)
      // A link needs something to stand on, so nothing but the text itself may differ.
      #expect(found == elements, "\(name)")
      #expect(!document.contains("<script"), "\(name)")
      for scalar in document.unicodeScalars {
        let isHidden =
          (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
          || (scalar.value < 0x20 && scalar != "\n" && scalar != "\t" && scalar != "\r")
          || (0x7F...0x9F).contains(scalar.value) || (0xE0000...0xE007F).contains(scalar.value)
        if isHidden { Issue.record("\(name) holds U+\(String(scalar.value, radix: 16))") }
      }
    }
  }

  @Test("every address on a page leads to this server, whatever the record's name is", arguments: hostile.indices)
  func addresses(_ index: Int) throws {
    for (name, document) in documents(Self.hostile[index]) {
      for match in document.matches(of: /(?:href|src|action)="([^"]*)"/) {
        let address = String(match.1)
        #expect(
          address == "#content" || address == "data:," || address.wholeMatch(of: /\/[A-Za-z0-9_~%.\/?&=;-]*/) != nil,
          "\(name): \(address)")
        #expect(!address.hasPrefix("//") && !address.contains("/../"), "\(name): \(address)")
      }
    }
  }

  @Test("a name comes back from its address as it was, a name of dots too")
  func addressing() {
    #expect(Address.encoded("a b/ü.md") == "a%20b%2F%C3%BC.md")
    #expect(Address.encoded("..") == "%2E%2E" && Address.encoded(".") == "%2E")
    #expect(Address.path("/x", [("q", "a&b=c"), ("r", "")]) == "/x?q=a%26b%3Dc&r=")
  }
}
