internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A person's git at work in the same repository, at the moments that hurt.
@Suite("Writing beside a person")
struct BesidePersonTests {
  /// A request of each kind, with a text that is nowhere else.
  enum Sample: String, CaseIterable, Sendable {
    case decision, event, rebirth, milestone, snapshot, identity

    func request(_ text: String, key: String? = nil) throws -> RecordRequest {
      var members: [JSONValue.Member]
      let kind: RecordRequest.Kind
      switch self {
      case .decision:
        kind = .decision
        members = [
          .init("decision_type", "buy"), .init("action", .string(text)), .init("reasoning", "r"), .init("confidence", 80),
          .init("risk_level", "low"),
        ]
      case .event, .rebirth:
        kind = .event
        members = [.init("event_type", self == .event ? "NOTE" : "REBIRTH"), .init("content", .string(text))]
      case .milestone:
        kind = .milestone
        members = [.init("title", "t"), .init("category", "c"), .init("description", .string(text))]
      case .snapshot:
        kind = .snapshot
        members = [.init("total_value_usd", 5), .init("available_balance_usd", 5), .init("notes", .string(text))]
      case .identity:
        kind = .identity
        members = [.init("updates", ["mood": .string(text), "rebirth": true])]
      }
      if let key { members.append(.init("idempotency_key", .string(key))) }
      return try RecordRequest(kind, json: .object(members), now: Instant.now())
    }

    var file: String {
      switch self {
      case .decision: "decisions/"
      case .event, .rebirth: "session_log.md"
      case .milestone: "milestones/"
      case .snapshot: "portfolio/"
      case .identity: "identity.json"
      }
    }
  }

  private func writer(_ tree: MavenTree) throws -> WorkTreeWriter {
    try WorkTreeWriter(try tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings())
  }

  private func stage(_ sample: Sample, _ text: String, _ tree: MavenTree, key: String? = nil) async throws
    -> WorkTreeWriter.Staged
  {
    try await writer(tree).stage(try sample.request(text, key: key))
  }

  private func commit(_ staged: [WorkTreeWriter.Staged], _ tree: MavenTree) async throws -> SharedCommitter.Outcome {
    try await SharedCommitter(of: try writer(tree), patience: .seconds(30)).commit(staged.flatMap(\.entries))
  }

  @discardableResult
  private func write(_ sample: Sample, _ text: String, _ tree: MavenTree) async throws -> RecordWriter.Written {
    try await RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      .write(try sample.request(text))
  }

  private func automaticCommit(_ tree: MavenTree) async throws -> AutomaticCommit.Outcome {
    try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      .run(isDryRun: false)
  }

  /// How often a text is in the agent's files of a commit.
  private func count(_ text: String, _ tree: MavenTree, at revision: String = "HEAD") throws -> Int {
    let run = try ChildProcess.run(
      "git", ["-C", tree.git.path, "grep", "-h", "-o", "-F", text, revision, "--", tree.root],
      environment: tree.git.environment)
    return run.stdoutText.split(separator: "\n").count
  }

  private func identity(_ tree: MavenTree) throws -> JSONValue {
    try JSONValue.parse(Array(tree.git.git("show", "HEAD:\(tree.root)/identity.json").utf8))
  }

  private func log(_ tree: MavenTree) throws -> String {
    try ChildProcess.runChecked("cat", [tree.git.absolute("\(tree.root)/session_log.md")]).stdoutText
  }

  private static let commands = [
    "git reset -q --hard", "git stash -q", "git stash -q -u", "git checkout -q -f", "git checkout -q -- .", "git restore .",
    "git clean -fdq", "git reset -q --hard && git clean -fdq", "rm -rf .moha/maven/decisions .moha/maven/milestones",
    "rm .moha/maven/session_log.md .moha/maven/identity.json", "git read-tree --reset -u HEAD",
  ]

