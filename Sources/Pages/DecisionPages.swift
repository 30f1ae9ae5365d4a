package import Persistence
package import Records

/// Decisions as rows with links to their own pages.
struct DecisionTable {
  let decisions: [DecisionRow]
  let isLive: Bool

  var html: HTML {
    let dataset = DecisionRow.dataset(decisions).selecting([
      "decided_at", "action", "decision_type", "asset", "confidence", "risk_level", "trades_executed", "total_pnl",
      "outcome",
    ])
    return DatasetTable(dataset: dataset, label: "Decisions", stacks: true) { row, column in
      guard column.key == "action" else { return nil }
      let decision = decisions[row]
      let action = DecisionTable.line(decision.action)
      return isLive ? h("a", ["href": DecisionTable.address(decision.file)]) { action } : .text(action)
    }.html
  }

  /// The path of a decision's own page, whatever its name is.
  static func address(_ file: String) -> String { "/decisions/\(Address.encoded(file))" }

  /// The first words; nothing to read still needs something to click.
  static func line(_ action: String) -> String {
    let line = VisibleText.line(action)
    if line.allSatisfy(\.isWhitespace) { return "(no action)" }
    return line.count > 140 ? "\(line.prefix(139))…" : line
  }
}

/// The list of decisions with its filter, which works as a plain form.
package struct DecisionsPage: Sendable {
  /// What was found: rows of the database, or names of files where it is away.
  package enum Content: Sendable {
    case rows(DecisionPage, count: BoundedCount?)
    case files([(file: String, header: RecordHeader?)], problem: ErrorOutline)
    /// What the form holds cannot be asked for.
    case refused(String)
  }

  /// The form as it was sent: names and values.
  private let query: [String: String]
  private let content: Content
  private let frame: PageFrame

  package init(agent: Agent, query: [String: String], content: Content, now: Instant) {
    (self.query, self.content) = (query, content)
    frame = PageFrame(agent: agent, tab: .decisions, now: now)
  }

  package var document: String {
    frame.document(title: "Decisions") {
      h("h1") { "Decisions" }
      form
      switch content {
      case .rows(let page, let count): rows(page, count)
      case .files(let files, let problem): self.files(files, problem)
      case .refused(let reason): Notice(reason).html
      }
    }
  }

  private var form: HTML {
    h("form", ["action": "/decisions", "method": "get", "role": "search", "aria-label": "Filter decisions"]) {
      h("div", ["class": "find"]) { field("q", "Words, \"phrases\", -not", type: "search") }
      field("asset", "Asset")
      field("type", "Type")
      h("div") {
        h("label", ["for": "risk"]) { "Risk" }
        h("select", ["id": "risk", "name": "risk"]) {
          for risk in [""] + DecisionFilter.risks {
            // An empty value is left out of the markup, so the option says its own.
            h(
              "option",
              [
                "value": risk.isEmpty ? nil : risk, "selected": query["risk"] == risk ? "" : nil,
                "label": risk.isEmpty ? "any" : nil,
              ]
            ) {
              risk
            }
          }
        }
      }
      field("min", "Confidence from", type: "number")
      field("max", "Confidence to", type: "number")
      field("since", "From day", type: "date")
      field("until", "Before day", type: "date")
      h("div") { h("button", ["type": "submit"]) { "Filter" } }
    }
  }

  private func field(_ name: StaticString, _ label: String, type: String = "text") -> HTML {
    let value = query["\(name)"].flatMap { DecisionsPage.fits($0, type) ? $0 : nil }
    return h("div") {
      h("label", ["for": "\(name)"]) { label }
      h(
        "input",
        [
          "id": "\(name)", "name": "\(name)", "type": type, "value": value,
          "step": type == "number" ? "any" : nil, "autocomplete": "off",
        ])
    }
  }

  /// Whether a field of this type can show the value: a browser complains about others, and shows nothing.
  private static func fits(_ value: String, _ type: String) -> Bool {
    switch type {
    case "number": ExactDecimal(value) != nil
    case "date": value.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}/) != nil
    default: true
    }
  }

  private func rows(_ page: DecisionPage, _ count: BoundedCount?) -> HTML {
    h("section", ["aria-label": "Results"]) {
      if page.decisions.isEmpty {
        h("p", ["class": "empty"]) {
          query.isEmpty
            ? "No decision is in the database yet." : "No decision matches. Take a condition away to see more."
        }
      } else {
        h("p", ["class": "soft small"]) {
          if let count { "\(count.text.prefix(1).uppercased() + count.text.dropFirst()) in all, newest first." }
        }
        DecisionTable(decisions: page.decisions, isLive: true).html
      }
      h("div", ["class": "pages"]) {
        if query["after"] != nil { h("a", ["href": address(after: nil), "rel": "first"]) { "← Newest" } }
        if let next = page.next { h("a", ["href": address(after: next.text), "rel": "next"]) { "Older →" } }
      }
    }
  }

  private func address(after: String?) -> String {
    let kept = ["q", "asset", "type", "risk", "min", "max", "since", "until"].compactMap { name in
      query[name].map { (name, $0) }
    }
    return Address.path("/decisions", kept + (after.map { [("after", $0)] } ?? []))
  }

  private func files(_ files: [(file: String, header: RecordHeader?)], _ problem: ErrorOutline) -> HTML {
    Notice(problem).html.joined {
      h("section", ["aria-labelledby": "files"]) {
        h("h2", ["id": "files"]) { "The newest files in git" }
        h("p", ["class": "soft small"]) { "Filters need the database." }
        if files.isEmpty { h("p", ["class": "empty"]) { "There is no decision file." } }
        h("ul") {
          for (file, header) in files {
            h("li") {
              h("a", ["href": DecisionTable.address(file)]) {
                h("bdi") { header.map { VisibleText.line($0.title) } ?? file }
              }
              " "
              frame.moment(header?.time)
            }
          }
        }
      }
    }
  }
}

