package import Git
package import Postgres
package import Records
internal import Telemetry

/// Both sides as they were read, and the plan that would make the database equal to git.
///
/// A survey only reads. `differences` are the plan in words, with the fields that differ and the commit that
/// last touched each file; there are at most `itemLimit` of them, while `counts` are complete.
package struct Survey: Sendable {
  package let source: RecordSource
  package internal(set) var git: GitRecordSet
  package let rows: RowSet
  package internal(set) var plan: ReconciliationPlan
  package internal(set) var differences: [Difference]
  package internal(set) var counts: [Difference.Class: Int]
  /// What is not as the migrations leave it; all that they make when there is no database.
  package let schemaDrift: [SchemaDrift]
  /// The highest applied migration; 0 when there is none.
  package let schemaVersion: Int
  /// Things to say that are no difference: rewritten history, an agent's first run.
  package internal(set) var notes: [String]

  /// What a repair would do: the differences, and the counters of identity.json that `reconcile` corrects. Rows of bots
  /// that wait for their copy in git do not count: they are as their origin wrote them.
  package var repairable: Int {
    counts.reduce(0) { $1.key == .unbacked ? $0 : $0 + $1.value }
  }

  /// Differences between git and the database. This is what every command means by a difference: `verify`, a dry run and
  /// a tick say so many and choose their exit codes by them.
  ///
  /// A counter of identity.json is none: it is derived from the files beside it, no row stands for it, and a `sync`,
  /// which leaves the working tree alone, could not mend it. It is told as a warning, and counted as `counterDrift`.
  package var rowDifferences: Int { repairable - counterDrift }

  /// Counters of identity.json that say another number than there are files.
  package var counterDrift: Int { counts[.counterDrift] ?? 0 }

  /// Whether every record of git is a row that says the same, and no other row is there.
  package var isInSync: Bool { rowDifferences == 0 && !hasErrors }

  /// Whether git has records and the database not one row of any: what a wipe leaves, and what a new database is.
  package var isDatabaseEmpty: Bool {
    !git.records.isEmpty && rows.rows.values.allSatisfy(\.isEmpty)
  }

  /// Differences and findings that `differences` does not describe.
  package var omittedDifferences: Int {
    max(0, repairable - differences.count { $0.class != .unbacked })
  }

  /// Files that cannot become records, each once, in the order of their paths, with the first reason.
  package var unreadableFiles: [Diagnostic] {
    var seen: Set<RecordPath> = []
    return git.findings.filter { $0.severity == .error && seen.insert($0.path).inserted }
  }

  /// This survey with what an earlier one found besides: a schema that was repaired in between hid rows, and
  /// the repair took differences away.
  ///
  /// Tables that were never made did not drift: of a new database only what it lacks of git's records is told.
  func including(_ earlier: Survey) -> Survey {
    var (merged, earlier) = (self, earlier)
    if earlier.schemaVersion == 0 {
      earlier.differences.removeAll { $0.class == .schemaDrift }
      earlier.counts[.schemaDrift] = 0
    }
    let described = Set(earlier.differences.map { "\($0.class) \($0.kind?.name ?? "") \($0.key)" })
    merged.differences =
      earlier.differences
      + differences.filter { !described.contains("\($0.class) \($0.kind?.name ?? "") \($0.key)") }
    merged.counts = earlier.counts.merging(counts) { max($0, $1) }
    merged.notes = earlier.notes.filter { !notes.contains($0) } + notes
    return merged
  }

  /// Whether a file could not become a record.
  package var hasErrors: Bool {
    !git.corrupt.isEmpty || git.findings.contains { $0.severity == .error }
  }
}

extension Survey {
  /// Reads both sides without making or migrating anything.
  ///
  /// - Parameter everything: describe every difference, not only the first thousand.
  package static func of(
    _ repository: Repository, agent: Agent, database: Database, _ selection: RecordSource.Selection,
    everything: Bool = false
  ) async throws -> Survey {
    try await of(
      repository, agent: agent, open: try await database.connect(), schema: database.schema, selection,
      itemLimit: everything ? .max : 1_000)
  }

  /// The same over a connection that is open already, and is closed in the end; nil compares with no rows.
  ///
  /// - Parameter schema: what to name where there is no connection.
  package static func of(
    _ repository: Repository, agent: Agent, open: (connection: Connection, schema: SchemaName)?, schema: SchemaName?,
    _ selection: RecordSource.Selection, itemLimit: Int
  ) async throws -> Survey {
    var surveyor = Surveyor(repository: repository, agent: agent, schema: open?.schema ?? schema ?? .public)
    surveyor.itemLimit = itemLimit
    do {
      let survey = try await surveyor.survey(selection, connection: open?.connection)
      await open?.connection.close()
      return survey
    } catch {
      guard let open else { throw error }
      let explained = await DatabaseState.explained(error, open.connection, schema: open.schema)
      await open.connection.close()
      throw explained
    }
  }
}