  @Test("what was staged is in the commit, whatever a person's command did to the files meanwhile", arguments: commands)
  func putBackBeforeTheCommit(command: String) async throws {
    for sample in Sample.allCases {
      let tree = try await MavenTree.sample()
      try await write(.event, "before", tree)
      let first = try await stage(sample, "text one", tree)
      let second = try await stage(.event, "text two", tree)
      try ChildProcess.runChecked(
        "/bin/sh", ["-c", command], environment: tree.git.environment, workingDirectory: tree.git.path)
      guard case .committed(let commit) = try await commit([first, second], tree) else {
        Issue.record("\(sample): nothing was committed")
        continue
      }
      #expect(try tree.git.git("rev-parse", "HEAD") == commit.id.description)
      #expect(try count("text one", tree) == 1 && count("text two", tree) == 1, "\(sample)")
      #expect(try count("before", tree) == 1)
      let identity = try identity(tree)
      #expect(identity["total_decisions"]?.integer == (sample == .decision ? 7 : 6), "\(sample)")
      #expect(identity["rebirth_count"]?.integer ?? 0 == (sample == .rebirth || sample == .identity ? 1 : 0), "\(sample)")
      // The files that the writes made or changed are as HEAD has them again.
      let status = try tree.git.git("status", "--porcelain", "--", "\(tree.root)/\(sample.file)", "\(tree.root)/session_log.md")
      let isPersons = command.hasPrefix("rm -rf")
      #expect(status.split(separator: "\n").allSatisfy { isPersons && $0.hasPrefix(" D") }, "\(sample): \(status)")
      #expect(try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync/journal")]).stdoutText == "")
      #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
    }
  }

