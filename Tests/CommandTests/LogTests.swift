internal import Records
internal import TestSupport
internal import Testing

/// `log rotate` as its users run it.
@Suite struct LogTests {
  @Test("log rotate shows what would move, moves it, leaves the rows in sync, and has nothing more to do")
  func rotate() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let plan = try await tree.expect(0, "log", "rotate", "--dry-run", "--json").json()
    #expect(plan["applied"] == .bool(false) && plan["events"]?.integer == 3)
    #expect(try tree.git.git("status", "--porcelain") == "")
    let rows = try await tree.value("SELECT string_agg(id || event_key, ',' ORDER BY id) FROM maven_memory")

    let done = try await tree.expect(0, "--quiet", "log", "rotate", "--json").json()
    let shape: JSONShape =
      #"{"schema":1,"applied":true,"events":3,"files":[{"path":"text","events":"integer"}],"kept":[{"line":"integer","reason":"text"}],"commit":"id","pending":"text?"}"#
    #expect(shape.violations(in: done) == [])
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log/2026-02.md").contains("Event number 3."))
    try await tree.expect(0, "verify")
    #expect(try await tree.value("SELECT string_agg(id || event_key, ',' ORDER BY id) FROM maven_memory") == rows)
    #expect(try await tree.expect(0, "log", "rotate").stdoutText == "nothing to move\n")
  }

  @Test("a log that is not committed as it is stays: exit 1 and the next safe command")
  func uncommitted() async throws {
    let tree = try await CommandTree.sample()
    let text = try tree.git.git("show", "HEAD:.moha/maven/session_log.md") + "\n\n"
    try tree.git.write(
      ".moha/maven/session_log.md", text + "## [2026-02-01T10:00:01+00:00] NOTE\n\nby hand\n\n---\n")
    let status = try tree.git.git("status", "--porcelain")
    let output = try await tree.expect(1, "log", "rotate")
    #expect(output.stderrText.contains("moha-sync commit"))
    #expect(try tree.git.git("status", "--porcelain") == status)
    try await tree.expect(0, "commit")
    try await tree.expect(0, "log", "rotate")
  }

  /// The calls at which a rotation can be cut short, each with how many times it makes it before it is done.
  private static let points: [(call: String, times: ClosedRange<Int>)] = [
    ("rename", 1...2), ("renameat", 1...2), ("linkat", 1...2), ("fsync", 1...12), ("pwrite64", 1...6),
  ]

  @Test(
    "killed at any call, a rotation neither loses nor doubles an entry, and the next commit finishes it",
    arguments: points.map(\.call))
  func killed(call: String) async throws {
    let range = try #require(Self.points.first { $0.call == call }?.times)
    for number in range {
      let tree = try await CommandTree.sample()
      let program = try Program.path()
      let run = try await Program.run(
        [
          "strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(number)",
          program, "log", "rotate", "--quiet", "--database", "postgresql://nobody@/none?host=\(tree.git.base)",
        ], environment: tree.environment, folder: tree.git.path)
      let output = try await tree.runBare(["commit", "--quiet"])
      #expect(output.status == 0, "\(call) \(number): \(output.everything)")
      #expect(try tree.git.git("status", "--porcelain") == "", "\(call) \(number)")
      let files = try tree.git.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/maven").split(separator: "\n")
      let logs = files.filter { $0.contains("session_log") }
      var found: [String] = []
      for log in logs {
        let text = try tree.git.git("show", "HEAD:\(log)")
        found += text.split(separator: "\n").filter { $0.hasPrefix("Event number") }.map(String.init)
      }
      #expect(found.sorted() == (1...3).map { "Event number \($0)." }, "\(call) \(number), \(run.status): \(logs)")
      #expect(!files.contains { $0.hasSuffix(".tmp") }, "\(call) \(number): \(files)")
      #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
      // Killed before its first entry, it has made no folder for them.
      let left = try ChildProcess.runChecked("find", [tree.git.absolute(".git/moha-sync"), "-path", "*/journal/*"])
      #expect(left.stdoutText == "")
    }
  }
}
