package import Persistence
internal import Records

/// Everything at a glance: the first page of the server, and the report as a file.
package struct OverviewPage: Sendable {
  private let overview: Overview
  let frame: PageFrame
  var figures: Overview.Figures { overview.figures }

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
      for loss in figures.rows.losses { Notice(loss.sentence, hint: RowStanding.hint).html }
      if let problem = figures.problem {
        Notice(problem).html
        if let glance = overview.glance { files(glance) }
      } else {
        facts
        charts
        tables
      }
    }
  }

  private var heading: HTML {
    HTML.group {
      h("h1") { frame.isLive ? "Overview" : "Report" }
      h("p", ["class": overview.verdict.isWell ? "verdict" : "verdict bad", "role": "status"]) {
        overview.verdict.isWell ? "✓ " : "⚠ "
        overview.verdict.sentence
      }
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
              h("span", ["class": "state \(layer.finding.word)"]) { OverviewPage.state(layer.finding) }
            }
            h("p") { h("bdi") { layer.finding.detail } }
            if let hint = layer.finding.hint {
              h("p") {
                "Next: "
                h("bdi") { hint }
              }
            }
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
  private static func state(_ finding: AgentHealth.Finding) -> String {
    switch finding.status {
    case .ok: "✓ ok"
    case .degraded: "! degraded"
    case .down: finding.isFault ? "✕ down" : "– off"
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
        frame.moment(figures.takenAt)
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
          fact("Win rate, net of fees", .text("\(OverviewPage.percent(wins / total)) %"))
          if let net = figures.periods.value?["cumulative_pnl"].first, case .number(let number) = net {
            fact("P&L, net of fees (USD)", DatasetTable.money(number))
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

  /// What git shows while the database shows nothing.
  private func files(_ glance: FileGlance) -> HTML {
    func list(_ id: StaticString, _ title: String, _ count: Int, _ items: [FileGlance.Item], links: Bool) -> HTML {
      h("div", ["class": "panel"]) {
        h("h2", ["id": "\(id)"]) { title }
        h("p", ["class": "soft small"]) { "\(count) in the working tree, the newest first." }
        h("ul") {
          for item in items {
            h("li") {
              let name = h("bdi") { item.header.map { VisibleText.line($0.title) } ?? item.file }
              if links && frame.isLive { h("a", ["href": DecisionTable.address(item.file)]) { name } } else { name }
              " "
              frame.moment(item.header?.time)
            }
          }
        }
      }
    }
    return h("section", ["aria-label": "What git has"]) {
      h("div", ["class": "grid two"]) {
        list("file-decisions", "Decisions in git", glance.decisionCount, glance.decisions, links: true)
        list("file-milestones", "Milestones in git", glance.milestoneCount, glance.milestones, links: false)
      }
      h("div", ["class": "panel"]) {
        h("h2", ["id": "file-log"]) { "Newest log entries in git" }
        if glance.events.isEmpty {
          h("p", ["class": "empty"]) { "The log has no entry yet." }
        } else {
          DatasetTable(dataset: glance.events, label: "Newest log entries in git", stacks: true).html
        }
      }
    }
  }

  // MARK: Tables

  private var tables: HTML {
    h("section", ["aria-label": "Tables"]) {
      h("div", ["class": "grid two"]) {
        part("assets", "Win rate by asset", figures.assets) { assets in
          meters(
            "assets", "Win rate by asset",
            "Closed and liquidated trades, \(assets.rows.count > 25 ? "the 25 most traded of \(assets.rows.count) assets" : "most traded first"); "
              + "wins and P&L net of fees.",
            assets.prefix(25).selecting(["asset", "total_trades", "win_rate", "net_pnl"]))
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
            label: "Differences of the newest run", stacks: true
          ).html
        }
        if !last.findings.isEmpty {
          h("h3") { "Files that need a look" }
          DatasetTable(
            dataset: last.findings.prefix(8).selecting(["severity", "path", "message"]),
            label: "Files that need a look", stacks: true
          ).html
        }
      } else {
        h("p", ["class": "empty"]) {
          if let run = last?.run {
            "Nothing: git and the database said the same in the \(run.command) of "
            frame.moment(run.finishedAt)
            "."
          } else {
            "They were never compared. `moha-sync sync` does it."
          }
        }
      }
    }
  }
}
