package import Git
package import Postgres
package import Records

/// Both sides as they were read, and the plan that would make the database equal to git.
///
/// A survey only reads. `differences` are the plan in words, with the fields that differ and the commit that
/// last touched each file; there are at most `itemLimit` of them, while `counts` are complete.
package struct Survey: Sendable {
  package let source: RecordSource
  package let git: GitRecordSet
  package let rows: RowSet
  package let plan: ReconciliationPlan
  package internal(set) var differences: [Difference]
  package internal(set) var counts: [Difference.Class: Int]
  /// Lines of the schema manifest that the database lacks; all of them when there is no database.
  package let schemaDrift: [String]
  /// The highest applied migration; 0 when there is none.
  package let schemaVersion: Int
  /// Things to say that are no difference: rewritten history, an agent's first run.
  package let notes: [String]

  /// Differences that a repair would resolve. Rows of bots that wait for their copy in git do not count: they
  /// are as their origin wrote them.
  package var repairable: Int {
    counts.reduce(0) { $1.key == .unbacked ? $0 : $0 + $1.value }
  }

  /// Repairable differences between git's records and rows; a counter of identity.json is neither.
  package var rowDifferences: Int { repairable - (counts[.counterDrift] ?? 0) }

  /// Whether every record of git is a row that says the same, and no other row is there.
  package var isInSync: Bool { rowDifferences == 0 && !hasErrors }

  /// This survey with what an earlier one found besides: a schema that was repaired in between hid rows, and
  /// the repair took differences away.
  func including(_ earlier: Survey) -> Survey {
    var merged = self
    let described = Set(earlier.differences.map { "\($0.class) \($0.kind?.name ?? "") \($0.key)" })
    merged.differences =
      earlier.differences
      + differences.filter { !described.contains("\($0.class) \($0.kind?.name ?? "") \($0.key)") }
    merged.counts = earlier.counts.merging(counts) { max($0, $1) }
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
      await open?.connection.close()
      throw error
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
      } catch let error as GitError where error.code == .changedWhileReading {
        // Somebody writes records at this moment.
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
    // A commit that is named is meant, however old it is.
    let isNamed = if case .revision = selection { true } else { false }
    if let earlier {
      source = earlier.source
    } else {
      source = try await RecordSource(selection, agent: agent, repository: repository)
    }
    let migrator = Migrator(schema: schema)
    var drift = Migration.manifest.sorted()
    var version = 0
    var rows = RowSet.empty
    if let connection {
      version = try await migrator.status(connection).version
      drift = try await migrator.drift(connection)
      rows = try await RowSet.scan(connection, schema: schema, agent: agent)
    }

    let archived = rows.archivedFiles
    let selection: ArchivedFileSelection =
      restoringDeletedFiles ? .all : archived.isEmpty ? .none : .keys(archived)
    let git: GitRecordSet
    if let earlier, earlier.rows.archivedFiles == archived || restoringDeletedFiles {
      git = earlier.git
    } else {
      git = try await GitRecordReader(source: source, repository: repository).read(includingDeletedFiles: selection)
    }
    var unkeyed: [Int64: Planner.UnkeyedEvent] = [:]
    if let connection { unkeyed = try await unkeyedEvents(of: rows, connection: connection) }
    var plan = Planner(git: git, rows: rows, agent: agent, unkeyedEvents: unkeyed).plan()
    var notes: [String] = []
    if let connection, !isNamed {
      let newer = NewerRows(source: source, rows: rows, repository: repository, schema: schema)
      notes += try await newer.holdBack(&plan, connection: connection)
    }
    if !plan.isBehind { notes += try await checkpointDrift(source: source, rows: rows, plan: &plan) }

    var describer = DifferenceDescriber(
      source: source, repository: repository, schema: schema, connection: connection, limit: itemLimit)
    try await describer.describe(plan, rows: rows, schemaDrift: drift, schemaVersion: version)
    return Survey(
      source: source, git: git, rows: rows, plan: plan, differences: describer.differences,
      counts: describer.counts, schemaDrift: drift, schemaVersion: version, notes: notes)
  }

  /// Type and text of event rows that have no key yet.
  private func unkeyedEvents(
    of rows: RowSet, connection: Connection
  ) async throws -> [Int64: Planner.UnkeyedEvent] {
    let ids = (rows.rows[.event] ?? []).filter { $0.key == nil }.map(\.id)
    var events: [Int64: Planner.UnkeyedEvent] = [:]
    for chunk in ids.chunks(of: 5_000) {
      let found = try await connection.query(
        "SELECT id::bigint, event_type, description FROM \(schema.qualified(RecordKind.event.table)) WHERE id = ANY($1::bigint[])",
        [.intArray(chunk)])
      for row in found {
        events[try row.int(0)] = .init(type: try row.string(1), description: try row.string(2))
      }
    }
    return events
  }

  /// Notes commits that the database names and this repository's history lacks.
  private func checkpointDrift(
    source: RecordSource, rows: RowSet, plan: inout ReconciliationPlan
  ) async throws -> [String] {
    var notes: [String] = []
    for commit in rows.sourceCommits.sorted() where try await !repository.commitExists(commit) {
      plan.lostCommits.append(commit)
    }
    if let commit = rows.checkpoint?.commit {
      if try await !repository.commitExists(commit) {
        notes.append(
          "the database stands at commit \(commit), which this repository does not have (rewritten history, or another clone's backup): every record was compared in full"
        )
        plan.checkpointDrift = true
      } else if let head = source.commit?.id, head != commit, try await !repository.isAncestor(commit, of: head) {
        if try await repository.isAncestor(head, of: commit) {
          notes.append("git stands at \(head), before commit \(commit) that the database was brought to last")
        } else {
          notes.append(
            "history was rewritten: commit \(commit), which the database stands at, is no ancestor of \(head); every record was compared in full"
          )
        }
        plan.checkpointDrift = source.kind == .workTree || plan.checkpointDrift
      }
    }
    if !plan.lostCommits.isEmpty { plan.checkpointDrift = true }
    return notes
  }
}

extension RowSet {
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

extension Array {
  /// Consecutive slices of at most `size` elements.
  func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
