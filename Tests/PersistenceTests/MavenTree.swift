internal import Git
internal import Postgres
internal import Records
internal import TestSupport

@testable internal import Persistence

/// A repository with an agent's tree, and an empty database of its own.
final class MavenTree {
  let git: GitScratch
  let database: TestDatabase
  let agent: Agent

  init(agent: Agent = .default, git: GitScratch? = nil, database: TestDatabase? = nil) async throws {
    self.git = try git ?? GitScratch()
    if let database { self.database = database } else { self.database = try await PostgresServer.shared().database() }
    self.agent = agent
  }

  /// A tree of six decisions, three milestones, a log of three entries and an identity with true counters.
  static func sample() async throws -> MavenTree {
    let tree = try await MavenTree()
    for index in 1...6 { try tree.writeDecision(index) }
    for index in 1...3 { try tree.writeMilestone(index) }
    try tree.write("session_log.md", log(entries: 1...3))
    try tree.write("identity.json", #"{"name": "Maven", "total_decisions": 6}"#)
    try tree.git.commit("records")
    return tree
  }

  // MARK: Files

  var root: String { ".moha/\(agent)" }

  func write(_ file: String, _ text: String) throws {
    try git.write("\(root)/\(file)", text)
  }

  static func decisionName(_ index: Int) -> String { "decision_20260201_0800\(10 + index).md" }

  func writeDecision(_ index: Int, confidence: String = "80.0%", reasoning: String = "Momentum above support") throws {
    try write(
      "decisions/\(MavenTree.decisionName(index))",
      MavenTree.decision(index, confidence: confidence, reasoning: reasoning))
  }

  static func decision(
    _ index: Int, confidence: String = "80.0%", reasoning: String = "Momentum above support",
    timestamp: String? = nil
  ) -> String {
    """
    # Decision Record

    **Timestamp:** \(timestamp ?? "2026-02-01T08:00:\(10 + index).250000+00:00")
    **Type:** buy
    **Asset:** BTC
    **Risk Level:** low
    **Confidence:** \(confidence)

    ## Action

    Bought \(index) BTC

    ## Reasoning

    \(reasoning)

    ## Metadata

    ```json
    {
      "price": 64000.50,
      "index": \(index)
    }
    ```

    ---
    *Recorded by Maven*

    """
  }

  func writeMilestone(_ index: Int) throws {
    try write(
      "milestones/milestone_20260201_09000\(index)_step_\(index).md",
      """
      # Milestone: Step \(index)

      **Timestamp:** 2026-02-01T09:00:0\(index)+00:00
      **Category:** trading

      ## Description

      Reached step \(index).

      ---
      *Milestone recorded by Maven*

      """)
  }

  static func log(entries: ClosedRange<Int>) -> String {
    "# Maven Session Log\n\n---\n\n" + entries.map(entry).joined()
  }

  static func entry(_ index: Int) -> String {
    "## [2026-02-01T10:00:\(10 + index).000001+00:00] NOTE\n\nEvent number \(index).\n\n**Metadata:** {\"n\": \(index)}\n\n---\n\n"
  }

  // MARK: Runs

  func repository() throws -> Repository { try Repository(at: git.path, configuration: .hermetic) }

  func target(_ schema: SchemaName? = nil) -> Database { Database(settings: database.settings, schema: schema) }

  @discardableResult
  func run(
    _ command: String = "reconcile", at revision: String? = nil, into schema: SchemaName? = nil,
    allowing removals: Int? = nil, restoringDeletedFiles: Bool = false, patience: Duration = .zero
  ) async throws -> Reconciler.Outcome {
    var options = Reconciler.Options(command: command, selection: revision.map { .revision($0) } ?? .workTree)
    options.allowedRemovals = removals
    options.restoringDeletedFiles = restoringDeletedFiles
    // Only tests of that wait for another writer's other half of an event.
    options.patience = patience
    options.correctsCounters = command == "reconcile" && revision == nil
    return try await Reconciler(repository: try repository(), agent: agent, database: target(schema)).run(options)
  }

  func survey(
    at revision: String? = nil, schema: SchemaName? = nil, patience: Duration = .zero
  ) async throws -> Survey {
    let open = try await target(schema).connect()
    var surveyor = Surveyor(repository: try repository(), agent: agent, schema: open?.schema ?? .public)
    surveyor.patience = patience
    let survey = try await surveyor.survey(revision.map { .revision($0) } ?? .workTree, connection: open?.connection)
    await open?.connection.close()
    return survey
  }

  func verification(at revision: String? = nil) async throws -> Verification {
    Verification(try await survey(at: revision), elapsed: .zero)
  }

  /// Applies a survey's plan as it is, however old it has become, under a token that may be old too.
  func apply(_ survey: Survey, connection: Connection, fence: FencingToken? = nil) async throws {
    let current = try await FencingToken.current("reconcile/\(agent)", schema: .public, on: connection)
    let applier = PlanApplier(
      survey: survey, repository: try repository(), schema: .public, run: ReconcileRun(command: "test"),
      fence: fence ?? current)
    _ = try await applier.apply(connection) { _ in }
  }

  /// Runs statements as somebody with psql would.
  func sql(_ script: String) async throws {
    try await database.run(script)
  }

  /// The first column of the first row, as text.
  func value(_ query: String) async throws -> String? {
    try await database.rows(query).first?.optionalString(0)
  }

  /// Everything that the database holds, as pg_dump prints it.
  func dump() throws -> String {
    try database.dump()
  }

  /// Names and digests of all files of the repository, the git folder included.
  func fileDigests() throws -> String {
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "find . -type f -print0 | sort -z | xargs -0 sha256sum"], workingDirectory: git.path
    ).stdoutText
  }
}