  @Test(
    "a file that needs a second name gets none at which the working tree has something else",
    arguments: [[], ["_3"], ["_3", "_4", "_5"]])
  func secondName(taken: [String]) async throws {
    func request(_ text: String, _ fraction: Int) throws -> RecordRequest {
      try RecordRequest(
        .decision,
        json: [
          "decision_type": "buy", "action": .string(text), "reasoning": "r", "confidence": 80, "risk_level": "low",
        ], now: #require(Instant("2026-03-04T10:00:00.\(fraction)+00:00")))
    }
    let elsewhere = try await MavenTree.sample()
    let path = try await writer(elsewhere).stage(request("text zero", 1)).path
    let other = try ChildProcess.runChecked("cat", [elsewhere.git.absolute(path.description)]).stdoutText

    let tree = try await MavenTree.sample()
    let first = try await writer(tree).stage(request("text one", 2))
    #expect(first.path == path)
    // A rebase that is given up takes the waiting file away, and brings back one that was committed before.
    try tree.git.write(path.description, other)
    try tree.git.git("add", "--all")
    try tree.git.git("commit", "-q", "-m", "by a person")
    let second = try await writer(tree).stage(request("text two", 3))
    #expect(second.path.description.hasSuffix("_2.md"))
    for name in taken { try tree.git.write(path.description.replacing(".md", with: "\(name).md"), "by a person\n") }
    guard case .committed = try await commit([first, second], tree) else {
      Issue.record("nothing was committed")
      return
    }
    // Who commits all that is tracked changes nothing.
    try tree.git.git("commit", "-q", "--allow-empty", "-a", "-m", "all that is tracked")
    for text in ["text zero", "text one", "text two"] { #expect(try count(text, tree) == 1, "\(text)") }
    try await write(.event, "after", tree)
    try tree.git.git("add", "--all")
    try tree.git.git("commit", "-q", "--allow-empty", "-m", "everything")
    for text in ["text zero", "text one", "text two"] { #expect(try count(text, tree) == 1, "\(text)") }
    #expect(try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync/journal")]).stdoutText == "")
  }

  @Test("a file is replaced only where it still is what was read")
  func replaced() async throws {
    let tree = try await MavenTree.sample()
    let file = WorkTreeFile(workTree: tree.git.path, path: GitPath(Array("\(tree.root)/identity.json".utf8)))
    let old = try file.read(limit: 1 << 20)
    let merged = Array(#"{"name": "Maven", "total_decisions": 6, "mood": "merged"}"#.utf8)
    try file.replace(old, with: merged)
    let status = try ChildProcess.runChecked("ls", ["-A", tree.git.absolute(tree.root)]).stdoutText
    #expect(!status.contains(".tmp"), "\(status)")
    // Who has read the old bytes changes nothing.
    for stale in [old, [], merged + [0x0A], Array(merged.dropLast())] {
      do {
        try file.replace(stale, with: Array("{}".utf8))
        Issue.record("another file was replaced")
      } catch let error as PersistenceError {
        #expect(error.code == .changedMeanwhile)
      }
      #expect(try file.read(limit: 1 << 20) == merged)
    }
    #expect(try ChildProcess.runChecked("ls", ["-A", tree.git.absolute(tree.root)]).stdoutText == status)
    // A folder is no file, whatever was read.
    try ChildProcess.runChecked("sh", ["-c", "rm identity.json && mkdir identity.json"], workingDirectory: tree.git.absolute(tree.root))
    #expect(throws: PersistenceError.self) { try file.replace(merged, with: old) }
  }

  @Test("an older log and identity that were put back after a commit take nothing out of the next one")
  func putBackAfterTheCommit() async throws {
    for next in Sample.allCases.map(\.rawValue) + ["commit"] {
      let tree = try await MavenTree.sample()
      let oldLog = try log(tree)
      let oldIdentity = try tree.git.git("show", "HEAD:\(tree.root)/identity.json")
      try await write(.event, "text one", tree)
      try await write(.identity, "text two", tree)
      try tree.write("session_log.md", oldLog)
      try tree.write("identity.json", oldIdentity)
      if let sample = Sample(rawValue: next) {
        try await write(sample, "text three", tree)
        #expect(try count("text three", tree) == 1, "\(next)")
      } else {
        #expect(try await automaticCommit(tree).skipped.isEmpty)
      }
      #expect(try count("text one", tree) == 1, "\(next)")
      if next != "identity" { #expect(try count("text two", tree) == 1, "\(next)") }
      let written = next == "decision" || next == "milestone" || next == "snapshot"
      // What the write did not touch is put right by the next automatic commit.
      if written { _ = try await automaticCommit(tree) }
      _ = try await automaticCommit(tree)
      #expect(try log(tree).contains("text one"), "\(next)")
      #expect(try tree.git.git("status", "--porcelain") == "", "\(next)")
      #expect(try count("text one", tree) == 1 && identity(tree)["rebirth_count"]?.integer ?? 0 >= 1, "\(next)")
    }
  }

  @Test("an older buffer that an editor saves over the log keeps its note, and the log its newer entries")
  func olderBuffer() async throws {
    for note in ["at the end", "between", "in front"] {
      let tree = try await MavenTree.sample()
      var buffer = try log(tree)
      try await write(.event, "newer one", tree)
      try await write(.event, "newer two", tree)
      let text = "## [2026-02-01T11:00:00+00:00] NOTE\n\nby hand\n\n---\n\n"
      switch note {
      case "at the end": buffer += text
      case "between": buffer = buffer.replacing(MavenTree.entry(2), with: text + MavenTree.entry(2))
      default: buffer = buffer.replacing("# Maven Session Log\n", with: "# Maven Session Log\n\nA remark by hand.\n")
      }
      try tree.write("session_log.md", buffer)
      try await write(.event, "newest", tree)
      #expect(try ["newer one", "newer two", "newest"].allSatisfy { try count($0, tree) == 1 }, "\(note)")
      let outcome = try await automaticCommit(tree)
      #expect(outcome.skipped.isEmpty && outcome.commit != nil, "\(note): \(outcome.skipped)")
      #expect(try ["newer one", "newer two", "newest", "by hand"].allSatisfy { try count($0, tree) == 1 }, "\(note)")
      for index in 1...3 { #expect(try count("Event number \(index).", tree) == 1, "\(note)") }
      #expect(try tree.git.git("status", "--porcelain") == "", "\(note)")
    }
  }

  @Test("a log that a person compacts by hand is theirs: a commit of their own removes entries, no other does")
  func compaction() async throws {
    let tree = try await MavenTree.sample()
    try await write(.event, "text one", tree)
    let compacted = "# Maven Session Log\n\n- three things happened\n\n---\n"
    try tree.write("session_log.md", compacted)
    try await write(.event, "text two", tree)
    let outcome = try await automaticCommit(tree)
    #expect(outcome.skipped.map(\.reason) == [.removedEntries(4)] && outcome.skipped.map(\.weight) == [.partly])
    for text in ["Event number 1.", "text one", "text two"] { #expect(try count(text, tree) == 1) }
    #expect(try log(tree).hasPrefix(compacted) && log(tree).contains("text two"))
    try tree.git.commit("compacted")
    try await write(.event, "text three", tree)
    _ = try await automaticCommit(tree)
    #expect(try count("Event number 1.", tree) == 0 && count("text one", tree) == 0)
    #expect(try count("text two", tree) == 1 && count("text three", tree) == 1)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("members that a person adds to an older identity.json are taken, and what HEAD has got since stays")
  func olderIdentity() async throws {
    let tree = try await MavenTree.sample()
    try await write(.identity, "calm", tree)
    try await write(.decision, "d", tree)
    try tree.write("identity.json", #"{"name": "Maven the second", "total_decisions": 6, "note": {"by": "hand"}}"#)
    let outcome = try await automaticCommit(tree)
    #expect(outcome.skipped.isEmpty && outcome.commit != nil)
    let value = try identity(tree)
    #expect(value["name"]?.text == "Maven the second" && value["note"]?["by"]?.text == "hand")
    #expect(value["mood"]?.text == "calm" && value["rebirth_count"]?.integer == 1)
    #expect(value["total_decisions"]?.integer == 7)
    #expect(try tree.git.git("status", "--porcelain") == "")
    // A member that is taken out of HEAD's own version is gone.
    try tree.write("identity.json", try tree.git.git("show", "HEAD:.moha/maven/identity.json").replacing(#", "note": {"by": "hand"}"#, with: ""))
    _ = try await automaticCommit(tree)
    #expect(try identity(tree)["note"] == nil && identity(tree)["mood"]?.text == "calm")
  }

  @Test("what is recorded during a merge that is given up is committed by the next run, with its row's record kept")
  func mergeAbort() async throws {
    for sample in Sample.allCases {
      let tree = try await MavenTree.sample()
      try tree.git.write("a", "one\n")
      try tree.git.commit("a")
      try tree.git.git("switch", "-q", "-c", "side")
      try tree.git.write("a", "two\n")
      try tree.git.commit("two")
      try tree.git.git("switch", "-q", "main")
      try tree.git.write("a", "three\n")
      try tree.git.commit("three")
      #expect(throws: (any Error).self) { try tree.git.git("merge", "-q", "side") }
      let written = try await write(sample, "text one", tree)
      #expect(written.commit == nil && written.pendingReason?.contains("merge") == true)
      try tree.git.git("merge", "--abort")
      try tree.git.git("clean", "-fdq")
      #expect(try count("text one", tree) == 0)
      let outcome = try await automaticCommit(tree)
      #expect(try outcome.commit != nil && count("text one", tree) == 1, "\(sample)")
      #expect(try tree.git.git("status", "--porcelain") == "", "\(sample)")
    }
  }

  @Test("an entry that a person's own commit took out does not come back from a journal that a power cut brought back")
  func removedByName() async throws {
    let tree = try await MavenTree.sample()
    let staged = [try await stage(.decision, "text one", tree), try await stage(.event, "text two", tree)]
    let journal = tree.git.absolute(".git/moha-sync/journal")
    try ChildProcess.runChecked("cp", ["-a", journal, journal + ".kept"])
    _ = try await commit(staged, tree)
    try tree.git.git("rm", "-q", RecordPath(staged[0].path.bytes).text)
    try tree.write("session_log.md", MavenTree.log(entries: 1...3))
    try tree.git.commit("a person's own")
    try ChildProcess.runChecked("rm", ["-r", journal])
    try ChildProcess.runChecked("mv", [journal + ".kept", journal])
    for name in try ChildProcess.runChecked("ls", [journal]).stdoutText.split(separator: "\n") {
      try ChildProcess.runChecked("mv", ["\(journal)/\(name)", "\(journal)/pending-\(name)"])
    }
    try await write(.milestone, "text three", tree)
    #expect(try count("text one", tree) == 0 && count("text two", tree) == 0 && count("text three", tree) == 1)
    #expect(try ChildProcess.runChecked("ls", [journal]).stdoutText == "")
  }

  /// Moves the branch back as a reset does that read HEAD before our commit and moved it after.
  private func overrun(_ tree: MavenTree, to commit: String, _ target: String) throws {
    try tree.git.git("read-tree", "--reset", "-u", commit)
    try tree.git.git("update-ref", "-m", "reset: moving to \(target)", "HEAD", commit)
  }

  @Test("a reset that read HEAD before our commit and moved it after takes no record with it")
  func unseenReset() async throws {
    for (target, personal) in [("HEAD", 0), ("HEAD~1", 1), ("HEAD^", 1), ("HEAD~2", 2), ("@~1", 1)] {
      let tree = try await MavenTree.sample()
      try await write(.event, "seen", tree)
      for number in 0..<personal {
        try tree.git.write("src/\(number)", "person")
        try tree.git.commit("a person's \(number)")
      }
      let seen = try tree.git.git("rev-parse", "HEAD~\(personal)")
      for sample in Sample.allCases { try await write(sample, "text \(sample.rawValue).", tree) }
      try overrun(tree, to: seen, target)
      #expect(try count("text event.", tree) == 0)
      try await write(.milestone, "after", tree)
      for sample in Sample.allCases { #expect(try count("text \(sample.rawValue).", tree) == 1, "\(target) \(sample)") }
      #expect(try count("seen", tree) == 1 && count("after", tree) == 1)
      #expect(try identity(tree)["total_decisions"]?.integer == 7)
      let born = try identity(tree)
      #expect(born["rebirth_count"]?.integer == 2, "\(target): \(born.text())")
      // What the person took back stays away.
      #expect(try tree.git.git("ls-tree", "-r", "--name-only", "HEAD", "src") == "")
      _ = try await automaticCommit(tree)
      #expect(try tree.git.git("status", "--porcelain") == "")
    }
  }

  @Test("a reset that a person meant is not undone", arguments: ["HEAD~1", "HEAD^", "older", "ORIG"])
  func meantReset(target: String) async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("branch", "older")
    try await write(.event, "text one", tree)
    let target = target == "ORIG" ? try tree.git.git("rev-parse", "HEAD~1") : target
    try tree.git.git("reset", "-q", "--hard", target)
    try await write(.event, "text two", tree)
    #expect(try count("text one", tree) == 0 && count("text two", tree) == 1)
  }

  @Test("a reset's line in the reflog tells how far it went", arguments: [
    ("reset: moving to HEAD", 0), ("reset: moving to HEAD~3", 3), ("reset: moving to HEAD^^~2", 4), ("reset: moving to @^1", 1),
    ("reset: moving to main", nil), ("reset: moving to HEAD@{1}", nil), ("reset: moving to HEAD^2", nil),
    ("reset: moving to HEAD~99999999999999999999", nil), ("commit: reset: moving to HEAD", nil), ("reset: moving to ", nil),
  ] as [(String, Int?)])
  func resetSteps(message: String, steps: Int?) {
    #expect(UnseenResets.steps(of: message) == steps)
  }
}
