/// The private Postgres cluster and the private Redis of one repository.
///
/// They run when no server is configured: on Unix sockets only, in a private state folder outside the repository,
/// started on demand, and until `stop` or the machine ends. They survive the process that started them. Any number
/// of processes may start and stop them at once: a lock in the state folder puts them in order.
///
/// The state folder is `$MOHA_STATE_DIR`, else `$XDG_STATE_HOME/moha-sync/<id>`, else
/// `~/.local/state/moha-sync/<id>`; for root, whose servers run as an unprivileged account, it is
/// `$MOHA_STATE_DIR`, else `/var/lib/moha-sync/<id>`. `<id>` is the first 16 hexadecimal digits of the SHA-256 of
/// the repository's path.
package struct EmbeddedServers: Sendable {
  /// The repository that the servers belong to, symbolic links resolved.
  package let root: String
  /// The private folder. It need not exist yet, and is checked when it is used.
  package let stateDirectory: String
  private let environment: [String: String]

  /// How long another run may hold the lock: its `initdb`, then its start.
  private static let patience = Duration.seconds(120)

  /// Names the servers of a repository; starts and touches nothing.
  ///
  /// - Parameters:
  ///   - root: the real path of the repository's working tree, or of its git folder when it is bare.
  ///   - environment: the process's environment: `MOHA_STATE_DIR`, `XDG_STATE_HOME`, `HOME` and `PATH` are read.
  package init(root: String, environment: [String: String]) {
    let resolved = FileSystem.realPath(root) ?? root
    self.root = resolved
    self.environment = environment
    stateDirectory = EmbeddedServers.stateDirectory(root: resolved, environment: environment)
  }

  /// Starts Postgres unless it runs, and waits until it takes connections. The first start makes the cluster.
  ///
  /// The endpoint's database is the caller's to create: connect to `maintenanceURL` when it does not exist.
  ///
  /// - Throws: `EmbeddedServersError`: any code but `stopFailed`.
  package func startPostgres() async throws(EmbeddedServersError) -> PostgresEndpoint {
    let directory = try StateDirectory.prepare(stateDirectory, root: root)
    let cluster = PostgresCluster(directory: directory, environment: environment)
    if try cluster.isServing() { return cluster.endpoint }
    let lock = try await StateLock.acquire(directory, patience: EmbeddedServers.patience)
    try await cluster.start()
    lock.release()
    return cluster.endpoint
  }

  /// Starts Redis unless it runs, and waits until it answers.
  ///
  /// - Throws: `EmbeddedServersError`: `notInstalled`, `unsafeStateDirectory`, `noUnprivilegedUser`, `startFailed`,
  ///   `busy`, `fileSystem` or `cancelled`.
  package func startRedis() async throws(EmbeddedServersError) -> RedisEndpoint {
    let directory = try StateDirectory.prepare(stateDirectory, root: root)
    let server = RedisServer(directory: directory, environment: environment)
    if try server.isServing() { return server.endpoint }
    let lock = try await StateLock.acquire(directory, patience: EmbeddedServers.patience)
    try await server.start()
    lock.release()
    return server.endpoint
  }

  /// What the servers do at this moment. Starts, makes and changes nothing.
  ///
  /// A state folder that is not ours counts as no servers: `startPostgres` says why.
  package func status() async -> EmbeddedStatus {
    let directory = try? StateDirectory.existing(stateDirectory, root: root)
    let layout = directory?.layout ?? layoutOfNewDirectory
    var postgres = ServerState.notInitialised
    var redis = ServerState.notInitialised
    if let directory {
      postgres = PostgresCluster(directory: directory, environment: environment).state()
      redis = RedisServer(directory: directory, environment: environment).state()
    }
    return EmbeddedStatus(
      postgres: postgres, redis: redis, stateDirectory: layout.directory, socketDirectory: layout.socketDirectory,
      postgresDataDirectory: layout.data, postgresLog: layout.postgresLog, redisLog: layout.redisLog)
  }

  /// Stops both servers and waits for their end. Does nothing where none runs.
  ///
  /// Postgres shuts down fast, ending its sessions, and at once if that takes too long. Only processes that are
  /// verified as these servers are signalled. Both are tried, then the first error is thrown.
  ///
  /// - Throws: `EmbeddedServersError`: `stopFailed`, `unsafeStateDirectory`, `noUnprivilegedUser`, `busy`,
  ///   `fileSystem` or `cancelled`.
  package func stop() async throws(EmbeddedServersError) {
    guard let directory = try StateDirectory.existing(stateDirectory, root: root) else { return }
    let lock = try await StateLock.acquire(directory, patience: EmbeddedServers.patience)
    var problem: EmbeddedServersError?
    do throws(EmbeddedServersError) {
      try await RedisServer(directory: directory, environment: environment).stop()
    } catch {
      problem = error
    }
    try await PostgresCluster(directory: directory, environment: environment).stop()
    lock.release()
    if let problem { throw problem }
  }

  /// One of the two servers.
  package enum Server: Hashable, Sendable { case postgres, redis }

  /// The last lines of a server's log, for an error message; empty when there is none.
  package func tailOfLog(_ server: Server = .postgres, lines: Int) -> String {
    guard let directory = try? StateDirectory.existing(stateDirectory, root: root) else { return "" }
    let path = server == .postgres ? directory.layout.postgresLog : directory.layout.redisLog
    return ServerLog(path: path, account: directory.account).tail(lines: lines)
  }

  /// Where Postgres listens when it runs. Starts nothing.
  package var postgresEndpoint: PostgresEndpoint { PostgresEndpoint(layout) }

  /// Where Redis listens when it runs. Starts nothing.
  package var redisEndpoint: RedisEndpoint { RedisEndpoint(layout) }

  // MARK: -

  private var layout: StateLayout {
    (try? StateDirectory.existing(stateDirectory, root: root))?.layout ?? layoutOfNewDirectory
  }

  private var layoutOfNewDirectory: StateLayout {
    let account = try? ServerAccount.forServers(owner: nil)
    return StateLayout(directory: stateDirectory, uid: account?.uid ?? ServerAccount.effectiveUser)
  }

  private static func stateDirectory(root: String, environment: [String: String]) -> String {
    /// A variable's value; an empty one counts as unset, and slashes at its end do not matter.
    func value(_ name: String) -> String? {
      guard var value = environment[name], !value.isEmpty else { return nil }
      while value.utf8.count > 1, value.utf8.last == UInt8(ascii: "/") { value.removeLast() }
      return value
    }
    if let chosen = value("MOHA_STATE_DIR") { return chosen }
    let name = "moha-sync/\(StateLayout.identifier(root))"
    if ServerAccount.effectiveUser == 0 { return "/var/lib/\(name)" }
    // The XDG specification says to ignore a relative path.
    if let state = value("XDG_STATE_HOME"), state.utf8.first == UInt8(ascii: "/") { return "\(state)/\(name)" }
    let home = value("HOME") ?? ServerAccount.homeDirectory() ?? ""
    return "\(home)/.local/state/\(name)"
  }
}
