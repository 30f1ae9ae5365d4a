package import Git
internal import Postgres
package import Records

extension AgentHealth {
  /// Puts an error into words: code, message and hint.
  package typealias Wording = @Sendable (any Error) -> (code: String, message: String, hint: String?)
}

extension AgentHealth.Probe {
  private typealias Finding = AgentHealth.Finding

  /// Whether the repository can be read, has a commit and the agent's folder, and takes commits.
  ///
  /// - Parameter open: called at each look.
  package static func git(
    _ agent: Agent, wording: @escaping AgentHealth.Wording, open: @escaping @Sendable () throws -> Repository
  ) -> AgentHealth.Probe {
    AgentHealth.Probe("git") {
      do {
        return try await look(at: open(), agent)
      } catch {
        let words = wording(error)
        return Finding(
          .down, code: words.code, words.message,
          hint: words.hint ?? "`git status` in the repository's folder says more; nothing was changed")
      }
    }
  }

  private static func look(at repository: Repository, _ agent: Agent) async throws -> AgentHealth.Finding {
    let head = try await repository.head()
    guard let id = head.commit else {
      return Finding(
        .degraded, code: "no-commit", "there is no commit yet", hint: "moha-sync commit")
    }
    let tree = try await repository.commit(id).tree
    if repository.workTree == nil {
      guard try await repository.entry(at: GitPath(agent.root.text), inTree: tree) != nil else { return missing(agent) }
      return .ok("at commit \(id)")
    }
    guard await AgentFiles(of: repository, agent: agent).list(agent.root) != nil else {
      return missing(agent)
    }
    if let operation = await repository.operationInProgress {
      return Finding(
        .degraded, code: "git-\(operation.rawValue)", "a \(operation.rawValue) is in progress: nothing is committed",
        hint: "end it: `git status` says how")
    }
    guard case .commit(_, .some) = head else {
      return Finding(
        .degraded, code: "git-detached", "HEAD is detached at \(id): nothing is committed",
        hint: "git switch to the branch of the records")
    }
    return .ok("at commit \(id)")
  }

  private static func missing(_ agent: Agent) -> AgentHealth.Finding {
    Finding(
      .down, code: "tree-missing", "\(agent.root.text) is not there, or cannot be read",
      hint: "check --root and --agent, and that the folder's file system is mounted; `moha-sync init` makes a new tree")
  }

  /// Whether the database answers, has the program's schema, was ever filled and takes writes.
  ///
  /// - Parameter database: called at each look; nil where it is not running, or throws the reason.
  package static func postgres(
    _ agent: Agent, wording: @escaping AgentHealth.Wording,
    database: @escaping @Sendable () async throws -> Database?
  ) -> AgentHealth.Probe {
    AgentHealth.Probe("postgres") {
      do {
        guard let database = try await database() else {
          return Finding(
            .down, code: "not-running",
            "the embedded database is not running: whoever needs it starts it; git holds every record",
            hint: "moha-sync up", isFault: false)
        }
        guard let (connection, schema) = try await database.connect() else {
          return Finding(
            .degraded, code: "database-missing", "the database does not exist yet", hint: "moha-sync sync")
        }
        let finding: AgentHealth.Finding
        do {
          finding = try await look(at: schema, connection, agent)
        } catch {
          let explained = await DatabaseState.explained(error, connection, schema: schema)
          await connection.close()
          throw explained
        }
        await connection.close()
        return finding
      } catch let error as PersistenceError
        where error.code == .unsuitableDatabase || error.code == .rowsHidden || error.code == .privilegeMissing
      {
        return Finding(.degraded, code: error.code.description, error.message, hint: error.hint)
      } catch {
        let words = wording(error)
        return Finding(
          .down, code: words.code, words.message, hint: words.hint ?? "check the server; git holds every record")
      }
    }
  }

  private static func look(
    at schema: SchemaName, _ connection: Connection, _ agent: Agent
  ) async throws -> AgentHealth.Finding {
    // What hides rows, or takes none, answers all the same.
    let state = try await DatabaseState.read(connection, schema: schema)
    try state.checkThatRowsShow()
    try state.checkRights()
    if let reason = state.readOnlyReason {
      return Finding(
        .degraded, code: "read-only", "the server takes no writes: \(reason)", hint: "name the primary with --database")
    }
    let status = try await Migrator(schema: schema).status(connection)
    guard !status.applied.isEmpty else {
      return Finding(.degraded, code: "never-synced", "it has no tables yet", hint: "moha-sync sync")
    }
    if let next = status.pending.first {
      return Finding(
        .degraded, code: "migrations-pending", "migration \(next.name) is not applied", hint: "moha-sync migrate")
    }
    let rows = try await connection.query(
      """
      SELECT encode(commit_id, 'hex'), to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      FROM \(schema.qualified("maven_checkpoint")) WHERE agent = $1
      """, [.text(agent.name)])
    guard let row = rows.first else {
      return Finding(.degraded, code: "never-synced", "agent \(agent) was never synced", hint: "moha-sync sync")
    }
    let isReadOnly = try await connection.query(
      "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
    ).first?.bool(0)
    if isReadOnly == true {
      return Finding(
        .degraded, code: "read-only",
        "the server takes no writes: it is a standby, or default_transaction_read_only is on; git takes every record",
        hint: "name the primary with --database; rows follow there")
    }
    let commit = try row.optionalString(0) ?? "a tree without commit"
    return .ok("last reconciled at commit \(commit), \(try row.string(1))")
  }
}
