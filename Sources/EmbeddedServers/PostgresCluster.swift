internal import Glibc
internal import SystemPackage

/// The private Postgres cluster in a state folder.
///
/// `state` reads only. Every other function expects its caller to hold the `StateLock`.
struct PostgresCluster: Sendable {
  let directory: StateDirectory
  let environment: [String: String]

  /// How long a server may take to accept connections, crash recovery included, in seconds.
  static let startSeconds = 60

  var layout: StateLayout { directory.layout }
  var account: ServerAccount { directory.account }
  var log: ServerLog { ServerLog(path: layout.postgresLog, account: account) }

  var endpoint: PostgresEndpoint { PostgresEndpoint(layout) }

  // MARK: Looking

  /// What `postmaster.pid` and the process table say together.
  enum Presence: Hashable, Sendable {
    /// There is no pid file.
    case absent
    /// The pid file names a live postmaster of this cluster.
    case running(Int32, isReady: Bool, isStopping: Bool)
    /// The pid file names nobody, a zombie, or a process that is not this cluster's.
    case stale(Int32?)
  }

  func presence() throws(EmbeddedServersError) -> Presence {
    let path = layout.postmasterFile
    let bytes = try attempt("read \(path)") { () throws(Errno) in
      try FileSystem.contents(of: path, limit: 4096)
    }
    guard let bytes else { return .absent }
    let file = PostmasterFile(bytes)
    guard let pid = file.pid, let process = Process(pid: pid), process.isPostmaster(of: directory) else {
      return .stale(file.pid)
    }
    return .running(pid, isReady: file.isReady, isStopping: file.isStopping)
  }

  func state() -> ServerState {
    guard FileSystem.attributesFollowingLinks(of: layout.data) != nil else { return .notInitialised }
    switch try? presence() {
    case .absent, nil: return .stopped
    case .running(let pid, _, _): return .running(pid: pid)
    case .stale: return .crashed
    }
  }

  /// Whether a server of this cluster takes connections now.
  func isServing() throws(EmbeddedServersError) -> Bool {
    guard case .running(_, isReady: true, _) = try presence() else { return false }
    return UnixSocket.accepts(layout.postgresSocket)
  }

  // MARK: Starting

  /// Makes the cluster where there is none, and starts it where it does not run.
  func start() async throws(EmbeddedServersError) {
    if try await adoptRunningServer() { return }
    let installation = try await installation()
    try await initialise(with: installation)
    try directory.makeSubdirectory(layout.socketDirectory)
    try await clearAfterCrash()
    // A pg_ctl that a killed run left behind may have brought the server up meanwhile.
    if try await adoptRunningServer() { return }
    try configure()
    try log.prepare()
    try await launch(installation)
  }

  /// Waits for a server that is there already.
  ///
  /// - Returns: false when there is none, or there was one that had lost its socket and has been stopped.
  private func adoptRunningServer() async throws(EmbeddedServersError) -> Bool {
    guard case .running(let pid, _, _) = try presence() else { return false }
    let patience = Duration.seconds(PostgresCluster.startSeconds)
    let isSettled = try await waitUntil(limit: patience) { () throws(EmbeddedServersError) in
      guard case .running(_, let isReady, let isStopping) = try presence() else { return true }
      return isReady && !isStopping
    }
    guard isSettled else { throw stillStarting() }
    guard case .running = try presence() else { return false }
    let answers = try await waitUntil(limit: .seconds(5)) { () throws(EmbeddedServersError) in
      try isServing()
    }
    if answers { return true }
    try log.append("process \(pid) no longer answers on \(layout.postgresSocket); restarting it")
    try await stop()
    return false
  }

  /// The programs that fit the cluster, or the best ones when there is no cluster yet.
  private func installation() async throws(EmbeddedServersError) -> PostgresInstallation {
    let path = "\(layout.data)/PG_VERSION"
    let bytes = try attempt("read \(path)") { () throws(Errno) in try FileSystem.contents(of: path, limit: 64) }
    var major: Int?
    if let bytes {
      major = Int(trimmed(String(decoding: bytes, as: UTF8.self)))
      guard major != nil else { throw damage("its PG_VERSION is not a number") }
    }
    return try await PostgresInstallation.find(
      major: major, environment: environment, account: account, cluster: layout.data)
  }

  /// Starts the server and waits until it takes connections.
  private func launch(_ installation: PostgresInstallation) async throws(EmbeddedServersError) {
    // pg_ctl puts both names into a shell's command line, between double quotes: relative ones are safe there,
    // whatever the folder is called.
    let command = Command(
      program: installation.control,
      arguments: [
        "start", "-w", "-s", "-t", "\(PostgresCluster.startSeconds)", "-D", "data", "-l", "postgres.log",
        "-o", "--cluster_name=\(layout.clusterName)",
      ],
      account: account, workingDirectory: layout.directory)
    for attempt in 1...3 {
      let before = log.position()
      let outcome = try await command.run()
      // A starter that was killed may have left its pg_ctl behind, which can win the race for the pid file.
      if try isServing() { return }
      if case .running = try presence() {
        guard try await waitUntil(limit: .seconds(5), isServing) else { throw stillStarting() }
        return
      }
      let said = log.text(since: before)
      // Backends of a killed postmaster hold its shared memory until they notice.
      if attempt < 3, said.contains("is still in use") {
        try await endOrphans(patience: .seconds(3))
        continue
      }
      throw EmbeddedServersError(
        .startFailed, "Postgres did not start in \(layout.data).",
        reason: outcome.output.isEmpty ? nil : outcome.output, hint: "The whole log is \(layout.postgresLog).",
        logTail: log.tail(lines: 20, since: before))
    }
  }