/// Reads both sides.
package struct Surveyor {
  package let repository: Repository
  package let agent: Agent
  package let schema: SchemaName
  /// How many differences are described in full. The counts are complete at any limit.
  package var itemLimit = 1_000
  /// How long the other half of an event is waited for: see `Planner`.
  package var patience = Planner.patience
  /// Rows that were written into git, and the keys of their records.
  var adopted: [RecordKind: [Int64: RecordKey]] = [:]
  /// Whether what was found in history is remembered in the git folder, for the next run: for runs that write anyway.
  var remembersHistory = false

  package init(repository: Repository, agent: Agent, schema: SchemaName) {
    self.repository = repository
    self.agent = agent
    self.schema = schema
  }

  /// - Parameters:
  ///   - connection: nil when the database does not exist, which is a difference and no failure.
  ///   - restoringDeletedFiles: also take every decision and milestone that history holds as a record.
  ///   - earlier: a survey of a moment ago whose reading of git is to serve for this one too.
  package func survey(
    _ selection: RecordSource.Selection, connection: Connection?, restoringDeletedFiles: Bool = false,
    reusing earlier: Survey? = nil
  ) async throws -> Survey {
    var earlier = earlier
    for _ in 1..<Surveyor.attempts {
      do {
        let survey = try await surveyOnce(
          selection, connection: connection, restoringDeletedFiles: restoringDeletedFiles, reusing: earlier)
        if try await !isOvertaken(survey, selection) { return survey }
      } catch let error as GitError where error.isOfFileThatMoves && selection == .workTree {
        // Somebody writes records at this moment, or takes one away.
      }
      earlier = nil
    }
    return try await surveyOnce(
      selection, connection: connection, restoringDeletedFiles: restoringDeletedFiles, reusing: earlier)
  }

  /// Whether rows without a record may be those of records that were written after git was read, and before the rows.
  private func isOvertaken(_ survey: Survey, _ selection: RecordSource.Selection) async throws -> Bool {
    if case .revision = selection { return false }
    let plan = survey.plan
    guard
      !plan.heldUpdates.isEmpty || !plan.heldRemovals.isEmpty
        || plan.removals.contains(where: { $0.reason == .orphaned })
    else { return false }
    let now = try await RecordSource(selection, agent: agent, repository: repository)
    return now.commit?.id != survey.source.commit?.id || now.tree != survey.source.tree
  }

  private static let attempts = 12

  private func surveyOnce(
    _ selection: RecordSource.Selection, connection: Connection?, restoringDeletedFiles: Bool,
    reusing earlier: Survey?
  ) async throws -> Survey {
    let source: RecordSource
    if let earlier {
      source = earlier.source
    } else {
      source = try await RecordSource(selection, agent: agent, repository: repository)
    }
    let migrator = Migrator(schema: schema)
    var drift = SchemaDrift.all
    var version = 0
    var rows = RowSet.empty
    var state: DatabaseState?
    if let connection {
      let found = try await DatabaseState.read(connection, schema: schema)
      try found.checkThatRowsShow()
      state = found
      version = try await migrator.status(connection).version
      drift = try await migrator.drift(connection)
      rows = try await RowSet.scan(connection, schema: schema, agent: agent)
    }

    let archived = rows.archivedFiles
    let selection: ArchivedFileSelection =
      restoringDeletedFiles ? .all : archived.isEmpty ? .none : .keys(archived)
    var git: GitRecordSet
    if let earlier, earlier.rows.archivedFiles == archived || restoringDeletedFiles {
      git = earlier.git
    } else {
      git = try await GitRecordReader(
        source: source, repository: repository, remembersHistory: remembersHistory
      ).read(includingDeletedFiles: selection)
    }
    Phase.begin("comparing records and rows")
    var unkeyed: [UnkeyedEvent] = []
    if let connection, let events = rows.rows[.event] {
      unkeyed = try await UnkeyedEvent.read(
        events.filter { $0.key == nil }.map(\.id), schema: schema, patience: patience, connection: connection)
    }
    var planner = Planner(git: git, rows: rows, agent: agent, unkeyedEvents: unkeyed)
    planner.hints = Planner.Hints(
      unknownCommits: try await unknownCommits(of: rows, git: git), adopted: adopted, patience: patience)
    var plan = planner.plan()
    var notes = source.notes + git.notes + git.waiting.notes
    if version > 0, let connection {
      notes += try await SchemaAdditions.sentences(connection, schema: schema)
    }
    if version == 0, let others = state?.otherSchemas, !others.isEmpty {
      notes.append(
        "this run means the tables of schema \(schema); \(others.joined(separator: ", ")) of the same database has such "
          + "tables too")
    }
    if !plan.unjudged.isEmpty {
      notes.append("\(plan.unjudged.count) rows may stand for what only that history holds; they are left as they are")
    }
    notes += plan.expectations
    Phase.begin("placing the rows' commits in history")
    let standings = try await repository.standings(of: rows.namedCommits, to: source.commit?.id)
    // A commit that is named is meant, however old it is.
    if let connection, !source.isNamed {
      let newer = NewerRows(source: source, rows: rows, standings: standings, schema: schema)
      notes += try await newer.holdBack(&plan, connection: connection)
    }
    if !plan.isBehind { notes += checkpointDrift(source: source, rows: rows, standings, plan: &plan) }

    git.refusals = plan.refused.map(\.diagnostic)

    Phase.begin("describing the differences")
    var describer = DifferenceDescriber(
      source: source, repository: repository, schema: schema, connection: connection, limit: itemLimit)
    try await describer.describe(plan, rows: rows, schemaDrift: drift, schemaVersion: version)
    return Survey(
      source: source, git: git, rows: rows, plan: plan, differences: describer.differences,
      counts: describer.counts, schemaDrift: drift, schemaVersion: version, notes: notes)
  }

  /// Commits that archived rows name and that are not here, although all of history is.
  private func unknownCommits(of rows: RowSet, git: GitRecordSet) async throws -> Set<[UInt8]> {
    guard git.isHistoryComplete else { return [] }
    var named: Set<[UInt8]> = []
    for rows in rows.rows.values { named.formUnion(rows.compactMap(\.archivedCommit)) }
    let commits = Set(named.compactMap { ObjectID(bytes: $0) })
    let absent = try await repository.standings(of: commits, to: nil).absent
    // What is no id at all is unknown, too.
    return named.filter { bytes in ObjectID(bytes: bytes).map { absent.contains($0) } ?? true }
  }

  /// Notes commits that the database names and this repository's history lacks.
  private func checkpointDrift(
    source: RecordSource, rows: RowSet, _ standings: CommitStandings, plan: inout ReconciliationPlan
  ) -> [String] {
    plan.lostCommits = standings.absent.filter { rows.sourceCommits.contains($0) }.sorted()
    plan.checkpointDrift = plan.checkpointDrift || !plan.lostCommits.isEmpty
    guard let commit = rows.checkpoint?.commit else { return [] }
    if standings.absent.contains(commit) {
      plan.checkpointDrift = true
      return [
        "the database stands at commit \(commit), which this repository does not have (rewritten history, or another clone's backup): every record was compared in full"
      ]
    }
    guard let head = source.commit?.id, !standings.reached.contains(commit) else { return [] }
    plan.checkpointDrift = plan.checkpointDrift || source.kind == .workTree
    if standings.newer.contains(commit) {
      return ["git stands at \(head), before commit \(commit) that the database was brought to last"]
    }
    return [
      "history was rewritten: commit \(commit), which the database stands at, is no ancestor of \(head); every record was compared in full"
    ]
  }
}

