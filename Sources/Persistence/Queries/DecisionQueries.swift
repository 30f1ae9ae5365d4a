internal import Postgres
package import Records

/// Which decisions are asked for; what is nil does not matter.
package struct DecisionFilter: Hashable, Sendable {
  /// The name of an asset in any case; a decision on several, between commas, is on each of them.
  package var asset: String?
  package var type: String?
  package var risk: String?
  package var minimumConfidence: ExactDecimal?
  package var maximumConfidence: ExactDecimal?
  /// The first moment, and the first one after the last.
  package var since: Instant?
  package var until: Instant?
  /// Words, "phrases", `or` and `-not` in the action and the reasoning.
  package var text: String?

  package init() {}

  package static let risks = ["low", "medium", "high", "critical"]

  /// - Parameter after: only what comes after it in the order of decisions.
  fileprivate func conditions(agent: Agent, after: DecisionPosition? = nil) -> Conditions {
    var conditions = Conditions()
    if let after {
      conditions.add(.timestamp(microsecondsSince2000: after.time), .int(after.id)) { _ in DecisionPosition.isBefore }
    }
    conditions.add(.text(agent.name)) { "agent = \($0[0])" }
    if let asset {
      conditions.add(.text(DatabaseText.encode(asset))) { place in
        // Of nothing but blanks every list would be a part.
        asset.contains { $0 != " " && $0 != "," }
          ? "(\(SearchedText.assets("asset")) @> \(SearchedText.assets(place[0] + "::text")) OR asset = \(place[0]))"
          : "asset = \(place[0])"
      }
    }
    if let type { conditions.add(.text(DatabaseText.encode(type))) { "decision_type = \($0[0])" } }
    if let risk { conditions.add(.text(DatabaseText.encode(risk))) { "risk_level = \($0[0])" } }
    if let minimumConfidence { conditions.add(.numeric(minimumConfidence.text)) { "confidence >= \($0[0])" } }
    if let maximumConfidence { conditions.add(.numeric(maximumConfidence.text)) { "confidence <= \($0[0])" } }
    if let since { conditions.add(since.parameter) { "decided_at >= \($0[0])" } }
    if let until { conditions.add(until.parameter) { "decided_at < \($0[0])" } }
    if let text {
      conditions.add(.text(DatabaseText.encode(text))) {
        "\(SearchedText.decisions.vector) @@ websearch_to_tsquery('english', \($0[0]))"
      }
    }
    return conditions
  }
}

/// A place in the order of decisions, newest first, whatever the filter: the next page begins after it.
package struct DecisionPosition: Hashable, Sendable {
  /// Microseconds since 2000, as the database counts; the two ends of the range are its infinities.
  fileprivate let time: Int64
  fileprivate let id: Int64

  fileprivate init(time: Int64, id: Int64) { (self.time, self.id) = (time, id) }

  /// Whether a row comes after the position that the first two parameters are.
  fileprivate static let isBefore = "(decided_at, id) < ($1::timestamptz, $2::bigint)"

  /// Reads what `text` gave; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let time = Int64(parts[0], radix: 36), let id = Int64(parts[1], radix: 36) else {
      return nil
    }
    (self.time, self.id) = (time, id)
  }

  /// An opaque word, safe in an address.
  package var text: String { "\(String(time, radix: 36)).\(String(id, radix: 36))" }
}

