internal import Postgres
package import Records

/// A run that compared git with the database, as its row remembers it.
package struct RunRecord: Sendable {
  package let id: String
  /// `sync`, `reconcile`, `adopt`.
  package let command: String
  /// The commit whose records were compared, 40 hexadecimal digits; nil for a working tree without one.
  package let commit: String?
  package let startedAt: Instant?
  package let finishedAt: Instant?
  /// By class, only those that occurred, in the report's order.
  package let differences: [(class: String, count: Int)]
  package let repaired: Int
  package let remaining: Int
  /// Rows that needed a repair: everything but rows that bots made and git does not hold.
  package var drift: Int { differences.reduce(0) { $1.class == "unbacked" ? $0 : $0 + $1.count } }

  package static let columns: [Dataset.Column] = [
    .init("finished_at", "Finished (UTC)", .time), .init("command", "Command", .text),
    .init("commit", "Commit", .hash), .init("differences", "Differences", .integer),
    .init("classes", "Of which", .text), .init("repaired", "Repaired", .integer),
    .init("remaining", "Remaining", .integer), .init("run_id", "Run", .hash),
  ]

  package var cells: [Dataset.Cell] {
    let classes = differences.map { "\($0.count) \($0.class.replacing("_", with: "-"))" }.joined(separator: ", ")
    return [
      finishedAt.map { .time($0) } ?? .none, .text(command), .text(commit), .integer(drift),
      classes.isEmpty ? .none : .text(classes), .integer(repaired), .integer(remaining), .text(id),
    ]
  }
}

/// What one run found, in detail.
package struct RunDetail: Sendable {
  package let run: RunRecord
  /// The first differences of the run's report, without the rows that only the database has.
  package let items: Dataset
  /// Files that could not become records, or look odd.
  package let findings: Dataset

  /// How many files could not become records, as far as the findings tell.
  package var unreadableFiles: Int {
    let errors = findings.rows.filter { $0.first == .text("error") }
    return Set(errors.map { "\($0[1])" }).count
  }
}

