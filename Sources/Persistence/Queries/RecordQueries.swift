internal import Git
internal import Postgres
package import Records
internal import Synchronization

/// Questions to the database about what is in it: values in, values out, each bounded in time and in size.
///
/// Connections are made when first needed and kept. Every question runs in a read-only transaction of its own, which
/// the server ends by itself when its time is over. The database is the live one: where it is away, the answer is an
/// error that says so, and nothing is read from git instead.
package final class RecordQueries: Sendable {
  package let agent: Agent
  private let access: @Sendable () async -> Database?
  /// How long one question may take.
  private let patience: Duration
  private let kept = Mutex<Kept?>(nil)

  private struct Kept: Sendable {
    let database: Database
    let connections: ConnectionPool
    var schema: SchemaName?
  }

  /// - Parameter access: the database where it can answer; asked for anew at every question.
  package init(agent: Agent, patience: Duration = .seconds(30), access: @escaping @Sendable () async -> Database?) {
    (self.agent, self.patience, self.access) = (agent, patience, access)
  }

  /// Runs one statement and returns its rows.
  ///
  /// - Parameter usingIndexes: whether a table is not to be read from end to end where an index can answer.
  /// - Throws: `PersistenceError` where the database is away, has no tables yet or does not answer in time;
  ///   `PostgresError` for everything else.
  func rows(_ parameters: [Value] = [], usingIndexes: Bool = false, _ sql: @escaping @Sendable (SchemaName) -> String) async throws -> [Row] {
    guard let database = await access() else { throw AgentRecords.databaseAway("nothing was read") }
    let ending = await Deadline.run(patience + .milliseconds(200), grace: .zero) {
      try await self.answer(database, parameters, usingIndexes, sql)
    }
    switch ending {
    case .returned(let rows): return rows
    case .late:
      try Task.checkCancellation()
      throw late
    case .threw(let error as PostgresError): throw explained(error)
    case .threw(let error): throw error
    }
  }

  private func answer(
    _ database: Database, _ parameters: [Value], _ usingIndexes: Bool, _ sql: @escaping @Sendable (SchemaName) -> String
  ) async throws -> [Row] {
    do {
      return try await attempt(database, parameters, usingIndexes, sql)
    } catch let error as PostgresError {
      // The server hung up on a connection that was kept: the same question again, on a new one.
      guard error.isOfLostConnection else { throw error }
      return try await attempt(database, parameters, usingIndexes, sql)
    }
  }

  private func attempt(
    _ database: Database, _ parameters: [Value], _ usingIndexes: Bool, _ sql: @escaping @Sendable (SchemaName) -> String
  ) async throws -> [Row] {
    let connections = connections(database)
    let milliseconds = Int(patience.seconds * 1_000)
    return try await connections.withConnection { connection in
      let schema = try await self.schema(database, connection)
      let statement = sql(schema)
      do {
        return try await connection.transaction(readOnly: true) { transaction in
          // Compiling a plan takes longer than running one of these.
          try transaction.script("SET LOCAL jit = off; SET LOCAL statement_timeout = \(milliseconds)")
          if usingIndexes { try transaction.script("SET LOCAL enable_seqscan = off") }
          return try transaction.query(statement, parameters)
        }
      } catch {
        throw await DatabaseState.explained(error, connection, schema: schema)
      }
    }
  }

  private func connections(_ database: Database) -> ConnectionPool {
    kept.withLock { kept in
      if let kept, kept.database == database { return kept.connections }
      let connections = ConnectionPool(database.settings, size: 4)
      kept = Kept(database: database, connections: connections, schema: database.schema)
      return connections
    }
  }

  private func schema(_ database: Database, _ connection: Connection) async throws -> SchemaName {
    if let known = kept.withLock({ $0?.schema }) { return known }
    let found = try await database.resolveSchema(connection)
    kept.withLock { $0?.schema = found }
    return found
  }

  private func explained(_ error: PostgresError) -> any Error {
    switch error.code {
    case .databaseMissing, .undefinedTable:
      return RecordQueries.tablesMissing
    case .cancelled, .timedOut:
      return Task.isCancelled ? error : late
    default:
      // 42703 and 42883: a column or a function that this version's migrations make.
      return error.sqlState?.rawValue == "42703" || error.sqlState?.rawValue == "42883"
        ? RecordQueries.tablesMissing : error
    }
  }

  private static let tablesMissing = PersistenceError(
    .notFound, "the database has no tables of this version yet: nothing was read",
    hint: "run `moha-sync sync`, which makes and fills them")

  private var late: PersistenceError {
    PersistenceError(
      .timedOut, "the database did not answer within \(Int(patience.seconds.rounded(.up))) s: nothing was read",
      hint: "ask for fewer days, or try again when it has less to do")
  }
}

/// The conditions of a WHERE with their parameters, numbered as they come.
struct Conditions {
  private(set) var parameters: [Value] = []
  private var terms: [String] = []

  /// Adds a term that names its parameters `$1`, `$2` in the order of `values`.
  mutating func add(_ values: Value..., term: (_ places: [String]) -> String) {
    let places = values.indices.map { "$\(parameters.count + $0 + 1)" }
    parameters += values
    terms.append(term(places))
  }

  mutating func add(_ term: String) { terms.append(term) }

  var sql: String { terms.isEmpty ? "true" : terms.joined(separator: " AND ") }
}

extension Instant {
  var parameter: Value { .timestamp(microsecondsSince2000: microsecondsSince2000) }
}

extension ResultRow {
  /// A `timestamptz` within the years that `Instant` has; nil for others, for infinity and for null.
  func optionalInstant(_ column: Int) throws -> Instant? {
    try optionalTimestamp(column).flatMap { Instant(microsecondsSince2000: $0) }
  }
}

extension Dataset {
  /// Rows whose columns are, in order, the given ones.
  init(_ columns: [Column], _ rows: [Row]) throws {
    self.init(
      columns,
      rows: try rows.map { row in
        try columns.enumerated().map { index, column -> Cell in
          if try row.isNull(index) { return .none }
          switch column.kind {
          case .text, .hash: return .text(try row.string(index))
          case .integer, .decimal, .money, .percent:
            let text = try row.string(index)
            return ExactDecimal(text).map { .number($0) } ?? .text(text)
          case .time, .day:
            if let time = try row.optionalInstant(index) { return .time(time) }
            return .text(try row.string(index))
          case .flag: return .flag(try row.bool(index))
          }
        }
      })
  }
}

extension AgentRecords {
  /// Questions to the database where it can answer; it is not started for them.
  package func queries(patience: Duration) -> RecordQueries {
    RecordQueries(agent: agent, patience: patience, access: database.ifUp)
  }

  /// The newest commit that changed a file, looked for from HEAD on; nil where none is found soon.
  package func lastChange(of path: String) async -> Standing? {
    guard let path = RecordPath(text: path) else { return nil }
    let lookout = lookout
    return await AgentRecords.soon {
      // A handle of its own: a walk through a long history holds nobody up.
      let repository = try lookout.separate()
      guard let head = try await repository.head().commit else { return nil }
      let path = GitPath(path.bytes)
      guard let commit = try await repository.lastCommits(touching: [path], from: head)[path] else { return nil }
      return Standing(
        id: commit.id.description, author: commit.author.name, time: Instant(seconds: commit.author.time))
    }
  }

  private static func soon(_ body: @escaping @Sendable () async throws -> Standing?) async -> Standing? {
    if case .returned(let standing) = await Deadline.run(.milliseconds(500), grace: .zero, body) { return standing }
    return nil
  }
}