/// A decision as its row has it, with what its trades came to.
package struct DecisionRow: Sendable {
  package let position: DecisionPosition
  package let file: String
  package let type: String
  package let asset: String?
  package let action: String
  package let reasoning: String
  package let confidence: Dataset.Cell
  package let risk: String
  /// Nil where the row holds none that has a date.
  package let decidedAt: Instant?
  package let recordedOutcome: String?
  package let metadata: String?
  /// From the repository's root; nil for a row that git does not hold.
  package let path: String?
  /// The commit that the row came from, 40 hexadecimal digits.
  package let commit: String?
  /// `current`, `archived` (only in history) or `unreadable` (the file no longer parses).
  package let gitStatus: String
  /// All trades of the decision but cancelled ones, and those still open.
  package let trades: Int
  package let openTrades: Int
  /// Net of fees, over closed and liquidated trades; none without one.
  package let netPnL: Dataset.Cell
  /// `profitable`, `loss` or `breakeven` of the trades that have ended, so far where others are open; `open` where none
  /// has, and `no trades`.
  package let outcome: String

  package var id: Int64 { position.id }

  package static let columns: [Dataset.Column] = [
    .init("file", "File", .text), .init("decided_at", "Decided (UTC)", .time), .init("decision_type", "Type", .text),
    .init("asset", "Asset", .text), .init("confidence", "Confidence", .percent), .init("risk_level", "Risk", .text),
    .init("action", "Action", .text), .init("reasoning", "Reasoning", .text),
    .init("trades_executed", "Trades", .integer), .init("open_trades", "Open", .integer),
    .init("total_pnl", "Net P&L (USD)", .money), .init("outcome", "Outcome", .text),
    .init("recorded_outcome", "Recorded outcome", .text), .init("path", "Path", .text),
    .init("commit", "Commit", .hash), .init("git_status", "Git", .text),
  ]

  package static func dataset(_ decisions: [DecisionRow]) -> Dataset {
    Dataset(columns, rows: decisions.map(\.cells))
  }

  private var cells: [Dataset.Cell] {
    [
      .text(file), decidedAt.map { .time($0) } ?? .none, .text(type), .text(asset), confidence, .text(risk),
      .text(action), .text(reasoning), .integer(trades), .integer(openTrades), netPnL,
      // Where nothing was traded there is no outcome.
      trades == 0 ? .none : .text(outcome),
      .text(recordedOutcome), .text(path), .text(commit), .text(gitStatus),
    ]
  }
}

package struct DecisionPage: Sendable {
  package let decisions: [DecisionRow]
  /// Where the next page begins; nil at the end.
  package let next: DecisionPosition?

  package var dataset: Dataset { DecisionRow.dataset(decisions) }
}

/// A number of rows that was not counted beyond a bound.
package struct BoundedCount: Hashable, Sendable {
  package let count: Int
  /// False where there are more than `count`.
  package let isExact: Bool

  package init(count: Int, isExact: Bool) { (self.count, self.isExact) = (count, isExact) }

  package var text: String { isExact ? String(count) : "more than \(count)" }
}

extension RecordQueries {
  /// A page of decisions, newest first.
  ///
  /// - Parameter textLimit: how many characters of action and reasoning are wanted; nil for all.
  package func decisions(
    _ filter: DecisionFilter, after: DecisionPosition? = nil, limit: Int, textLimit: Int? = nil
  ) async throws -> DecisionPage {
    let conditions = filter.conditions(agent: agent, after: after)
    var found: [DecisionRow] = []
    // A word that many decisions have is among the newest; the index of words finds what few have.
    if filter.text != nil {
      found = try await decisions(
        where: conditions, limit: limit + 1, textLimit: textLimit, usingIndexes: true,
        within: ((limit + 1) * DatabaseSearch.window, after == nil ? "true" : DecisionPosition.isBefore))
    }
    if found.count <= limit {
      found = try await decisions(
        where: conditions, limit: limit + 1, textLimit: textLimit, usingIndexes: filter.text != nil)
    }
    let shown = Array(found.prefix(limit))
    return DecisionPage(decisions: shown, next: found.count > limit ? shown.last?.position : nil)
  }

  /// The decision of a file's name; nil where there is none.
  package func decision(file: String) async throws -> DecisionRow? {
    var conditions = Conditions()
    conditions.add(.text(agent.name)) { "agent = \($0[0])" }
    conditions.add(.text(DatabaseText.encode(file))) { "git_filename = \($0[0])" }
    return try await decisions(where: conditions, limit: 1, textLimit: nil).first
  }

  /// How many decisions there are, counted up to `bound`.
  package func countDecisions(_ filter: DecisionFilter, bound: Int = 10_000) async throws -> BoundedCount {
    let conditions = filter.conditions(agent: agent)
    let rows = try await rows(conditions.parameters, usingIndexes: filter.text != nil) { [conditions] schema in
      """
      SELECT count(*) FROM (
        SELECT FROM \(schema.qualified("maven_decisions")) WHERE \(conditions.sql) LIMIT \(bound + 1)) AS found
      """
    }
    let count = Int(try rows.first?.int(0) ?? 0)
    return BoundedCount(count: min(count, bound), isExact: count <= bound)
  }

