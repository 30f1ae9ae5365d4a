internal import Postgres
package import Records

/// One look at everything: where git stands, how the layers are, and what the records and trades came to.
///
/// Each part is found by itself and says by itself why it is missing: with the database down, git still shows.
package struct Overview: Sendable {
  package enum Part<Value: Sendable>: Sendable {
    case found(Value)
    case missing(ErrorOutline)

    package var value: Value? {
      if case .found(let value) = self { value } else { nil }
    }

    package var problem: ErrorOutline? {
      if case .missing(let problem) = self { problem } else { nil }
    }
  }

  package let agent: Agent
  package let takenAt: Instant
  /// How many days the figures go back; nil for all.
  package let days: Int?
  /// Where HEAD is; nil where there is no commit, or no repository to read.
  package let standing: Standing?
  package let health: AgentHealth
  package let figures: Figures
  /// What the files show; nil where the database shows more.
  package let glance: FileGlance?

  /// What the database says.
  package struct Figures: Sendable {
    package let takenAt: Instant
    /// How long the periods of `records` and `periods` are.
    package let unit: RecordQueries.Unit
    package let counts: Part<Dataset>
    package let equity: Part<Dataset>
    package let periods: Part<Dataset>
    package let records: Part<Dataset>
    package let assets: Part<Dataset>
    package let confidence: Part<Dataset>
    package let outcomes: Part<Dataset>
    package let runs: Part<[RunRecord]>
    /// The newest run in detail; nil within where there was none.
    package let lastRun: Part<RunDetail?>
    package let decisions: Part<DecisionPage>
    /// What is gone of the rows that git has no copy of.
    package internal(set) var rows = RowStanding.unknown

    /// Whether every part was found.
    package var isComplete: Bool {
      let problems = [
        counts.problem, equity.problem, periods.problem, records.problem, assets.problem, confidence.problem,
        outcomes.problem, runs.problem, lastRun.problem, decisions.problem,
      ]
      return problems.allSatisfy { $0 == nil }
    }

    /// Why nothing could be found, where that has one reason.
    package var problem: ErrorOutline? {
      guard let problem = counts.problem, runs.problem?.code == problem.code, decisions.problem?.code == problem.code
      else { return nil }
      return problem
    }
  }

  package init(
    agent: Agent, takenAt: Instant, days: Int?, standing: Standing?, health: AgentHealth, figures: Figures,
    glance: FileGlance? = nil
  ) {
    self.glance = glance
    (self.agent, self.takenAt, self.days) = (agent, takenAt, days)
    (self.standing, self.health, self.figures) = (standing, health, figures)
  }
}

extension Overview {
  /// How it stands, in one sentence, and whether all is well.
  ///
  /// The newest run is what is known of git and the database; when it ran is said with it, since what became of them
  /// since then nobody has compared.
  package var verdict: (isWell: Bool, sentence: String) {
    var parts: [String] = []
    var isWell = true
    func fault(_ part: String) { (isWell, parts) = (false, parts + [part]) }
    if let problem = figures.problem, problem.code == Overview.Figures.unfinishedCode {
      parts.append(problem.message)
    } else if let problem = figures.problem {
      fault("git and the database cannot be compared: \(problem.message)")
    } else if let detail = figures.lastRun.value {
      if let run = detail?.run {
        let time = run.finishedAt.map { "\($0.secondText) UTC" } ?? "a time that is not known"
        let unreadable = detail?.unreadableFiles ?? 0
        if run.remaining > 0 {
          fault("the last \(run.command), at \(time), left \(run.remaining) of \(run.drift) differences")
        } else {
          parts.append("git and the database said the same after the last \(run.command), at \(time)")
        }
        if unreadable > 0 { fault("\(unreadable) files could not become records") }
        if let commit = run.commit, let standing, commit != standing.id { parts.append("HEAD has moved since") }
      } else {
        fault("git and the database were never compared: `moha-sync sync` does it")
      }
    }
    for layer in health.layers where layer.finding.isFault {
      fault("\(layer.name) is \(layer.finding.status.rawValue)")
    }
    if !figures.rows.losses.isEmpty { fault("rows are gone that git has no copy of") }
    let sentence = parts.joined(separator: "; ")
    return (isWell, sentence.prefix(1).uppercased() + sentence.dropFirst() + ".")
  }
}