  var configuration: PostgresConfiguration {
    PostgresConfiguration(
      socketDirectory: layout.socketDirectory, sharedMemoryVolume: FileSystem.volumeSize(at: "/dev/shm"))
  }

  private func configure() throws(EmbeddedServersError) {
    let path = "\(layout.data)/\(PostgresConfiguration.fileName)"
    let wanted = Array(configuration.text.utf8)
    try attempt("write \(path)") { () throws(Errno) in
      if try FileSystem.contents(of: path, limit: 65_536) == wanted { return }
      try FileSystem.replace(path, with: wanted, owner: account)
    }
  }

  // MARK: Recovering

  /// Removes what a killed server left behind and what would keep the next one from starting.
  ///
  /// Nothing is touched when a server runs after all.
  private func clearAfterCrash() async throws(EmbeddedServersError) {
    try await endOrphans(patience: .seconds(5))
    let recorded: Int32?
    switch try presence() {
    case .running: return
    case .stale(let pid): recorded = pid
    case .absent: recorded = nil
    }
    // Another container that shares this folder has process numbers of its own; its socket is shared as well.
    guard try await UnixSocket.becomesSilent(layout.postgresSocket) else {
      throw EmbeddedServersError(
        .busy, "A server that is no process of this machine answers on \(layout.postgresSocket).",
        reason: "Another container seems to use the state folder \(layout.directory).",
        hint: "Stop it there, or give this one a folder of its own with MOHA_STATE_DIR.")
    }
    let wasThere = try attempt("remove \(layout.postmasterFile)") { () throws(Errno) in
      try FileSystem.remove(layout.postmasterFile)
    }
    try removeStaleSocketLock()
    if wasThere {
      try log.append("removed the stale postmaster.pid of process \(recorded.map(String.init) ?? "unknown")")
    }
  }

  /// Postgres keeps a second pid file beside its socket. Nobody serves this cluster when this is called.
  private func removeStaleSocketLock() throws(EmbeddedServersError) {
    try attempt("remove \(layout.postgresSocketLock)") { () throws(Errno) in
      try FileSystem.remove(layout.postgresSocketLock)
    }
  }

  /// Ends what is left of a server that has no pid file any more: the children of a postmaster that was killed, or
  /// a postmaster whose file was removed. Does nothing while a server runs in order.
  ///
  /// - Parameter patience: the time they get before each of two signals. Children notice by themselves, except in a
  ///   long computation. The first signal (SIGQUIT) ends a process as a crash would; the transaction log makes that
  ///   safe.
  private func endOrphans(patience: Duration) async throws(EmbeddedServersError) {
    for signal in [SIGQUIT, SIGKILL, nil] as [CInt?] {
      let isSettled = try await waitUntil(limit: patience) { () throws(EmbeddedServersError) in
        if case .running = try presence() { return true }
        return orphans().isEmpty
      }
      if isSettled { return }
      guard let signal else { break }
      for orphan in orphans() { orphan.signal(signal) }
    }
    let pids = orphans().map { String($0.pid) }.joined(separator: ", ")
    throw EmbeddedServersError(
      .startFailed, "Processes of a killed Postgres still use \(layout.data): \(pids).",
      hint: "They cannot be ended, perhaps for a disk that hangs.")
  }

  private func orphans() -> [Process] {
    Process.all { $0.isBackend(of: directory) || $0.isPostmaster(of: directory) }
  }

  // MARK: Stopping

  /// Stops the server: fast (sessions are ended, data is flushed), and at once if that takes over 30 s.
  ///
  /// Only a process that is verified as this cluster's postmaster is signalled.
  func stop() async throws(EmbeddedServersError) {
    for (signal, patience) in [(SIGINT, Duration.seconds(30)), (SIGQUIT, .seconds(15))] {
      guard case .running(let pid, _, _) = try presence() else { break }
      guard let process = Process(pid: pid), process.isPostmaster(of: directory) else { continue }
      process.signal(signal)
      _ = try await waitUntil(limit: patience) { () throws(EmbeddedServersError) in
        Process(pid: pid)?.isPostmaster(of: directory) != true
      }
    }
    try await clearAfterCrash()
    guard case .running = try presence() else {
      if !layout.socketDirectory.utf8.starts(with: "\(layout.directory)/".utf8) {
        // The folder in /tmp; it stays while Redis still has its socket there.
        try? FileSystem.removeDirectory(layout.socketDirectory)
      }
      return
    }
    throw EmbeddedServersError(
      .stopFailed, "Postgres in \(layout.data) did not stop.", hint: "See its log \(layout.postgresLog).",
      logTail: log.tail(lines: 20))
  }

  // MARK: Errors

  func damage(_ what: String) -> EmbeddedServersError {
    EmbeddedServersError(
      .damaged, "The Postgres data in \(layout.data) is damaged: \(what).", reason: "Nothing was changed.",
      hint: "Move the folder away: the next start makes a new cluster, and the records are restored from git.")
  }

  private func stillStarting() -> EmbeddedServersError {
    EmbeddedServersError(
      .startTimedOut, "Postgres in \(layout.data) is still starting.",
      reason: "It may be recovering from a crash; it was left running.", hint: "Try again in a minute.",
      logTail: log.tail(lines: 10))
  }
}
