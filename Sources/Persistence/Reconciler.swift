package import Git
internal import Postgres
package import Records
internal import Telemetry

/// Brings the database of one agent to what git holds, and says what it did.
///
/// `survey` (of `Surveyor`) reads and computes a plan; `run` executes one. One run at a time for an agent and a
/// database: flock(2) on the repository, tried once, and a lease in Postgres, polled for a moment. A holder that lost the
/// lease without noticing is refused by its fencing token.
package struct Reconciler: Sendable {
  package let repository: Repository
  package let agent: Agent
  package let database: Database

  package init(repository: Repository, agent: Agent, database: Database) {
    self.repository = repository
    self.agent = agent
    self.database = database
  }

  /// What the user asked for.
  package struct Options: Sendable {
    package var command: String
    package var selection: RecordSource.Selection
    /// Also restore decisions and milestones whose files were deleted in the past.
    package var restoringDeletedFiles = false
    /// How many rows the safety rails may let go; nil for their own limits.
    package var allowedRemovals: Int?
    /// Whether counters of identity.json are corrected in the working tree, and committed as `writing` says.
    package var correctsCounters = false
    package var writing = WriteSettings()
    /// Whether to read both sides once more after the changes, and report what is left.
    package var provesResult = true
    /// Whether rows that git lacks stay where they are: they are reported as left.
    var keepsOrphans = false
    /// Rows that were written into git just now, and the keys of their records.
    var adopted: [RecordKind: [Int64: RecordKey]] = [:]
    /// How long the other half of an event is waited for: see `Planner`.
    package var patience = Planner.patience
    /// How long the rows of earlier runs are kept.
    package var retention = RunRetention()
    /// Called with the number of rows read or written since the last call, and the number in all.
    package var progress: (@Sendable (Int, Int) -> Void)?

    package init(command: String, selection: RecordSource.Selection = .workTree) {
      self.command = command
      self.selection = selection
    }
  }

  package struct Outcome: Sendable {
    package let run: ReconcileRun
    /// What was found, before anything was changed.
    package let survey: Survey
    /// Differences that were resolved, by class.
    package let repaired: [Difference.Class: Int]
    /// Rows and files that went into quarantine.
    package let quarantined: Int
    package let inserted: [RecordKind: Int]
    /// Rows that are back with the id and the columns of bots that they had, and references of other rows that were made
    /// again.
    package let returned: Int
    package let relinked: Int
    /// Repairable differences that are left.
    package let remaining: Int
    /// What the repair of the schema did not bring back, in words.
    package let schemaDriftLeft: [String]
    /// Both sides after the changes; nil where that was not asked for and nothing was changed.
    package let proof: Survey?
    package let elapsed: Duration
    /// What is gone of the rows that git has no copy of, and when the database was compared before.
    package internal(set) var standing = RowStanding.unknown
  }

  /// How often a plan is made anew because a write came between. A crowd of writers wins many times in a row.
  private static let attempts = 12
  /// How often a proof is made anew because rows of records written meanwhile may be on their way.
  private static let lateRowAttempts = 3

  package func run(_ options: Options) async throws -> Outcome {
    let clock = ContinuousClock()
    let start = clock.now
    let run = ReconcileRun(command: options.command)
    let lock = try RunLock(of: repository)
    defer { withExtendedLifetime(lock) {} }

    // The tree is read before anything is written: a missing or unreadable one ends the run here.
    let before = try await surveyBefore(options)
    if let before { try SafetyRails(options).check(before.plan) }
    let (connection, schema) = try await database.connectCreating()
    do {
      let migrator = Migrator(schema: schema)
      _ = try await migrator.migrate(connection)
      let driftLeft = try await migrator.repair(connection)
      // A run on this machine would hold the file lock. What holds the lease is a run on another clone, or was killed.
      let lease = RunLease(
        scope: "reconcile/\(agent)", owner: run.id, holder: "\(run.command), run \(run.id)", schema: schema)
      let outcome = try await lease.hold(on: connection, settings: database.settings) { fence in
        try await runAlone(
          options, run: run, before: before, connection: connection, schema: schema, driftLeft: driftLeft,
          fence: fence, start: start)
      }
      await connection.close()
      return outcome
    } catch {
      let explained = await DatabaseState.explained(error, connection, schema: schema)
      await connection.close()
      throw explained
    }
  }

  private func surveyor(_ options: Options, schema: SchemaName) -> Surveyor {
    var surveyor = Surveyor(repository: repository, agent: agent, schema: schema)
    surveyor.patience = options.patience
    surveyor.adopted = options.adopted
    surveyor.remembersHistory = true
    return surveyor
  }

  private func runAlone(
    _ options: Options, run: ReconcileRun, before: Survey?, connection: Connection, schema: SchemaName,
    driftLeft: [SchemaDrift], fence: FencingToken, start: ContinuousClock.Instant
  ) async throws -> Outcome {
    Phase.begin("migrating the schema")
    let migrator = Migrator(schema: schema)
    var driftLeft = driftLeft
    let surveyor = surveyor(options, schema: schema)
    var attempt = 1
    while true {
      var survey = try await surveyor.survey(
        options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles,
        reusing: attempt == 1 ? before : nil)
      if options.keepsOrphans { survey.plan.holdOrphans() }
      try SafetyRails(options).check(survey.plan)
      do {
        let applied = try await apply(
          survey, options: options, run: run, fence: fence, connection: connection, schema: schema)
        // A unique index could not be built while duplicates stood in its way.
        if !driftLeft.isEmpty { driftLeft = try await migrator.repair(connection) }
        return try await conclude(
          survey, found: before.map { survey.including($0) } ?? survey, applied: applied, options: options, run: run,
          connection: connection,
          schema: schema, driftLeft: driftLeft, start: start)
      } catch let error as PersistenceError where error.code == .changedMeanwhile && attempt < Reconciler.attempts {
        attempt += 1
      } catch let error as GitError
        where error.isOfFileThatMoves && options.selection == .workTree && attempt < Reconciler.attempts
      {
        attempt += 1
      } catch let error as PostgresError where Reconciler.isRace(error) && attempt < Reconciler.attempts {
        attempt += 1
      }
    }
  }

  /// What the user would have seen before the schema was repaired; nil where the database is as migrated, so
  /// that one survey serves for both.
  private func surveyBefore(_ options: Options) async throws -> Survey? {
    guard let (connection, schema) = try await database.connect() else {
      return try await surveyor(options, schema: database.schema ?? .public).survey(
        options.selection, connection: nil, restoringDeletedFiles: options.restoringDeletedFiles)
    }
    do {
      // A look before anything is made or changed.
      try await DatabaseState.read(connection, schema: schema).checkThatRowsShow()
      let migrator = Migrator(schema: schema)
      _ = try await migrator.status(connection)
      let isAsMigrated = try await migrator.drift(connection).isEmpty
      let survey =
        isAsMigrated
        ? nil
        : try await surveyor(options, schema: schema).survey(
          options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles)
      await connection.close()
      return survey
    } catch {
      let explained = await DatabaseState.explained(error, connection, schema: schema)
      await connection.close()
      throw explained
    }
  }

  private func apply(
    _ survey: Survey, options: Options, run: ReconcileRun, fence: FencingToken, connection: Connection,
    schema: SchemaName
  ) async throws -> PlanApplier.Outcome? {
    let isCurrent = survey.rows.checkpoint == Checkpoint(commit: survey.source.commit?.id, tree: survey.source.tree)
    guard survey.plan.changesRows || !isCurrent && !survey.plan.isBehind else { return nil }
    Phase.begin("changing rows")
    let applier = PlanApplier(survey: survey, repository: repository, schema: schema, run: run, fence: fence)
    let total = survey.plan.inserts.count
    let applied = try await applier.apply(connection) { count in options.progress?(count, total) }
    if !applied.bulkTables.isEmpty {
      try await finishBulk(applied, connection: connection, schema: schema)
    }
    return applied
  }

  /// Full-text indexes and statistics: the rows are visible already, and a run killed here leaves an index
  /// missing, which the next run finds as schema drift and mends.
  private func finishBulk(_ applied: PlanApplier.Outcome, connection: Connection, schema: SchemaName) async throws {
    // Statistics first: of an expression index they would cost as much as the index itself.
    let statements = applied.bulkTables.map { "ANALYZE \(schema.qualified($0))" } + applied.deferredIndexes
    for statement in statements {
      try await connection.transaction { transaction in
        try transaction.script("SET LOCAL maintenance_work_mem = '256MB'")
        try transaction.script(statement)
      }
    }
  }

  private func conclude(
    _ survey: Survey, found: Survey, applied: PlanApplier.Outcome?, options: Options, run: ReconcileRun,
    connection: Connection, schema: SchemaName, driftLeft: [SchemaDrift], start: ContinuousClock.Instant
  ) async throws -> Outcome {
    var found = found
    if let applied { found.git.refusals = applied.findings(agent) }
    var counts = found.counts
    var correctedCounters = 0
    if options.correctsCounters { correctedCounters = try await correctCounters(survey, writing: options.writing) }
    var proof: Survey?
    var left: [Difference.Class: Int] = [:]
    if options.provesResult, applied == nil, found.repairable == 0 {
      // Nothing was found and nothing changed: what was read is the proof.
      proof = survey
    } else if options.provesResult {
      var surveyor = surveyor(options, schema: schema)
      surveyor.itemLimit = 100
      var after = try await surveyor.survey(
        options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles)
      for _ in 1...Reconciler.lateRowAttempts where after.rowDifferences > 0 && !after.plan.isBehind {
        // A record that was committed a moment ago has its row a moment later; that is nobody's difference.
        try await Task.sleep(for: .milliseconds(100))
        after = try await surveyor.survey(
          options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles)
      }
      left = after.counts
      left[.stale, default: 0] -= Reconciler.claimsSince(survey, in: after)
      proof = after
    } else {
      left = [
        .schemaDrift: driftLeft.count,
        .counterDrift: survey.counts[.counterDrift, default: 0] - correctedCounters,
        .missing: applied?.leftOut.values.reduce(0, +) ?? 0, .orphaned: applied?.keptRows.count ?? 0,
      ]
    }
    left[.unbacked] = 0
    counts[.unbacked] = 0
    // What was refused is no difference any more, but a finding; it was not repaired either.
    let refused = applied?.newlyRefused ?? [:]
    let repaired = counts.merging(left.merging(refused, uniquingKeysWith: +)) { max(0, $0 - $1) }
    // Counters that this run was not to correct are no work that it left undone.
    if !options.correctsCounters { left[.counterDrift] = 0 }
    var outcome = Outcome(
      run: run, survey: found, repaired: repaired, quarantined: applied?.quarantinedAll(survey.plan) ?? 0,
      inserted: applied?.inserted ?? [:], returned: applied?.returned ?? 0, relinked: applied?.relinked ?? 0,
      remaining: left.values.reduce(0, +), schemaDriftLeft: driftLeft.map(\.message),
      proof: proof, elapsed: ContinuousClock().now - start)
    try await RunReports(agent: agent, connection: connection, schema: schema).record(outcome, options.retention)
    // The rows are committed: what cannot be counted or kept now takes nothing from that.
    let memory = RowMemory(of: repository, agent: agent, database: database)
    let records = survey.git.records.count - (left[.missing] ?? 0)
    if let standing = try? await memory.update(connection, schema, run: run, records: records) {
      outcome.standing = standing
    }
    return outcome
  }

  /// Rows of another writer that came, or whose log entries came, after the survey that this run went by: the next run
  /// gives them their keys, and this one has left nothing undone.
  private static func claimsSince(_ survey: Survey, in after: Survey) -> Int {
    let known = Set((survey.rows.rows[.event] ?? []).map(\.id)).subtracting(survey.plan.fresh.map(\.id))
    return after.plan.updates.count { $0.manner == .claimed && !known.contains($0.row.id) }
  }

  /// Corrects the counters of identity.json through the write path. Returns how many are no longer wrong.
  ///
  /// The files are counted again under the lock of the tree: a decision may have come since the survey.
  private func correctCounters(_ survey: Survey, writing: WriteSettings) async throws -> Int {
    guard survey.source.kind == .workTree, !survey.plan.counterDrift.isEmpty else { return 0 }
    let writer = RecordWriter(repository: repository, agent: agent, settings: writing)
    do {
      return try await writer.correctCounters() ? survey.plan.counterDrift.count : 0
    } catch let error as PersistenceError where error.code == .locked {
      // A writer keeps the tree for longer than anybody should wait: the drift is still there and is reported as left.
      return 0
    }
  }

  /// A row with the key of one that the plan inserts came first, or a deadlock chose this transaction.
  private static func isRace(_ error: PostgresError) -> Bool {
    error.sqlState == .uniqueViolation || error.code == .serializationFailure
  }
}

