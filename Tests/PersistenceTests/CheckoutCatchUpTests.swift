internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A person's command that read HEAD before our commit, and wrote index and files after it.
@Suite("A checkout that a command put back behind our commits")
struct CheckoutCatchUpTests {
  /// What the command leaves: as `git checkout -f`, `git stash`, `git merge --abort` and others write index and files.
  private static let commands = [
    "git read-tree --reset -u HEAD~2", "git read-tree -m -u HEAD HEAD~2", "git read-tree --reset -u HEAD~1",
    "git restore --staged --worktree --source=HEAD~2 .",
  ]

  private func shell(_ tree: MavenTree, _ script: String) throws {
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", script], environment: tree.git.environment, workingDirectory: tree.git.path)
  }

  @discardableResult
  private func write(_ text: String, _ tree: MavenTree, decision: Bool = false) async throws -> RecordWriter.Written {
    let json: JSONValue =
      decision
      ? ["decision_type": "buy", "action": .string(text), "reasoning": "r", "confidence": 80, "risk_level": "low"]
      : ["event_type": "NOTE", "content": .string(text)]
    return try await RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      .write(try RecordRequest(decision ? .decision : .event, json: json, now: Instant.now()))
  }

  @discardableResult
  private func automaticCommit(_ tree: MavenTree) async throws -> AutomaticCommit.Outcome {
    try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      .run(isDryRun: false)
  }

  /// A tree with two commits of ours on top of the person's.
  private func tree() async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try tree.git.write("src/a", "one\n")
    try tree.git.commit("a person's")
    try await write("text one", tree, decision: true)
    try await write("text two", tree)
    return tree
  }

  private func has(_ text: String, _ tree: MavenTree) throws -> Bool {
    try ChildProcess.run(
      "git", ["-C", tree.git.path, "grep", "-q", "-F", text, "HEAD", "--", tree.root], environment: tree.git.environment
    ).status == 0
  }

  @Test("the next run brings files and index along, whatever runs next", arguments: commands, ["commit", "record"])
  func broughtAlong(command: String, next: String) async throws {
    let tree = try await tree()
    let head = try tree.git.git("rev-parse", "HEAD")
    try shell(tree, command)
    if next == "commit" {
      let outcome = try await automaticCommit(tree)
      #expect(outcome.commit == nil && outcome.skipped.isEmpty, "\(outcome.skipped)")
      #expect(try tree.git.git("rev-parse", "HEAD") == head)
    } else {
      try await write("text three", tree)
      #expect(try has("text three", tree))
    }
    #expect(try has("text one", tree) && has("text two", tree))
    #expect(try tree.git.git("status", "--porcelain") == "")
    // The person's next commit, of something else, takes nothing of ours along.
    try tree.git.write("src/b", "two\n")
    try tree.git.git("add", "src/b")
    try tree.git.commitStaged("theirs")
    #expect(try tree.git.git("diff", "--name-only", "HEAD~1", "HEAD") == "src/b")
  }

  @Test("what the person has edited since stays theirs, staged or not, and so does a file in the place of ours")
  func edits() async throws {
    let tree = try await tree()
    let record = try tree.git.git("diff", "--name-only", "--diff-filter=A", "HEAD~2", "HEAD")
    try shell(tree, "git read-tree --reset -u HEAD~2")
    try tree.git.write("src/a", "edited\n")
    try tree.git.write("src/staged", "staged\n")
    try tree.git.git("add", "src/staged")
    try tree.writeDecision(2, reasoning: "Edited by hand")
    try tree.write("persona.md", "by hand\n")
    try tree.git.write(record, "# A file of the person's\n")
    try await automaticCommit(tree)
    #expect(try tree.git.git("status", "--porcelain") == " M src/a\nA  src/staged")
    #expect(try has("Edited by hand", tree) && has("by hand", tree) && has("text two", tree))
    #expect(try ChildProcess.runChecked("cat", [tree.git.absolute(record)]).stdoutText == "# A file of the person's\n")
    // HEAD's version of it is in the history at least, and nothing of it was lost unseen.
    #expect(try tree.git.git("log", "--all", "-p", "--", record).contains("text one"))
  }

  @Test("a log with an entry by hand on the older version keeps it, and gets ours back")
  func editedLog() async throws {
    let tree = try await tree()
    try shell(tree, "git read-tree --reset -u HEAD~2")
    try tree.write("session_log.md", MavenTree.log(entries: 1...3) + MavenTree.entry(9))
    try await automaticCommit(tree)
    for text in ["text one", "text two", "Event number 9."] { #expect(try has(text, tree), "\(text)") }
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("a reset of a person who saw our commit stays", arguments: ["--hard", "--mixed", "--soft", "--keep"])
  func meantReset(mode: String) async throws {
    let tree = try await tree()
    try shell(tree, "git reset -q \(mode) HEAD~1")
    let head = try tree.git.git("rev-parse", "HEAD")
    let outcome = try await automaticCommit(tree)
    if mode == "--hard" || mode == "--keep" {
      #expect(try tree.git.git("rev-parse", "HEAD") == head && outcome.commit == nil)
      #expect(try !has("text two", tree))
    } else {
      // The files are still there: the next automatic commit takes them, as it takes any file.
      #expect(try has("text two", tree) && outcome.commit != nil)
    }
  }

  @Test("a person's checkout of an older commit's records, long after ours, is theirs")
  func meantCheckout() async throws {
    let tree = try await tree()
    try shell(tree, "git checkout -q HEAD~1 -- .moha; touch -d '+1 minute' .git/index")
    let staged = try tree.git.git("diff", "--cached", "--name-only")
    #expect(staged == "\(tree.root)/session_log.md")
    try tree.git.commitStaged("theirs")
    try await automaticCommit(tree)
    #expect(try !has("text two", tree) && has("text one", tree))
  }

  @Test("a revert that a person has begun without a commit is not undone")
  func meantRevert() async throws {
    let tree = try await tree()
    try shell(tree, "git revert --no-commit HEAD")
    let staged = try tree.git.git("diff", "--cached")
    #expect(staged != "")
    try await automaticCommit(tree)
    #expect(try tree.git.git("diff", "--cached") == staged)
    try await write("text three", tree)
    #expect(try tree.git.git("diff", "--cached").contains("-text two"))
    // As git's own `git revert --continue` does.
    try tree.git.commitStaged("theirs")
    try await automaticCommit(tree)
    #expect(try !has("text two", tree) && has("text three", tree) && has("text one", tree))
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("a merge that a person has resolved to an older version is not undone")
  func meantMerge() async throws {
    let tree = try await tree()
    try shell(
      tree,
      """
      git switch -q -c side HEAD~2; echo side >src/side; git add src/side; git commit -q -m side; git switch -q main
      git merge -q --no-commit --no-ff side; git checkout -q HEAD~1 -- .moha; git write-tree >/dev/null
      """)
    let staged = try tree.git.git("diff", "--cached")
    let outcome = try await automaticCommit(tree)
    #expect(outcome.commit == nil)
    #expect(try tree.git.git("diff", "--cached") == staged)
  }
}
