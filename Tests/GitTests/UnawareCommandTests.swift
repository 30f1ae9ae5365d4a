internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("Commits beside commands that read HEAD before", .timeLimit(.minutes(10)))
struct UnawareCommandTests {
  /// A pretended git command that runs when this returns.
  private func running(_ arguments: [String], _ script: String, _ scratch: GitScratch) throws -> RunningProgram {
    let ready = scratch.base + "/ready-\(arguments[0])"
    let program = try scratch.pretendGit(arguments, "echo >'\(ready)'; \(script)", in: scratch.path)
    while access(ready, F_OK) != 0, !program.hasEnded { usleep(1_000) }
    return program
  }

  @Test("a merge that saw the old HEAD finds the index locked for as long as it lives", arguments: ["merge", "alias"])
  func unaware(name: String) async throws {
    let scratch = try GitScratch.withHistory()
    let moved =
      "[[ $(<'\(scratch.absolute(".git/refs/heads/main"))') != \(try scratch.git("rev-parse", "HEAD")) ]]"
    // It looks at the lock again and again after HEAD has moved: at no time is it free.
    let program = try running(
      [name, "topic"],
      """
      until \(moved); do :; done
      for (( i = 0; i < 2000; i++ )); do [[ -e .git/index.lock ]] || exit 1; done
      """, scratch)
    let outcome = try await scratch.open().commit(.files([".moha/x": "x"]), commandWait: .seconds(500))
    #expect(outcome.commit != nil)
    #expect(try await program.output().status == 0)
    #expect(access(scratch.absolute(".git/index.lock"), F_OK) != 0)
    try scratch.expectSound()
  }

  @Test("one that never ends is waited for no longer than was said; one that writes no index not at all")
  func bounded() async throws {
    let scratch = try GitScratch.withHistory()
    try ChildProcess.runChecked("mkfifo", [scratch.base + "/never"])
    let reading = "read line <>'\(scratch.base)/never'"
    let batch = try running(["cat-file", "--batch"], reading, scratch)
    #expect(try await scratch.open().commit(.files([".moha/x": "x"]), commandWait: .seconds(3_600)).commit != nil)
    #expect(!batch.hasEnded)
    batch.signal(SIGKILL)
    let rebase = try running(["rebase", "-i"], reading, scratch)
    #expect(try await scratch.open().commit(.files([".moha/y": "y"]), commandWait: .milliseconds(50)).commit != nil)
    #expect(!rebase.hasEnded)
    rebase.signal(SIGKILL)
  }

  @Test(
    "which commands count",
    arguments: [
      ("git merge topic", true), ("/usr/bin/git -C /srv/x reset --hard HEAD~1", true), ("git -c a.b=c stash", true),
      ("git co main", true), ("git restore --staged .", true), ("/usr/lib/git-core/git checkout -f", true),
      ("git cherry-pick x", true), ("git commit -am x", false), ("git status", false), ("git gc --auto", false),
      ("git-remote-https origin", false), ("git", false), ("git credential-cache--daemon /run/x", false),
      ("git pull --rebase", false), ("git rebase --continue", true),
    ])
  func counts(line: String, expected: Bool) {
    #expect(UnawareCommands.mayWriteIndex(line.split(separator: " ").map { String($0) }) == expected)
  }

  @Test("a hook's command, which waits for this process, is none of them")
  func ancestors() {
    #expect(ProcessTable.ancestors().contains(getppid()))
    #expect(!ProcessTable.ancestors().contains(getpid()))
  }
}
