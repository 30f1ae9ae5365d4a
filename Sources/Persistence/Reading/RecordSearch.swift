internal import Git
internal import Postgres
package import Records

/// Full text over records, newest first: Postgres' indexes where the database answers, a scan of the files where not,
/// in one language and with the same hits.
///
/// Not the same is what PostgreSQL's parser makes of markup that is none, of odd paths (`..`, `/.x`) and of signs beyond
/// ASCII that the operating system takes for letters.
///
/// The order is that of time, kind and key, the same on both ways, and a page begins after the last hit of the one
/// before. So a walk neither repeats nor loses a hit while records are written.
package struct RecordSearch: Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    case decisions
    case insights
    case memory
    case milestones
  }

  package struct Query: Sendable {
    /// Words, "phrases", `or` and `-not`, as PostgreSQL's `websearch_to_tsquery` reads them.
    package let text: String
    package let kinds: Set<Kind>
    /// How many hits a page has.
    package let limit: Int
    /// Where the page before ended.
    package let after: Position?

    package init(text: String, kinds: Set<Kind>, limit: Int, after: Position?) {
      self.text = text
      self.kinds = kinds
      self.limit = limit
      self.after = after
    }
  }

  /// A place in the order of hits.
  package struct Position: Hashable, Sendable, Comparable {
    package let time: Instant
    package let kind: Kind
    package let key: String

    package init(time: Instant, kind: Kind, key: String) {
      self.time = time
      self.kind = kind
      self.key = key
    }

    /// Whether the left one comes first: the newer, then by kind, then the higher key by its bytes.
    package static func < (left: Position, right: Position) -> Bool {
      if left.time != right.time { return left.time > right.time }
      if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
      return right.key.utf8.lexicographicallyPrecedes(left.key.utf8)
    }
  }

  package struct Hit: Sendable {
    package let position: Position
    /// The record's own time; nil where it has none, and `position` holds another.
    package let time: Instant?
    package let title: String
    package let excerpt: String
    /// From the repository's root; nil for what is only in the database.
    package let path: String?
    /// The commit that the row came from.
    package let commit: String?
    /// Whether the record is only in git's history.
    package let isArchived: Bool
  }

  package struct Page: Sendable {
    package let hits: [Hit]
    /// Where the next page begins; nil at the end.
    package let next: Position?
    /// Why the files were scanned; nil where the database answered.
    package let databaseProblem: ErrorOutline?
  }
}

extension AgentRecords {
  /// How long the database may take before the files are scanned instead.
  private static let searchPatience = Duration.seconds(5)

  package func search(_ query: RecordSearch.Query) async throws -> RecordSearch.Page {
    guard let database = await database.ifUp() else {
      let problem = outline(AgentRecords.databaseAway("the files were searched"))
      return try await searchFiles(query, problem: problem)
    }
    let agent = agent
    let late = Result<[RecordSearch.Hit], any Error>.failure(
      PersistenceError(.notFound, "the database did not answer in time"))
    let found = await answer(within: AgentRecords.searchPatience, orElse: late) {
      do {
        return .success(try await DatabaseSearch(database: database, agent: agent).hits(query))
      } catch {
        return .failure(error)
      }
    }
    try Task.checkCancellation()
    switch found {
    case .success(let hits): return RecordSearch.page(hits, query, problem: nil)
    case .failure(let error): return try await searchFiles(query, problem: outline(error))
    }
  }

  private func searchFiles(_ query: RecordSearch.Query, problem: ErrorOutline) async throws -> RecordSearch.Page {
    RecordSearch.page(try await FileSearch(files: files).hits(query), query, problem: problem)
  }
}

extension RecordSearch {
  /// Cuts what may be one hit more than a page.
  fileprivate static func page(_ hits: [Hit], _ query: Query, problem: ErrorOutline?) -> Page {
    let shown = Array(hits.prefix(query.limit))
    return Page(
      hits: shown, next: hits.count > query.limit ? shown.last?.position : nil, databaseProblem: problem)
  }
}

/// The search in Postgres. Each kind has an index on the expression that is searched here, and one on its times.
///
/// The newest records are looked at first: a word that many records have is among them, and no more than `window` rows
/// are read for it. A word that few have is found by the index of words, and all rows that have it are put in order.
struct DatabaseSearch {
  let database: Database
  let agent: Agent

  /// How many of the newest rows are looked at for each hit that is wanted.
  static let window = 15

  private struct Table {
    let name: String
    let searched: SearchedText
    let title: String
    let time: String
    /// The time by which hits come, the expression of an index: of a row without a time, when the row was made.
    let order: String
    let key: String
    /// Whether the rows know their agent and their file.
    let isBackedByGit: Bool
  }

