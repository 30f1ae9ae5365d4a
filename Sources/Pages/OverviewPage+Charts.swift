internal import Persistence
internal import Records

extension OverviewPage {
  var charts: HTML {
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
            summary: OverviewPage.change(ordered, "cumulative_pnl", "Net of fees, over closed and liquidated trades, by \(unit),"),
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
            summary: "Each dot is a decision with closed or liquidated trades, to the right the more confident, above zero a gain "
              + "net of fees. "
              + "The newest \(outcomes.rows.count).",
            shape: .dots, dataset: outcomes, x: "confidence", y: "net_pnl", beginsAtZero: true
          ).html
        }
        part("steps", "Win rate by confidence", figures.confidence) { confidence in
          meters(
            "steps", "Win rate by confidence", "Decisions in steps of ten percent of confidence; a win is one above zero net of fees.",
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
}
