internal import TestSupport
internal import Testing

@testable internal import Git

/// Index and files that a command put back to a commit before HEAD, which it did not know of.
@Suite("A checkout older than HEAD")
struct StaleCheckoutTests {
  /// HEAD is a commit of ours, the last of `count`, each with a new record and a line more in the log.
  private func repository(commits count: Int = 1) async throws -> GitScratch {
    let scratch = try GitScratch()
    try scratch.write("src/a", "a\n")
    for number in 0..<6 {
      try scratch.write("src/\(number)", "\(number)\n")
      try scratch.write(".moha/out/\(number).md", "\(number)\n")
    }
    try scratch.write("src/left", "left\n")
    try scratch.write("README.md", "top\n")
    try scratch.write(".moha/maven/log.md", "0\n")
    try scratch.write(".moha/maven/decisions/0.md", "0\n")
    try scratch.commit("a person's")
    for number in 1...count { try await record(number, scratch) }
    return scratch
  }

  private func record(_ number: Int, _ scratch: GitScratch) async throws {
    let log = (0...number).map { "\($0)\n" }.joined()
    try scratch.write(".moha/maven/log.md", log)
    try scratch.write(".moha/maven/decisions/\(number).md", "\(number)\n")
    _ = try await scratch.open().commit(
      .files([".moha/maven/log.md": log, GitPath(".moha/maven/decisions/\(number).md"): "\(number)\n"]))
  }

  private func found(_ scratch: GitScratch) async throws -> StaleCheckout? {
    let repository = try scratch.open()
    return try await repository.staleCheckout(of: ".moha", repository.checkoutIndex(below: ".moha"))
  }

  private func automaticCommit(_ scratch: GitScratch) async throws -> CommitOutcome {
    let repository = try scratch.open()
    return try await repository.commit(
      CommitRequest(
        changes: .workTree(try await repository.snapshot(under: ".moha"), judge: { _ in nil }), message: "maven: all"))
  }

