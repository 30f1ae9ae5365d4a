package import Persistence
package import Records

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
