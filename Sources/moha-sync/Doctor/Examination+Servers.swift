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
    found.append(layer)
    guard layer.severity == .ok, let settings = try? outlook.settings.get(),
      let database = await settings.databaseIfUp(outlook.servers)
    else { return found }
    do {
      guard let (connection, schema) = try await database.connect() else { return found }
      do {
        found += try await schemaFindings(connection, schema)
        await connection.close()
      } catch {
        await connection.close()
        throw error
      }
      if let repository = try? outlook.repository.get(),
        let checkpoint = try await ProjectionState.read(database, agent: outlook.agent)?.checkpoint
      {
        found.append(await lag(repository, checkpoint))
      }
    } catch {
      found.append(
        Diagnosis(
          area: "postgres", code: Failure(error).code, severity: .warning, found: Examination.words(error),
          hint: Failure(error).hint, status: .serviceDown))
    }
    return found
  }

  private func schemaFindings(_ connection: Connection, _ schema: SchemaName) async throws -> [Diagnosis] {
    var found: [Diagnosis] = []
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
          found: "the schema lacks \(drift.count) objects, such as \(printable(first))",
          cause: "somebody dropped or altered them", hint: "moha-sync migrate --repair", remedy: .repairSchema,
          status: .differences))
    }
    if try await connection.query("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
      .first?.bool(0) == true
    {
      found.append(
        Diagnosis(
          area: "postgres", code: "read-only", severity: .warning, found: "the server takes no writes",
          cause: "it is a standby, or default_transaction_read_only is on", hint: "name the primary with --database",
          status: .serviceDown))
    }
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

  private func lag(_ repository: Repository, _ checkpoint: ObjectID) async -> Diagnosis {
    do {
      let lag = try await ProjectionLag(of: checkpoint, in: repository)
      // A few commits between two ticks are the normal state.
      if lag.seconds < 7_200 {
        return .ok("postgres", "checkpoint", "the last comparison is \(lag.commits) commits behind HEAD")
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
    case "mcp-foreign", "no-answer":
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
