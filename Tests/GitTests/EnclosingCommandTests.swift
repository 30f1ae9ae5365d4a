internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("Inside somebody else's git command")
struct EnclosingCommandTests {
  private func run(
    _ scratch: GitScratch, _ variables: [String: String], count: Int = 1
  ) throws -> ChildProcess.Output {
    try ChildProcess.run(
      TestProgram.path("commit-fixture"), [scratch.path, "x", "\(count)"],
      environment: scratch.environment.merging(variables) { $1 }, workingDirectory: scratch.path)
  }

  @Test(
    "nothing is written, and what to do is said", arguments: ["GIT_INDEX_FILE", "GIT_QUARANTINE_PATH"], [0, 1])
  func refused(variable: String, count: Int) throws {
    let scratch = try GitScratch.withHistory()
    let before = try ChildProcess.runChecked("find", [scratch.path, "-printf", "%p %s %T@\n"]).stdoutText
    for value in [".git/index", scratch.absolute(".git/index"), scratch.base + "/elsewhere"] {
      let output = try run(scratch, [variable: value], count: count)
      #expect(output.status == 1)
      #expect(output.stdoutText == "")
      #expect(output.stderrText.contains("inside another git command"))
      #expect(output.stderrText.contains("env -u \(variable)"))
    }
    #expect(try ChildProcess.runChecked("find", [scratch.path, "-printf", "%p %s %T@\n"]).stdoutText == before)
    // Set to nothing, the variable says nothing.
    #expect(try run(scratch, [variable: ""], count: count).status == 0)
  }

  @Test("a hook of a person's commit does not make the commit fail", arguments: ["pre-commit", "commit-msg"])
  func hook(name: String) throws {
    let scratch = try GitScratch.withHistory()
    let program = try TestProgram.path("commit-fixture")
    try scratch.write(".git/hooks/\(name)", "#!/bin/sh\n'\(program)' '\(scratch.path)' hook 1 2>>said || true\n")
    chmod(scratch.absolute(".git/hooks/\(name)"), 0o755)
    for arguments in [["commit", "-qm", "x"], ["commit", "-qam", "x"], ["commit", "-qm", "x", "--", "src/a"]] {
      try scratch.write("src/a", "\(arguments)")
      try scratch.git("add", "src/a")
      let head = try scratch.git("rev-parse", "HEAD")
      try scratch.git(arguments)
      #expect(try scratch.git("rev-parse", "HEAD^") == head)
    }
    let said = String(decoding: try scratch.read("said"), as: UTF8.self)
    #expect(said.split(separator: "\n").count == 3)
    #expect(try scratch.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/maven/decisions/2026") == "")
  }

  @Test("where objects, index and working tree are is what the repository says")
  func astray() throws {
    let scratch = try GitScratch.withHistory()
    let other = try GitScratch.withHistory()
    let head = try other.git("rev-parse", "HEAD")
    let objects = try other.git("count-objects", "-v")
    let output = try run(
      scratch,
      [
        "GIT_DIR": other.absolute(".git"), "GIT_WORK_TREE": other.path, "GIT_COMMON_DIR": other.absolute(".git"),
        "GIT_OBJECT_DIRECTORY": other.absolute(".git/objects"), "GIT_NAMESPACE": "other",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": other.absolute(".git/objects"), "GIT_PREFIX": "src/",
        "GIT_CEILING_DIRECTORIES": scratch.path, "GIT_DEFAULT_HASH": "sha256", "GIT_REFLOG_ACTION": "x",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": other.path,
      ])
    #expect(output.status == 0, "\(output.stderrText)")
    #expect(try scratch.git("rev-parse", "HEAD") + "\n" == output.stdoutText)
    #expect(try other.git("rev-parse", "HEAD") == head)
    #expect(try other.git("count-objects", "-v") == objects)
    try scratch.expectSound()
  }
}
