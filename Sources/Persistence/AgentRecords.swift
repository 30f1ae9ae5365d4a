internal import Crypto
package import Git
internal import Postgres
package import Records
package import Telemetry

/// One agent's records as a server offers them: the files, the writes, and the database where it is there.
///
/// Whoever uses it needs to know neither git nor Postgres. Reads never start a database; a `sync` does.
package struct AgentRecords: Sendable {
  package let agent: Agent
  package let files: AgentFiles
  let repository: Repository
  let database: DatabaseAccess
  let lookout: Lookout
  /// Layers that this module knows nothing of, for `health()`.
  let otherLayers: [AgentHealth.Probe]
  private let feed: RecordChanges
  private let service: RecordService

  /// - Parameters:
  ///   - events: whom to tell of records that git has taken; nil tells nobody.
  ///   - otherLayers: what else belongs to the records' health.
  ///   - activity: where writes are counted.
  package init(
    repository: Repository, agent: Agent, writing: WriteSettings, database: DatabaseAccess,
    events: RecordEvents? = nil, otherLayers: [AgentHealth.Probe] = [], activity: Activity? = nil
  ) {
    self.agent = agent
    self.otherLayers = otherLayers
    self.repository = repository
    self.database = database
    lookout = Lookout(of: repository)
    feed = RecordChanges(repository: repository, agent: agent, lookout: lookout)
    files = AgentFiles(of: repository, agent: agent)
    service = RecordService(
      writer: RecordWriter(repository: repository, agent: agent, settings: writing), events: events, activity: activity,
      database: {
        try database.checkSettings()
        return await database.ifUp()
      })
  }

  /// Records what the client asks for, and returns the answer that existing clients parse.
  package func record(_ kind: RecordRequest.Kind, _ arguments: JSONValue) async throws -> JSONValue {
    let outcome = try await service.record(RecordRequest(kind, json: arguments, now: Instant.now()))
    if !outcome.written.isRepeated, let path = RecordPath(text: outcome.written.path) { feed.tellUnwatched(path) }
    return outcome.json
  }

  /// Changes of the agent's files from now on.
  package func changes() -> AsyncStream<RecordChanges.Change> {
    feed.changes()
  }

  /// 16 hexadecimal digits that tell a tree and an agent apart from others, and from which nobody reads the path.
  package static func mark(root: String, agent: Agent) -> String {
    String(hex(SHA256.hash(data: Array("moha-sync/tree/\(root)\n\(agent.name)".utf8))).prefix(16))
  }

  /// Compares git with the database; changes nothing.
  package func verify() async throws -> Verification {
    let clock = ContinuousClock()
    let start = clock.now
    let repository = try lookout.separate()
    // The tree first: without one there is nothing to compare.
    _ = try await RecordSource(.workTree, agent: agent, repository: repository)
    try database.checkSettings()
    guard let database = await database.ifUp() else { throw AgentRecords.databaseAway("nothing was compared") }
    let survey = try await Survey.of(repository, agent: agent, database: database, .workTree)
    var verification = Verification(survey, elapsed: clock.now - start)
    verification.standing = await RowMemory(of: repository, agent: agent, database: database).look()
    return verification
  }

  /// Brings the database to what git holds, within the safety rails. The embedded server is started for it.
  ///
  /// - Parameter progress: the number of rows written since the last call, and the number in all.
  package func sync(progress: @escaping @Sendable (Int, Int) -> Void) async throws -> Reconciler.Outcome {
    var options = Reconciler.Options(command: "sync")
    options.provesResult = false
    options.progress = progress
    let reconciler = Reconciler(
      repository: try lookout.separate(), agent: agent, database: try await database.starting())
    let outcome = try await reconciler.run(options)
    // The files are as before, but what a client concluded from an older state of the database may not be.
    feed.tell(.everything)
    return outcome
  }

  /// An error in words for a client that may be elsewhere.
  package func outline(_ error: any Error) -> ErrorOutline {
    let roots = [repository.gitDirectory, repository.commonDirectory, repository.workTree].compactMap { $0 }
    return ErrorOutline(error, roots: roots.sorted { $0.utf8.count > $1.utf8.count })
  }

  static func databaseAway(_ consequence: String) -> PersistenceError {
    PersistenceError(
      .notFound, "the database is not running: \(consequence)",
      hint: "start it with `moha-sync up`; git holds every record")
  }
}

/// How a long-running program gets at the database.
package struct DatabaseAccess: Sendable {
  /// The database where it can answer without being started; asked for anew at every use.
  package let ifUp: @Sendable () async -> Database?
  /// The same after starting the embedded server, where that is the database.
  package let starting: @Sendable () async throws -> Database
  /// What is wrong with the settings of the database, in words for any client; nil where nothing is.
  package let fault: String?

  package init(
    ifUp: @escaping @Sendable () async -> Database?, starting: @escaping @Sendable () async throws -> Database,
    fault: String? = nil
  ) {
    self.ifUp = ifUp
    self.starting = starting
    self.fault = fault
  }

  func checkSettings() throws {
    if let fault { throw PersistenceError(.invalidName, fault, hint: "`moha-sync config show --origin` says what is set") }
  }
}