  @Test(
    "is found with what it lacks, in every form of the index, and nothing of HEAD is taken back",
    arguments: IndexForm.allCases)
  func forms(form: IndexForm) async throws {
    let scratch = try await repository(commits: 2)
    try form.prepare(scratch)
    let head = try scratch.git("rev-parse", "HEAD")
    let ancestor = try scratch.git("rev-parse", "HEAD~2")
    try scratch.git("read-tree", "--reset", "-u", "HEAD~2")
    try form.finish(scratch)
    let checkout = try #require(try await found(scratch))
    #expect("\(checkout.head)" == head && "\(checkout.ancestor)" == ancestor && checkout.commits.count == 2)
    #expect(
      checkout.changes.map(\.path)
        == [".moha/maven/decisions/1.md", ".moha/maven/decisions/2.md", ".moha/maven/log.md"])
    #expect(checkout.isCertain)
    let outcome = try await automaticCommit(scratch)
    #expect(outcome.commit == nil)
    let kept = outcome.skipped.filter { $0.reason != .sparse }
    #expect(kept.allSatisfy { $0.reason == .olderCheckout } && kept.count == 3)
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    // The index goes to HEAD's entries; of the files, which the caller brings along, none was touched.
    #expect(try await scratch.open().refreshIndex(checkout) != nil)
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    #expect(try await found(scratch) == nil)
    try scratch.expectSound()
    try scratch.expectTidy()
  }

  @Test("is none where the index has HEAD's folder, or what no commit had")
  func none() async throws {
    let scratch = try await repository(commits: 2)
    #expect(try await found(scratch) == nil)
    try scratch.write("src/a", "staged\n")
    try scratch.git("add", "src/a")
    #expect(try await found(scratch) == nil, "staged elsewhere")
    try scratch.git("rm", "-q", ".moha/maven/decisions/0.md")
    #expect(try await found(scratch) == nil, "a removal that no commit had")
    let outcome = try await automaticCommit(scratch)
    #expect(outcome.changedCount == 1 && outcome.skipped.isEmpty)
    #expect(try scratch.git("status", "--porcelain") == "M  src/a")
  }

  @Test("with something of the person's in it is none, and what they staged stays as it is")
  func edited() async throws {
    let scratch = try await repository(commits: 2)
    try scratch.git("read-tree", "--reset", "-u", "HEAD~1")
    try scratch.write(".moha/maven/theirs.md", "theirs\n")
    try scratch.git("add", ".moha/maven/theirs.md")
    #expect(try await found(scratch) == nil)
    #expect(try scratch.git("diff", "--cached", "--name-only").contains("theirs.md"))
  }

  @Test("that was put back entry by entry is one that nobody can be certain of")
  func uncertain() async throws {
    let scratch = try await repository(commits: 1)
    try scratch.git("restore", "--staged", "--worktree", "--source=HEAD~1", ".moha")
    let checkout = try #require(try await found(scratch))
    #expect(!checkout.isCertain && checkout.changes.count == 2)
    // An older version of a file may be what the person wants; a file that is gone is asked about.
    let outcome = try await automaticCommit(scratch)
    #expect(outcome.skipped.map(\.path) == [".moha/maven/decisions/1.md"])
    #expect(outcome.skipped.map(\.reason) == [.olderCheckout])
    #expect(outcome.changedCount == 1)
    #expect(try scratch.git("show", "HEAD:.moha/maven/log.md") == "0")
  }

  @Test("is looked for along 64 commits, and not beyond")
  func depth() async throws {
    let scratch = try await repository(commits: 66)
    for (back, isFound) in [(63, true), (64, false), (66, false)] {
      try scratch.git("read-tree", "HEAD~\(back)")
      #expect(try await (found(scratch) != nil) == isFound, "\(back)")
    }
  }

  @Test("what a person stages between the look and the repair stays staged")
  func stagedMeanwhile() async throws {
    let scratch = try await repository(commits: 2)
    try scratch.git("read-tree", "--reset", "-u", "HEAD~2")
    let checkout = try #require(try await found(scratch))
    try scratch.write(".moha/maven/log.md", "a person's\n")
    try scratch.write(".moha/maven/theirs.md", "theirs\n")
    try scratch.write("src/a", "theirs\n")
    try scratch.git("add", ".moha/maven/log.md", ".moha/maven/theirs.md", "src/a")
    #expect(try await scratch.open().refreshIndex(checkout) != nil)
    #expect(
      try scratch.git("diff", "--cached", "--name-only") == ".moha/maven/log.md\n.moha/maven/theirs.md\nsrc/a")
    #expect(try scratch.git("show", ":.moha/maven/log.md") == "a person's")
    #expect(try scratch.git("show", ":.moha/maven/decisions/2.md") == "2")
  }

  @Test("once HEAD has moved on, the look counts no more, and nothing is written")
  func movedMeanwhile() async throws {
    let scratch = try await repository(commits: 2)
    try scratch.git("read-tree", "--reset", "-u", "HEAD~1")
    let checkout = try #require(try await found(scratch))
    try scratch.git("update-ref", "HEAD", "HEAD~1")
    let before = try scratch.read(".git/index")
    #expect(try await scratch.open().refreshIndex(checkout) == nil)
    #expect(try scratch.read(".git/index") == before)
    try scratch.expectTidy()
  }

  @Test("while somebody holds the lock of the index it is left alone")
  func locked() async throws {
    let scratch = try await repository()
    try scratch.git("read-tree", "--reset", "-u", "HEAD~1")
    let checkout = try #require(try await found(scratch))
    try scratch.write(".git/index.lock", "")
    await #expect { _ = try await scratch.open().refreshIndex(checkout, lockWait: .milliseconds(1)) } throws: {
      ($0 as? GitError)?.code == .locked
    }
    try scratch.git("--version")
    #expect(try await found(scratch) != nil)
  }

  @Test("an index that cannot be read says nothing of where a checkout is")
  func unreadable() async throws {
    let scratch = try await repository()
    try scratch.git("read-tree", "--reset", "-u", "HEAD~1")
    try scratch.addExtension("link", [1, 2, 3])
    #expect(try await found(scratch) == nil)
    let outcome = try await automaticCommit(scratch)
    guard case .pending(.unreadableIndex) = outcome.result else {
      Issue.record("\(outcome)")
      return
    }
  }
}
