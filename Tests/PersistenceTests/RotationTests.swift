internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

@Suite struct RotationTests {
  private static let now = Instant("2026-03-15T12:00:00+00:00")

  private func rotation(_ tree: MavenTree) throws -> LogRotation {
    LogRotation(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
  }

  @discardableResult
  private func rotate(
    _ tree: MavenTree, before: Instant? = nil, keep: Int = 0, isDryRun: Bool = false
  ) async throws -> LogRotation.Outcome {
    try await rotation(tree).run(before: before, keep: keep, now: try #require(Self.now), isDryRun: isDryRun)
  }

  /// An entry as the writer appends it.
  private static func entry(_ time: String, _ text: String) -> String {
    "\n## [\(time)] NOTE\n\n\(text)\n\n---\n"
  }

  private static let header = "# Maven Session Log\n\n---\n"

  /// Two entries of January, one of February, two of March.
  private static let log =
    header
    + [
      ("2026-01-05T10:00:00+00:00", "one"), ("2026-01-31T23:59:59.999999+00:00", "two"),
      ("2026-02-01T00:00:00+00:00", "three"), ("2026-03-01T00:00:00+00:00", "four"),
      ("2026-03-10T00:00:00+00:00", "five"),
    ].map { entry($0, $1) }.joined()

  private func tree(_ log: String = Self.log) async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try tree.write("session_log.md", log)
    try tree.git.commit("log")
    return tree
  }

  private func text(_ tree: MavenTree, _ file: String) throws -> String {
    try ChildProcess.runChecked("cat", [tree.git.absolute("\(tree.root)/\(file)")]).stdoutText
  }

  private func keys(_ tree: MavenTree, _ files: [String]) throws -> [String] {
    try files.flatMap { file in
      let path = RecordPath(tree.root + "/" + file)
      return SessionLog.parse(Array(try text(tree, file).utf8), path: path).entries.map(\.recordKey)
    }
  }

  @Test("entries of past months move whole to their files, in one commit, and stay the same rows")
  func wholeStory() async throws {
    let tree = try await tree()
    try await tree.run("sync")
    let keys = try keys(tree, ["session_log.md"])
    let rows = try await tree.value("SELECT string_agg(id || event_key, ',' ORDER BY id) FROM maven_memory")
    #expect(try await tree.verification().isInSync)

    let plan = try await rotate(tree, isDryRun: true)
    #expect(plan.files.map(\.events) == [2, 1] && plan.commit == nil)
    #expect(try text(tree, "session_log.md") == Self.log)

    let outcome = try await rotate(tree)
    #expect(outcome.files.map(\.path) == [".moha/maven/session_log/2026-01.md", ".moha/maven/session_log/2026-02.md"])
    #expect(outcome.commit?.description == (try tree.git.git("rev-parse", "HEAD")))
    #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 3 rotated events")
    let changed = try tree.git.git("diff", "--name-only", "HEAD~1", "HEAD")
    #expect(
      changed == ".moha/maven/session_log.md\n.moha/maven/session_log/2026-01.md\n.moha/maven/session_log/2026-02.md")
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync/journal")]).stdoutText == "")
    #expect(
      try text(tree, "session_log.md")
        == Self.header + Self.entry("2026-03-01T00:00:00+00:00", "four")
        + Self.entry("2026-03-10T00:00:00+00:00", "five"))
    #expect(try text(tree, "session_log/2026-02.md").hasSuffix(Self.entry("2026-02-01T00:00:00+00:00", "three")))
    #expect(try self.keys(tree, ["session_log/2026-01.md", "session_log/2026-02.md", "session_log.md"]) == keys)

