import EmbeddedServers
import Glibc
import Subprocess
import SystemPackage
import Testing

/// Each test runs a Postgres of its own.
@Suite(.timeLimit(.minutes(8)))
struct PostgresTests {
  @Test("A cluster is made, stopped and started again, and keeps its data")
  func startStopStart() async throws {
    try await withServers { fixture in
      let servers = fixture.servers
      #expect(await servers.status().postgres == .notInitialised)
      let expected = servers.postgresEndpoint
      let first = try await servers.startPostgres()
      #expect(first == expected && first == servers.postgresEndpoint)
      #expect(first.user == "moha")
      #expect(first.database == "maven")
      #expect(first.socketDirectory == "\(fixture.state)/run")
      _ = try await query("CREATE DATABASE maven", first)
      let answer = try await run("/usr/bin/psql", ["-XAtc", "CREATE TABLE kept AS SELECT 42 AS n", first.url])
      #expect(answer.isSuccess)
      #expect(await servers.status().postgres.pid != nil)

      try await servers.stop()
      #expect(await servers.status().postgres == .stopped)
      let second = try await servers.startPostgres()
      #expect(second == first)
      #expect(try await run("/usr/bin/psql", ["-XAtc", "SELECT n FROM kept", second.url]).output == "42\n")
    }
  }

  @Test("A start where the server runs finds the same server")
  func startIsIdempotent() async throws {
    try await withServers { fixture in
      let first = try await fixture.servers.startPostgres()
      let pid = try #require(await fixture.servers.status().postgres.pid)
      let second = try await EmbeddedServers(root: fixture.root, environment: fixture.environment).startPostgres()
      #expect(second == first)
      #expect(await fixture.servers.status().postgres == .running(pid: pid))
    }
  }

