import Git
import Persistence
import Postgres
import Records
import Redis
import Telemetry

/// The steps of one tick, each for a bounded time, whatever became of those before it.
struct TickRun: Sendable {
  let workspace: Workspace
  /// The remote to push to; empty for the branch's own, nil for none.
  let push: String?
  let pushLimit: Duration
  /// How long each step may take.
  let limit: Duration
  let isQuiet: Bool

  /// What a step says of itself when it ends.
  struct Finding: Sendable {
    var state: String
    var status = ExitStatus.success
    /// On one line, for people.
    var detail = ""
    /// What needs a person, for stderr.
    var warnings: [String] = []
    /// Members of the step's JSON.
    var members: [JSONValue.Member] = []
    var commit: ObjectID?
  }

  func run() async -> TickOutcome {
    var outcome = TickOutcome()
    let commit = await step("commit", &outcome) { try await commitFiles() }
    let isCommitted = ["committed", "unchanged"].contains(commit.state)
    if !Task.isCancelled {
      // What is not in HEAD is not moved either.
      _ = await step("rotate", &outcome) {
        try await isCommitted ? rotateLog() : Finding(state: "skipped", detail: "not everything is committed")
      }
    }
    if !Task.isCancelled {
      _ = await step("reconcile", &outcome) { try await reconcileRows() }
    }
    if !Task.isCancelled { _ = await step("snapshot", &outcome) { try await takeSnapshot() } }
    if let push, !Task.isCancelled {
      let pushed = await GitPush(
        repository: workspace.repository, environment: workspace.settings.environment,
        remote: push.isEmpty ? nil : push, limit: pushLimit
      ).run()
      outcome.push = pushed
      if pushed.isTrouble { outcome.warnings.append(pushed.warning) }
    }
    return outcome
  }

  /// Runs one step and enters what became of it.
  private func step(
    _ name: String, _ outcome: inout TickOutcome,
    _ body: @escaping @Sendable () async throws -> Finding
  ) async -> Finding {
    let clock = ContinuousClock()
    let start = clock.now
    var finding: Finding
    let phase = Phase()
    switch await Phase.$current.withValue(phase, operation: { await Deadline.run(limit, body) }) {
    case .returned(let found): finding = found
    case .threw(let error):
      let failure = Failure(error)
      // Mail of cron is read line by line.
      let message = failure.singleLine
      finding = Finding(state: "failed", status: failure.status, detail: message)
      let hint = failure.hint.map { message.contains($0) ? "" : " (\($0))" } ?? ""
      // An overlapping run is no news.
      if !(isQuiet && failure.status == .locked) { finding.warnings = ["\(name): \(message)\(hint)"] }
      finding.members = [.init("error", .string(failure.code))]
    case .late:
      let failure = await TimeLimit.failure(name, limit, phase, workspace)
      finding = Finding(
        state: "timed-out", status: failure.status, detail: "it was ended after \(limit.components.seconds) s")
      finding.warnings = [
        "\(failure.message); the next tick tries again"
          + (failure.status == .failed ? ", and --timeout (tick: timeout:) raises the limit" : "")
      ]
    }
    if Task.isCancelled { finding.status = .interrupted }
    outcome.add(name, finding, elapsed: clock.now - start)
    return finding
  }

  // MARK: Steps

  private func commitFiles() async throws -> Finding {
    let outcome = try await AutomaticCommit(
      repository: workspace.repository, agent: workspace.settings.agent, settings: workspace.settings.writing
    ).run(isDryRun: false)
    await workspace.tell(outcome)
    var finding = Finding(state: "unchanged", commit: outcome.commit)
    if outcome.commit != nil {
      finding.state = "committed"
      finding.detail = outcome.message.split(separator: "\n").first.map { printable(String($0)) } ?? ""
    }
    if let reason = outcome.pendingReason { (finding.state, finding.detail) = ("pending", reason) }
    finding.status = outcome.status
    finding.warnings = outcome.warnings
    if finding.status == .refused { finding.state = "refused" }
    if finding.status == .partlyDone { finding.state = "partly-done" }
    finding.members = [
      .init("files", .integer(outcome.files.count)), .init("refused", .integer(outcome.refused.count)),
      .init("skipped", .integer(outcome.skipped.count { $0.weight != .note })),
    ]
    return finding
  }

  private func rotateLog() async throws -> Finding {
    let rotation = workspace.rotation
    guard try rotation.logSize() > workspace.settings.rotateBytes else { return Finding(state: "not-due") }
    do {
      let outcome = try await rotation.run(now: Instant.now())
      var finding = Finding(state: outcome.eventCount > 0 ? "rotated" : "unchanged", commit: outcome.commit)
      if outcome.eventCount > 0 { finding.detail = "\(outcome.eventCount) events to \(outcome.files.count) files" }
      finding.members = [.init("events", .integer(outcome.eventCount))]
      return finding
    } catch let error as PersistenceError where error.code == .changedMeanwhile {
      // Somebody writes at this moment: the next tick has another chance.
      return Finding(state: "skipped", detail: error.message)
    }
  }

