import EmbeddedServers
import Git
import Persistence
import Postgres
import Records

extension Examination {
  private var isPostgresEmbedded: Bool { (try? outlook.settings.get()).map { $0.database == nil } ?? false }
  var isRedisEmbedded: Bool { (try? outlook.settings.get()).map { $0.redisURL == nil } ?? false }

  /// The database: whether it answers, its schema, and how far it is behind.
  func postgres() async -> [Diagnosis] {
    var found: [Diagnosis] = []
    guard var layer = await layer("postgres", down: .serviceDown) else { return [] }
    switch layer.code {
    case "not-running", "crashed": layer.remedy = isPostgresEmbedded ? .startServers : nil
    case "migrations-pending": layer.remedy = .migrate
    case "never-synced", "database-missing": layer.remedy = .sync
    default: break
    }
    if layer.code == "read-only" { layer.status = .serviceDown }
    found.append(layer)
    // A layer that takes no writes, or hides rows, is looked at all the same.
    let isLimited = ["read-only", "rows-hidden", "privilege-missing"].contains(layer.code)
    guard layer.severity == .ok || isLimited, let settings = try? outlook.settings.get(),
      let database = try? await settings.databaseIfUp(outlook.servers)
    else { return found + (await rowLosses()) }
    let open: (connection: Connection, schema: SchemaName)?
    do {
      open = try await database.connect()
    } catch {
      return found + (await rowLosses()) + [Examination.unanswered(error)]
    }
    found += await rowLosses(open)
    guard let open else { return found }
    do {
      do {
        found += try await schemaFindings(open.connection, open.schema).filter { $0.code != layer.code }
        await open.connection.close()
      } catch {
        await open.connection.close()
        throw error
      }
      if let repository = try? outlook.repository.get(),
        let state = try await ProjectionState.read(database, agent: outlook.agent), let checkpoint = state.checkpoint
      {
        found.append(await lag(repository, checkpoint, state.lastRun))
      }
    } catch {
      found.append(Examination.unanswered(error))
    }
    return found
  }

  private static func unanswered(_ error: any Error) -> Diagnosis {
    Diagnosis(
      area: "postgres", code: Failure(error).code, severity: .warning, found: words(error), hint: Failure(error).hint,
      status: .serviceDown)
  }

  /// Rows that the database held at the last comparison, and that are gone with no copy in git.
  ///
  /// - Parameter open: a connection that is there anyway; nil makes one where the database is up.
  private func rowLosses(_ open: (connection: Connection, schema: SchemaName)? = nil) async -> [Diagnosis] {
    guard let repository = try? outlook.repository.get(), let settings = try? outlook.settings.get(),
      let database = try? await settings.databaseIfUp(outlook.servers)
    else { return [] }
    let memory = RowMemory(of: repository, agent: settings.agent, database: database)
    let standing = if let open { (try? await memory.standing(open)) ?? memory.remembered() } else { await memory.look() }
    return standing.losses.map { loss in
      Diagnosis(
        area: "postgres", code: "rows-lost", severity: .warning, found: loss.sentence,
        cause: "the database was dropped and made anew, or the table was emptied; a sync brings back what git holds alone",
        hint: RowStanding.hint)
    }
  }

  private func schemaFindings(_ connection: Connection, _ schema: SchemaName) async throws -> [Diagnosis] {
    var found: [Diagnosis] = []
    let state = try await DatabaseState.read(connection, schema: schema)
    let number = await connection.serverVersion
    let version = "PostgreSQL \(number / 10_000).\(number % 10_000)"
    found.append(
      number < 140_000
        ? Diagnosis(
          area: "postgres", code: "version-old", severity: .warning, found: "\(version) is older than 14",
          hint: "upgrade the server") : .ok("postgres", "version", version))
    let drift = try await Migrator(schema: schema).drift(connection)
    if let first = drift.first {
      found.append(
        Diagnosis(
          area: "postgres", code: "schema-drift", severity: .warning,
          found: "the schema differs from the program's in \(drift.count) things, such as: \(printable(first.message))",
          cause: "somebody dropped or altered them", hint: "moha-sync migrate --repair", remedy: .repairSchema,
          status: .differences))
    }
    found += stateFindings(state, schema)
    guard state.hidden.isEmpty, state.missingGrants.isEmpty else { return found }
    let attention = try await ProjectionState.attention(connection, schema, outlook.agent)
    if attention.quarantined > 0 {
      found.append(
        .info(
          "postgres", "quarantine", "\(attention.quarantined) rows and files are in quarantine",
          hint: "moha-sync adopt lists them"))
    }
    if attention.inFuture > 0 {
      found.append(
        Diagnosis(
          area: "records", code: "records-in-future", severity: .warning,
          found: "\(attention.inFuture) decisions are of a time that has not come",
          cause: "the clock of this machine, of the server or of who wrote them is wrong",
          hint: "compare `date -u` with another machine"))
    }
    return found
  }