  private func table(_ kind: RecordSearch.Kind) -> Table {
    switch kind {
    case .decisions:
      Table(
        name: "maven_decisions", searched: .decisions, title: "concat_ws(' ', decision_type, asset)",
        time: "decided_at", order: "decided_at", key: "git_filename", isBackedByGit: true)
    case .insights:
      Table(
        name: "maven_insights", searched: .insights, title: "concat_ws(' ', insight_type, asset)", time: "created_at",
        order: "COALESCE(created_at, to_timestamp(0))", key: "'#' || id", isBackedByGit: false)
    case .memory:
      Table(
        name: "maven_memory", searched: .memory, title: "concat_ws(' - ', event_type, title)", time: "event_at",
        order: "COALESCE(event_at, created_at, to_timestamp(0))", key: "COALESCE(event_key, '#' || id)", isBackedByGit: true)
    case .milestones:
      Table(
        name: "maven_milestones", searched: .milestones, title: "title", time: "achieved_at",
        order: "COALESCE(achieved_at, created_at, to_timestamp(0))", key: "git_filename", isBackedByGit: true)
    }
  }

  /// At most one hit more than a page, in order.
  func hits(_ query: RecordSearch.Query) async throws -> [RecordSearch.Hit] {
    guard let (connection, schema) = try await database.connect() else {
      throw PersistenceError(.notFound, "the database does not exist yet", hint: "`moha-sync sync` makes it")
    }
    do {
      var hits: [RecordSearch.Hit] = []
      for kind in query.kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
        hits += try await self.hits(query, kind, connection: connection, schema: schema)
      }
      await connection.close()
      return Array(hits.sorted { $0.position < $1.position }.prefix(query.limit + 1))
    } catch {
      await connection.close()
      throw error
    }
  }

  private func hits(
    _ query: RecordSearch.Query, _ kind: RecordSearch.Kind, connection: Connection, schema: SchemaName
  ) async throws -> [RecordSearch.Hit] {
    let wanted = query.limit + 1
    var rows = try await self.rows(query, kind, within: wanted * DatabaseSearch.window, connection, schema)
    if rows.count < wanted { rows = try await self.rows(query, kind, within: nil, connection, schema) }
    return try rows.map { row in
      let at = Int64(try row.string(0).prefix { $0 != "." }).flatMap { Instant(microseconds: $0) } ?? .earliest
      return RecordSearch.Hit(
        position: .init(time: at, kind: kind, key: try row.string(2)), time: try row.bool(1) ? nil : at,
        title: try row.string(3), excerpt: try row.string(4), path: try row.optionalString(5),
        commit: try row.optionalString(6), isArchived: try row.string(7) == GitStatus.archived.rawValue)
    }
  }

  private func rows(
    _ query: RecordSearch.Query, _ kind: RecordSearch.Kind, within window: Int?, _ connection: Connection,
    _ schema: SchemaName
  ) async throws -> [Row] {
    let (sql, parameters) = statement(query, kind, within: window, schema: schema)
    return try await connection.transaction(readOnly: true) { transaction in
      // The words of each row of a table are not to be found again because a word is common.
      try transaction.script("SET LOCAL jit = off; SET LOCAL enable_seqscan = off")
      return try transaction.query(sql, parameters)
    }
  }

  /// At most one hit more than a page, in order.
  ///
  /// - Parameter window: how many of the newest rows may be read; nil for all that have the words.
  func statement(
    _ query: RecordSearch.Query, _ kind: RecordSearch.Kind, within window: Int?, schema: SchemaName
  ) -> (sql: String, parameters: [Value]) {
    let table = table(kind)
    let key = "(\(table.key)) COLLATE \"C\""
    var parameters: [Value] = [.text(query.text)]
    var bounds: [String] = []
    var conditions = ["\(table.searched.vector) @@ websearch_to_tsquery('english', $1)"]
    if table.isBackedByGit {
      parameters.append(.text(agent.name))
      conditions.append("agent = $\(parameters.count)")
    }
    if let after = query.after {
      parameters.append(.text(after.time.description))
      let mark = "$\(parameters.count)::timestamptz"
      // Of hits of one moment, kinds that sort before the mark's were given already.
      let isOver = kind != after.kind && kind.rawValue < after.kind.rawValue
      bounds.append("\(table.order) \(isOver ? "<" : "<=") \(mark)")
      if kind == after.kind {
        parameters.append(.text(after.key))
        bounds.append("(\(table.order) < \(mark) OR \(key) < $\(parameters.count))")
      }
    }
    func rows(_ conditions: [String], _ limit: Int, of source: String) -> String {
      """
      SELECT * FROM \(source) WHERE \((["true"] + conditions).joined(separator: " AND "))
      ORDER BY \(table.order) DESC, \(key) DESC LIMIT \(limit)
      """
    }
    let name = schema.qualified(table.name)
    let found =
      window.map { rows(conditions, query.limit + 1, of: "(\(rows(bounds, $0, of: name))) AS newest") }
      ?? rows(conditions + bounds, query.limit + 1, of: name)
    let provenance =
      table.isBackedByGit
      ? "git_path, encode(source_commit, 'hex') AS source_commit, git_status"
      : "NULL::text AS git_path, NULL::text AS source_commit, 'current' AS git_status"
    let sql = """
      SELECT extract(epoch FROM \(table.order))::numeric * 1000000, \(table.time) IS NULL, \(key), \(table.title),
        ts_headline('english', \(table.searched.text), websearch_to_tsquery('english', $1),
          'StartSel="",StopSel="",MaxWords=50,MinWords=25'), \(provenance)
      FROM (\(found)) AS found
      ORDER BY \(table.order) DESC, \(key) DESC
      """
    return (sql, parameters)
  }
}
