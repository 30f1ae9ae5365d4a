import ArgumentParser
import Persistence
import Records

/// Decisions as the database has them, newest first.
struct Decisions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List decisions from the database, newest first.",
    discussion: """
      Filters narrow the list together. Times are RFC 3339, a date, or how long ago: 24h, 7d. On a terminal long text \
      is cut to its width; a pipe and --wide get all of it. The page after this one begins with --cursor and the word \
      that is printed below.

      EXAMPLES
        moha-sync decisions --asset BTC --risk high --since 7d --outcomes
        moha-sync decisions --search '"breakout" -fakeout' --min-confidence 80 --json
      """)

  enum Risk: String, ExpressibleByArgument, CaseIterable {
    case low, medium, high, critical
  }

  @OptionGroup var options: GlobalOptions
  @Option(help: "Only decisions on this asset, alone or among others, in any case.")
  var asset: String?
  @Option(help: ArgumentHelp("Only decisions of this type: buy, sell, hold …", valueName: "type"))
  var type: String?
  @Option(help: "Only decisions of this risk level.")
  var risk: Risk?
  @Option(
    help: ArgumentHelp("Only decisions at least this confident, in percent.", valueName: "n"),
    transform: Decisions.percent)
  var minConfidence: ExactDecimal?
  @Option(
    help: ArgumentHelp("Only decisions at most this confident, in percent.", valueName: "n"),
    transform: Decisions.percent)
  var maxConfidence: ExactDecimal?
  @Option(help: ArgumentHelp("Only decisions from this time on.", valueName: "time"), transform: Moment.parse)
  var since: Instant?
  @Option(help: ArgumentHelp("Only decisions before this time.", valueName: "time"), transform: Moment.parse)
  var until: Instant?
  @Option(help: ArgumentHelp("Words, \"phrases\", or, -not, in action and reasoning.", valueName: "text"))
  var search: String?
  @Option(name: .shortAndLong, help: ArgumentHelp("How many at most, 1 to 1000.", valueName: "n"))
  var limit = 20
  @Option(help: ArgumentHelp("Go on where an earlier list ended.", valueName: "word"))
  var cursor: String?
  @Flag(help: "Show what the decisions' closed and liquidated trades came to, net of fees.")
  var outcomes = false
  @Flag(help: "Never cut text.")
  var wide = false

  func validate() throws {
    guard (1...1_000).contains(limit) else { throw ValidationError("--limit takes a number from 1 to 1000") }
    if let cursor, DecisionPosition(cursor) == nil {
      throw ValidationError("--cursor takes the word that an earlier list ended with")
    }
  }

  func run() async throws {
    let queries = try await Workspace(options).queries()
    let filter = filter
    async let count = queries.countDecisions(filter)
    let page = try await queries.decisions(filter, after: cursor.flatMap { DecisionPosition($0) }, limit: limit)
    let total = try await count
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("decisions", page.dataset.json),
          .init("total", .integer(total.count)), .init("total_is_exact", .bool(total.isExact)),
          .init("next_cursor", page.next.map { .string($0.text) } ?? .null),
        ]))
      return
    }
    if !page.decisions.isEmpty {
      var columns = ["decided_at", "decision_type", "asset", "confidence", "risk_level"]
      if outcomes { columns += ["trades_executed", "open_trades", "total_pnl", "outcome"] }
      columns += options.verbose ? ["action", "reasoning", "file"] : ["action", "file"]
      Output.write(
        DataTable(style: Style(options.color), isWide: wide).text(page.dataset.selecting(columns)))
    }
    guard !options.quiet else { return }
    if page.decisions.isEmpty {
      Output.writeError("no decision matches\n")
    } else {
      let more = page.next.map { "; the next begins with --cursor \($0.text)" } ?? ""
      Output.writeError("\(page.decisions.count) of \(total.text)\(more)\n")
    }
  }

  private var filter: DecisionFilter {
    var filter = DecisionFilter()
    (filter.asset, filter.type, filter.risk) = (asset, type, risk?.rawValue)
    (filter.minimumConfidence, filter.maximumConfidence) = (minConfidence, maxConfidence)
    (filter.since, filter.until, filter.text) = (since, until, search)
    return filter
  }

  private static func percent(_ text: String) throws -> ExactDecimal {
    let digits = text.hasSuffix("%") ? String(text.dropLast()) : text
    guard let number = ExactDecimal(digits) else {
      throw ValidationError("\(printable(text)) is no number; write a percentage such as 80 or 72.5")
    }
    return number
  }
}