    let error = await RotatedRows(database: tree.target(), agent: tree.agent).update(outcome.moves)
    #expect(error == nil)
    let verification = try await tree.verification()
    #expect(verification.isInSync, "\(verification.survey.differences.map(\.message))")
    #expect(verification.survey.git.records.count { $0.archivedCommit == nil && $0.kind == .event } == 5)
    #expect(try await tree.value("SELECT string_agg(id || event_key, ',' ORDER BY id) FROM maven_memory") == rows)
    #expect(try await tree.run().survey.rowDifferences == 0)
  }

  @Test("a second rotation does nothing, and one of the next month adds to what is there")
  func again() async throws {
    let tree = try await tree()
    try await rotate(tree, before: Instant("2026-02-01T00:00:00Z"))
    #expect(try keys(tree, ["session_log/2026-01.md"]).count == 2)
    try await rotate(tree)
    let head = try tree.git.git("rev-parse", "HEAD")
    let second = try await rotate(tree)
    #expect(second.eventCount == 0 && second.commit == nil)
    #expect(try tree.git.git("rev-parse", "HEAD") == head)

    // A late entry of January joins the others.
    let log = try text(tree, "session_log.md")
    try tree.write("session_log.md", log + Self.entry("2026-01-20T00:00:00+00:00", "late"))
    try tree.git.commit("late")
    let january = try text(tree, "session_log/2026-01.md")
    #expect(try await rotate(tree).files.map(\.events) == [1])
    #expect(try text(tree, "session_log/2026-01.md") == january + Self.entry("2026-01-20T00:00:00+00:00", "late"))
    #expect(try text(tree, "session_log.md") == log)
  }

  @Test("the last entries stay where --keep says so, and an entry that a merge brought back is not doubled")
  func keepAndMerge() async throws {
    let tree = try await tree()
    #expect(try await rotate(tree, keep: 4).eventCount == 1)
    #expect(try keys(tree, ["session_log.md"]).count == 4)
    try await rotate(tree)
    let january = try text(tree, "session_log/2026-01.md")
    try tree.write("session_log.md", Self.log)
    try tree.git.commit("merge")
    #expect(try await rotate(tree).eventCount == 3)
    #expect(try text(tree, "session_log/2026-01.md") == january)
    #expect(try keys(tree, ["session_log.md"]).count == 2)
  }

  @Test("what cannot be read, needs the heading above it or has no date stays, and the rest moves")
  func parts() async throws {
    let log = """
      # Maven Session Log

      ---

      ### 2026-01-11T08:30:00Z - BIRTH
      **Event:** Born

      ---
      <<<<<<< HEAD
      ## [2026-01-12T00:00:00Z] MINE

      mine

      ---
      =======
      ## [2026-01-12T00:00:01Z] THEIRS

      theirs

      ---
      >>>>>>> other

      ## Recent: Day 6 (2026-01-16)

      ### [01:45Z] MILESTONE - First
      text of the first

      ## [2026-01-17T20:29:50Z] GIT_SYNC

      synced

      ---

      ### [02:55Z] KNOWLEDGE - Second
      text of the second

      ## [2026-01-18T00:00:00Z] LAST

      a token: \(secret)

      ---

      ## [NOTE] 2026-01-18 15:49:06
      no rule after it

      """
    let tree = try await tree(log)
    let before = try keys(tree, ["session_log.md"])
    let outcome = try await rotate(tree)
    #expect(outcome.eventCount == 2)
    let rotated = try keys(tree, ["session_log/2026-01.md"])
    #expect(Set(rotated + (try keys(tree, ["session_log.md"]))) == Set(before))
    let month = try text(tree, "session_log/2026-01.md")
    #expect(month.contains("BIRTH") && month.contains("no rule after it") && !month.contains(secret))
    let rest = try text(tree, "session_log.md")
    for part in ["<<<<<<< HEAD", "THEIRS", "[01:45Z]", "GIT_SYNC", "[02:55Z]", secret] { #expect(rest.contains(part)) }
    let reasons = outcome.kept.map(\.reason)
    #expect(reasons.contains { $0.hasPrefix("conflict-markers") })
    #expect(reasons.contains { $0.contains("takes its date from the heading") })
    #expect(reasons.contains { $0.contains("between the next entry and the heading") })
    #expect(reasons.contains { $0.contains("secret") })
    #expect(!reasons.contains { $0.contains(secret) })
  }

  /// Made up at run time, so that no scanner of this repository takes it for a real one.
  private var secret: String { "ghp_" + String(repeating: "a1B2c3", count: 6) }

  @Test("a log that is not committed as it is stays, and a writer's entry that waits for its commit is committed first")
  func uncommitted() async throws {
    let tree = try await tree()
    try tree.write("session_log.md", Self.log + Self.entry("2026-03-11T00:00:00+00:00", "by hand"))
    let status = try tree.git.git("status", "--porcelain")
    await #expect { try await rotate(tree) } throws: { ($0 as? PersistenceError)?.code == .changedMeanwhile }
    #expect(try tree.git.git("status", "--porcelain") == status)
    try tree.git.commit("by hand")

    var settings = WriteSettings()
    settings.commitPolicy = .periodic
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: settings)
    let request = try RecordRequest(
      .event, json: ["event_type": "note", "content": "waits", "idempotency_key": "k"], now: #require(Self.now))
    let written = try await writer.write(request)
    #expect(written.commit == nil)
    #expect(try await rotate(tree).eventCount == 3)
    #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log.md").contains("waits"))
    #expect(try tree.git.git("status", "--porcelain") == "")

    // The same key finds its entry also in the file that has it now.
    _ = try await rotation(tree).run(now: #require(Instant("2026-04-02T00:00:00Z")))
    #expect(try !text(tree, "session_log.md").contains("waits"))
    let again = try await writer.write(request)
    #expect(again.isRepeated && again.record?.record == written.record?.record)
  }

  @Test("what a killed rotation left is finished by the next writer, and committed in one commit")
  func killed() async throws {
    for state in ["journal", "months", "log"] {
      let tree = try await tree()
      let repository = try tree.repository()
      let writer = try WorkTreeWriter(
        repository, workTree: tree.git.path, agent: tree.agent, settings: WriteSettings())
      let journal = writer.journal
      let bytes = Array(Self.log.utf8)
      let rules = LogRotationPlan.Rules(
        before: try #require(Instant("2026-03-01T00:00:00Z")), keep: 0, agent: tree.agent, holdsSecret: { _ in false })
      let plan = try LogRotationPlan(bytes, rules: rules) { _ in nil }
      let path = GitPath(TreeLayout.sessionLog(of: tree.agent).bytes)
      let rotation = JournalEntry.Rotation(
        log: .blob(bytes), size: bytes.count, cuts: plan.cuts,
        parts: plan.additions.map { .init(path: GitPath($0.path.bytes), offset: $0.offset, length: $0.bytes.count) },
        events: plan.eventCount)
      let entry = try journal.add(.rotate(rotation), path: path, content: plan.additions.flatMap(\.bytes))
      if state != "journal" {
        let first = try #require(plan.additions.first)
        try WorkTreeFile(workTree: tree.git.path, path: GitPath(first.path.bytes)).create(with: first.bytes)
      }
      if state == "log" { #expect(try writer.apply(rotation, entry)) }

      // A commit by cron, or the write of another record.
      if state == "months" {
        let commit = AutomaticCommit(repository: repository, agent: tree.agent, settings: WriteSettings())
        #expect(try await commit.run(isDryRun: false).message.hasPrefix("maven: 3 rotated events\n"))
      } else {
        let request = try RecordRequest(.event, json: ["event_type": "note", "content": "x"], now: #require(Self.now))
        _ = try await RecordWriter(repository: repository, agent: tree.agent, settings: WriteSettings()).write(request)
        #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 1 event, 3 rotated events")
      }
      #expect(try tree.git.git("status", "--porcelain") == "", "\(state)")
      #expect(try tree.git.git("diff", "--name-only", "HEAD~1", "HEAD").split(separator: "\n").count == 3, "\(state)")
      #expect(try keys(tree, ["session_log/2026-01.md", "session_log/2026-02.md"]).count == 3, "\(state)")
      #expect(try keys(tree, ["session_log.md"]).count == (state == "months" ? 2 : 3), "\(state)")
      #expect(try await rotate(tree).eventCount == 0)
    }
  }

  @Test(
    "random logs keep every entry, and the files stay as they were where nothing moves",
    arguments: 0..<30 as Range<UInt64>)
  func properties(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "\n## [2026-01-0%d] A\n\ntext %n\n\n---\n", "\n## [2026-02-0%dT01:02:03Z] B\n\ntext %n\n\n---\n",
      "\n### 2026-01-0%dT08:30:00Z - BIRTH\n**Event:** %n\n\n---\n", "## [NOTE] 2026-01-0%d 15:49:06\nfree %n\n",
      "\n## Recent (2026-01-0%d)\n", "### [01:45Z] MILESTONE - T%n\n", "\n## Archive: Day (2026-01-0%d)\n",
      "- **X%n** [08:30Z]: text\n  - more\n", "```\n", "---\n", "\n\n", "prose %n\n",
      "## [2026-03-0%dT01:02:03Z] C\n%n\n",
      "## [2026-01-0%dT01:02:03Z] D\n```\n%n\n---\n", "<<<<<<< a\n", "=======\n", ">>>>>>> b\n",
    ]
    var log = "# Log\n"
    for number in 0..<random.below(40) {
      log += random.pick(pieces).replacing("%d", with: "\(1 + random.below(9))").replacing("%n", with: "\(number)")
    }
    let bytes = Array(log.utf8)
    let agent = Agent.default
    let path = TreeLayout.sessionLog(of: agent)
    let rules = LogRotationPlan.Rules(
      before: try #require(Instant("2026-03-01T00:00:00Z")), keep: random.below(3), agent: agent,
      holdsSecret: { _ in false })
    let before = SessionLog.parse(bytes, path: path).entries.map(\.recordKey).sorted()
    do {
      let plan = try LogRotationPlan(bytes, rules: rules) { _ in nil }
      let rest = LogRotationPlan.cut(bytes, plan.cuts)
      var after = SessionLog.parse(rest, path: path).entries.map(\.recordKey)
      for addition in plan.additions {
        after += SessionLog.parse(addition.bytes, path: addition.path).entries.map(\.recordKey)
      }
      #expect(after.sorted() == before)
      if plan.eventCount == 0 { #expect(rest == bytes) }
      // What is no entry stays, but for blank lines.
      func solid(_ bytes: [UInt8]) -> Int { bytes.count { $0 > 0x20 } }
      let cut = plan.cuts.reduce(0) { $0 + solid(Array(bytes[$1])) }
      #expect(solid(rest) + cut == solid(bytes))
    } catch let error as PersistenceError {
      #expect(error.code == .invalidRequest)
    }
  }
}
