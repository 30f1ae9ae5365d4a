internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// A repository with an agent's records, an empty database, and the program to run on both.
final class CommandTree {
  let git: GitScratch
  let database: TestDatabase

  init(server: PostgresServer? = nil) async throws {
    git = try GitScratch()
    let server = if let server { server } else { try await PostgresServer.shared() }
    database = try await server.database()
  }

  /// Six decisions, two milestones, a log of three entries and an identity with a true counter.
  static func sample(server: PostgresServer? = nil) async throws -> CommandTree {
    let tree = try await CommandTree(server: server)
    try tree.writeSample()
    return tree
  }

  func writeSample() throws {
    for index in 1...6 { try write(decision: index) }
    for index in 1...2 {
      try git.write(
        ".moha/maven/milestones/milestone_20260201_09000\(index)_step.md",
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
    let entries = (1...3).map { "## [2026-02-01T10:00:0\($0)+00:00] NOTE\n\nEvent number \($0).\n\n---\n\n" }
    try git.write(".moha/maven/session_log.md", "# Maven Session Log\n\n---\n\n" + entries.joined())
    try git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 6}"#)
    try git.commit("records")
  }

  // MARK: Files

  /// `decision_20260201_HHMMSS.md`, a name for each index below 86,400.
  static func decisionFile(_ index: Int) -> String {
    func two(_ number: Int) -> String { String(String(number + 100).dropFirst()) }
    return ".moha/maven/decisions/decision_20260201_\(two(index / 3600))\(two(index / 60 % 60))\(two(index % 60)).md"
  }

  static func decision(_ index: Int, reasoning: String = "Momentum above support", action: String = "Bought") -> String
  {
    """
    # Decision Record

    **Timestamp:** 2026-02-01T08:00:00.\(String(index + 1_000_000).dropFirst())+00:00
    **Type:** buy
    **Asset:** BTC
    **Risk Level:** low
    **Confidence:** 80.0%

    ## Action

    \(action)

    ## Reasoning

    \(reasoning)

    ## Metadata

    ```json
    {
      "index": \(index)
    }
    ```

    ---
    *Recorded by Maven*

    """
  }

  func write(decision index: Int, reasoning: String = "Momentum above support") throws {
    try git.write(Self.decisionFile(index), Self.decision(index, reasoning: reasoning))
  }

  // MARK: The program

  /// What the program sees of the surroundings: nothing of the machine's settings or of the user's. Memory that it has
  /// freed is overwritten, so that a use after that shows.
  ///
  /// The state folder is one that a server's user cannot reach, so that a test that means another database never
  /// starts an embedded server.
  var environment: [String: String] {
    [
      "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": git.base, "LC_ALL": "C.UTF-8", "TERM": "xterm",
      "MALLOC_PERTURB_": "165",
      "MOHA_STATE_DIR": "\(git.base)/state",
    ]
  }

  /// Runs the program in the repository's folder with `--database` of this tree's own.
  func run(_ arguments: [String], environment extra: [String: String] = [:]) async throws -> ChildProcess.Output {
    try await runBare(arguments + ["--database", database.url], environment: extra)
  }

  func run(_ arguments: String...) async throws -> ChildProcess.Output {
    try await run(arguments)
  }

  /// The same without adding an option.
  func runBare(
    _ arguments: [String], environment extra: [String: String] = [:], folder: String? = nil
  ) async throws -> ChildProcess.Output {
    try await Program.run(
      [try Program.path()] + arguments, environment: environment.merging(extra) { $1 }, folder: folder ?? git.path)
  }

  /// Starts the program and returns while it runs.
  func start(_ arguments: String...) throws -> RunningProgram {
    try RunningProgram(
      try Program.path(), arguments + ["--database", database.url], environment: environment, workingDirectory: git.path
    )
  }

  /// Runs the program, expects an exit code, and shows what it printed if it is another.
  @discardableResult
  func expect(
    _ status: Int32, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> ChildProcess.Output {
    let output = try await run(arguments)
    #expect(output.status == status, "\(arguments): \(output.everything)", sourceLocation: sourceLocation)
    return output
  }

  // MARK: Looking from outside

  /// Runs statements as somebody with psql would.
  func sql(_ script: String) async throws {
    try await database.run(script)
  }

  /// The first column of a query's first row; NULL is empty.
  func value(_ query: String) async throws -> String {
    try #require(try await database.rows(query).first).optionalString(0) ?? ""
  }

  /// Everything that the database holds.
  func dump() throws -> String {
    try database.dump()
  }

  /// Names, modes and digests of all files of the repository, those of git included.
  func fileDigests() throws -> String {
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "find . -printf '%p %m %T@\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum"],
      workingDirectory: git.path
    ).stdoutText
  }

  /// Waits until a session of the program waits for a lock that another session holds.
  func waitUntilBlocked() async throws {
    let connection = try await database.connect()
    let deadline = ContinuousClock.now + .seconds(20)
    var isBlocked = false
    while !isBlocked, ContinuousClock.now < deadline {
      let rows = try await connection.query(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'moha-sync' AND wait_event_type = 'Lock'
          AND pid <> pg_backend_pid()
        """)
      isBlocked = try rows.first?.int(0) != 0
    }
    await connection.close()
    try #require(isBlocked, "the program never came to wait")
  }

  /// Runs `body` while no other session can write decisions: a run reads both sides and then waits.
  func withDecisionsLocked<R: Sendable>(_ body: () async throws -> R) async throws -> R {
    let connection = try await database.connect()
    try await connection.script("BEGIN; LOCK TABLE maven_decisions IN SHARE MODE")
    do {
      let result = try await body()
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }
}
