internal import Glibc
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// Runs that end in the middle: killed, interrupted, or left by their server.
@Suite struct InterruptionTests {
  @Test(
    "a run that is interrupted ends with 130 at once, and the next one does its work",
    arguments: [SIGINT, SIGTERM])
  func interrupted(signal: Int32) async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    let dump = try tree.dump()
    try await tree.withDecisionsLocked {
      let run = try tree.start("reconcile", "--json")
      try await tree.waitUntilBlocked()
      let clock = ContinuousClock()
      let sent = clock.now
      run.signal(signal)
      let output = try await run.output()
      #expect(output.status == 130, "\(output.everything)")
      // What it waited for does not come while it runs: any end is one by the signal.
      #expect(clock.now - sent < .seconds(20))
      #expect(try output.json()["error"]?["code"]?.text == "interrupted")
    }
    #expect(try tree.dump() == dump)
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 7}"#)
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "verify")
  }

  @Test("a server that dies under a run: exit 69, and the next run does its work")
  func serverKilled() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    try tree.git.write(".moha/maven/identity.json", #"{"total_decisions": 7}"#)
    try await tree.withDecisionsLocked {
      let run = try tree.start("reconcile", "--json")
      try await tree.waitUntilBlocked()
      try server.kill()
      let output = try await run.output()
      #expect(output.status == 69, "\(output.everything)")
      #expect(try output.json()["error"]?["code"]?.text == "postgres-connection-lost")
    }
    try await server.restart()
    // The lock's holder may have died first, and the run's transaction have ended before its server did.
    #expect(["6", "7"].contains(try await tree.value("SELECT count(*) FROM maven_decisions")))
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "verify")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
  }

  @Test("a run that is killed leaves the old rows or the new ones, never a mix, and nothing that stops the next")
  func killed() async throws {
    let tree = try await CommandTree()
    let (count, added) = (1_000, 90)
    var random = SeededGenerator(seed: 0x6B69_6C6C)

    for index in 1...count { try tree.write(decision: index, reasoning: "first") }
    let first = try tree.git.commit("first")
    for index in 1...(count + added) { try tree.write(decision: index, reasoning: "second") }
    let second = try tree.git.commit("second")
    let states = [
      (commit: first, state: "\(count) 0 \(first)"), (commit: second, state: "0 \(count + added) \(second)"),
    ]

    try await tree.expect(0, "sync", "--at", second)
    let clock = ContinuousClock()
    let start = clock.now
    try await tree.expect(0, "sync", "--at", first)
    var duration = clock.now - start

    // One statement sees one snapshot of the database. The pause leaves the processor to the run.
    let query = """
      SELECT concat_ws(' ', count(*) FILTER (WHERE reasoning = 'first'), count(*) FILTER (WHERE reasoning = 'second'),
        (SELECT encode(commit_id, 'hex') FROM maven_checkpoint)) FROM maven_decisions, pg_sleep(0.005)
      """
    let observer = try await tree.database.connect()
    var seen: Set<String> = []
    func observe() async throws -> String {
      let state = try #require(try await observer.query(query).first).string(0)
      seen.insert(state)
      return state
    }

    let tries = 20
    var killed = 0
    var state = try await observe()
    for number in 1...tries {
      let target = states[state == states[0].state ? 1 : 0]
      // Spread over the run, and random within each part of it.
      let moment = (Double(number - 1) + Double.random(in: 0..<1, using: &random)) / Double(tries)
      let begin = clock.now
      let run = try tree.start("sync", "--at", target.commit)
      while clock.now < begin + duration * moment, !run.hasEnded { _ = try await observe() }
      run.signal(SIGKILL)
      let output = try await run.output()
      #expect(output.status == 128 + SIGKILL || output.status == 0, "\(output.everything)")
      // A machine that has become faster would see the rest of the tries after the end of the run.
      if output.status == 0 { duration = clock.now - begin } else { killed += 1 }
      try await waitUntilAlone(observer)
      state = try await observe()
    }
    #expect(killed > 0)
    #expect(seen.isSubset(of: states.map(\.state)), "\(seen.subtracting(states.map(\.state)))")
    await observer.close()

    let last = states[state == states[0].state ? 1 : 0]
    try await tree.expect(0, "sync", "--at", last.commit)
    try await tree.expect(0, "verify", "--at", last.commit)
    try await tree.expect(0, "migrate", "--verify-only")
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try ChildProcess.run("find", [tree.git.absolute(".git"), "-name", "*.lock", "-size", "+0"]).stdout.isEmpty)
  }

  @Test("a first run that is killed leaves a database that the next one fills, indexes included")
  func killedFirst() async throws {
    let tree = try await CommandTree()
    // As many as are copied in bulk, with the full-text indexes built afterwards.
    let count = 2_100
    for index in 1...count { try tree.write(decision: index) }
    try tree.git.commit("records")
    let clock = ContinuousClock()
    let start = clock.now
    try await tree.expect(0, "sync", "--into", "measured")
    let duration = clock.now - start

    let observer = try await tree.database.connect()
    for (number, moment) in [0.5, 0.75, 0.95].enumerated() {
      let schema = "killed_\(number)"
      let deadline = clock.now + duration * moment
      let run = try tree.start("sync", "--into", schema)
      while clock.now < deadline { _ = try await observer.query("SELECT pg_sleep(0.005)") }
      run.signal(SIGKILL)
      _ = try await run.output()
      if try await tree.value("SELECT to_regclass('\(schema).maven_decisions') IS NOT NULL") == "t" {
        let rows = try await tree.value("SELECT count(*) FROM \(schema).maven_decisions")
        #expect(rows == "0" || rows == String(count))
      }
      try await waitUntilAlone(observer)
      try await tree.expect(0, "sync", "--into", schema)
      for command in [["verify"], ["migrate", "--verify-only"]] {
        let output = try await tree.run(command, environment: ["DATABASE_SCHEMA": schema])
        #expect(output.status == 0, "\(output.everything)")
      }
    }
    await observer.close()
  }

  /// Waits until the server has noticed the end of a killed run and its session, with the lock that it holds, is
  /// gone, and expects that within fifteen seconds: it is at once, and a busy machine gets more.
  private func waitUntilAlone(_ observer: Connection) async throws {
    let clock = ContinuousClock()
    let start = clock.now
    let query = """
      SELECT count(*) FROM pg_stat_activity, pg_sleep(0.005)
      WHERE datname = current_database() AND application_name = 'moha-sync' AND pid <> pg_backend_pid()
      """
    while clock.now - start < .seconds(30), try await observer.query(query).first?.int(0) != 0 {}
    #expect(clock.now - start < .seconds(15))
  }
}
