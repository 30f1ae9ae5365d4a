package import Git
internal import Glibc
package import Postgres
package import Records

/// What the database says of an agent's rows and of the runs that compared them with git.
package struct ProjectionState: Sendable {
  /// The last reconcile or sync.
  package struct Run: Sendable {
    /// Seconds since 1970.
    package let finished: Double
    package let differences: [Difference.Class: Int]
    package let remaining: Int
  }

  /// The commit that the rows stand at; nil where they never were compared with one.
  package let checkpoint: ObjectID?
  package let lastRun: Run?
  /// When a run last left nothing to repair, in seconds since 1970.
  package let lastSuccess: Double?

  /// Nil where there is no database or no table of ours yet.
  package static func read(_ database: Database, agent: Agent) async throws -> ProjectionState? {
    guard let (connection, schema) = try await database.connect() else { return nil }
    do {
      let state = try await read(connection, schema, agent)
      await connection.close()
      return state
    } catch {
      await connection.close()
      if (error as? PostgresError)?.code == .undefinedTable { return nil }
      throw error
    }
  }

  private static func read(
    _ connection: Connection, _ schema: SchemaName, _ agent: Agent
  ) async throws -> ProjectionState {
    let checkpoint = try await connection.query(
      "SELECT encode(commit_id, 'hex') FROM \(schema.qualified("maven_checkpoint")) WHERE agent = $1",
      [.text(agent.name)]
    ).first?.optionalString(0)
    let runs = schema.qualified("maven_reconcile_runs")
    let last = try await connection.query(
      """
      SELECT extract(epoch FROM finished_at)::float8, differences::text, remaining FROM \(runs)
      WHERE agent = $1 ORDER BY finished_at DESC LIMIT 1
      """, [.text(agent.name)]
    ).first
    var success = try await connection.query(
      """
      SELECT extract(epoch FROM finished_at)::float8 FROM \(runs)
      WHERE agent = $1 AND remaining = 0 ORDER BY finished_at DESC LIMIT 1
      """, [.text(agent.name)]
    ).first?.double(0)
    let totals = schema.qualified("maven_run_totals")
    if success == nil, try await connection.query("SELECT to_regclass($1) IS NOT NULL", [.text(totals)]).first?.bool(0) == true {
      success = try await connection.query(
        "SELECT extract(epoch FROM max(last_success))::float8 FROM \(totals) WHERE agent = $1", [.text(agent.name)]
      ).first?.optionalDouble(0)
    }
    let run = try last.map { row in
      Run(
        finished: try row.double(0), differences: differences(try row.string(1)), remaining: Int(try row.int(2)))
    }
    return ProjectionState(
      checkpoint: checkpoint.flatMap { ObjectID(hex: $0) }, lastRun: run, lastSuccess: success)
  }

  /// What waits for a person: rows and files in quarantine, and decisions of a time that has not come.
  package static func attention(
    _ connection: Connection, _ schema: SchemaName, _ agent: Agent
  ) async throws -> (quarantined: Int, inFuture: Int) {
    let quarantined = try await connection.query(
      """
      SELECT count(*) FROM \(schema.qualified("maven_quarantine"))
      WHERE agent = $1 AND adopted_at IS NULL AND resolved_at IS NULL
      """, [.text(agent.name)])
    let inFuture = try await connection.query(
      """
      SELECT count(*) FROM \(schema.qualified("maven_decisions"))
      WHERE agent = $1 AND decided_at > now() + interval '5 minutes'
      """, [.text(agent.name)])
    return (Int(try quarantined.first?.int(0) ?? 0), Int(try inFuture.first?.int(0) ?? 0))
  }

  /// What a run wrote of its differences; a class that it did not know counts 0.
  private static func differences(_ text: String) -> [Difference.Class: Int] {
    let json = try? JSONValue.parse(Array(text.utf8))
    var differences: [Difference.Class: Int] = [:]
    for name in Difference.Class.allCases { differences[name] = json?[JSONString(name.rawValue)]?.integer ?? 0 }
    return differences
  }
}

/// How far the rows' checkpoint is behind HEAD.
package struct ProjectionLag: Sendable {
  package let commits: Int
  /// The age of the oldest commit that was not compared with the rows; of very many, that of the thousandth.
  package let seconds: Double

  /// Throws where the checkpoint is a commit that the repository does not have.
  package init(of checkpoint: ObjectID, in repository: Repository) async throws {
    guard let head = try await repository.head().commit else {
      (commits, seconds) = (0, 0)
      return
    }
    commits = try await repository.distance(from: checkpoint, to: head)
    let oldest =
      commits == 0 ? nil : try await repository.oldest(from: checkpoint, to: head, limit: min(commits, 1_000))
    seconds = oldest.map { max(0, Double(time(nil)) - Double($0.committer.time)) } ?? 0
  }
}

extension AgentRecords {
  /// What the database says, and how far it is behind; each nil where that cannot be said within a second.
  package func projection() async -> (state: ProjectionState?, lag: ProjectionLag?) {
    await answer(within: AgentHealth.patience, orElse: (nil, nil)) {
      guard let database = await database.ifUp(),
        let state = try? await ProjectionState.read(database, agent: agent)
      else { return (nil, nil) }
      guard let checkpoint = state.checkpoint, let repository = try? lookout.repository() else { return (state, nil) }
      return (state, try? await ProjectionLag(of: checkpoint, in: repository))
    }
  }
}