extension AgentRecords {
  /// Looks at everything at once.
  ///
  /// - Parameter mcp: how to look at the MCP server; nil where that is who asks.
  package func overview(
    _ queries: RecordQueries, days: Int?, mcp: AgentHealth.Probe? = nil, now: Instant = .now()
  ) async -> Overview {
    async let standing = standing()
    async let health = health(mcp: mcp)
    let figures = await figures(queries, days: days, now: now)
    return Overview(
      agent: agent, takenAt: now, days: days, standing: await standing, health: await health, figures: figures,
      glance: figures.problem == nil ? nil : await glance())
  }

  /// Asks the database for everything that an overview shows, several questions at a time.
  package func figures(_ queries: RecordQueries, days: Int?, now: Instant = .now()) async -> Overview.Figures {
    let since = days.flatMap { Instant(microseconds: now.microseconds - Int64($0) * 86_400_000_000) }
    let span = await part { try await queries.span() }
    async let standing = rowStanding()
    if let problem = span.problem {
      var figures = Overview.Figures.missing(problem, now: now)
      figures.rows = await standing
      return figures
    }
    let unit = AgentRecords.unit(from: since ?? span.value??.first, to: span.value??.last)
    async let counts = part { try await queries.tableCounts() }
    async let equity = part { try await queries.equity(since: since) }
    async let periods = part { try await queries.performanceByPeriod(unit, since: since, limit: 400) }
    async let records = part { try await queries.recordsByTime(unit, since: since) }
    async let assets = part { try await queries.performanceByAsset(since: since) }
    async let confidence = part { try await queries.performanceByConfidence(since: since) }
    async let outcomes = part { try await queries.confidenceAndOutcome(since: since) }
    async let runs = part { try await queries.runs(limit: 200) }
    async let lastRun = part { try await queries.run() }
    async let decisions = part { try await queries.decisions(DecisionFilter(), limit: 8, textLimit: 300) }
    return Overview.Figures(
      takenAt: now, unit: unit, counts: await counts, equity: await equity, periods: await periods,
      records: await records, assets: await assets, confidence: await confidence, outcomes: await outcomes,
      runs: await runs, lastRun: await lastRun, decisions: await decisions, rows: await standing)
  }

  private func rowStanding() async -> RowStanding {
    guard let database = await database.ifUp() else { return .unknown }
    return await RowMemory(of: repository, agent: agent, database: database).look()
  }

  private func part<Value: Sendable>(_ body: () async throws -> Value) async -> Overview.Part<Value> {
    do {
      return .found(try await body())
    } catch {
      return .missing(outline(error))
    }
  }

  /// Such that a chart has neither two bars nor two thousand.
  private static func unit(from first: Instant?, to last: Instant?) -> RecordQueries.Unit {
    guard let first, let last else { return .day }
    switch (last.microseconds - first.microseconds) / 86_400_000_000 {
    case ..<120: return .day
    case ..<900: return .week
    default: return .month
    }
  }
}

extension Overview.Figures {
  fileprivate static let unfinishedCode = "unfinished"

  /// What is shown while the figures are being made.
  package static func unfinished(_ now: Instant) -> Overview.Figures {
    missing(
      ErrorOutline(
        code: unfinishedCode, message: "the figures are being added up",
        hint: "look again in a moment: they are then kept"),
      now: now)
  }

  fileprivate static func missing(_ problem: ErrorOutline, now: Instant) -> Overview.Figures {
    Overview.Figures(
      takenAt: now, unit: .day, counts: .missing(problem), equity: .missing(problem), periods: .missing(problem),
      records: .missing(problem), assets: .missing(problem), confidence: .missing(problem),
      outcomes: .missing(problem), runs: .missing(problem), lastRun: .missing(problem), decisions: .missing(problem))
  }
}
