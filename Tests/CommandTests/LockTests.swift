internal import Glibc
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// `lock`, with real processes, a real Redis and a real Postgres.
@Suite(.timeLimit(.minutes(5))) struct LockTests {
  /// A tree with its database, a Redis, and a table that commands under the lock write to.
  private struct Scene {
    let tree: CommandTree
    let server: RedisServer

    init() async throws {
      tree = try await CommandTree.sample()
      server = try await RedisServer.start()
      try await tree.sql("CREATE TABLE writes (id serial, writer text)")
    }

    func start(_ arguments: [String]) throws -> RunningProgram {
      let variables = ["REDIS_URL": server.url, "DATABASE_URL": tree.database.url, "PSQL_URL": tree.database.url]
      return try RunningProgram(
        try Program.path(), arguments, environment: tree.environment.merging(variables) { $1 },
        workingDirectory: tree.git.path, timeout: .seconds(240))
    }

    func run(_ arguments: String...) async throws -> ChildProcess.Output {
      try await start(arguments).output()
    }

    /// A shell command that writes a row in a transaction which proves the lock first.
    static func writing(_ writer: String) -> String {
      """
      psql -XAtq -v ON_ERROR_STOP=1 "$PSQL_URL" <<END
      BEGIN;
      SELECT maven_fence_check('$MOHA_FENCE_SCOPE', $MOHA_FENCE_TOKEN);
      INSERT INTO writes (writer) VALUES ('\(writer)');
      COMMIT;
      END
      """
    }

    /// A shell command that says in a file that it is there, and waits for another file.
    func waiting(_ name: String) -> String {
      "touch '\(tree.git.base)/\(name).here'; while [ ! -e '\(tree.git.base)/\(name).go' ]; do sleep 0.05; done"
    }

    func letGo(_ name: String) throws { try ChildProcess.runChecked("touch", ["\(tree.git.base)/\(name).go"]) }

    func waitFor(_ name: String) async throws {
      try await until("\(name) is there") { access("\(tree.git.base)/\(name).here", F_OK) == 0 }
    }

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
      let deadline = ContinuousClock.now + .seconds(120)
      while try await !condition() {
        try #require(ContinuousClock.now < deadline, "\(what) never came true")
        try await Task.sleep(for: .milliseconds(20))
      }
    }

    var writers: String {
      get async throws { try await tree.value("SELECT string_agg(writer, ' ' ORDER BY id) FROM writes") }
    }
  }

  @Test("a holder that is stopped past its time writes nothing more: the next holder's token is the one in force")
  func staleHolder() async throws {
    let scene = try await Scene()
    let script = """
      \(Scene.writing("first, in time"))
      \(scene.waiting("first"))
      \(Scene.writing("first, too late"))
      echo "psql ended with $?" >&2
      touch '\(scene.tree.git.base)/stale.here'
      """
    let first = try scene.start(["lock", "run", "job", "--ttl", "1s", "--", "/bin/sh", "-c", script])
    try await scene.waitFor("first")
    // The process that renews the lock sleeps; its command goes on and knows nothing.
    first.signal(SIGSTOP)
    let second = try await scene.run(
      "lock", "run", "job", "--ttl", "60s", "--wait", "120s", "--", "/bin/sh", "-c", Scene.writing("second"))
    #expect(second.status == 0, "\(second.everything)")
    #expect(try await scene.writers == "first, in time second")
    try scene.letGo("first")
    try await scene.waitFor("stale")
    first.signal(SIGCONT)
    let output = try await first.output()
    #expect(output.status == 11, "\(output.everything)")
    #expect(output.stderrText.contains("the lock lock/job has passed to another holder"), "\(output.everything)")
    #expect(output.stderrText.contains("psql ended with 3"), "\(output.everything)")
    #expect(output.stderrText.contains("was lost while the command ran"), "\(output.everything)")
    #expect(try await scene.writers == "first, in time second")
    // The stale holder has not taken the key of somebody else.
    #expect(try await scene.run("lock", "status", "job", "--json").json()["held"] == .bool(false))
  }

  @Test("many processes under one lock write one after another, each with a token above the one before")
  func crowd() async throws {
    let scene = try await Scene()
    try await scene.tree.sql("CREATE TABLE tokens (id serial, token bigint)")
    let script = """
      psql -XAtq -v ON_ERROR_STOP=1 "$PSQL_URL" -c "INSERT INTO tokens (token) VALUES ($MOHA_FENCE_TOKEN)"
      mkdir '\(scene.tree.git.base)/inside' && rmdir '\(scene.tree.git.base)/inside'
      """
    let runs = try (0..<6).map { _ in
      try scene.start(["lock", "run", "job", "--wait", "200s", "--", "/bin/sh", "-ec", script])
    }
    for run in runs {
      let output = try await run.output()
      #expect(output.status == 0, "\(output.everything)")
    }
    #expect(try await scene.tree.value("SELECT count(*) FROM tokens") == "6")
    let disorder = "SELECT count(*) FROM (SELECT token <= lag(token) OVER (ORDER BY id) AS bad FROM tokens) t WHERE bad"
    #expect(try await scene.tree.value(disorder) == "0")
  }

  @Test("a transaction that has proved its token keeps the next holder from taking the lock's token")
  func openTransaction() async throws {
    let scene = try await Scene()
    let script = "echo $MOHA_FENCE_TOKEN >'\(scene.tree.git.base)/token'"
    #expect(try await scene.run("lock", "run", "job", "--", "/bin/sh", "-c", script).status == 0)
    let token = try ChildProcess.runChecked("cat", ["\(scene.tree.git.base)/token"]).stdoutText.filter(\.isNumber)
    let connection = try await scene.tree.database.connect()
    try await connection.script("BEGIN; SELECT maven_fence_check('lock/job', \(token))")
    let output = try await scene.run("lock", "run", "job", "--ttl", "1s", "--json", "--", "true")
    #expect(output.status == 11, "\(output.everything)")
    #expect(try output.json()["error"]?["message"]?.text?.contains("still open") == true)
    try await connection.script("COMMIT")
    await connection.close()
    #expect(try await scene.run("lock", "run", "job", "--", "true").status == 0)
  }

  @Test("the exit code, the output and the signals are the command's; a taken lock is exit 11 and runs nothing")
  func passing() async throws {
    let scene = try await Scene()
    for (script, status) in [("exit 7", 7), ("kill -KILL $$", 137), ("exit 0", 0)] as [(String, Int32)] {
      #expect(try await scene.run("lock", "run", "job", "--no-fence", "--", "/bin/sh", "-c", script).status == status)
    }
    let echo = try await scene.run(
      "lock", "run", "job", "--", "/bin/sh", "-c", "echo out; echo err >&2; echo $MOHA_FENCE_SCOPE")
    #expect(echo.stdoutText == "out\nlock/job\n" && echo.stderrText == "err\n", "\(echo.everything)")
    let json = try await scene.run("lock", "run", "job", "--json", "--", "/bin/sh", "-c", "echo out; exit 3")
    #expect(json.status == 3 && json.stderrText == "out\n")
    let shape: JSONShape =
      #"{"schema": 1, "name": "job", "exit_code": 3, "fence_scope": "lock/job", "fence_token": "integer"}"#
    #expect(shape.violations(in: try json.json()) == [])

    let script = "trap 'exit 5' TERM; \(scene.waiting("holder"))"
    let holder = try scene.start(["lock", "run", "job", "--", "/bin/sh", "-c", script])
    try await scene.waitFor("holder")
    let status = try await scene.run("lock", "status", "job", "--json").json()
    let statusShape: JSONShape = #"""
      {"schema": 1, "name": "job", "held": true, "holder": "text", "expires_in_seconds": "number",
       "fence_scope": "lock/job", "fence_token": "integer"}
      """#
    #expect(statusShape.violations(in: status) == [])
    let other = try await scene.run(
      "lock", "run", "job", "--wait", "0", "--json", "--", "touch", "\(scene.tree.git.base)/ran")
    #expect(other.status == 11, "\(other.everything)")
    #expect(try other.json()["error"]?["code"]?.text == "locked")
    #expect(access("\(scene.tree.git.base)/ran", F_OK) != 0)
    holder.signal(SIGTERM)
    #expect(try await holder.output().status == 5)
    #expect(try scene.server.cli("EXISTS", "lock:job") == "0")
  }

  @Test("a signal while waiting for the lock ends the wait with 130")
  func interrupted() async throws {
    let scene = try await Scene()
    #expect(try scene.server.cli("SET", "lock:job", "somebody else") == "OK")
    let waiting = try scene.start(["lock", "run", "job", "--no-fence", "--wait", "1h", "--", "true"])
    try await scene.until("the client waits") { try scene.server.cli("CLIENT", "LIST").contains("cmd=eval") }
    waiting.signal(SIGINT)
    let output = try await waiting.output()
    #expect(output.status == 130, "\(output.everything)")
    #expect(try scene.server.cli("GET", "lock:job") == "somebody else")
  }

  @Test("a command whose lock is gone, or whose Redis is gone, is told to end, and the exit code is 11")
  func lost() async throws {
    for isKilled in [false, true] {
      let scene = try await Scene()
      let script = "trap 'echo told; exit 0' TERM; \(scene.waiting("holder"))"
      let holder = try scene.start(["lock", "run", "job", "--ttl", "1s", "--", "/bin/sh", "-c", script])
      try await scene.waitFor("holder")
      if isKilled { try scene.server.kill() } else { #expect(try scene.server.cli("FLUSHALL") == "OK") }
      let output = try await holder.output()
      #expect(output.status == 11, "\(output.everything)")
      #expect(output.stdoutText == "told\n", "\(output.everything)")
    }
  }

  @Test("with Redis or Postgres down, or no such program, nothing is run and no lock stays")
  func down() async throws {
    let scene = try await Scene()
    let mark = "\(scene.tree.git.base)/ran"
    func run(_ options: [String], _ command: [String]) async throws -> ChildProcess.Output {
      try await scene.start(["lock", "run", "job"] + options + ["--json", "--"] + command).output()
    }
    let noRedis = try await run(["--redis", "unix:///tmp/no-such-socket"], ["touch", mark])
    #expect(noRedis.status == 69, "\(noRedis.everything)")
    let noPostgres = try await run(
      ["--database", "postgresql:///records?host=\(scene.tree.git.base)"], ["touch", mark])
    #expect(noPostgres.status == 69, "\(noPostgres.everything)")
    let noProgram = try await run([], ["no-such-program-here"])
    #expect(noProgram.status == 2, "\(noProgram.everything)")
    for options in [["--ttl", "0"], ["--ttl", "25h"], ["--ttl", "long"], ["--wait", "-1"]] {
      let unusable = try await run(options, ["touch", mark])
      #expect(unusable.status == 2, "\(options): \(unusable.everything)")
    }
    let noCommand = try await run([], [])
    #expect(noCommand.status == 2, "\(noCommand.everything)")
    #expect(access(mark, F_OK) != 0)
    #expect(try scene.server.cli("EXISTS", "lock:job") == "0")
  }
}
