import EmbeddedServers
import Glibc
import Testing

/// Each test runs a Redis of its own.
@Suite(.timeLimit(.minutes(5)))
struct RedisTests {
  @Test("Redis starts, answers, stops and starts again")
  func startStopStart() async throws {
    try await withServers { fixture in
      let servers = fixture.servers
      #expect(await servers.status().redis == .notInitialised)
      let first = try await servers.startRedis()
      #expect(first == servers.redisEndpoint)
      #expect(first.socketPath == "\(fixture.state)/run/redis.sock")
      #expect(first.url == "unix://\(first.socketPath)")
      #expect(try await ask(first, "PING") == "PONG\n")
      #expect(try await ask(first, "CONFIG", "GET", "port") == "port\n0\n")
      #expect(try await servers.startRedis() == first)
      try await servers.stop()
      #expect(await servers.status().redis == .stopped)
      let second = try await servers.startRedis()
      #expect(second == first)
      #expect(try await ask(second, "PING") == "PONG\n")
      #expect(await servers.status().postgres == .notInitialised)
    }
  }

  @Test("After kill -9 the state is crashed, and a start recovers")
  func killed() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startRedis()
      let pid = try #require(await fixture.servers.status().redis.pid)
      #expect(kill(pid, SIGKILL) == 0)
      while await fixture.servers.status().redis.pid == pid { await Task.yield() }
      #expect(await fixture.servers.status().redis == .crashed)
      #expect(try await fixture.servers.startRedis() == endpoint)
      #expect(try await ask(endpoint, "PING") == "PONG\n")
    }
  }

  @Test("Whatever the umask, nobody else can read or write what the servers make")
  func umask() async throws {
    try await withServers { fixture in
      let script = "umask 000; \"$0\" redis \"$1\" && \"$0\" up \"$1\""
      let made = try await run(
        "/bin/sh", ["-c", script, try fixtureProgram(), fixture.root], environment: fixture.environment)
      #expect(made.isSuccess, "\(made.output)")
      let status = await fixture.servers.status()
      for log in [status.redisLog, status.postgresLog] {
        var found = stat()
        #expect(stat(log, &found) == 0)
        #expect(found.st_mode & 0o777 == 0o600, "\(log)")
      }
    }
  }

  @Test("A pid file that names a foreign process ends nobody")
  func reusedPid() async throws {
    try await withServers { fixture in
      _ = try await fixture.servers.startRedis()
      try await fixture.servers.stop()
      try await withForeignProcess { foreign in
        try write("\(foreign)\n", to: "\(fixture.state)/redis/redis.pid")
        #expect(await fixture.servers.status().redis == .crashed)
        try await fixture.servers.stop()
        try write("\(foreign)\n", to: "\(fixture.state)/redis/redis.pid")
        _ = try await fixture.servers.startRedis()
        #expect(isAlive(foreign))
      }
    }
  }

  @Test("A server whose pid file was removed is replaced, not doubled")
  func lostPidFile() async throws {
    try await withServers { fixture in
      let endpoint = try await fixture.servers.startRedis()
      let pid = try #require(await fixture.servers.status().redis.pid)
      #expect(unlink("\(fixture.state)/redis/redis.pid") == 0)
      _ = try await fixture.servers.startRedis()
      #expect(try await ask(endpoint, "PING") == "PONG\n")
      #expect(!isAlive(pid))
    }
  }

  @Test("A missing program is reported as such, with the package to install")
  func notInstalled() async throws {
    try await withFolder { folder in
      let servers = EmbeddedServers(
        root: folder, environment: ["MOHA_STATE_DIR": "\(folder)-state", "PATH": "\(folder)"])
      let error = await #expect(throws: EmbeddedServersError.self) { try await servers.startRedis() }
      #expect(error?.code == .notInstalled)
      #expect(error?.description == "redis-server is not installed.\nHint: apt-get install redis-server")
      _ = try await run("/bin/rm", ["-rf", "\(folder)-state"])
    }
  }

  @Test("A path with a space and a quotation mark reaches both servers unharmed")
  func oddPath() async throws {
    try await withServers(stateName: "a 'b' \"c\" \\d") { fixture in
      let redis = try await fixture.servers.startRedis()
      #expect(try await ask(redis, "PING") == "PONG\n")
      let postgres = try await fixture.servers.startPostgres()
      #expect(try await query("SELECT 1", postgres) == "1")
    }
  }

  private func ask(_ endpoint: RedisEndpoint, _ words: String...) async throws -> String {
    try await run("/usr/bin/redis-cli", ["-s", endpoint.socketPath] + words).output
  }
}
