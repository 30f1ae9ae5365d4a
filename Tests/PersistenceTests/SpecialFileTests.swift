internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What is no regular file is named, and the run goes on; only a folder of records that cannot be listed stops it.
@Suite struct SpecialFileTests {
  private func shell(_ tree: MavenTree, _ script: String) throws {
    try ChildProcess.runChecked("/bin/sh", ["-c", script], workingDirectory: "\(tree.git.path)/\(tree.root)")
  }

  @Test(
    "pipes, sockets, editors' files and links beside the records stop nothing",
    arguments: [
      "mkfifo agent-pipe", "mkfifo decisions/pipe", "mkfifo portfolio-pipe decisions/.pipe.md",
      "ln -s user@host.1234:1700000000 'decisions/.#decision_20260101_120000.md'", "ln -s nowhere '.#session_log.md'",
      "ln -s /etc decisions/link", "ln -s ../.. decisions-old", "touch 'decisions/#decision_20260101_120000.md#'",
      "cp session_log.md session_log.md~; cp session_log.md .session_log.md.swp; cp session_log.md 4913",
      "cp decisions/decision_20260201_080011.md 'decisions/decision_20260201_080011.md~'",
      "printf x >decisions/.decision_20260201_080011.md.swo",
      "mkdir lost+found decisions/lost+found; touch lost+found/#1",
      "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.bind('agent.sock')\"",
      "mknod device c 1 7 || mkfifo device",
    ])
  func beside(script: String) async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try shell(tree, script)
    let outcome = try await tree.run()
    #expect(outcome.remaining == 0 && outcome.repaired.values.allSatisfy { $0 == 0 })
    let verification = try await tree.verification()
    #expect(verification.isInSync)
    #expect(verification.survey.git.findings.allSatisfy { $0.severity == .info })
  }

  @Test(
    "what stands in a record's place is a finding, and its row stays",
    arguments: [
      ("decisions/decision_20260201_080013.md", "mkfifo"),
      ("decisions/decision_20260201_080013.md", "ln -s /etc/hostname"),
      ("decisions/decision_20260201_080013.md", "folder"), ("milestones/milestone_20260201_090002_step_2.md", "folder"),
      ("session_log.md", "mkfifo"), ("session_log.md", "ln -s nowhere"), ("session_log.md", "folder"),
      ("identity.json", "mkfifo"), ("identity.json", "folder"),
    ])
  func inPlace(file: String, kind: String) async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let rows =
      """
      SELECT string_agg(n::text, ' ') FROM (
        SELECT count(*) FROM maven_decisions UNION ALL SELECT count(*) FROM maven_memory
        UNION ALL SELECT count(*) FROM maven_milestones) AS c (n)
      """
    try shell(tree, "rm \(file); \(kind == "folder" ? "mkdir \(file); touch \(file)/x" : "\(kind) \(file)")")
    for _ in 1...2 {
      let outcome = try await tree.run()
      let errors = outcome.survey.git.findings.filter { $0.severity == .error }
      #expect(errors.map(\.path.text) == ["\(tree.root)/\(file)"])
      #expect(outcome.remaining == 0)
      #expect(try await tree.value(rows) == "6 3 3")
      #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status <> 'current'") == "0")
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "1")
    }
    let verification = try await tree.verification()
    for kind in verification.kinds {
      #expect(kind.git == kind.rows + kind.findings && kind.gitDigest == kind.rowDigest)
    }
    try tree.git.git("checkout", "-q", "-f", "HEAD", "--", ".")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.verification().isInSync)
  }

  @Test(
    "what stands in the place of a folder of records stops the run",
    arguments: [
      "rm -r decisions; mkfifo decisions", "mv decisions d; ln -s d decisions", "mv milestones m; ln -s m milestones",
      "mkdir -p x portfolio; ln -s ../x portfolio/2026", "mkdir x; ln -s x session_log", "mkfifo decisions/2026",
    ])
  func folders(script: String) async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try shell(tree, script)
    await #expect { try await tree.run() } throws: { ($0 as? PersistenceError)?.code == .treeUnreadable }
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
  }

  @Test func onlyFoldersOfRecordsHideThem() {
    func hides(_ path: String) -> Bool { RecordSource.holdsRecords(GitPath(path), agent: .default) }
    for path in [
      ".moha", ".moha/maven", ".moha/maven/decisions", ".moha/maven/decisions/2026", ".moha/maven/decisions/2026/01/14",
      ".moha/maven/milestones", ".moha/maven/portfolio", ".moha/maven/session_log",
    ] { #expect(hides(path), "\(path)") }
    for path in [
      ".moha/maven/lost+found", ".moha/maven/decisions/lost+found", ".moha/maven/decisions-old", ".moha/maven/inbox",
      ".moha/maven/decisions/decision_20260201_080011.md", ".moha/maven/session_log.md",
      ".moha/maven/session_log/2026-01.md",
      ".moha/maven/decisions/.#decision_1.md", ".moha/maven/personas", ".moha/maven/decisions/2026/x", ".moha/maven2",
    ] { #expect(!hides(path), "\(path)") }
  }
}