extension RecordQueries {
  /// The last runs, newest first, of those that are kept one by one: see `runTotals`.
  package func runs(limit: Int, before: Instant? = nil) async throws -> [RunRecord] {
    var conditions = Conditions()
    conditions.add(.text(agent.name)) { "agent = \($0[0])" }
    if let before { conditions.add(before.parameter) { "finished_at < \($0[0])" } }
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      SELECT \(RecordQueries.runColumns) FROM \(schema.qualified("maven_reconcile_runs"))
      WHERE \(conditions.sql) ORDER BY finished_at DESC, run_id LIMIT \(limit)
      """
    }
    return try rows.map(RecordQueries.run)
  }

  /// One run with its first differences and findings; the newest where no id is named, nil where there is none.
  package func run(id: String? = nil, limit: Int = 50) async throws -> RunDetail? {
    var conditions = Conditions()
    conditions.add(.text(agent.name)) { "agent = \($0[0])" }
    if let id { conditions.add(.text(id)) { "run_id::text = \($0[0])" } }
    let rows = try await rows(conditions.parameters) { [conditions] schema in
      """
      SELECT \(RecordQueries.runColumns), COALESCE(jsonb_path_query_array(report, '$.items[0 to \(limit + RecordQueries.unbackedTables - 1)]')::text, '[]'),
        COALESCE(jsonb_path_query_array(report, '$.findings[0 to \(limit - 1)]')::text, '[]')
      FROM \(schema.qualified("maven_reconcile_runs"))
      WHERE \(conditions.sql) ORDER BY finished_at DESC, run_id LIMIT 1
      """
    }
    guard let row = rows.first else { return nil }
    return RunDetail(
      run: try RecordQueries.run(row),
      items: Dataset(
        [
          .init("class", "Difference", .text), .init("kind", "Kind", .text), .init("key", "Record", .text),
          .init("message", "What", .text), .init("fields", "Fields", .text),
        ], objects: try JSONValue.parse(try row.string(8))
      ).filter { $0.first != .text(Difference.Class.unbacked.rawValue) }.prefix(limit),
      findings: Dataset(
        [
          .init("severity", "Severity", .text), .init("path", "File", .text), .init("line", "Line", .integer),
          .init("code", "Code", .text), .init("message", "What", .text),
        ], objects: try JSONValue.parse(try row.string(9))))
  }

  /// No report has more items of that class: one for each table that only the database has.
  private static let unbackedTables = 10

  private static let runColumns = """
    run_id::text, command, encode(commit_id, 'hex'), started_at, finished_at, differences::text, repaired::text, remaining
    """

  private static func run(_ row: Row) throws -> RunRecord {
    func counts(_ column: Int) throws -> [String: Int] {
      guard case .object(let members) = try JSONValue.parse(try row.string(column)) else { return [:] }
      return Dictionary(members.map { ($0.key.text ?? "", $0.value.integer ?? 0) }) { $1 }
    }
    let differences = try counts(5)
    let known = Difference.Class.allCases.map(\.rawValue)
    // A newer program may have written classes that this one does not know.
    let classes = known + differences.keys.filter { !known.contains($0) }.sorted()
    return RunRecord(
      id: try row.string(0), command: try row.string(1), commit: try row.optionalString(2),
      startedAt: try row.optionalInstant(3), finishedAt: try row.optionalInstant(4),
      differences: classes.compactMap { name in differences[name].flatMap { $0 > 0 ? (name, $0) : nil } },
      repaired: try counts(6).values.reduce(0) { $0.addingReportingOverflow($1).partialValue },
      remaining: Int(try row.int(7)))
  }

  /// How many records were made in each day, week or month, newest first; at most `limit` of them.
  package func recordsByTime(_ unit: Unit, since: Instant? = nil, limit: Int = 400) async throws -> Dataset {
    let sources = [
      ("maven_decisions", "decided_at"), ("maven_memory", "event_at"), ("maven_milestones", "achieved_at"),
    ]
    let window = since == nil ? "" : " AND at >= $2"
    let parameters = [Value.text(agent.name)] + (since.map { [$0.parameter] } ?? [])
    let rows = try await rows(parameters) { schema in
      let parts = sources.enumerated().map { index, source in
        let counts = sources.indices.map { $0 == index ? "count(*)" : "0" }.joined(separator: ", ")
        return """
          SELECT (at AT TIME ZONE 'UTC')::date, \(counts)
          FROM (SELECT agent, \(source.1) AS at FROM \(schema.qualified(source.0))) AS r
          WHERE agent = $1 AND isfinite(at)\(window) GROUP BY 1
          """
      }
      return """
        SELECT date_trunc('\(unit.rawValue)', day::timestamp) AS period, sum(decisions), sum(events), sum(milestones)
        FROM (\(parts.joined(separator: " UNION ALL "))) AS r (day, decisions, events, milestones)
        GROUP BY period ORDER BY period DESC LIMIT \(limit)
        """
    }
    return try Dataset(
      [
        .init("day", unit == .day ? "Day" : "From", .day), .init("decisions", "Decisions", .integer),
        .init("events", "Events", .integer), .init("milestones", "Milestones", .integer),
      ], rows)
  }

  /// The newest entries of the session log, their texts cut.
  package func newestEvents(limit: Int = 50, textLimit: Int = 600) async throws -> Dataset {
    let rows = try await rows([.text(agent.name)]) { schema in
      """
      SELECT event_at, event_type, concat_ws(': ', title, left(description, \(textLimit)))
      FROM \(schema.qualified("maven_memory")) WHERE agent = $1
      ORDER BY event_at DESC NULLS LAST, id DESC LIMIT \(limit)
      """
    }
    return try Dataset(
      [.init("time", "Time (UTC)", .time), .init("type", "Type", .text), .init("text", "Entry", .text)], rows)
  }

  /// How long the records go back: the first and the last decision, event or trade; nil without any.
  package func span() async throws -> (first: Instant, last: Instant)? {
    let rows = try await rows([.text(agent.name)]) { schema in
      """
      SELECT min(low), max(high) FROM (
        SELECT min(decided_at), max(decided_at) FROM \(schema.qualified("maven_decisions"))
          WHERE agent = $1 AND isfinite(decided_at)
        UNION ALL SELECT min(event_at), max(event_at) FROM \(schema.qualified("maven_memory"))
          WHERE agent = $1 AND isfinite(event_at)
        UNION ALL SELECT min(opened_at), max(opened_at) FROM \(schema.qualified("maven_trades"))
          WHERE isfinite(opened_at)) AS spans (low, high)
      """
    }
    guard let row = rows.first, let first = try row.optionalInstant(0), let last = try row.optionalInstant(1) else {
      return nil
    }
    return (first, last)
  }

  /// How many rows each kind of record has, of those that git holds.
  package func recordCounts() async throws -> [RecordKind: Int] {
    let agent = agent
    let rows = try await rows { schema in
      "SELECT "
        + RecordKind.allCases.map { kind in
          "(SELECT count(*) FROM \(schema.qualified(kind.table)) WHERE \(kind.storage.predicate(agent)))"
        }.joined(separator: ", ")
    }
    guard let row = rows.first else { return [:] }
    var counts: [RecordKind: Int] = [:]
    for (column, kind) in RecordKind.allCases.enumerated() { counts[kind] = Int(try row.int(column)) }
    return counts
  }

  /// How many rows each table has, counted up to `bound` and estimated from the server's statistics beyond it.
  package func tableCounts(bound: Int = 50_000) async throws -> Dataset {
    let tables: [(name: String, title: String, isOfAgent: Bool)] = [
      ("maven_decisions", "Decisions", true), ("maven_memory", "Log events", true),
      ("maven_milestones", "Milestones", true), ("maven_trades", "Trades", false),
      ("maven_portfolio_snaps", "Portfolio snapshots", false), ("maven_insights", "Insights", false),
    ]
    let rows = try await rows([.text(agent.name)]) { schema in
      tables.map { table in
        let name = schema.qualified(table.name)
        let counted = """
          (SELECT count(*) FROM (
            SELECT FROM \(name)\(table.isOfAgent ? " WHERE agent = $1" : "") LIMIT \(bound + 1)) AS c)
          """
        return """
          SELECT '\(table.name)', '\(table.title)', CASE WHEN n <= \(bound) THEN n
            ELSE GREATEST(\(bound), (SELECT reltuples FROM pg_class WHERE oid = '\(name)'::regclass)::bigint) END,
            n <= \(bound)
          FROM \(counted) AS counted (n)
          """
      }.joined(separator: " UNION ALL ")
    }
    return try Dataset(
      [
        .init("table", "Table", .text), .init("title", "Records", .text), .init("rows", "Rows", .integer),
        .init("exact", "Counted", .flag),
      ], rows)
  }
}

extension Dataset {
  /// What git and the row say of the fields in which they differ, one after another; long values are cut.
  private static func fields(_ elements: [JSONValue]) -> Cell {
    func said(_ value: JSONValue?) -> String {
      guard let text = value?.text else { return "nothing" }
      return text.unicodeScalars.count > 200
        ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(197))) + "…" : text
    }
    let fields = elements.compactMap { element in
      element["name"]?.text.map { "\($0): git \(said(element["git"])), row \(said(element["row"]))" }
    }
    return fields.isEmpty ? .none : .text(fields.joined(separator: "; "))
  }

  /// The members of JSON objects that have the columns' names; of fields that differ, a sentence.
  fileprivate init(_ columns: [Column], objects: JSONValue) {
    guard case .array(let elements) = objects else {
      self.init(columns, rows: [])
      return
    }
    self.init(
      columns,
      rows: elements.map { element in
        columns.map { column in
          switch element[JSONString(column.key)] {
          case .string(let string): .text(string.text ?? "")
          case .number(let number): ExactDecimal(number.spelling).map { .number($0) } ?? .none
          case .bool(let flag): .flag(flag)
          case .array(let elements): Dataset.fields(elements)
          case .null, .object, nil: .none
          }
        }
      })
  }
}
