internal import Persistence
internal import Records

extension OverviewPage {
  /// A table with its win rates drawn as bars beside the numbers.
  func meters(_ id: String, _ title: String, _ summary: String, _ dataset: Dataset) -> HTML {
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

  func panel(
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
  func part<Value>(
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
