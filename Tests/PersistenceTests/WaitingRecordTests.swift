internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What was acknowledged, and waits in the journal for a commit, is nowhere called missing, orphaned or lost.
@Suite struct WaitingRecordTests {
  enum Kind: String, CaseIterable, Sendable {
    case decision, event, milestone, snapshot

    var request: JSONValue {
      switch self {
      case .decision:
        ["decision_type": "hold", "action": "wait", "reasoning": "r", "confidence": 80, "risk_level": "low"]
      case .event: ["event_type": "note", "content": "recorded on no branch"]
      case .milestone: ["title": "t", "description": "d", "category": "c"]
      case .snapshot: ["total_value_usd": 1_000, "available_balance_usd": 10]
      }
    }

    var recordKind: RecordKind {
      switch self {
      case .decision: .decision
      case .event: .event
      case .milestone: .milestone
      case .snapshot: .snapshot
      }
    }
  }

  private static let note = "1 record waits for a commit"

  /// Records through the service, so that the row is there at once.
  private func record(_ kind: Kind, _ tree: MavenTree) async throws -> RecordService.Outcome {
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    let database = tree.target()
    let service = RecordService(writer: writer) { database }
    let requested = try #require(RecordRequest.Kind(rawValue: kind.rawValue))
    return try await service.record(RecordRequest(requested, json: kind.request, now: Instant.now()))
  }

  /// A restored tree on a detached HEAD with one record that waits, and the record's row.
  private func waiting(_ kind: Kind) async throws -> (tree: MavenTree, row: Int64, path: String) {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try tree.git.git("checkout", "-q", "--detach")
    let outcome = try await record(kind, tree)
    #expect(outcome.written.commit == nil && outcome.row?.error == nil)
    return (tree, try #require(outcome.row?.rowID), outcome.written.path)
  }

  private func row(_ id: Int64, _ kind: Kind, _ tree: MavenTree) async throws -> String? {
    try await tree.value("SELECT to_jsonb(t)::text FROM \(kind.recordKind.table) t WHERE id = \(id)")
  }

  /// Takes the record's file away as a person's command does.
  private func takeAway(_ tree: MavenTree) throws {
    try tree.git.git("checkout", "-q", "-f", "HEAD")
    try tree.git.git("clean", "-fdq")
  }

  private func commit(_ tree: MavenTree) async throws {
    let commit = AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    #expect(try await commit.run(isDryRun: false).commit != nil)
  }

  @Test(
    "its row stays as it is through every run, with its file or without, until a commit has it",
    arguments: Kind.allCases)
  func staysThroughRuns(_ kind: Kind) async throws {
    let (tree, id, _) = try await waiting(kind)
    let before = try await row(id, kind, tree)
    for isFileThere in [true, false] {
      if !isFileThere { try takeAway(tree) }
      for command in ["sync", "reconcile"] {
        let outcome = try await tree.run(command)
        #expect(outcome.survey.rowDifferences == 0 && outcome.remaining == 0, "\(command)")
        #expect(outcome.survey.notes.contains(Self.note), "\(command)")
        #expect(Report.reconcile(outcome)["pending"]?.integer == 1 && Report.sync(outcome)["pending"]?.integer == 1)
      }
      let verification = try await tree.verification()
      #expect(verification.isInSync && verification.json["pending"]?.integer == 1)
      #expect(try await row(id, kind, tree) == before)
    }
    try tree.git.git("checkout", "-q", "main")
    try await commit(tree)
    let outcome = try await tree.run("reconcile")
    #expect(outcome.survey.counts[.missing, default: 0] == 0 && outcome.survey.counts[.orphaned, default: 0] == 0)
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.json["pending"]?.integer == 0)
    #expect(verification.json["notes"] == .array([]))
    #expect(try await tree.value("SELECT git_status FROM \(kind.recordKind.table) WHERE id = \(id)") == "current")
  }

