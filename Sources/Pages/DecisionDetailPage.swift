package import Persistence
package import Records

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
