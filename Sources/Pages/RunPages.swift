package import Persistence
package import Records

/// Runs as rows, with links to what each one found.
struct RunTable {
  let runs: [RunRecord]
  let isLive: Bool
  /// Whether there is room for the kinds of differences.
  var isDetailed = false

  var html: HTML {
    let dataset = Dataset(RunRecord.columns, rows: runs.map(\.cells))
    return DatasetTable(
      dataset: dataset.selecting(
        ["finished_at", "command", "differences"] + (isDetailed ? ["classes"] : []) + ["repaired", "remaining"]),
      label: "Runs", stacks: true
    ) { row, column in
      guard column.key == "finished_at", isLive, let time = runs[row].finishedAt else { return nil }
      return h("a", ["href": "/runs/\(Address.encoded(runs[row].id))"]) { time.secondText }
    }.html
  }
}

/// The runs that compared git with the database.
package struct RunsPage: Sendable {
  package enum Content: Sendable {
    case runs([RunRecord], older: Instant?, totals: RunTotals?)
    case run(RunDetail)
    case none
    case failed(ErrorOutline)
  }

  private let content: Content
  private let frame: PageFrame

  package init(agent: Agent, content: Content, now: Instant) {
    self.content = content
    frame = PageFrame(agent: agent, tab: .runs, now: now)
  }

  package var document: String {
    frame.document(title: "Runs") {
      switch content {
      case .runs(let runs, let older, let totals): list(runs, older, totals)
      case .run(let detail): self.detail(detail)
      case .none:
        h("h1") { "No such run" }
        h("p") { h("a", ["href": "/runs"]) { "All runs" } }
      case .failed(let problem):
        h("h1") { "Runs" }
        Notice(problem).html
      }
    }
  }

  private func list(_ runs: [RunRecord], _ older: Instant?, _ totals: RunTotals?) -> HTML {
    h("h1") { "Runs" }.joined {
      h("p", ["class": "soft"]) { "Each run of sync, reconcile and adopt, with the differences that it found." }
      if runs.isEmpty {
        h("p", ["class": "empty"]) { "No run yet. `moha-sync reconcile` makes one." }
      } else {
        RunTable(runs: runs, isLive: true, isDetailed: true).html
      }
      if let older {
        h("div", ["class": "pages"]) {
          h("a", ["href": Address.path("/runs", [("before", older.description)]), "rel": "next"]) { "Older →" }
        }
      } else if let totals {
        h("p", ["class": "soft"]) {
          "Before these: \(totals.runs) runs since \(totals.since), with \(totals.repaired) repairs; of those only totals are kept."
        }
      }
    }
  }

  private func detail(_ detail: RunDetail) -> HTML {
    let run = detail.run
    return h("p", ["class": "small"]) { h("a", ["href": "/runs"]) { "← Runs" } }.joined {
      h("h1") { "Run of \(run.command)" }
      h("p", ["class": "soft"]) { frame.moment(run.finishedAt) }
      h("dl", ["class": "fields"]) {
        for (name, value) in [
          ("Run", run.id), ("Commit", run.commit ?? "–"), ("Differences", String(run.drift)),
          ("Repaired", String(run.repaired)), ("Remaining", String(run.remaining)),
        ] {
          h("dt") { name }
          h("dd", ["class": name == "Run" || name == "Commit" ? "mono" : nil]) { value }
        }
      }
      h("section", ["aria-labelledby": "items"]) {
        h("h2", ["id": "items"]) { "Differences" }
        if detail.items.isEmpty {
          h("p", ["class": "empty"]) { "Git and the database said the same." }
        } else {
          DatasetTable(dataset: detail.items, label: "Differences", stacks: true).html
        }
      }
      h("section", ["aria-labelledby": "findings"]) {
        h("h2", ["id": "findings"]) { "Findings in files" }
        if detail.findings.isEmpty {
          h("p", ["class": "empty"]) { "Every file is a record." }
        } else {
          DatasetTable(dataset: detail.findings, label: "Findings in files", stacks: true).html
        }
      }
    }
  }
}