  @Test("a database that was lost gets it back from the journal, beside what git holds", arguments: Kind.allCases)
  func restored(_ kind: Kind) async throws {
    let (tree, _, path) = try await waiting(kind)
    try takeAway(tree)
    try await tree.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    let outcome = try await tree.run("sync")
    let committed: [Kind: Int] = [.decision: 6, .event: 3, .milestone: 3]
    #expect(outcome.remaining == 0 && outcome.inserted[kind.recordKind] == committed[kind, default: 0] + 1)
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.value("SELECT count(*) FROM \(kind.recordKind.table) WHERE git_path = '\(path)'") != "0")
    // And by the way of a single row that somebody deletes.
    try await tree.sql("DELETE FROM \(kind.recordKind.table)")
    #expect(try await tree.run("reconcile").repaired[.missing, default: 0] > 0)
    #expect(try await tree.verification().isInSync)
  }

  @Test(
    "a commit that is named says nothing about it: its row is left alone, and is not restored",
    arguments: Kind.allCases)
  func namedCommit(_ kind: Kind) async throws {
    let (tree, id, _) = try await waiting(kind)
    let before = try await row(id, kind, tree)
    for command in ["sync", "reconcile"] {
      let outcome = try await tree.run(command, at: "HEAD")
      #expect(outcome.survey.rowDifferences == 0 && outcome.survey.notes.contains(Self.note))
    }
    #expect(try await tree.verification(at: "HEAD").isInSync)
    #expect(try await row(id, kind, tree) == before)
    try await tree.sql("DELETE FROM \(kind.recordKind.table) WHERE id = \(id)")
    #expect(try await tree.run("reconcile", at: "HEAD").survey.counts[.missing, default: 0] == 0)
  }

  @Test("what a person has committed by hand waits no more")
  func committedByHand() async throws {
    let (tree, _, path) = try await waiting(.decision)
    try tree.git.git("add", "-A")
    try tree.git.git("commit", "-q", "-m", "by hand")
    let verification = try await tree.verification()
    #expect(verification.isInSync && verification.json["pending"]?.integer == 0)
    // And what is removed by name again is an orphan like any other.
    try tree.git.git("rm", "-q", path)
    try tree.git.git("commit", "-q", "-m", "removed")
    #expect(try await tree.survey().counts[.orphaned] == 1)
  }

  @Test("an edited file counts as it is, not as the journal has it")
  func edited() async throws {
    let (tree, id, path) = try await waiting(.milestone)
    let text = try ChildProcess.runChecked("cat", [tree.git.absolute(path)]).stdoutText
    try tree.git.write(path, text.replacing("\nd\n", with: "\nan edited description\n"))
    #expect(try await tree.run("reconcile").survey.counts[.stale] == 1)
    let description = try await tree.value("SELECT description FROM maven_milestones WHERE id = \(id)")
    #expect(description == "an edited description")
    try tree.git.write(path, "<<<<<<< HEAD\n")
    let survey = try await tree.survey()
    #expect(survey.counts[.orphaned, default: 0] == 0 && survey.hasErrors)
  }

  @Test("an unfinished write of a newer program is named, holds every row back, and stops nothing else")
  func newerVersion() async throws {
    let (tree, id, _) = try await waiting(.decision)
    let before = try await row(id, .decision, tree)
    let journal = tree.git.absolute(".git/moha-sync/journal")
    let name = try ChildProcess.runChecked("ls", [journal]).stdoutText.split(separator: "\n")[0]
    let entry = try ChildProcess.runChecked("cat", ["\(journal)/\(name)"]).stdoutText
    try tree.git.write(".git/moha-sync/journal/\(name)", entry.replacing(#""v":2"#, with: #""v":3"#))
    try takeAway(tree)
    try tree.writeDecision(5, confidence: "10.0%")
    try await tree.sql("DELETE FROM maven_milestones")
    for command in ["sync", "reconcile"] {
      let outcome = try await tree.run(command)
      #expect(outcome.remaining == 0 && outcome.survey.counts[.orphaned, default: 0] == 0)
      #expect(outcome.survey.notes.contains { $0.contains("a newer moha-sync has left 1 unfinished write ") })
    }
    #expect(try await row(id, .decision, tree) == before)
    #expect(try await tree.value("SELECT count(*) FROM maven_milestones") == "3")
    #expect(try await tree.verification().isInSync)
    #expect(try ChildProcess.runChecked("ls", [journal]).stdoutText.split(separator: "\n").count == 1)
  }
}