extension RowSet {
  /// Every commit that a row, or the checkpoint, names.
  fileprivate var namedCommits: Set<ObjectID> {
    guard let commit = checkpoint?.commit else { return sourceCommits }
    return sourceCommits.union([commit])
  }

  /// Keys of rows that were restored from deleted files of history.
  var archivedFiles: [RecordKind: Set<RecordKey>] {
    var keys: [RecordKind: Set<RecordKey>] = [:]
    for kind in RecordKind.allCases where kind.fileRole != nil {
      let archived = (rows[kind] ?? []).filter { $0.status == GitStatus.archived.rawValue }.compactMap(\.key)
      if !archived.isEmpty { keys[kind] = Set(archived) }
    }
    return keys
  }
}

extension ReconciliationPlan {
  /// What to tell of events whose other half is on its way.
  var expectations: [String] {
    var notes: [String] = []
    if !fresh.isEmpty {
      notes.append(
        "\(fresh.count) row\(fresh.count == 1 ? "" : "s") of \(RecordKind.event.table) "
          + "\(fresh.count == 1 ? "was" : "were") inserted a moment ago and may have a log entry on the way: left as "
          + "\(fresh.count == 1 ? "it is" : "they are")")
    }
    if !freshRecords.isEmpty {
      notes.append(
        "\(freshRecords.count) event\(freshRecords.count == 1 ? "" : "s") \(freshRecords.count == 1 ? "was" : "were") "
          + "logged a moment ago beside a program that inserts rows of its own, which may be on the way")
    }
    return notes
  }
}

extension Array {
  /// Consecutive slices of at most `size` elements.
  func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