  /// The trades of a decision, newest first, at most 200.
  package func trades(ofDecision id: Int64) async throws -> Dataset {
    let columns: [Dataset.Column] = [
      .init("opened_at", "Opened (UTC)", .time), .init("closed_at", "Closed (UTC)", .time),
      .init("asset", "Asset", .text), .init("side", "Side", .text), .init("position_action", "Action", .text),
      .init("entry_price", "Entry", .decimal), .init("exit_price", "Exit", .decimal),
      .init("size_usd", "Size (USD)", .money), .init("leverage", "Leverage", .decimal),
      .init("fees_usd", "Fees (USD)", .money), .init("net_pnl_usd", "Net P&L (USD)", .money),
      .init("status", "Status", .text), .init("trade_source", "Source", .text),
    ]
    let rows = try await rows([.int(id)]) { schema in
      """
      SELECT \(columns.map(\.key).joined(separator: ", ")) FROM \(schema.qualified("maven_trades"))
      WHERE decision_id = $1 ORDER BY opened_at DESC, id DESC LIMIT 200
      """
    }
    return try Dataset(columns, rows)
  }

  /// - Parameter window: how many of the newest decisions that a condition holds for are looked at; nil for all.
  private func decisions(
    where conditions: Conditions, limit: Int, textLimit: Int?, usingIndexes: Bool = false,
    within window: (count: Int, bound: String)? = nil
  ) async throws -> [DecisionRow] {
    func cut(_ column: String) -> String { textLimit.map { "left(\(column), \($0))" } ?? column }
    let (action, reasoning) = (cut("d.action"), cut("d.reasoning"))
    let order = "ORDER BY decided_at DESC, id DESC"
    let rows = try await rows(conditions.parameters, usingIndexes: usingIndexes) { [conditions] schema in
      let table = schema.qualified("maven_decisions")
      let source = window.map {
        "(SELECT * FROM \(table) WHERE \($0.bound) \(order) LIMIT \($0.count)) AS newest"
      } ?? table
      return """
      SELECT d.id::bigint, d.decided_at, d.git_filename, d.decision_type, d.asset, \(action), \(reasoning),
        d.confidence, d.risk_level, d.outcome, d.metadata::text, d.git_path,
        encode(COALESCE(d.archived_commit, d.source_commit), 'hex'), d.git_status, t.trades, t.open, t.net, t.outcome
      FROM (
        SELECT * FROM \(source) WHERE \(conditions.sql) \(order) LIMIT \(limit)) AS d
      CROSS JOIN LATERAL (
        SELECT \(TradeResult.ofDecision)
        FROM \(schema.qualified("maven_trades")) WHERE decision_id = d.id) AS t
      ORDER BY d.decided_at DESC, d.id DESC
      """
    }
    return try rows.map { row in
      func text(_ column: Int) throws -> String { DatabaseText.decode(try row.string(column)) }
      func number(_ column: Int) throws -> Dataset.Cell {
        guard let text = try row.optionalString(column) else { return .none }
        return ExactDecimal(text).map { .number($0) } ?? .text(text)
      }
      return DecisionRow(
        position: DecisionPosition(time: try row.timestamp(1), id: try row.int(0)), file: try text(2),
        type: try text(3), asset: try row.optionalString(4).map(DatabaseText.decode), action: try text(5),
        reasoning: try text(6), confidence: try number(7), risk: try text(8), decidedAt: try row.optionalInstant(1),
        recordedOutcome: try row.optionalString(9).map(DatabaseText.decode), metadata: try row.optionalString(10),
        path: try row.optionalString(11), commit: try row.optionalString(12), gitStatus: try row.string(13),
        trades: Int(try row.int(14)), openTrades: Int(try row.int(15)), netPnL: try number(16),
        outcome: try row.string(17))
    }
  }
}
