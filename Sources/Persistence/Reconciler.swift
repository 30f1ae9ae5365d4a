package import Git
internal import Postgres
package import Records

/// Brings the database of one agent to what git holds, and says what it did.
///
/// `survey` (of `Surveyor`) reads and computes a plan; `run` executes one. One run at a time for an agent and a
/// database: flock(2) on the repository, tried once, and a session advisory lock in Postgres, polled for a moment. A
/// holder that lost the lock without noticing is refused by its fencing token.
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
    /// Repairable differences that are left.
    package let remaining: Int
    /// The manifest's lines that repeating the migrations did not bring back.
    package let schemaDriftLeft: [String]
    /// Both sides after the changes; nil where that was not asked for and nothing was changed.
    package let proof: Survey?
    package let elapsed: Duration
  }

  /// How often a plan is made anew because a write came between. A crowd of writers wins many times in a row.
  private static let attempts = 12
  /// How often a proof is made anew because rows of records written meanwhile may be on their way.
  private static let lateRowAttempts = 3

  package func run(_ options: Options) async throws -> Outcome {
    let clock = ContinuousClock()
    let start = clock.now
    let run = ReconcileRun(command: options.command)
    let lock = try RunLock(gitDirectory: repository.commonDirectory)
    defer { withExtendedLifetime(lock) {} }

    // The tree is read before anything is written: a missing or unreadable one ends the run here.
    let before = try await surveyBefore(options)
    if let before { try SafetyRails(allowed: options.allowedRemovals).check(before.plan) }
    let (connection, schema) = try await database.connectCreating()
    do {
      let lock = AdvisoryLock(.moha(.reconcile, scope: "\(schema)/\(agent)"), on: connection)
      // A run on this machine would hold the file lock. What holds this one for a moment is the server's session
      // of a killed run, until it notices; or a run on another clone, which takes longer.
      let outcome = try await lock.withLock(timeout: .seconds(5)) {
        try await runLocked(options, run: run, before: before, connection: connection, schema: schema, start: start)
      }
      await connection.close()
      return outcome
    } catch let error as PostgresError where error.code == .lockNotAvailable {
      await connection.close()
      throw PersistenceError(
        .locked, "another run reconciles agent \(agent) in this database: nothing was changed",
        hint: "run again when it has ended")
    } catch {
      await connection.close()
      throw error
    }
  }

  private func runLocked(
    _ options: Options, run: ReconcileRun, before: Survey?, connection: Connection, schema: SchemaName,
    start: ContinuousClock.Instant
  ) async throws -> Outcome {
    let migrator = Migrator(schema: schema)
    _ = try await migrator.migrate(connection)
    var driftLeft = try await migrator.repair(connection)
    let fence = try await FencingToken.current("reconcile/\(agent)", schema: schema, on: connection)
    let surveyor = Surveyor(repository: repository, agent: agent, schema: schema)
    var attempt = 1
    while true {
      let survey = try await surveyor.survey(
        options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles,
        reusing: attempt == 1 ? before : nil)
      try SafetyRails(allowed: options.allowedRemovals).check(survey.plan)
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
      } catch let error as GitError where error.code == .changedWhileReading && attempt < Reconciler.attempts {
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
      return try await Surveyor(repository: repository, agent: agent, schema: database.schema ?? .public).survey(
        options.selection, connection: nil, restoringDeletedFiles: options.restoringDeletedFiles)
    }
    let migrator = Migrator(schema: schema)
    _ = try await migrator.status(connection)
    let isAsMigrated = try await migrator.drift(connection).isEmpty
    let survey =
      isAsMigrated
      ? nil
      : try await Surveyor(repository: repository, agent: agent, schema: schema).survey(
        options.selection, connection: connection, restoringDeletedFiles: options.restoringDeletedFiles)
    await connection.close()
    return survey
  }

  private func apply(
    _ survey: Survey, options: Options, run: ReconcileRun, fence: FencingToken, connection: Connection,
    schema: SchemaName
  ) async throws -> PlanApplier.Outcome? {
    let isCurrent = survey.rows.checkpoint == Checkpoint(commit: survey.source.commit?.id, tree: survey.source.tree)
    guard survey.plan.changesRows || !isCurrent && !survey.plan.isBehind else { return nil }
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
    try await connection.script("SET maintenance_work_mem = '256MB'")
    // Statistics first: of an expression index they would cost as much as the index itself.
    for table in applied.bulkTables { try await connection.script("ANALYZE \(schema.qualified(table))") }
    for index in applied.deferredIndexes { try await connection.script(index) }
    try await connection.script("RESET maintenance_work_mem")
  }

  private func conclude(
    _ survey: Survey, found: Survey, applied: PlanApplier.Outcome?, options: Options, run: ReconcileRun,
    connection: Connection, schema: SchemaName, driftLeft: [String], start: ContinuousClock.Instant
  ) async throws -> Outcome {
    var counts = found.counts
    var correctedCounters = 0
    if options.correctsCounters { correctedCounters = try await correctCounters(survey, writing: options.writing) }
    var proof: Survey?
    var left: [Difference.Class: Int] = [:]
    if options.provesResult, applied == nil, found.repairable == 0 {
      // Nothing was found and nothing changed: what was read is the proof.
      proof = survey
    } else if options.provesResult {
      var surveyor = Surveyor(repository: repository, agent: agent, schema: schema)
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
      proof = after
    } else {
      left = [
        .schemaDrift: driftLeft.count,
        .counterDrift: survey.counts[.counterDrift, default: 0] - correctedCounters,
      ]
    }
    left[.unbacked] = 0
    counts[.unbacked] = 0
    let repaired = counts.merging(left) { max(0, $0 - $1) }
    // Counters that this run was not to correct are no work that it left undone.
    if !options.correctsCounters { left[.counterDrift] = 0 }
    let outcome = Outcome(
      run: run, survey: found, repaired: repaired, quarantined: applied?.quarantinedAll(survey.plan) ?? 0,
      inserted: applied?.inserted ?? [:], remaining: left.values.reduce(0, +), schemaDriftLeft: driftLeft,
      proof: proof, elapsed: ContinuousClock().now - start)
    try await record(outcome, connection: connection, schema: schema)
    return outcome
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

  /// The run's row. Written after the changes, in a transaction of its own: it reports their result, and the
  /// checkpoint that it belongs to names the run.
  private func record(_ outcome: Outcome, connection: Connection, schema: SchemaName) async throws {
    let source = outcome.survey.source
    let elapsed = outcome.elapsed.seconds
    _ = try await connection.execute(
      """
      INSERT INTO \(schema.qualified("maven_reconcile_runs"))
        (run_id, agent, command, source_kind, commit_id, tree_id, started_at, finished_at, differences, repaired,
         remaining, report)
      VALUES ($1::uuid, $2, $3, $4, $5, $6, now() - make_interval(secs => $7), now(), $8, $9, $10, $11)
      """,
      [
        .text(outcome.run.id), .text(agent.name), .text(outcome.run.command), .text(source.kind.rawValue),
        .bytes(source.commit?.id), .bytes(source.tree.bytes), .double(elapsed),
        .json(Report.counts(outcome.survey.counts).jsonbText), .json(Report.counts(outcome.repaired).jsonbText),
        .int(Int64(outcome.remaining)), .json(Report.reconcile(outcome).databaseForm.jsonbText),
      ])
  }

  /// A row with the key of one that the plan inserts came first, or a deadlock chose this transaction.
  private static func isRace(_ error: PostgresError) -> Bool {
    error.sqlState == .uniqueViolation || error.code == .serializationFailure
  }
}

extension PlanApplier.Outcome {
  func quarantinedAll(_ plan: ReconciliationPlan) -> Int { quarantined + plan.quarantineFiles.count }
}

extension Duration {
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
