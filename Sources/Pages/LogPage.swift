package import Persistence
package import Records

/// Search in the session log, or in everything.
package struct LogPage: Sendable {
  package enum Content: Sendable {
    /// The newest entries, where nothing is searched for.
    case newest(Dataset)
    case found(RecordSearch.Page)
    /// The newest entries as the files have them, where the database is away.
    case files(Dataset, problem: ErrorOutline)
    case failed(ErrorOutline)
  }

  private let text: String?
  private let searchesAll: Bool
  private let isContinued: Bool
  private let content: Content
  private let frame: PageFrame

  /// - Parameter isContinued: whether this is a later page of the results.
  package init(
    agent: Agent, text: String?, searchesAll: Bool, isContinued: Bool, content: Content, now: Instant
  ) {
    (self.text, self.searchesAll, self.isContinued, self.content) = (text, searchesAll, isContinued, content)
    frame = PageFrame(agent: agent, tab: .log, now: now)
  }

  package var document: String {
    frame.document(title: "Log") {
      h("h1") { "Session log" }
      h("form", ["action": "/log", "method": "get", "role": "search", "aria-label": "Search the log"]) {
        h("div", ["class": "find"]) {
          h("label", ["for": "q"]) { "Words, \"phrases\", -not" }
          h("input", ["id": "q", "name": "q", "type": "search", "value": text, "autocomplete": "off"])
        }
        h("div") {
          h("label", ["for": "in"]) { "Where" }
          h("select", ["id": "in", "name": "in"]) {
            h("option", ["value": "log", "selected": searchesAll ? nil : ""]) { "Session log" }
            h("option", ["value": "all", "selected": searchesAll ? "" : nil]) { "All records" }
          }
        }
        h("div") { h("button", ["type": "submit"]) { "Search" } }
      }
      h("section", ["aria-label": "Results"]) {
        switch content {
        case .newest(let events): newest(events)
        case .found(let page): found(page)
        case .files(let events, let problem):
          Notice(problem).html
          newest(events, title: "Newest entries in git")
        case .failed(let problem): Notice(problem).html
        }
      }
    }
  }

  private func newest(_ events: Dataset, title: String = "Newest entries") -> HTML {
    h("h2") { title }.joined {
      if events.isEmpty {
        h("p", ["class": "empty"]) { "The log has no entry yet." }
      } else {
        DatasetTable(dataset: events, label: "Newest entries", stacks: true).html
      }
    }
  }

  private func found(_ page: RecordSearch.Page) -> HTML {
    let keys = ["time", "title", "excerpt"]
    return HTML.group {
      if let problem = page.databaseProblem { Notice(problem).html }
      if page.hits.isEmpty {
        h("p", ["class": "empty"]) { "Nothing found." }
      } else {
        DatasetTable(
          dataset: page.dataset.selecting(searchesAll ? ["time", "kind", "title", "excerpt"] : keys), label: "Found",
          stacks: true
        ) { row, column in
          let hit = page.hits[row]
          guard column.key == "title", hit.position.kind == .decisions, hit.path != nil else { return nil }
          return h("a", ["href": DecisionTable.address(hit.position.key)]) { VisibleText.line(hit.title) }
        }.html
      }
      h("div", ["class": "pages"]) {
        if isContinued { h("a", ["href": address(after: nil), "rel": "first"]) { "← Newest" } }
        if let next = page.next { h("a", ["href": address(after: next.text), "rel": "next"]) { "Older →" } }
      }
    }
  }

  private func address(after: String?) -> String {
    Address.path(
      "/log",
      [("q", text ?? ""), ("in", searchesAll ? "all" : "log")] + (after.map { [("after", $0)] } ?? []))
  }
}