extension SafetyRails {
  init(_ options: Reconciler.Options) {
    self.init(allowed: options.keepsOrphans ? .max : options.allowedRemovals)
  }
}

extension PlanApplier.Outcome {
  func quarantinedAll(_ plan: ReconciliationPlan) -> Int {
    quarantined + plan.quarantineFiles.count + newlyRefused.values.reduce(0, +)
  }

  /// Differences that the run found and the database refused to have repaired, by class.
  var newlyRefused: [Difference.Class: Int] {
    var counts: [Difference.Class: Int] = [:]
    for refusal in refusals where refusal.isNew { counts[refusal.row == nil ? .missing : .stale, default: 0] += 1 }
    return counts
  }

  /// What the database refused, as findings: of records, and of rows that git does not hold.
  func findings(_ agent: Agent) -> [Diagnostic] {
    func finding(_ path: String?, _ message: String) -> Diagnostic {
      Diagnostic(
        severity: .error, code: "row-refused", path: path.flatMap { RecordPath(text: $0) } ?? agent.root, line: nil,
        message: message)
    }
    var findings = refusals.map(\.diagnostic)
    for kind in RecordKind.allCases {
      guard let count = leftOut[kind] else { continue }
      let folder = TreeLayout.folder(of: kind, agent: agent) ?? TreeLayout.sessionLog(of: agent)
      findings.append(
        finding(
          folder.text,
          "\(kind.table) refuses so many records that \(count) more were left out without looking at each of them"))
    }
    findings += keptRows.map { row, kind, reason in
      finding(
        row.path, "row \(row.id) of \(kind.table), which git does not hold, cannot be taken out: \(reason)")
    }
    findings += notGivenBack.map { kind, message in
      let folder = TreeLayout.folder(of: kind, agent: agent) ?? TreeLayout.sessionLog(of: agent)
      return Diagnostic(severity: .warning, code: "not-given-back", path: folder, line: nil, message: message)
    }
    return findings
  }
}

extension Duration {
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
