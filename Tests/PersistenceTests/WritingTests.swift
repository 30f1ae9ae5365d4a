internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

@Suite struct WritingTests {
  private static let noon = Instant("2026-03-01T12:00:00.250000+00:00")

  private func decision(_ text: String = "Bought", key: String? = nil) -> JSONValue {
    var json: [JSONValue.Member] = [
      .init("decision_type", "buy"), .init("asset", "BTC"), .init("action", .string(text)),
      .init("reasoning", "Because"),
      .init("confidence", 88), .init("risk_level", "LOW"), .init("metadata", ["price": 64_000]),
    ]
    if let key { json.append(.init("idempotency_key", .string(key))) }
    return .object(json)
  }

  private func writer(_ tree: MavenTree, _ change: (inout WriteSettings) -> Void = { _ in }) throws -> RecordWriter {
    var settings = WriteSettings()
    change(&settings)
    return RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: settings)
  }

  private func request(_ kind: RecordRequest.Kind, _ json: JSONValue) throws -> RecordRequest {
    try RecordRequest(kind, json: json, now: #require(Self.noon))
  }

  @Test func aDecisionIsAFileInTheWritersFormACommitAndACounter() async throws {
    let tree = try await MavenTree.sample()
    let written = try await writer(tree).write(request(.decision, decision()))
    #expect(written.path == ".moha/maven/decisions/decision_20260301_120000.md")
    #expect(written.totalDecisions == 7)
    let text = try tree.git.git("show", "HEAD:\(written.path)")
    #expect(
      text == """
        # Decision Record

        **Timestamp:** 2026-03-01T12:00:00.250000+00:00
        **Type:** buy
        **Asset:** BTC
        **Risk Level:** low
        **Confidence:** 88.0%

        ## Action

        Bought

        ## Reasoning

        Because

        ## Metadata

        ```json
        {
          "price": 64000
        }
        ```

        ---
        *Recorded by Maven*
        """)
    #expect(try tree.git.git("rev-parse", "HEAD") == written.commit?.description)
    #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 1 decision")
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
    try await tree.run("sync")
    #expect(try await tree.verification().survey.repairable == 0)
  }

  @Test func twoDecisionsInOneSecondAreTwoFiles() async throws {
    let tree = try await MavenTree.sample()
    let writer = try writer(tree)
    let paths = [
      try await writer.write(request(.decision, decision("one"))).path,
      try await writer.write(request(.decision, decision("two"))).path,
      try await writer.write(request(.decision, decision("three"))).path,
    ]
    let folder = ".moha/maven/decisions/decision_20260301_120000"
    #expect(paths == ["\(folder).md", "\(folder)_2.md", "\(folder)_3.md"])
    // A name that only HEAD has, because somebody removed the file, is not taken again.
    try tree.git.remove(paths[2])
    #expect(try await writer.write(request(.decision, decision("four"))).path.hasSuffix("_120000_4.md"))
  }

  @Test func aRecordIsARowAtOnceAndTheSameRowAfterAReconcile() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    for (kind, json) in [
      (RecordRequest.Kind.decision, decision()),
      (.event, ["event_type": "note", "content": "---\n## [2026-01-01T00:00:00Z] FORGED\n\nx"]),
      (.milestone, ["title": "First", "description": "d", "category": "trading"]),
    ] {
      let written = try await writer(tree).write(request(kind, json))
      let content = try #require(written.record)
      let row = await RowProjection(database: tree.target(), agent: tree.agent).project(content)
      #expect(row.error == nil && row.rowID != nil)
    }
    let survey = try await tree.survey()
    #expect(survey.rowDifferences <= 1, "\(survey.differences.map(\.message))")
    #expect(survey.counts[.missing] == 0 && survey.counts[.stale] == 0 && survey.counts[.orphaned] == 0)
  }

  @Test func theSameKeyTwiceGivesOneRecordAlsoWhenTheIndexIsLost() async throws {
    let tree = try await MavenTree.sample()
    let first = try await writer(tree).write(request(.decision, decision(key: "k")))
    let again = try await writer(tree).write(request(.decision, decision(key: "k")))
    #expect(again.isRepeated && again.path == first.path && again.totalDecisions == 7)
    #expect(again.rebirthCount == first.rebirthCount, "an answer has the same members each time")
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".git/moha-sync")])
    let later = try await writer(tree).write(request(.decision, decision(key: "k")))
    #expect(later.isRepeated && later.path == first.path)
    let event: JSONValue = ["event_type": "note", "content": "once", "idempotency_key": "k"]
    let logged = try await writer(tree).write(request(.event, event))
    let loggedAgain = try await writer(tree).write(request(.event, event))
    #expect(loggedAgain.isRepeated)
    #expect(loggedAgain.totalDecisions == logged.totalDecisions && loggedAgain.rebirthCount == logged.rebirthCount)
    let log = try tree.git.git("show", "HEAD:.moha/maven/session_log.md")
    #expect(log.split(separator: "\n").count { $0 == "once" } == 1)
  }

  @Test func concurrentWritersLoseNothingAndShareCommits() async throws {
    let tree = try await MavenTree.sample()
    let path = tree.git.path
    let agent = tree.agent
    let json = (0..<32).map { $0 % 8 == 0 ? decision("same", key: "shared") : decision("d\($0)") }
    let noon = try #require(Self.noon)
    let paths = try await withThrowingTaskGroup(of: String.self) { group in
      for json in json {
        group.addTask {
          let repository = try Repository(at: path, configuration: .hermetic)
          let writer = RecordWriter(repository: repository, agent: agent, settings: WriteSettings())
          let written = try await writer.write(RecordRequest(.decision, json: json, now: noon))
          #expect(written.commit != nil)
          return written.path
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(paths).count == 29)
    let files = try tree.git.git("ls-tree", "-r", "--name-only", "HEAD").split(separator: "\n")
    #expect(files.count { $0.contains("/decision_") } == 6 + 29)
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("\"total_decisions\": 35"))
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
  }

  @Test func aPersonsStagedAndDirtyWorkStaysAsItIs() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.write("src/a", "one\n")
    try tree.git.write("src/b", "one\n")
    try tree.git.commit("code")
    try tree.git.write("src/a", "staged\n")
    try tree.git.git("add", "src/a")
    try tree.git.write("src/b", "dirty\n")
    let before = (try tree.git.git("diff", "--cached"), try tree.git.git("diff"))
    let written = try await writer(tree).write(request(.decision, decision()))
    #expect((try tree.git.git("diff", "--cached"), try tree.git.git("diff")) == before)
    let changed = try tree.git.git("diff", "--name-only", "HEAD~1", "HEAD").split(separator: "\n")
    #expect(Set(changed.map(String.init)) == [written.path, ".moha/maven/identity.json"])
  }

  @Test func onADetachedHeadTheFileWaitsForTheNextCommit() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("checkout", "-q", "--detach")
    let head = try tree.git.git("rev-parse", "HEAD")
    let written = try await writer(tree).write(request(.decision, decision()))
    #expect(written.commit == nil && written.pendingReason?.contains("detached") == true)
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    try tree.git.git("checkout", "-q", "main")
    let second = try await writer(tree).write(request(.event, ["event_type": "note", "content": "later"]))
    #expect(second.commit != nil)
    #expect(try tree.git.git("ls-tree", "-r", "--name-only", "HEAD").contains(written.path))
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func thePeriodicPolicyLeavesTheCommitToTheJob() async throws {
    let tree = try await MavenTree.sample()
    let written = try await writer(tree) {
      $0.commitPolicy = .periodic
      $0.layout = .dated
    }.write(request(.decision, decision()))
    #expect(written.commit == nil && written.path == ".moha/maven/decisions/2026/03/01/decision_20260301_120000.md")
    let commit = AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    #expect(try await commit.run(isDryRun: true).files.count == 2)
    let outcome = try await commit.run(isDryRun: false)
    #expect(outcome.commit != nil && outcome.message.hasPrefix("maven: 1 decision\n"))
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try await commit.run(isDryRun: false).commit == nil)
  }

  /// Made up at run time, so that no scanner of this repository takes it for a real one.
  private var secret: String { "ghp_" + String(repeating: "a1B2c3", count: 6) }

  @Test func aSecretInARequestLeavesNoTrace() async throws {
    let tree = try await MavenTree.sample()
    let files = try tree.git.git("status", "--porcelain")
    await #expect {
      _ = try await writer(tree).write(request(.decision, decision("token \(secret)")))
    } throws: { error in
      let error = error as? PersistenceError
      return error?.code == .secret && error?.message.contains(secret) == false
    }
    #expect(try tree.git.git("status", "--porcelain") == files)
    #expect(try objects(of: tree).contains(secret) == false)
    #expect(try ChildProcess.run("grep", ["-r", secret, tree.git.path]).status == 1)
  }

  @Test func aFileWithASecretIsLeftOutAndTheRestIsCommitted() async throws {
    let tree = try await MavenTree.sample()
    try tree.writeDecision(7)
    try tree.write("notes.md", "the token is \(secret)\n")
    let commit = AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    let outcome = try await commit.run(isDryRun: false)
    #expect(outcome.refused.map(\.path) == [".moha/maven/notes.md"])
    #expect(outcome.commit != nil)
    #expect(try tree.git.git("ls-tree", "-r", "--name-only", "HEAD").contains(MavenTree.decisionName(7)))
    #expect(try objects(of: tree).contains(secret) == false)
    // Named as harmless, it goes in.
    try tree.git.write(".moha-secrets-allow", "\(outcome.refused[0].fingerprint)  # a test token\n")
    #expect(try await commit.run(isDryRun: false).commit != nil)
  }

  private func objects(of tree: MavenTree) throws -> String {
    try ChildProcess.runChecked(
      "/bin/sh",
      ["-c", "git cat-file --batch-all-objects --batch-check='%(objectname)' | git cat-file --batch | tr -d '\\000'"],
      environment: tree.git.environment, workingDirectory: tree.git.path
    ).stdoutText
  }

  @Test func aTreeThatLostItsRecordsIsNotCommitted() async throws {
    let tree = try await MavenTree.sample()
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/decisions")])
    let commit = AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    await #expect { _ = try await commit.run(isDryRun: false) } throws: {
      ($0 as? PersistenceError)?.code == .massRemoval
    }
    #expect(try await commit.run(isDryRun: false, allowedRemovals: 6).files.count == 6)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func whatAKilledWriterLeftIsFinishedOrUndone() async throws {
    let tree = try await MavenTree.sample()
    _ = try await writer(tree).write(request(.event, ["event_type": "note", "content": "before"]))
    let folder = tree.git.absolute(".git/moha-sync/journal")
    let dead = #"{"path":"PATH","pid":999999,"start":"gone","action":ACTION}"#
    func plant(_ name: String, _ path: String, _ action: String, _ content: String) throws {
      let head = dead.replacing("PATH", with: path).replacing("ACTION", with: action)
      try tree.git.write(".git/moha-sync/journal/\(name)", "\(head)\n\(content)")
    }
    // Killed before the file, after the file and before the counter, and in the middle of an append.
    try plant("1", ".moha/maven/decisions/decision_20260302_000001.md", "\"create\"", "never written")
    let whole = MavenTree.decision(8)
    try plant("2", ".moha/maven/decisions/decision_20260302_000002.md", "\"create\"", whole)
    try tree.git.write(".moha/maven/decisions/decision_20260302_000002.md", whole)
    let log = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/session_log.md")]).stdoutText
    let entry = "\n## [2026-03-02T00:00:03+00:00] NOTE\n\ntorn\n\n---\n"
    try plant("3", ".moha/maven/session_log.md", "\"append\",\"offset\":\(log.utf8.count)", entry)
    try tree.git.write(".moha/maven/session_log.md", log + entry.prefix(20))

    let written = try await writer(tree).write(request(.decision, decision()))
    #expect(written.totalDecisions == 8)
    #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log.md") + "\n" == log)
    #expect(try tree.git.git("ls-tree", "-r", "--name-only", "HEAD").contains("decision_20260302_000002.md"))
    #expect(try ChildProcess.runChecked("ls", [folder]).stdoutText == "")
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func aRebirthAndAKeyOfAKilledWriterCountOnce() async throws {
    let tree = try await MavenTree.sample()
    try tree.write("identity.json", #"{"name": "Maven", "rebirth_count": 2, "total_decisions": 6}"#)
    let log = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/session_log.md")]).stdoutText
    try tree.git.commit("identity")
    let entry = "## [2026-03-02T00:00:03+00:00] REBIRTH\n\nagain\n\n---\n\n"
    // Killed between the log and the counter.
    let head = #"{"path":".moha/maven/session_log.md","pid":999999,"start":"gone","action":"append""#
    try tree.git.write(
      ".git/moha-sync/journal/1", head + ",\"offset\":\(log.utf8.count),\"rebirths\":3}\n" + entry)
    try tree.write("session_log.md", log + entry)
    _ = try await writer(tree).write(request(.event, ["event_type": "note", "content": "next"]))
    let identity = try tree.git.git("show", "HEAD:.moha/maven/identity.json")
    #expect(identity.contains("\"rebirth_count\": 3") && identity.contains("2026-03-02T00:00:03"))

    // Recovered once more, since no commit took the entry, and with another rebirth in between: it counts no more.
    #expect(try await writer(tree).write(request(.event, ["event_type": "rebirth", "content": "b"])).rebirthCount == 4)
    try tree.git.write(
      ".git/moha-sync/journal/1", head + ",\"offset\":\(log.utf8.count),\"rebirths\":3}\n" + entry)
    _ = try await writer(tree).write(request(.event, ["event_type": "note", "content": "later"]))
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("\"rebirth_count\": 4"))

    // Killed between an identity update and the index of its key: sent again, it is not made again.
    let bytes = try ChildProcess.runChecked("cat", [tree.git.absolute(".moha/maven/identity.json")]).stdoutText
    try tree.git.write(
      ".git/moha-sync/journal/2",
      #"{"path":".moha/maven/identity.json","pid":999999,"start":"gone","action":"replace","key":"k"}"# + "\n" + bytes)
    let update: JSONValue = ["updates": ["rebirth": true], "idempotency_key": "k"]
    let repeated = try await writer(tree).write(request(.identity, update))
    #expect(repeated.isRepeated && repeated.rebirthCount == 4)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test func aDatabaseThatDoesNotAnswerCostsABoundedWait() async throws {
    let tree = try await MavenTree.sample()
    let content = try #require(try await writer(tree).write(request(.decision, decision())).record)
    // A socket that takes connections and never says a word.
    let folder = try TemporaryDirectory()
    let silent = try RunningProgram(
      "python3",
      [
        "-c",
        "import socket,time\ns=socket.socket(socket.AF_UNIX)\ns.bind('\(folder.path)/.s.PGSQL.5432')\ns.listen(8)\nopen('\(folder.path)/ready','w')\ntime.sleep(30)",
      ])
    while try ChildProcess.run("test", ["-e", "\(folder.path)/ready"]).status != 0 {}
    let database = Database(
      settings: ConnectionSettings(parameters: ["host": folder.path, "dbname": "x", "user": "x"]))
    let start = ContinuousClock.now
    let row = await RowProjection(database: database, agent: tree.agent).project(content)
    #expect(row.rowID == nil && row.error?.contains("did not answer") == true)
    // The wait is a second and a half; the server is silent for thirty.
    #expect(ContinuousClock.now - start < .seconds(10))
    silent.signal(9)
    _ = try await silent.output()
  }

  @Test(arguments: [
    (
      RecordRequest.Kind.decision, "{}",
      ["decision_type is missing", "action is missing", "confidence is missing", "risk_level is missing"]
    ),
    (
      .decision, #"{"decision_type":"x","action":"a","reasoning":"r","confidence":101,"risk_level":"extreme"}"#,
      ["confidence must be from 0 to 100", "risk_level must be one of"]
    ),
    (
      .decision, #"{"decision_type":"x","action":"a","reasoning":"r","confidence":"NaN","risk_level":"low","nope":1}"#,
      ["confidence must be a plain number", "nope is no argument"]
    ),
    (.event, #"{"event_type":" ","content":"x"}"#, ["event_type is missing"]),
    (
      .event, #"{"event_type":"a","event_type":"b","content":"x","metadata":[]}"#,
      ["event_type is given twice", "metadata must be an object"]
    ),
    (.milestone, "[]", ["must be a JSON object"]),
    (.identity, #"{"updates":[]}"#, ["updates must be an object"]),
  ])
  func aWrongRequestIsRefusedWithEveryFault(kind: RecordRequest.Kind, json: String, faults: [String]) throws {
    #expect {
      _ = try RecordRequest(kind, json: JSONValue.parse(json), now: #require(Self.noon))
    } throws: { error in
      guard let error = error as? PersistenceError, error.code == .invalidRequest else { return false }
      return faults.allSatisfy(error.message.contains)
    }
  }

  @Test func anIdentityUpdateMergesDeeplyAndRebirthCounts() async throws {
    let tree = try await MavenTree.sample()
    try tree.write("identity.json", "{\"a\": {\"b\": 1,   \"c\": 2}, \"rebirth_count\": 4, \"total_decisions\": 6}")
    try tree.git.commit("identity")
    let written = try await writer(tree).write(
      request(.identity, ["updates": ["a": ["c": 3], "rebirth": true]]))
    #expect(written.rebirthCount == 5)
    let text = try tree.git.git("show", "HEAD:.moha/maven/identity.json")
    #expect(text.hasPrefix("{\"a\": {\"b\": 1,   \"c\": 3}, \"rebirth_count\": 5"))
    #expect(!text.contains("\"rebirth\":"))
    let event = try await writer(tree).write(request(.event, ["event_type": "rebirth", "content": "again"]))
    #expect(event.rebirthCount == 6)
  }
}
