import MCPServer
import Pages
import Persistence
import Records
import Synchronization

/// The pages that people look at, beside `/mcp`.
///
/// Every question to the database has a second. Those of the overview, which add up all trades, have more, and their
/// answers are kept, so that many readers cost as much as one. With the database away each page says so and shows what
/// git has.
struct Dashboard: Sendable {
  private let records: AgentRecords
  private let queries: RecordQueries
  /// For what a page can do without.
  private let quickQueries: RecordQueries
  /// What the overview adds up, by the days that it goes back.
  private let figures: KeptAnswers<Int?, Overview.Figures>
  private let trouble: PageTrouble
  private static let pageSize = 50

  /// - Parameter report: takes a sentence when pages begin to lack something.
  init(_ records: AgentRecords, report: @escaping @Sendable (String) -> Void) {
    self.records = records
    trouble = PageTrouble(report: report)
    queries = records.queries(patience: .seconds(1))
    quickQueries = records.queries(patience: .milliseconds(60))
    let slowQueries = records.queries(patience: .seconds(30))
    // With the database away the next reader asks again: that costs nothing.
    figures = KeptAnswers(firstPatience: .seconds(2), isWorthKeeping: { $0.problem == nil }) { days in
      await records.figures(slowQueries, days: days)
    }
    let figures = figures
    Task {
      // One after another: nothing waits for the later ones yet.
      for days in [nil] + OverviewPage.spans.map(Optional.some) { _ = await figures.answer(days) }
    }
  }

  var pages: [HTTPPage] {
    [
      HTTPPage("/") { await overview($0) },
      HTTPPage("/decisions") { await decisions($0) },
      HTTPPage("/decisions/{file}") { await decision($0) },
      HTTPPage("/log") { await log($0) },
      HTTPPage("/runs") { await runs($0) },
      HTTPPage("/runs/{id}") { await run($0) },
    ]
  }

  /// What the reader is told, and whoever runs the server hears of once.
  private func outline(_ error: any Error) -> ErrorOutline {
    let outline = records.outline(error)
    trouble.tell(outline, Failure(error).singleLine)
    return outline
  }

  private func page(_ document: String, status: Int = 200) -> PageAnswer {
    PageAnswer(
      status: status, contentType: "text/html; charset=utf-8", body: Array(document.utf8),
      contentSecurityPolicy: PageFrame.contentSecurityPolicy)
  }

  // MARK: Overview

  private func overview(_ request: PageRequest) async -> PageAnswer {
    let days = request["days"].flatMap { Int($0) }.flatMap { (1...36_500).contains($0) ? $0 : nil }
    async let standing = records.standing()
    async let health = records.health()
    async let figures = figures.answer(days)
    let found = await figures ?? .unfinished(.now())
    let overview = Overview(
      agent: records.agent, takenAt: .now(), days: days, standing: await standing, health: await health,
      figures: found, glance: found.problem == nil ? nil : await records.glance())
    return page(OverviewPage(overview, isLive: true).document)
  }

  // MARK: Decisions

  private func decisions(_ request: PageRequest) async -> PageAnswer {
    var form: [String: String] = [:]
    for (name, value) in request.query where form[name] == nil {
      let text = value.trimming { $0.isWhitespace }
      if !text.isEmpty { form[name] = text }
    }
    let content: DecisionsPage.Content
    var status = 200
    do {
      let filter = try DecisionForm(form).filter
      let after = try form["after"].map { try DecisionForm.position($0) }
      async let count = try? quickQueries.countDecisions(filter)
      let found = try await queries.decisions(filter, after: after, limit: Dashboard.pageSize, textLimit: 300)
      content = .rows(found, count: await count)
    } catch let refusal as DecisionForm.Refusal {
      (content, status) = (.refused(refusal.reason), 400)
    } catch {
      content = .files(await newestFiles(), problem: outline(error))
    }
    return page(
      DecisionsPage(agent: records.agent, query: form, content: content, now: .now()).document, status: status)
  }

  private func newestFiles() async -> [(file: String, header: RecordHeader?)] {
    let paths = await records.files.listing(of: .decision).paths.prefix(Dashboard.pageSize)
    let headers = await records.files.headers(paths)
    return zip(paths, headers).map { (RecordPath($0.fileName).text, $1) }
  }

  private func decision(_ request: PageRequest) async -> PageAnswer {
    let file = request.parameters["file"] ?? ""
    var problem: ErrorOutline?
    do {
      if let row = try await queries.decision(file: file) {
        async let trades = queries.trades(ofDecision: row.id)
        async let comparison = records.comparison(of: row, queries)
        let provenance = if let path = row.path { await records.lastChange(of: path) } else { Standing?.none }
        return detail(
          file, .row(row, trades: try await trades, provenance: provenance, comparison: try await comparison))
      }
    } catch {
      problem = outline(error)
    }
    guard let name = RecordPath(text: file)?.bytes, let path = await records.files.path(of: .decision, named: name),
      let content = await records.files.read(path)
    else { return detail(file, .none, status: 404) }
    return detail(file, .file(String(decoding: content.bytes, as: UTF8.self), path: path.text, problem: problem))
  }

