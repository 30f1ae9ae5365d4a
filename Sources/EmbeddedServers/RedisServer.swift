internal import Glibc
internal import SystemPackage

/// The private Redis in a state folder: a cache, which keeps nothing on disk.
///
/// `state` reads only. Every other function expects its caller to hold the `StateLock`.
struct RedisServer: Sendable {
  let directory: StateDirectory
  let environment: [String: String]

  var layout: StateLayout { directory.layout }
  var account: ServerAccount { directory.account }
  var log: ServerLog { ServerLog(path: layout.redisLog, account: account) }
  var endpoint: RedisEndpoint { RedisEndpoint(layout) }

  /// The live process that the pid file names and that works in this server's folder.
  private func process() throws(EmbeddedServersError) -> Process? {
    guard let pid = try recordedPid(), let process = Process(pid: pid), process.isRedis(of: directory)
    else { return nil }
    return process
  }

  private func recordedPid() throws(EmbeddedServersError) -> Int32? {
    let path = layout.redisPidFile
    let bytes = try attempt("read \(path)") { () throws(Errno) in try FileSystem.contents(of: path, limit: 64) }
    return bytes.flatMap { Int32(trimmed(String(decoding: $0, as: UTF8.self))) }
  }

  func state() -> ServerState {
    guard FileSystem.attributesFollowingLinks(of: layout.redisDirectory) != nil else { return .notInitialised }
    if let process = try? process() { return .running(pid: process.pid) }
    let hasPidFile = FileSystem.attributesFollowingLinks(of: layout.redisPidFile) != nil
    return hasPidFile ? .crashed : .stopped
  }

  /// Whether our server answers now.
  func isServing() throws(EmbeddedServersError) -> Bool {
    guard try process() != nil else { return false }
    let answer = UnixSocket.answer(of: layout.redisSocket, to: Array("PING\r\n".utf8), milliseconds: 500)
    return answer?.starts(with: "+PONG".utf8) ?? false
  }

  func start() async throws(EmbeddedServersError) {
    try await endStrays()
    if try process() != nil {
      if try await waitUntil(limit: .seconds(5), isServing) { return }
      try log.append("the server no longer answers on \(layout.redisSocket); restarting it")
      try await stop()
    }
    guard try await UnixSocket.becomesSilent(layout.redisSocket) else {
      throw EmbeddedServersError(
        .busy, "A server that is no process of this state folder answers on \(layout.redisSocket).",
        hint: "Stop it, or choose another folder with MOHA_STATE_DIR.")
    }
    let program = try program()
    try directory.makeSubdirectory(layout.redisDirectory)
    try directory.makeSubdirectory(layout.socketDirectory)
    try log.prepare()
    try attempt("prepare \(layout.redisDirectory)") { () throws(Errno) in
      // Redis removes a socket that is in its way, but a pid file of another process would mislead `process`.
      try FileSystem.remove(layout.redisPidFile)
      try FileSystem.replace(layout.redisConfiguration, with: Array(configuration.utf8), owner: account)
    }
    let before = log.position()
    let outcome = try await Command(program: program, arguments: [layout.redisConfiguration], account: account).run()
    // It goes to the background before it opens its socket, so that its exit status says little.
    if outcome.isSuccess, try await waitUntil(limit: .seconds(10), isServing) { return }
    throw EmbeddedServersError(
      .startFailed, "Redis did not start in \(layout.redisDirectory).",
      reason: outcome.output.isEmpty ? nil : outcome.output, hint: "The whole log is \(layout.redisLog).",
      logTail: log.tail(lines: 20, since: before))
  }

  /// Ends servers of this folder that the pid file does not name: their starter was killed before they wrote it, or
  /// the file was removed. Nobody could reach or stop them otherwise.
  private func endStrays() async throws(EmbeddedServersError) {
    let recorded = try process()?.pid
    let isStray = { (process: Process) in process.pid != recorded && process.isRedis(of: directory) }
    for stray in Process.all(where: isStray) { stray.signal(SIGKILL) }
    _ = try await waitUntil(limit: .seconds(5)) { () throws(EmbeddedServersError) in
      Process.all(where: isStray).isEmpty
    }
  }

  /// Stops the server. Only a process that is verified as ours is signalled.
  func stop() async throws(EmbeddedServersError) {
    try await endStrays()
    for (signal, patience) in [(SIGTERM, Duration.seconds(10)), (SIGKILL, .seconds(5))] {
      guard let running = try process() else { break }
      running.signal(signal)
      let hasEnded = try await waitUntil(limit: patience) { () throws(EmbeddedServersError) in
        Process(pid: running.pid)?.isRedis(of: directory) != true
      }
      if hasEnded { break }
    }
    guard try process() == nil else {
      throw EmbeddedServersError(
        .stopFailed, "Redis in \(layout.redisDirectory) did not stop.", hint: "See its log \(layout.redisLog).",
        logTail: log.tail(lines: 20))
    }
    try attempt("remove \(layout.redisPidFile)") { () throws(Errno) in
      try FileSystem.remove(layout.redisPidFile)
    }
  }

  /// - Throws: `notInstalled`.
  private func program() throws(EmbeddedServersError) -> String {
    let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    for folder in path.split(separator: ":").map(String.init) where folder.utf8.first == UInt8(ascii: "/") {
      let candidate = "\(folder)/redis-server"
      if FileSystem.attributesFollowingLinks(of: candidate)?.kind == .file { return candidate }
    }
    throw .notInstalled("redis-server", hint: "apt-get install redis-server")
  }

  private var configuration: String {
    """
    # Written by moha-sync at every start.
    # Only the Unix socket, in a folder that only its owner can enter.
    port 0
    unixsocket \(quoted(layout.redisSocket))
    unixsocketperm 700
    daemonize yes
    supervised no
    pidfile \(quoted(layout.redisPidFile))
    logfile \(quoted(layout.redisLog))
    dir \(quoted(layout.redisDirectory))
    # A cache: nothing is kept, and a full one refuses writes rather than drop somebody's lock.
    save ""
    appendonly no
    maxmemory 256mb
    maxmemory-policy noeviction

    """
  }

  /// A string of Redis's configuration language.
  private func quoted(_ text: String) -> String {
    var quoted = ""
    for character in text {
      if character == "\"" || character == "\\" { quoted.append("\\") }
      quoted.append(character)
    }
    return "\"\(quoted)\""
  }
}
