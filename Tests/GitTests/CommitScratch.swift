internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

/// What the tests of commits share.
extension GitScratch {
  /// Opened anew for each call, without the configuration of the machine.
  func open() throws -> Repository {
    try Repository(at: path, configuration: .hermetic)
  }

  /// `git fsck --full --strict` finds nothing to say.
  func expectSound(_ location: SourceLocation = #_sourceLocation) throws {
    let run = try ChildProcess.run(
      "git", ["-C", path, "fsck", "--full", "--strict", "--no-dangling"], environment: environment)
    #expect(run.status == 0, sourceLocation: location)
    #expect(run.stdoutText == "", sourceLocation: location)
    // Git looks at a sparse index by way of a tree, which it cannot make of conflicts, and says what else it ignores.
    let complaints = run.stderrText.split(separator: "\n").filter {
      !$0.contains(": unmerged (") && !$0.hasPrefix("ignoring ")
    }
    #expect(complaints == [], sourceLocation: location)
  }

  /// No lock and no temporary file is left in the git folder.
  func expectTidy(_ location: SourceLocation = #_sourceLocation) throws {
    let run = try ChildProcess.run(
      "find", [path + "/.git", "-name", "*.lock", "-o", "-name", "tmp_*", "-o", "-name", "*.new"],
      environment: environment)
    #expect(run.stdoutText == "", sourceLocation: location)
  }

  func status() throws -> String { try git("status", "--porcelain", "--untracked-files=all") }

  /// A repository with two commits, of which `.moha` has three files.
  static func withHistory() throws -> GitScratch {
    let scratch = try GitScratch()
    try scratch.write("README.md", "top\n")
    try scratch.write("src/a", "a\n")
    try scratch.write("src/b", "b\n")
    try scratch.write(".moha/maven/identity.json", "{}\n")
    try scratch.write(".moha/maven/decisions/decision_1.md", "one\n")
    try scratch.write(".moha/notes", "notes\n")
    try scratch.commit("first")
    try scratch.write("src/b", "b2\n")
    try scratch.commit("second")
    return scratch
  }
}

extension CommitRequest {
  /// Some files, with a fixed time.
  static func files(
    _ files: [GitPath: String?], parent: Parent = .current, index: Index = .refreshed
  ) -> CommitRequest {
    CommitRequest(
      changes: .files(files.mapValues { $0.map { FileContent(Array($0.utf8)) } }), parent: parent,
      message: "maven: a test", time: Time(seconds: 1_700_000_000, offsetMinutes: 90), index: index)
  }
}

extension CommitOutcome {
  /// The new commit's id in hexadecimal.
  var commit: String? {
    guard case .committed(let id) = result else { return nil }
    return String(describing: id)
  }
}