  private func detail(_ file: String, _ content: DecisionDetailPage.Content, status: Int = 200) -> PageAnswer {
    page(
      DecisionDetailPage(agent: records.agent, file: file, content: content, now: .now()).document, status: status)
  }

  // MARK: Log and runs

  private func log(_ request: PageRequest) async -> PageAnswer {
    let text = request["q"].map { $0.trimming { $0.isWhitespace } }.flatMap { $0.isEmpty ? nil : $0 }
    let searchesAll = request["in"] == "all"
    let after = request["after"].flatMap { RecordSearch.Position(text: $0) }
    let content: LogPage.Content
    do {
      if let text {
        content = .found(
          try await records.search(
            RecordSearch.Query(
              text: text, kinds: searchesAll ? Set(RecordSearch.Kind.allCases) : [.memory],
              limit: Dashboard.pageSize, after: after)))
      } else {
        content = .newest(try await queries.newestEvents())
      }
    } catch {
      let problem = outline(error)
      // Without a database the log itself still says what was written last.
      content = text == nil ? .files(await records.newestEntries(), problem: problem) : .failed(problem)
    }
    return page(
      LogPage(
        agent: records.agent, text: text, searchesAll: searchesAll, isContinued: after != nil, content: content,
        now: .now()
      ).document)
  }

  private func runs(_ request: PageRequest) async -> PageAnswer {
    let content: RunsPage.Content
    do {
      let found = try await queries.runs(
        limit: Dashboard.pageSize + 1, before: request["before"].flatMap { Instant($0) })
      let shown = Array(found.prefix(Dashboard.pageSize))
      let hasOlder = found.count > shown.count
      // A database of an older schema has no totals, and its runs can be shown all the same.
      let totals = hasOlder ? nil : try? await queries.runTotals()
      content = .runs(shown, older: hasOlder ? shown.last?.finishedAt : nil, totals: totals)
    } catch {
      content = .failed(outline(error))
    }
    return page(RunsPage(agent: records.agent, content: content, now: .now()).document)
  }

  private func run(_ request: PageRequest) async -> PageAnswer {
    do {
      let detail = try await queries.run(id: request.parameters["id"] ?? "", limit: 200)
      return page(
        RunsPage(agent: records.agent, content: detail.map { .run($0) } ?? .none, now: .now()).document,
        status: detail == nil ? 404 : 200)
    } catch {
      return page(RunsPage(agent: records.agent, content: .failed(outline(error)), now: .now()).document)
    }
  }
}

/// Tells of a problem once, and again when it was another one meanwhile or a minute has passed.
private final class PageTrouble: Sendable {
  private let report: @Sendable (String) -> Void
  private let last = Mutex<(code: String, time: ContinuousClock.Instant)?>(nil)

  init(report: @escaping @Sendable (String) -> Void) { self.report = report }

  func tell(_ outline: ErrorOutline, _ message: String) {
    let isNews = last.withLock { last in
      if let last, last.code == outline.code, ContinuousClock.now - last.time < .seconds(60) { return false }
      last = (outline.code, .now)
      return true
    }
    if isNews { report("pages show what git has: \(message)") }
  }
}

/// The form of the decisions page as a filter.
private struct DecisionForm {
  struct Refusal: Error {
    let reason: String
  }

  let filter: DecisionFilter

  init(_ form: [String: String]) throws {
    var filter = DecisionFilter()
    (filter.text, filter.asset, filter.type) = (form["q"], form["asset"], form["type"])
    if let risk = form["risk"] {
      guard DecisionFilter.risks.contains(risk) else {
        throw Refusal(reason: "There is no such risk level; there are \(DecisionFilter.risks.joined(separator: ", "))")
      }
      filter.risk = risk
    }
    filter.minimumConfidence = try form["min"].map { try DecisionForm.number($0) }
    filter.maximumConfidence = try form["max"].map { try DecisionForm.number($0) }
    filter.since = try form["since"].map { try DecisionForm.day($0) }
    filter.until = try form["until"].map { try DecisionForm.day($0) }
    self.filter = filter
  }

  private static func number(_ text: String) throws -> ExactDecimal {
    guard let number = ExactDecimal(text) else {
      throw Refusal(reason: "A confidence is a number such as 80 or 72.5")
    }
    return number
  }

  private static func day(_ text: String) throws -> Instant {
    guard let instant = Instant(text) else { throw Refusal(reason: "A day is written as 2026-01-31") }
    return instant
  }

  static func position(_ text: String) throws -> DecisionPosition {
    guard let position = DecisionPosition(text) else {
      throw Refusal(reason: "The address of this page was cut; begin again with the newest")
    }
    return position
  }
}

extension String {
  /// Without the characters at both ends that are so.
  fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> String {
    var text = self[...]
    while let first = text.first, isTrimmed(first) { text.removeFirst() }
    while let last = text.last, isTrimmed(last) { text.removeLast() }
    return String(text)
  }
}