  /// What the database hides, refuses, or keeps elsewhere.
  private func stateFindings(_ state: DatabaseState, _ schema: SchemaName) -> [Diagnosis] {
    var found: [Diagnosis] = []
    for (table, policies) in state.hidden {
      found.append(
        Diagnosis(
          area: "postgres", code: "rows-hidden", severity: .warning,
          found: "row-level security hides rows of \(printable(table)) from the role \(printable(state.role))",
          cause: policies.isEmpty
            ? "no policy lets the role see any" : "policy \(printable(policies.joined(separator: ", ")))",
          hint: "connect as the tables' owner, or as a role with BYPASSRLS; nothing is compared until then",
          status: .refused))
    }
    if let first = state.missingGrants.first {
      let count = state.missingGrants.count
      let grants = count <= 20 ? state.missingGrants.joined(separator: "; ") : "\(first) (and \(count - 1) more)"
      found.append(
        Diagnosis(
          area: "postgres", code: "privilege-missing", severity: .warning,
          found: "the role \(printable(state.role)) lacks rights on tables of schema \(schema)",
          cause: "they were made, or granted, by another role",
          hint: printable(grants)))
    }
    if !state.otherSchemas.isEmpty {
      found.append(
        .info(
          "postgres", "tables-elsewhere",
          "tables of this program are in schema \(printable(state.otherSchemas.joined(separator: ", "))) too; schema "
            + "\(schema) is the one in use",
          hint: "DATABASE_SCHEMA or ?schema= in the URL names another one"))
    }
    if state.isPooled {
      found.append(
        .ok("postgres", "pooler", "a pooler is in between: each transaction sets what it needs"))
    }
    return found
  }

  private func lag(
    _ repository: Repository, _ checkpoint: ObjectID, _ run: ProjectionState.Run?
  ) async -> Diagnosis {
    do {
      let lag = try await ProjectionLag(of: checkpoint, in: repository)
      // A few commits between two ticks are the normal state.
      if lag.seconds < 7_200 {
        let time = run.flatMap { Instant(seconds: Int64($0.finished)) }.map { ", at \($0)," } ?? ""
        return .ok("postgres", "checkpoint", "the last comparison\(time) is \(lag.commits) commits behind HEAD")
      }
      return Diagnosis(
        area: "postgres", code: "comparison-late", severity: .warning,
        found: "\(lag.commits) commits were not compared with the rows, for \(Int(lag.seconds) / 60) minutes",
        cause: "no tick or reconcile ran", hint: "moha-sync reconcile", status: .differences)
    } catch {
      return Diagnosis(
        area: "postgres", code: "checkpoint-unknown", severity: .warning,
        found: "the rows stand at commit \(checkpoint), which this repository does not have",
        cause: "another clone reconciled this database, or history was rewritten",
        hint: "git fetch, then moha-sync verify",
        status: .differences)
    }
  }

  /// The MCP server.
  func mcp() async -> [Diagnosis] {
    guard var layer = await layer("mcp", down: .serviceDown) else { return [] }
    switch layer.code {
    case "mcp-not-running": layer.cause = "`moha-sync serve` was not started, or has ended"
    case "mcp-foreign", "mcp-other-tree", "no-answer":
      layer.cause = PortHolder(url: mcpURL).map { "process \($0.process) (\(printable($0.name))) listens there" }
    default: break
    }
    return [layer]
  }

  /// What the embedded servers left behind.
  func embedded() async -> [Diagnosis] {
    let status = await outlook.servers.status()
    var found: [Diagnosis] = []
    func crash(_ name: String, _ log: String) {
      found.append(
        Diagnosis(
          area: name, code: "\(name)-pid-stale", severity: .warning,
          found: "the embedded \(name) left its pid file, and its process is gone",
          cause: "it was killed; the next start recovers. Its log is \(printable(log))", hint: "moha-sync up",
          remedy: .startServers, status: .serviceDown))
    }
    if isPostgresEmbedded, status.postgres == .crashed { crash("postgres", status.postgresLog) }
    if isRedisEmbedded, status.redis == .crashed { crash("redis", status.redisLog) }
    return found
  }
}
