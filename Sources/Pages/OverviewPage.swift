package import Persistence
internal import Records

/// Everything at a glance: the first page of the server, and the report as a file.
package struct OverviewPage: Sendable {
  private let overview: Overview
  private let frame: PageFrame
  private var figures: Overview.Figures { overview.figures }

  /// - Parameter isLive: whether it is a page of the server, with links to others.
  package init(_ overview: Overview, isLive: Bool) {
    self.overview = overview
    frame = PageFrame(agent: overview.agent, tab: isLive ? .overview : nil, now: overview.takenAt)
  }

  /// The spans of time that the page offers, in days.
  package static let spans = [7, 30, 90, 365]

  package var document: String {
    frame.document(title: frame.isLive ? "Overview" : "Report") {
      heading
      layers
      if let problem = figures.problem {
        Notice(problem).html
      } else {
        facts
        charts
        tables
      }
    }
  }

  // MARK: Top

  private var heading: HTML {
    HTML.text("").joined {
      h("h1") { frame.isLive ? "Overview" : "Report" }
      h("p", ["class": "soft"]) {
        if let standing = overview.standing {
          "Records of "
          h("bdi") { overview.agent.name }
          " at commit "
          h("code") { String(standing.id.prefix(10)) }
          " by "
          h("bdi") { standing.author }
          ", "
          frame.moment(standing.time)
          "."
        } else {
          "There is no commit to read from yet."
        }
      }
      if frame.isLive { spans }
      if !frame.isLive, let days = overview.days {
        h("p", ["class": "soft"]) { "Figures of the last \(days) day\(days == 1 ? "" : "s")." }
      }
    }
  }

  private var spans: HTML {
    h("nav", ["aria-label": "Time shown"]) {
      h("ul", ["class": "small"]) {
        h("li") { h("a", ["href": "/", "aria-current": overview.days == nil ? "true" : nil]) { "All time" } }
        for days in OverviewPage.spans {
          h("li") {
            h("a", ["href": "/?days=\(days)", "aria-current": overview.days == days ? "true" : nil]) { "\(days) days" }
          }
        }
      }
    }
  }

  private var layers: HTML {
    h("section", ["aria-labelledby": "layers"]) {
      h("h2", ["id": "layers"]) { "Layers" }
      h("ul", ["class": "layers"]) {
        for layer in overview.health.layers {
          h("li") {
            h("h3") {
              h("span") { OverviewPage.name(of: layer.name) }
              h("span", ["class": "state \(layer.finding.status.rawValue)"]) {
                OverviewPage.state(layer.finding.status)
              }
            }
            h("p") { h("bdi") { layer.finding.detail } }
            if let hint = layer.finding.hint { h("p") { h("bdi") { hint } } }
            if layer.latency > .zero { h("p") { "\(OverviewPage.milliseconds(layer.latency)) ms" } }
          }
        }
      }
    }
  }

  private static func name(of layer: String) -> String {
    switch layer {
    case "postgres": "Postgres"
    case "mcp": "MCP"
    default: layer.prefix(1).uppercased() + layer.dropFirst()
    }
  }

  /// A sign beside the word: colour alone says nothing to many.
  private static func state(_ status: AgentHealth.Status) -> String {
    switch status {
    case .ok: "✓ ok"
    case .degraded: "! degraded"
    case .down: "✕ down"
    }
  }

  private static func milliseconds(_ duration: Duration) -> String {
    let tenths = Int((duration.seconds * 10_000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  private var facts: HTML {
    let trades = figures.assets.value
    let total = trades?["total_trades"].compactMap(\.value).reduce(0, +) ?? 0
    let wins = trades?["wins"].compactMap(\.value).reduce(0, +) ?? 0
    return h("section", ["aria-labelledby": "numbers"]) {
      h("h2", ["id": "numbers"]) { "Numbers" }
      h("p", ["class": "soft small"]) {
        "As of "
        frame.time(figures.takenAt)
        ", and so are the charts and tables."
      }
      h("dl", ["class": "facts"]) {
        if let counts = figures.counts.value {
          for row in counts.rows {
            if row.count == 4, case .text(let title) = row[1], case .number(let number) = row[2] {
              fact(
                title,
                row[3] == .flag(true) ? DatasetTable.money(number) : .text("≈ ").joined { DatasetTable.money(number) })
            }
          }
        }
        if total > 0 {
          fact("Win rate", .text("\(OverviewPage.percent(wins / total)) %"))
          if let net = figures.periods.value?["cumulative_pnl"].first, case .number(let number) = net {
            fact("Net P&L (USD)", DatasetTable.money(number))
          }
        }
        if case .number(let number)? = figures.equity.value?["total_value_usd"].last {
          fact("Portfolio (USD)", DatasetTable.money(number))
        }
      }
    }
  }

  private func fact(_ title: String, _ value: HTML) -> HTML {
    h("div") {
      h("dt") { title }
      h("dd") { value }
    }
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1_000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  // MARK: Charts

  private var charts: HTML {
    let unit = figures.unit.rawValue
    return h("section", ["aria-label": "Charts"]) {
      h("div", ["class": "grid two"]) {
        part("equity", "Equity", figures.equity) { equity in
          Chart(
            id: "equity", title: "Equity", summary: OverviewPage.change(equity, "total_value_usd", "Portfolio value"),
            shape: .line(isFilled: true), dataset: equity, x: "snapshot_at", y: "total_value_usd"
          ).html
        }
        part("pnl", "Cumulative P&L", figures.periods) { periods in
          let ordered = periods.reversed
          return Chart(
            id: "pnl", title: "Cumulative P&L",
            summary: OverviewPage.change(ordered, "cumulative_pnl", "Net of fees, over closed trades, by \(unit),"),
            shape: .line(isFilled: false), dataset: ordered, x: "period", y: "cumulative_pnl", beginsAtZero: true
          ).html
        }
        part("records", "Records by \(unit)", figures.records) { records in
          let ordered = OverviewPage.totalled(records.reversed)
          return Chart(
            id: "records", title: "Records by \(unit)",
            summary: "Decisions, log events and milestones. Times without any are left out.", shape: .columns,
            dataset: ordered, x: "day", y: "all", beginsAtZero: true
          ).html
        }
        part("drift", "Drift over time", figures.runs) { runs in
          let ordered = Dataset(RunRecord.columns, rows: runs.reversed().map(\.cells))
          return Chart(
            id: "drift", title: "Drift over time",
            summary: "Differences between git and the database that each run found. \(OverviewPage.drift(runs))",
            shape: .columns, dataset: ordered, x: "finished_at", y: "differences", beginsAtZero: true
          ).html
        }
        part("outcomes", "Confidence against outcome", figures.outcomes) { outcomes in
          Chart(
            id: "outcomes", title: "Confidence against outcome",
            summary: "Each dot is a decision with closed trades, to the right the more confident, above zero a gain. "
              + "The newest \(outcomes.rows.count).",
            shape: .dots, dataset: outcomes, x: "confidence", y: "net_pnl", beginsAtZero: true
          ).html
        }
        part("steps", "Win rate by confidence", figures.confidence) { confidence in
          meters(
            "steps", "Win rate by confidence", "Decisions in steps of ten percent of confidence.",
            OverviewPage.steps(confidence))
        }
      }
    }
  }

  private static func totalled(_ records: Dataset) -> Dataset {
    Dataset(
      records.columns + [.init("all", "All", .integer)],
      rows: records.rows.map { row in
        row + [.integer(Int(row.dropFirst().compactMap(\.value).reduce(0, +)))]
      })
  }

  /// The two ends of a step as one word.
  private static func steps(_ confidence: Dataset) -> Dataset {
    let rest = confidence.selecting(["decisions", "traded", "win_rate", "net_pnl"])
    let ends = zip(confidence["confidence_from"], confidence["confidence_to"])
    return Dataset(
      [.init("step", "Confidence", .text)] + rest.columns,
      rows: zip(ends, rest.rows).map { ends, row in
        [.text("\(ends.0.shown(as: .integer))–\(ends.1.shown(as: .percent))")] + row
      })
  }

  private static func change(_ dataset: Dataset, _ key: String, _ subject: String) -> String {
    let cells = dataset[key]
    guard let first = cells.first, let last = cells.last, let low = first.value, let high = last.value else {
      return "\(subject) in US dollars."
    }
    let verb = high > low ? "rose" : high < low ? "fell" : "stayed"
    let from = verb == "stayed" ? "" : " from \(first.shown(as: .money))"
    return "\(subject) \(verb)\(from) \(verb == "stayed" ? "at" : "to") \(last.shown(as: .money)) US dollars."
  }

  private static func drift(_ runs: [RunRecord]) -> String {
    guard let newest = runs.first else { return "" }
    return newest.remaining == 0
      ? "After the newest run nothing remained." : "After the newest run \(newest.remaining) remained."
  }

  // MARK: Tables

  private var tables: HTML {
    h("section", ["aria-label": "Tables"]) {
      h("div", ["class": "grid two"]) {
        part("assets", "Win rate by asset", figures.assets) { assets in
          meters(
            "assets", "Win rate by asset", "Closed trades, most traded first; P&L net of fees.",
            assets.selecting(["asset", "total_trades", "win_rate", "net_pnl"]))
        }
        h("div", ["class": "grid one"]) {
          part("runs", "Last runs", figures.runs) { runs in
            panel("runs", "Last runs", link: ("/runs", "All runs")) {
              if runs.isEmpty {
                h("p", ["class": "empty"]) { "No run yet. `moha-sync reconcile` makes one." }
              } else {
                RunTable(runs: Array(runs.prefix(6)), isLive: frame.isLive).html
              }
            }
          }
          part("findings", "Found by the newest run", figures.lastRun) { findings($0) }
        }
      }
      h("div", ["class": "grid"]) {
        part("newest", "Newest decisions", figures.decisions) { page in
          panel("newest", "Newest decisions", link: ("/decisions", "All decisions")) {
            if page.decisions.isEmpty {
              h("p", ["class": "empty"]) { "No decision yet." }
            } else {
              DecisionTable(decisions: page.decisions, isLive: frame.isLive).html
            }
          }
        }
      }
    }
  }

  /// The first few of each kind; the run's own page has more.
  private func findings(_ last: RunDetail?) -> HTML {
    let link = last.map { ("/runs/\(Address.encoded($0.run.id))", "The whole run") }
    return panel("findings", "Found by the newest run", link: link) {
      if let last, !(last.findings.isEmpty && last.items.isEmpty) {
        if !last.items.isEmpty {
          DatasetTable(
            dataset: last.items.prefix(8).selecting(["class", "key", "message"]),
            label: "Differences of the newest run"
          ).html
        }
        if !last.findings.isEmpty {
          h("h3") { "Files that need a look" }
          DatasetTable(
            dataset: last.findings.prefix(8).selecting(["severity", "path", "message"]),
            label: "Files that need a look"
          ).html
        }
      } else {
        h("p", ["class": "empty"]) { "Nothing: git and the database said the same." }
      }
    }
  }

  /// A table with its win rates drawn as bars beside the numbers.
  private func meters(_ id: String, _ title: String, _ summary: String, _ dataset: Dataset) -> HTML {
    h("div", ["class": "panel"]) {
      h("h2", ["id": id]) { title }
      h("p", ["class": "soft small"]) { summary }
      if dataset.isEmpty {
        h("p", ["class": "empty"]) { "No closed trade yet." }
      } else {
        DatasetTable(dataset: dataset, label: title) { row, column in
          guard column.key == "win_rate", let share = dataset["win_rate"][row].value else { return nil }
          return HTML.text(dataset["win_rate"][row].shown(as: .percent) + " ").joined { OverviewPage.meter(share) }
        }.html
      }
    }
  }

  private static func meter(_ percent: Double) -> HTML {
    h("svg", ["class": "meter", "viewBox": "0 0 100 10", "preserveAspectRatio": "none", "aria-hidden": "true"]) {
      h("rect", ["class": "track", "width": "100", "height": "10"])
      h("rect", ["class": "column", "width": String(Int(min(max(percent, 0), 100).rounded())), "height": "10"])
      h("path", ["class": "zero", "d": "M50 0V10"])
    }
  }

  private func panel(
    _ id: String, _ title: String, link: (address: String, title: String)?, @HTML.Builder content: () -> HTML
  ) -> HTML {
    h("div", ["class": "panel"]) {
      h("h2", ["id": id]) { title }
      content()
      if let link, frame.isLive {
        h("p", ["class": "small"]) { h("a", ["href": link.address]) { link.title } }
      }
    }
  }

  /// What was found, or in its place why it was not.
  private func part<Value>(
    _ id: String, _ title: String, _ part: Overview.Part<Value>, _ content: (Value) -> HTML
  ) -> HTML {
    switch part {
    case .found(let value): content(value)
    case .missing(let problem):
      h("div", ["class": "panel"]) {
        h("h2", ["id": id]) { title }
        h("p", ["class": "empty"]) { problem.message }
        if let hint = problem.hint { h("p", ["class": "empty"]) { hint } }
      }
    }
  }
}

/// Why something is missing, and what to do about it.
struct Notice {
  let message: String
  let hint: String?

  init(_ problem: ErrorOutline) { (message, hint) = (problem.message, problem.hint) }

  init(_ message: String, hint: String? = nil) { (self.message, self.hint) = (message, hint) }

  var html: HTML {
    h("div", ["class": "notice", "role": "status"]) {
      h("p") {
        "⚠ "
        Notice.sentence(message)
      }
      if let hint { h("p", ["class": "soft"]) { Notice.sentence(hint) } }
    }
  }

  /// With a capital and a full stop; what stands between backquotes is a command.
  private static func sentence(_ text: String) -> HTML {
    guard let first = text.first else { return .empty }
    let whole = "\(first.uppercased())\(text.dropFirst())\(text.hasSuffix(".") ? "" : ".")"
    let parts = whole.split(separator: "`", omittingEmptySubsequences: false)
    guard parts.count.isMultiple(of: 2) == false else { return .text(whole) }
    return HTML.Builder.buildArray(
      parts.enumerated().map { index, part in
        index.isMultiple(of: 2) ? .text(String(part)) : h("code") { String(part) }
      })
  }
}
