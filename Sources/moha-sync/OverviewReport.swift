import Pages
import Persistence
import Records

/// An overview as text, as Markdown and as JSON.
struct OverviewReport {
  private let overview: Overview
  private let style: Style
  private let table: DataTable
  private let isMarkdown: Bool
  /// The rows of a table of time that are shown; JSON has all.
  private static let screenful = 12

  init(_ overview: Overview, style: Style, isMarkdown: Bool) {
    self.overview = overview
    self.isMarkdown = isMarkdown
    self.style = style
    table = DataTable(style: style, isWide: isMarkdown, isMarkdown: isMarkdown)
  }

  private typealias Section = (key: String, title: String, part: Overview.Part<Dataset>)

  private static func sections(_ overview: Overview) -> [Section] {
    let figures = overview.figures
    return [
      ("counts", "Records", figures.counts), ("by_asset", "Win rate by asset, net of fees", figures.assets),
      ("by_confidence", "Confidence against outcome, net of fees", figures.confidence),
      ("by_period", "P&L by \(figures.unit.rawValue), net of fees", figures.periods), ("equity", "Equity", figures.equity),
      ("records", "Records by \(figures.unit.rawValue)", figures.records),
      (
        "runs", "Last runs: drift over time",
        figures.runs.map { Dataset(RunRecord.columns, rows: $0.map(\.cells)) }
      ),
      (
        "differences", "Differences of the newest run",
        figures.lastRun.map { $0?.items ?? Dataset([], rows: []) }
      ),
      ("findings", "Findings of the newest run", figures.lastRun.map { $0?.findings ?? Dataset([], rows: []) }),
      ("decisions", "Newest decisions", figures.decisions.map(\.dataset)),
    ]
  }

  // MARK: Text

  var text: String {
    let name = printable(overview.agent.name)
    let verdict = overview.verdict
    var output = isMarkdown ? "# \(name): report\n\n\(mark(verdict.sentence))\n\n" : ""
    if !isMarkdown {
      output += "\(verdict.isWell ? style.good(printable(verdict.sentence)) : style.bad(printable(verdict.sentence)))\n"
      output += "\(style.bold(name))  "
    }
    if let standing = overview.standing {
      output +=
        "commit \(standing.id.prefix(10)) by \(mark(standing.author)), \(standing.time?.secondText ?? "?") UTC\n"
    } else {
      output += "no commit yet\n"
    }
    output += "\(isMarkdown ? "\n" : "")\(layers)"
    for loss in overview.figures.rows.losses { output += "\(style.bad("lost"))  \(mark(loss.sentence))\n" }
    if !overview.figures.rows.losses.isEmpty { output += "hint: \(mark(RowStanding.hint))\n\n" }
    if let problem = overview.figures.problem {
      output += "\(style.warning(mark(problem.message)))\(problem.hint.map { "; \(mark($0))" } ?? "")\n"
      return output + (overview.glance.map { "\n" + text(of: $0) } ?? "")
    }
    for section in OverviewReport.sections(overview) where section.key != "counts" {
      output += heading(section.title)
      switch section.part {
      case .missing(let problem): output += "\(style.warning(mark(problem.message)))\n\n"
      case .found(let dataset) where dataset.isEmpty: output += "\(style.dim("nothing yet"))\n\n"
      case .found(let dataset): output += table.text(shown(dataset, section.key)) + "\n"
      }
    }
    return output
  }

  /// What git shows without a database.
  private func text(of glance: FileGlance) -> String {
    func list(_ title: String, _ count: Int, _ items: [FileGlance.Item]) -> String {
      let dataset = Dataset(
        [.init("time", "Time (UTC)", .time), .init("title", "Title", .text)],
        rows: items.map { item in
          [item.header?.time.map { .time($0) } ?? .none, .text(item.header?.title ?? item.file)]
        })
      return heading("\(title) in git: \(count)") + (items.isEmpty ? "" : table.text(dataset)) + "\n"
    }
    return list("Decisions", glance.decisionCount, glance.decisions)
      + list("Milestones", glance.milestoneCount, glance.milestones)
      + heading("Newest log entries in git") + table.text(glance.events)
  }

  private func heading(_ title: String) -> String {
    isMarkdown ? "## \(title)\n\n" : "\(style.bold(title))\n"
  }

  private func mark(_ text: String) -> String {
    isMarkdown ? DataTable.markdownText(printable(text)) : printable(text)
  }

  private var layers: String {
    let dataset = Dataset(
      [.init("layer", "Layer", .text), .init("status", "State", .text), .init("detail", "Detail", .text)],
      rows: overview.health.layers.map {
        [.text($0.name), .text($0.finding.word), .text($0.finding.detail)]
      })
    let counts = overview.figures.counts.value.map { table.text($0.selecting(["title", "rows"])) + "\n" } ?? ""
    return "\(table.text(dataset))\n\(counts)"
  }

  private func shown(_ dataset: Dataset, _ key: String) -> Dataset {
    switch key {
    case "equity": dataset.reversed.prefix(OverviewReport.screenful)
    case "decisions":
      dataset.selecting(["decided_at", "decision_type", "asset", "confidence", "total_pnl", "outcome", "action"])
    case "runs":
      dataset.selecting(["finished_at", "command", "differences", "classes", "repaired", "remaining"])
        .prefix(OverviewReport.screenful)
    default: dataset.prefix(OverviewReport.screenful)
    }
  }

  // MARK: JSON

  /// `report --json`: a part that could not be found is null and named in `problems`.
  static func json(_ overview: Overview) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("schema", 1), .init("agent", .string(overview.agent.name)),
      .init("taken_at", .string(overview.takenAt.description)),
      .init("days", overview.days.map { .integer($0) } ?? .null),
      .init("unit", .string(overview.figures.unit.rawValue)), .init("git", overview.standing?.json ?? .null),
      .init("layers", overview.health.json["layers"] ?? .null),
    ]
    var problems: [JSONValue] = []
    for section in sections(overview) {
      members.append(.init(JSONString(section.key), section.part.value?.json ?? .null))
      if let problem = section.part.problem {
        problems.append([
          "part": .string(section.key), "code": .string(problem.code), "message": .string(problem.message),
          "hint": problem.hint.map { .string($0) } ?? .null,
        ])
      }
    }
    members.append(.init("confidence_and_outcome", overview.figures.outcomes.value?.json ?? .null))
    members.append(.init("lost", overview.figures.rows.json))
    return .object(
      members + [
        .init("verdict", .string(overview.verdict.sentence)), .init("problems", .array(problems)),
      ])
  }
}

extension Overview.Part {
  fileprivate func map<Other: Sendable>(_ change: (Value) -> Other) -> Overview.Part<Other> {
    switch self {
    case .found(let value): .found(change(value))
    case .missing(let problem): .missing(problem)
    }
  }
}
