package import Persistence
package import Records

/// One decision: what was decided and why, what came of it, and where it is in git.
package struct DecisionDetailPage: Sendable {
  package enum Content: Sendable {
    /// The row, and what its file says of it: where they differ, git's values are shown, and the row's beside them.
    case row(DecisionRow, trades: Dataset, provenance: Standing?, comparison: RowComparison)
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
      case .row(let decision, let trades, let provenance, let comparison):
        row(decision, trades, provenance, comparison)
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

  private func row(
    _ decision: DecisionRow, _ trades: Dataset, _ provenance: Standing?, _ comparison: RowComparison
  ) -> HTML {
    let fields = comparison.fields
    /// What git says; the row's value where they agree, or git cannot be asked.
    func said(_ name: String, _ row: String?) -> String? { fields[name].map { $0.git } ?? row }
    let title = [said("decision_type", decision.type), said("asset", decision.asset)].compactMap(\.self)
    return h("h1") { h("bdi") { DecisionTable.line(title.joined(separator: " ")) } }.joined {
      h("p", ["class": "soft"]) {
        if let field = fields["decided_at"] { field.git ?? "–" } else { frame.moment(decision.decidedAt) }
      }
      compared(comparison)
      h("div", ["class": "grid wide"]) {
        h("div", ["class": "panel"]) {
          h("h2") { "Action" }
          h("p", ["class": "prose", "dir": "auto"]) { said("action", decision.action) ?? "" }
          h("h3") { "Reasoning" }
          h("p", ["class": "prose", "dir": "auto"]) { said("reasoning", decision.reasoning) ?? "" }
          if let outcome = said("outcome", decision.recordedOutcome) {
            h("h3") { "Outcome as recorded" }
            h("p", ["class": "prose", "dir": "auto"]) { outcome }
          }
          if let metadata = said("metadata", decision.metadata), metadata != "{}" {
            h("h3") { "Metadata" }
            h("pre") { metadata }
          }
        }
        h("div", ["class": "panel"]) {
          h("h2") { "Facts" }
          h("dl", ["class": "fields"]) {
            field(
              "Confidence",
              .text(fields["confidence"].map { "\($0.git ?? "–") %" } ?? decision.confidence.shown(as: .percent)))
            field("Risk", .text(said("risk_level", decision.risk) ?? "–"))
            field("P&L, net of fees (USD)", DatasetTable.html(decision.netPnL, .init("total_pnl", "", .money)))
            field("Outcome", DecisionDetailPage.outcome(decision))
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

  /// Whether the file says the same as the row, before anything that either of them says.
  @HTML.Builder private func compared(_ comparison: RowComparison) -> HTML {
    switch comparison {
    case .same: h("p", ["class": "soft small"]) { "The file and the row say the same, compared just now." }
    case .unknown(let reason):
      Notice("This is what the row says; it cannot be compared with git: \(reason)").html
    case .differs(let fields):
      Notice(
        "The row says something else than the file: \(fields.map(\.name).joined(separator: ", ")). Below is what git says",
        hint: "`moha-sync reconcile` brings the row to it, and keeps what it said in quarantine"
      ).html
      DatasetTable(
        dataset: Dataset(
          [.init("field", "Field", .text), .init("git", "Git says", .text), .init("row", "The row says", .text)],
          rows: fields.map { [.text($0.name), .text($0.git ?? "nothing"), .text($0.row ?? "nothing")] }),
        label: "Fields that differ", stacks: true
      ).html
    }
  }

  private func field(_ name: String, _ value: HTML) -> HTML {
    h("dt") { name }.joined { h("dd") { value } }
  }

  private static func outcome(_ decision: DecisionRow) -> HTML {
    let outcome = DatasetTable.html(.text(decision.outcome), .init("outcome", "", .text))
    guard decision.openTrades > 0, decision.openTrades < decision.trades else { return outcome }
    return outcome.joined { .text(" so far, \(decision.openTrades) open") }
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