  @Test("The settings are those that the program relies on")
  func settings() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      let expected = [
        "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
        "data_checksums": "on", "server_encoding": "UTF8", "lc_collate": "C.UTF-8", "TimeZone": "UTC",
        "client_connection_check_interval": "1s", "shared_buffers": "128MB", "maintenance_work_mem": "256MB",
        "max_wal_size": "2GB", "unix_socket_permissions": "0700", "logging_collector": "off",
        "log_min_error_statement": "panic",
      ]
      for (name, value) in expected {
        #expect(try await query("SELECT current_setting('\(name)')", endpoint) == value, "\(name)")
      }
      let role = "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
      #expect(try await query(role, endpoint) == "moha|t")
    }
  }

  @Test("Another local user cannot enter the folder of the sockets")
  func privacy() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      var status = stat()
      for folder in [fixture.state, endpoint.socketDirectory, "\(fixture.state)/data"] {
        #expect(stat(folder, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700, "\(folder)")
      }
      guard ServerFixture.isRoot else { return }
      #expect(status.st_uid != 0)
      let stranger = try await run("/usr/bin/psql", ["-Xc", "SELECT 1", endpoint.maintenanceURL], uid: 65_533)
      #expect(!stranger.isSuccess)
    }
  }

  @Test("After kill -9 of the postmaster with a busy backend, the state is crashed and a start recovers")
  func killedPostmaster() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      _ = try await query("CREATE TABLE kept AS SELECT 7 AS n", endpoint)
      let pid = try #require(await fixture.servers.status().postgres.pid)
      // A backend in a computation does not notice that its postmaster is gone.
      async let busy = run(
        "/usr/bin/psql", ["-Xc", "SELECT count(*) FROM generate_series(1, 100000000000)", endpoint.maintenanceURL])
      let busyBackends = """
        SELECT count(*) FROM pg_stat_activity
        WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%generate_series%'
        """
      while try await query(busyBackends, endpoint) != "1" {}
      #expect(kill(pid, SIGKILL) == 0)
      while await fixture.servers.status().postgres.pid == pid { await Task.yield() }
      #expect(await fixture.servers.status().postgres == .crashed)

      let again = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT n FROM kept", again) == "7")
      #expect(await fixture.servers.status().postgres.pid != pid)
      #expect(try await !busy.isSuccess)
      #expect(fixture.servers.tailOfLog(lines: 100).contains("stale postmaster.pid of process \(pid)"))
    }
  }

  @Test("A pid file that names a foreign process is removed; the process is left alone")
  func reusedPid() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      try await fixture.servers.stop()
      try await withForeignProcess { foreign in
        try write(
          "\(foreign)\n\(fixture.state)/data\n1700000000\n5432\n\(endpoint.socketDirectory)\n\n  1 2\nready   \n",
          to: "\(fixture.state)/data/postmaster.pid")
        try write("\(foreign)\n", to: "\(endpoint.socketDirectory)/.s.PGSQL.5432.lock")
        #expect(await fixture.servers.status().postgres == .crashed)
        try await fixture.servers.stop()
        #expect(isAlive(foreign))
        try write("\(foreign)\n", to: "\(fixture.state)/data/postmaster.pid")
        try write("\(foreign)\n", to: "\(endpoint.socketDirectory)/.s.PGSQL.5432.lock")
        _ = try await fixture.servers.startPostgres()
        #expect(isAlive(foreign))
        #expect(await fixture.servers.status().postgres.pid != foreign)
      }
    }
  }

  @Test("Neither stop nor the recovery after a crash touches the servers of another repository")
  func neighbours() async throws {
    try await withServers { one in
      try await withServers { other in
        _ = try await other.servers.startPostgres()
        _ = try await other.servers.startRedis()
        let before = await other.servers.status()
        _ = try await one.servers.startPostgres()
        _ = try await one.servers.startRedis()
        let status = await one.servers.status()
        for pid in [try #require(status.postgres.pid), try #require(status.redis.pid)] { _ = kill(pid, SIGKILL) }
        while await one.servers.status().postgres != .crashed { await Task.yield() }
        // The neighbour's numbers in our pid files: right program, right user, wrong folder.
        try write("\(try #require(before.postgres.pid))\n", to: "\(one.state)/data/postmaster.pid")
        try write("\(try #require(before.redis.pid))\n", to: "\(one.state)/redis/redis.pid")
        #expect(await one.servers.status().postgres == .crashed)
        #expect(await one.servers.status().redis == .crashed)
        _ = try await one.servers.startPostgres()
        try await one.servers.stop()
        #expect(await other.servers.status() == before)
      }
    }
  }

  @Test("A pid file without a number is stale")
  func unreadablePidFile() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startPostgres()
      try await fixture.servers.stop()
      try write("", to: "\(fixture.state)/data/postmaster.pid")
      #expect(await fixture.servers.status().postgres == .crashed)
      _ = try await fixture.servers.startPostgres()
    }
  }

  @Test("Four processes that start at once, the first time, get one server")
  func concurrentStarts() async throws {
    try await withServers { fixture in
      let program = try fixtureProgram()
      let root = fixture.root
      let environment = fixture.environment
      let answers = try await withThrowingTaskGroup(of: (isSuccess: Bool, output: String).self) { group in
        for _ in 0..<4 {
          group.addTask { try await run(program, ["up", root], environment: environment) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.allSatisfy { $0.isSuccess }, "\(answers)")
      #expect(Set(answers.map { $0.output }).count == 1)
      let log = try read("\(fixture.state)/postgres.log")
      #expect(log.split(separator: "starting PostgreSQL").count == 2, "\(log)")
    }
  }

  @Test("A shell's command substitution ends while the server goes on")
  func commandSubstitution() async throws {
    try await withServers { fixture in
      let script = "url=$(\"$0\" up \"$1\") && socket=$(\"$0\" redis \"$1\") && echo \"$url $socket\""
      let answer = try await run(
        "/bin/sh", ["-c", script, try fixtureProgram(), fixture.root], environment: fixture.environment)
      #expect(answer.isSuccess, "\(answer.output)")
      let status = await fixture.servers.status()
      let pids = [try #require(status.postgres.pid), try #require(status.redis.pid)]
      for pid in pids {
        // A server in the shell's session would get the terminal's signals.
        #expect(getsid(pid) != getsid(0))
      }
    }
  }

  @Test("A state folder with a long path puts its sockets into a short private folder, and stop removes it")
  func longPath() async throws {
    let long = String(repeating: "long-", count: 20)
    try await withServers(stateName: long) { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      #expect(endpoint.socketDirectory.hasPrefix("/tmp/moha-"))
      #expect(try await query("SELECT 1", endpoint) == "1")
      let redis = try await fixture.servers.startRedis()
      #expect(redis.socketPath.hasPrefix(endpoint.socketDirectory))
      var status = stat()
      #expect(stat(endpoint.socketDirectory, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o700)
      #expect(await fixture.servers.status().socketDirectory == endpoint.socketDirectory)
      try await fixture.servers.stop()
      #expect(stat(endpoint.socketDirectory, &status) != 0)
    }
  }

  @Test("A folder for the sockets that somebody else made first is refused", .enabled(if: ServerFixture.isRoot))
  func preparedSocketFolder() async throws {
    let long = String(repeating: "long-", count: 20)
    try await withServers(stateName: long) { fixture in
      let folder = await fixture.servers.status().socketDirectory
      #expect(mkdir(folder, 0o777) == 0)
      defer { rmdir(folder) }
      #expect(chown(folder, 65_533, 65_533) == 0)
      let error = await #expect(throws: EmbeddedServersError.self) { try await fixture.servers.startPostgres() }
      #expect(error?.code == .unsafeStateDirectory)
    }
  }

  @Test("What a killed initdb left behind is removed, and a cluster is made")
  func killedInitdb() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startRedis()
      let leftover = "\(fixture.state)/data.new-0badcafe"
      #expect(mkdir(leftover, 0o700) == 0)
      try write("15\n", to: "\(leftover)/PG_VERSION")
      if ServerFixture.isRoot {
        // As initdb leaves it: the servers' account owns it.
        var status = stat()
        #expect(stat(fixture.state, &status) == 0)
        #expect(chown(leftover, status.st_uid, status.st_gid) == 0)
      }
      #expect(await fixture.servers.status().postgres == .notInitialised)
      let endpoint = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT 1", endpoint) == "1")
      #expect(access(leftover, F_OK) != 0)
    }
  }

  @Test("A starter that is killed at any moment leaves nothing that hinders the next", arguments: [20, 120, 400, 700])
  func killedStarter(milliseconds: Int) async throws {
    try await withServers { fixture in
      // The shell's timeout ends the starter alone: the programs that it runs have sessions of their own.
      let seconds = "0.\(String(milliseconds + 1000).dropFirst())"
      _ = try await run(
        "/usr/bin/timeout", ["--foreground", "-s", "KILL", seconds, try fixtureProgram(), "up", fixture.root],
        environment: fixture.environment)
      let endpoint = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT 1", endpoint) == "1")
    }
  }

  @Test("A data folder that never was a cluster is set aside, not removed")
  func halfMadeCluster() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startRedis()
      #expect(mkdir("\(fixture.state)/data", 0o700) == 0)
      try write("keep me", to: "\(fixture.state)/data/notes")
      _ = try await fixture.servers.startPostgres()
      let names = try await run("/bin/sh", ["-c", "cat \(fixture.state)/data.unusable-*/notes"])
      #expect(names.output == "keep me")
    }
  }

  @Test("A cluster of another major version is refused with both versions named, and nothing is touched")
  func versionMismatch() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startPostgres()
      try await fixture.servers.stop()
      let path = "\(fixture.state)/data/PG_VERSION"
      try write("9\n", to: path)
      let before = try await listing(of: fixture.state)
      let error = await #expect(throws: EmbeddedServersError.self) { try await fixture.servers.startPostgres() }
      #expect(error?.code == .versionMismatch)
      #expect(error?.description.contains("made by Postgres 9; installed: 15") ?? false)
      #expect(try await listing(of: fixture.state) == before)
      try write("nonsense\n", to: path)
      let damage = await #expect(throws: EmbeddedServersError.self) { try await fixture.servers.startPostgres() }
      #expect(damage?.code == .damaged)
    }
  }

  @Test("A cluster without its control file is reported as damaged, and nothing is touched")
  func damagedCluster() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startPostgres()
      try await fixture.servers.stop()
      #expect(unlink("\(fixture.state)/data/global/pg_control") == 0)
      let before = try await listing(of: fixture.state)
      let error = await #expect(throws: EmbeddedServersError.self) { try await fixture.servers.startPostgres() }
      #expect(error?.code == .damaged)
      #expect(try await listing(of: fixture.state) == before)
    }
  }

  @Test("A server that refuses to start says why, in the words of its log")
  func brokenConfiguration() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startPostgres()
      try await fixture.servers.stop()
      try write("no_such_setting = 1\n", to: "\(fixture.state)/data/postgresql.auto.conf")
      let error = await #expect(throws: EmbeddedServersError.self) { try await fixture.servers.startPostgres() }
      #expect(error?.code == .startFailed)
      #expect(error?.logTail?.contains("no_such_setting") ?? false, "\(String(describing: error))")
      try write("", to: "\(fixture.state)/data/postgresql.auto.conf")
      _ = try await fixture.servers.startPostgres()
    }
  }

  @Test("A server whose socket was removed is replaced by one that can be reached")
  func lostSocket() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      let pid = try #require(await fixture.servers.status().postgres.pid)
      #expect(unlink("\(endpoint.socketDirectory)/.s.PGSQL.5432") == 0)
      _ = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT 1", endpoint) == "1")
      #expect(await fixture.servers.status().postgres.pid != pid)
    }
  }

  @Test("A server whose pid file was removed is replaced, not doubled")
  func lostPidFile() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startPostgres()
      let pid = try #require(await fixture.servers.status().postgres.pid)
      #expect(unlink("\(fixture.state)/data/postmaster.pid") == 0)
      _ = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT 1", endpoint) == "1")
      #expect(!isAlive(pid))
    }
  }

  @Test(
    "Root without the right to look into other users' processes, as in a container, keeps one server",
    .enabled(if: ServerFixture.isRoot))
  func containerRoot() async throws {
    try await withServers { fixture in
      let program = try fixtureProgram()
      func confined(_ command: String) async throws -> (isSuccess: Bool, output: String) {
        try await run(
          "/usr/bin/setpriv", ["--bounding-set=-sys_ptrace", program, command, fixture.root],
          environment: fixture.environment)
      }
      for command in ["up", "redis", "up", "redis"] {
        let answer = try await confined(command)
        #expect(answer.isSuccess, "\(answer.output)")
      }
      let status = await fixture.servers.status()
      let postgres = try #require(status.postgres.pid)
      let redis = try #require(status.redis.pid)
      let seen = try await confined("status").output
      #expect(seen.contains("running(pid: \(postgres))") && seen.contains("running(pid: \(redis))"), "\(seen)")

      #expect(kill(postgres, SIGKILL) == 0 && kill(redis, SIGKILL) == 0)
      for command in ["up", "redis"] {
        let answer = try await confined(command)
        #expect(answer.isSuccess, "\(answer.output)")
      }
      let again = await fixture.servers.status()
      #expect(again.postgres.pid != nil && again.postgres.pid != postgres)
      let down = try await confined("down")
      #expect(down.isSuccess, "\(down.output)")
      #expect(await fixture.servers.status().postgres == .stopped)
      #expect(await fixture.servers.status().redis == .stopped)
    }
  }

  @Test("An unprivileged user has servers of its own", .enabled(if: ServerFixture.isRoot))
  func unprivilegedUser() async throws {
    try await withFolder { folder in
      let nobody: UInt32 = 65_534
      let home = "\(folder)/home"
      let root = "\(home)/repository"
      #expect(mkdir(home, 0o700) == 0 && mkdir(root, 0o700) == 0)
      #expect(chown(home, nobody, nobody) == 0 && chown(root, nobody, nobody) == 0)
      // The build folder may lie where only root can go.
      let program = "\(folder)/embedded-fixture"
      _ = try await run("/bin/cp", [try fixtureProgram(), program])
      #expect(chmod(program, 0o755) == 0)
      let environment = ["HOME": home]
      let up = try await run(program, ["up", root], environment: environment, uid: nobody)
      #expect(up.isSuccess, "\(up.output)")
      #expect(up.output.contains("\(home)/.local/state/moha-sync/"))
      let url = String(up.output.prefix { $0 != "\n" })
      let answer = try await run("/usr/bin/psql", ["-XAtc", "SELECT 1", url], environment: environment, uid: nobody)
      #expect(answer.output == "1\n")
      let down = try await run(program, ["down", root], environment: environment, uid: nobody)
      #expect(down.isSuccess, "\(down.output)")
      let status = try await run(program, ["status", root], environment: environment, uid: nobody)
      #expect(status.output.contains("stopped"))
    }
  }
}

/// Runs `body` with the id of a live process that has nothing to do with any server.
func withForeignProcess(_ body: (Int32) async throws -> Void) async throws {
  _ = try await Subprocess.run(
    .path("/bin/sleep"), arguments: ["600"], input: .none, output: .discarded, error: .discarded
  ) { execution in
    defer { _ = kill(execution.processIdentifier.value, SIGKILL) }
    try await body(execution.processIdentifier.value)
  }
}

/// Every name below a folder with its size, time of change and checksum; without the lock's own folder time.
func listing(of folder: String) async throws -> String {
  let script = "cd \"$0\" && find . -type f -printf '%p %s %m\\n' -exec cksum {} + | sort"
  return try await run("/bin/sh", ["-c", script, folder]).output
}