/// One decision: what was decided and why, what came of it, and where it is in git.
package struct DecisionDetailPage: Sendable {
  package enum Content: Sendable {
    case row(DecisionRow, trades: Dataset, provenance: Standing?)
    /// The file's text, where the database does not have it.
    case file(String, path: String, problem: ErrorOutline?)
    case none
  }

  private let file: String
  private let content: Content
  private let frame: PageFrame

  package init(agent: Agent, file: String, content: Content, now: Instant) {
    (self.file, self.content) = (file, content)
    frame = PageFrame(agent: agent, tab: .decisions, now: now)
  }

  package var document: String {
    frame.document(title: file) {
      h("p", ["class": "small"]) { h("a", ["href": "/decisions"]) { "← Decisions" } }
      switch content {
      case .row(let decision, let trades, let provenance): row(decision, trades, provenance)
      case .file(let text, let path, let problem):
        h("h1") { h("bdi") { file } }
        if let problem { Notice(problem).html } else { Notice("The database has no row of this file yet").html }
        h("p", ["class": "soft small"]) { "As the file has it: \(path)" }
        h("pre") { text }
      case .none:
        h("h1") { "No such decision" }
        h("p") { "Neither the database nor the files have one of this name: " + file }
      }
    }
  }

  private func row(_ decision: DecisionRow, _ trades: Dataset, _ provenance: Standing?) -> HTML {
    h("h1") { h("bdi") { DecisionTable.line("\(decision.type) \(decision.asset ?? "")") } }.joined {
      h("p", ["class": "soft"]) { frame.moment(decision.decidedAt) }
      h("div", ["class": "grid wide"]) {
        h("div", ["class": "panel"]) {
          h("h2") { "Action" }
          h("p", ["class": "prose", "dir": "auto"]) { decision.action }
          h("h3") { "Reasoning" }
          h("p", ["class": "prose", "dir": "auto"]) { decision.reasoning }
          if let outcome = decision.recordedOutcome {
            h("h3") { "Outcome as recorded" }
            h("p", ["class": "prose", "dir": "auto"]) { outcome }
          }
          if let metadata = decision.metadata, metadata != "{}" {
            h("h3") { "Metadata" }
            h("pre") { metadata }
          }
        }
        h("div", ["class": "panel"]) {
          h("h2") { "Facts" }
          h("dl", ["class": "fields"]) {
            field("Confidence", .text(decision.confidence.shown(as: .percent)))
            field("Risk", .text(decision.risk))
            field("Net P&L", DatasetTable.html(decision.netPnL, .init("total_pnl", "", .money)))
            field("Outcome", DatasetTable.html(.text(decision.outcome), .init("outcome", "", .text)))
          }
          h("h3") { "Provenance" }
          h("dl", ["class": "fields"]) {
            field("File", h("span", ["class": "mono"]) { decision.path ?? decision.file })
            field("State in git", .text(DecisionDetailPage.state(decision.gitStatus)))
            field("Commit", h("span", ["class": "mono"]) { decision.commit ?? "–" })
            if let provenance {
              field("Last changed in", h("span", ["class": "mono"]) { provenance.id })
              field("By", h("bdi") { provenance.author })
              field("At", frame.moment(provenance.time))
            }
          }
        }
      }
      h("section", ["aria-labelledby": "trades"]) {
        h("h2", ["id": "trades"]) { "Trades" }
        if trades.isEmpty {
          h("p", ["class": "empty"]) { "No trade names this decision." }
        } else {
          DatasetTable(dataset: trades, label: "Trades of the decision").html
        }
      }
    }
  }

  private func field(_ name: String, _ value: HTML) -> HTML {
    h("dt") { name }.joined { h("dd") { value } }
  }

  private static func state(_ status: String) -> String {
    switch status {
    case "current": "in the tree"
    case "archived": "only in history"
    case "unreadable": "the file no longer parses; this is its last good version"
    default: status
    }
  }
}
