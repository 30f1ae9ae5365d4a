import ArgumentParser
import Persistence
import Records

/// How trades went.
struct Performance: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Win rate and P&L, net of fees, by asset, by confidence and by period.",
    discussion: """
      Closed and liquidated trades count, net of fees: a win is one that is above zero when its fees are paid. Open \
      and cancelled trades do not count. With --days, trades count by the time they ended, and decisions by the time \
      they were made.

      EXAMPLES
        moha-sync performance --by asset --days 30
        moha-sync performance --by period --unit week --json
      """)

  enum Grouping: String, ExpressibleByArgument, CaseIterable {
    case asset, confidence, period
  }

  @OptionGroup var options: GlobalOptions
  @OptionGroup var window: WindowOptions
  @Option(help: "Only this table. Default: all three.")
  var by: Grouping?
  @Option(help: "How long a period is.")
  var unit = RecordQueries.Unit.day
  @Flag(help: "Never cut text.")
  var wide = false

  func run() async throws {
    let queries = try await Workspace(options).queries()
    var tables: [(key: String, title: String, rows: Dataset)] = []
    for grouping in by.map({ [$0] }) ?? Grouping.allCases {
      switch grouping {
      case .asset:
        tables.append(("by_asset", "By asset", try await queries.performanceByAsset(since: window.since)))
      case .confidence:
        tables.append(
          ("by_confidence", "By confidence", try await queries.performanceByConfidence(since: window.since)))
      case .period:
        let computed = try await queries.performanceByPeriod(unit, since: window.since)
        tables.append(("by_period", "By \(unit.rawValue)", computed))
        tables.append(("stored", "As the bots have stored it", try await queries.storedPerformance()))
      }
    }
    if options.json {
      Output.writeJSON(
        .object(
          [
            .init("schema", 1), .init("since", window.since.map { .string($0.description) } ?? .null),
            .init("basis", "closed and liquidated trades, net of fees"),
          ]
            + tables.map { .init(JSONString($0.key), $0.rows.json) }))
      return
    }
    let style = Style(options.color)
    let table = DataTable(style: style, isWide: wide)
    let shown = tables.filter { !$0.rows.isEmpty }
    let blocks = shown.map { "\(shown.count > 1 ? style.bold($0.title) + "\n" : "")\(table.text($0.rows))" }
    Output.write(blocks.joined(separator: "\n"))
    if shown.isEmpty, !options.quiet { Output.writeError("there is nothing to count yet\n") }
  }
}

extension RecordQueries.Unit: ExpressibleByArgument {}