  private func reconcileRows() async throws -> Finding {
    // The tree first: without one there is nothing to start a server for.
    _ = try await RecordSource(.workTree, agent: workspace.settings.agent, repository: workspace.repository)
    let database = try await workspace.database()
    try await probe(database)
    var run = Reconciler.Options(command: "tick")
    run.correctsCounters = true
    let outcome = try await Reconciler(
      repository: workspace.repository, agent: workspace.settings.agent, database: database
    ).run(run)
    let found = outcome.survey.rowDifferences
    let counters = outcome.repaired[.counterDrift] ?? 0
    var finding = Finding(state: found == 0 && counters == 0 ? "in-sync" : "repaired")
    var details: [String] = []
    if found > 0 { details.append("\(found) differences, \(outcome.remaining) left") }
    if counters > 0 { details.append("\(counters) counters of identity.json corrected") }
    finding.detail = details.joined(separator: ", ")
    let report = Report.reconcile(outcome)
    for name in ["differences", "repaired", "remaining", "quarantined", "run_id"] as [JSONString] {
      if let value = report[name] { finding.members.append(.init(name, value)) }
    }
    // Once: what is known to be gone is told by `verify`, `report` and `doctor` from then on.
    finding.warnings = outcome.standing.news.map { "reconcile: \($0.sentence); \(RowStanding.hint)" }
    let survey = outcome.proof ?? outcome.survey
    if outcome.remaining > 0 || survey.hasErrors {
      finding.state = "partly-done"
      finding.status = .partlyDone
      let files = survey.git.findings.filter { $0.severity == .error }
      finding.warnings += files.prefix(5).map { diagnostic in
        let line = diagnostic.line.map { ", line \($0)" } ?? ""
        return
          "\(printable(diagnostic.path.text))\(line): \(diagnostic.code): \(printable(diagnostic.message)); it is no row until it is mended"
      }
      if files.count > 5 { finding.warnings.append("and \(files.count - 5) more; `moha-sync verify` lists them") }
      if outcome.remaining > 0 {
        finding.warnings.append("reconcile: \(outcome.remaining) differences are left; `moha-sync verify` lists them")
      }
    }
    return finding
  }

  /// Redis may be away: then there is nothing to take a snapshot of, and nothing is lost.
  private func takeSnapshot() async throws -> Finding {
    let minutes = workspace.settings.snapshotMinutes
    guard minutes > 0 else { return Finding(state: "off") }
    guard let settings = await workspace.redisIfUp() else {
      return Finding(state: "skipped", detail: "Redis is not running")
    }
    do {
      let client = try await RedisClient(settings)
      let taker = workspace.snapshotTaker(client)
      var finding = Finding(state: "not-due")
      if let restored = try await taker.restoreIfLost(), !restored.restored.isEmpty, let source = restored.source {
        let assets = restored.restored.map { printable($0.name) }.joined(separator: ", ")
        finding.warnings = ["snapshot: Redis had lost positions; put back from \(source): \(assets)"]
      }
      switch try await taker.due(after: .seconds(minutes * 60)) {
      case .notYet: return finding
      case .withoutBalance:
        finding.state = "skipped"
        finding.detail = "no balance is known; `moha-sync snapshot --balance USD` takes the first one"
        return finding
      case .now: break
      }
      let outcome = try await taker.take(.init(.scheduled))
      finding.state = "taken"
      finding.detail = "\(outcome.snapshot.totalValue.text) USD"
      finding.commit = outcome.recorded.written.commit
      finding.members = [.init("path", .string(outcome.recorded.written.path))]
      return finding
    } catch let error as PersistenceError where error.code == .cacheValue || error.code == .notFound {
      // What the bots put into Redis lacks something: theirs to mend, and worth a mail.
      var finding = Finding(state: "incomplete", status: .partlyDone, detail: error.message)
      finding.warnings = ["snapshot: \(printable(error.description))"]
      return finding
    } catch let error as RedisError {
      return Finding(state: "skipped", detail: printable(error.description))
    }
  }

  /// Asks the server one thing, so that one that is stopped is noticed soon, and not at the end of the step.
  private func probe(_ database: Database) async throws {
    let patience = min(limit, .seconds(10))
    let ending = await Deadline.run(patience, grace: .milliseconds(200)) {
      guard let (connection, _) = try await database.connect() else { return }
      await connection.close()
    }
    switch ending {
    case .returned: return
    case .threw(let error): throw error
    case .late:
      try Task.checkCancellation()
      throw CommandFailure(
        code: "postgres-no-answer",
        message:
          "the database did not answer within \(patience.components.seconds) s; its rows follow at the next tick",
        hint: "check the server; `moha-sync status` shows where it is", status: .serviceDown)
    }
  }
}

extension AutomaticCommit.Refused {
  /// The file, the place and the rule, with the value masked.
  var warning: String {
    "\(printable(path)), \(line == 0 ? "by its name" : "line \(line)"): left out, it holds what looks like a secret "
      + "(\(rule): \(printable(masked))). If it is none, add \(fingerprint) to .moha-secrets-allow"
  }
}
