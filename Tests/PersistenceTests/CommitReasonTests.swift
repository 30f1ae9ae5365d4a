internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Each reason not to take a file is said by its code, HEAD keeps what it has, and everything else of the run goes on.
@Suite("What an automatic commit leaves, and why")
struct CommitReasonTests {
  /// What is done to the tree, and what the commit has to say of it.
  struct Case: Sendable, CustomTestStringConvertible {
    let script: String
    let code: String
    let path: String
    var weight = AutomaticCommit.Skipped.Weight.partly

    var testDescription: String { "\(code): \(script)" }
  }

  private static let decision = "decisions/decision_20260201_080013.md"
  private static let conflict = #"printf '%s\n' '<<<<<<< HEAD' a ======= b '>>>>>>> theirs'"#

  private static let cases: [Case] = [
    Case(
      script: "printf '*.md\\n' >../../.gitignore; cp \(decision) decisions/decision_20260301_000000.md",
      code: "ignored", path: "decisions/decision_20260301_000000.md"),
    Case(
      script: "mkdir -p ../../.git/info; printf '/.moha/maven/milestones/new.md\\n' "
        + ">../../.git/info/exclude; cp \(decision) milestones/new.md", code: "ignored", path: "milestones/new.md"),
    Case(script: ": >\(decision)", code: "emptied", path: decision),
    Case(script: "printf ' \\n\\t\\r\\n' >\(decision)", code: "emptied", path: decision),
    Case(script: ": >session_log.md", code: "emptied", path: "session_log.md"),
    Case(script: "printf '\\n\\n' >session_log.md", code: "emptied", path: "session_log.md"),
    Case(script: ": >identity.json", code: "malformed", path: "identity.json"),
    Case(script: "printf '{\"name\": ' >identity.json", code: "malformed", path: "identity.json"),
    Case(script: "\(conflict) >\(decision)", code: "conflict", path: decision),
    Case(script: "\(conflict) >>session_log.md", code: "conflict", path: "session_log.md"),
    Case(script: "\(conflict) >identity.json", code: "conflict", path: "identity.json"),
    Case(script: "ln -sf /etc/hostname \(decision)", code: "special", path: decision),
    Case(script: "ln -sf nowhere session_log.md", code: "special", path: "session_log.md"),
    Case(
      script: "ln -s /etc/hostname decisions/decision_20260301_000000.md", code: "special",
      path: "decisions/decision_20260301_000000.md"),
    Case(script: "rm \(decision); mkdir \(decision)", code: "special", path: decision),
    Case(
      script: "rm \(decision); mkdir \(decision); touch \(decision)/x", code: "special", path: "\(decision)/x",
      weight: .note),
    Case(script: "rm \(decision); mkfifo \(decision)", code: "special", path: decision),
    Case(script: "rm identity.json; mkfifo identity.json", code: "special", path: "identity.json"),
    Case(script: "mkfifo decisions/pipe", code: "special", path: "decisions/pipe", weight: .note),
    Case(script: "rm session_log.md", code: "missing", path: "session_log.md"),
    Case(script: "rm identity.json", code: "missing", path: "identity.json"),
    Case(
      script: "printf '*_080013.md filter=seal\\n' >../../.gitattributes; echo x >>\(decision)", code: "filter",
      path: decision,
      weight: .refusal),
    Case(
      script: "printf '*_080013.md working-tree-encoding=UTF-16\\n' >../../.gitattributes; echo x >>\(decision)",
      code: "encoding", path: decision),
    Case(script: "echo x >'decisions/#x.md#'", code: "litter", path: "decisions/#x.md#", weight: .note),
    Case(script: "echo x >decisions/.x.md.swp", code: "litter", path: "decisions/.x.md.swp", weight: .note),
    Case(
      script: "git init -q decisions/inner; echo x >decisions/inner/f", code: "other-repository",
      path: "decisions/inner", weight: .note),
    Case(
      script: "git init -q ../other; git -C ../other -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
      code: "other-repository",
      path: "../other", weight: .partly),
    Case(
      script: #"""
        id=$(git hash-object -w session_log.md)
        printf '0 %040d\t.moha/maven/%s\n' 0 \#(decision) >../../.git/info.txt
        for n in 1 2 3; do printf '100644 %s %s\t.moha/maven/%s\n' $id $n \#(decision) >>../../.git/info.txt; done
        cd ../..; git update-index --index-info <.git/info.txt; echo x >>.moha/maven/\#(decision)
        """#, code: "conflict", path: decision),
  ]

  private func automaticCommit(_ tree: MavenTree) async throws -> AutomaticCommit.Outcome {
    try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      .run(isDryRun: false)
  }

  private func shell(_ tree: MavenTree, _ script: String) throws {
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", script], environment: tree.git.environment, workingDirectory: "\(tree.git.path)/\(tree.root)")
  }

  @Test("a file with a reason is named and stays as HEAD has it, and the others are committed", arguments: cases)
  func reasons(of reason: Case) async throws {
    let tree = try await MavenTree.sample()
    let before = try tree.git.git(
      "ls-tree", "-r", "HEAD", "\(tree.root)/\(reason.path.hasPrefix("..") ? "" : reason.path)")
    try shell(tree, reason.script)
    // Something else of the same run: a new record by hand, a changed one, and an entry in the log where that is whole.
    try tree.write("milestones/milestone_20260201_090009_new.md", "# Milestone: new\n")
    try tree.write("persona.md", "I am Maven.\n")
    // The tree's own ignore rule is no part of what is looked at.
    let isIgnored = reason.script.contains(".gitignore")
    let outcome = try await automaticCommit(tree)
    let path = reason.path.hasPrefix("..") ? ".moha/other" : "\(tree.root)/\(reason.path)"
    let skipped = try #require(outcome.skipped.first { $0.path == path }, "\(outcome.skipped)")
    #expect(skipped.reason.code == reason.code && skipped.weight == reason.weight, "\(skipped)")
    #expect(
      outcome.skipped.allSatisfy { $0.path == path || path.hasPrefix($0.path + "/") || isIgnored }, "\(outcome.skipped)"
    )
    #expect(!skipped.reason.detail.isEmpty && outcome.refused.isEmpty)
    if !isIgnored {
      #expect(outcome.commit != nil)
      #expect(try tree.git.git("show", "HEAD:\(tree.root)/persona.md") == "I am Maven.")
      #expect(
        try tree.git.git("show", "HEAD:\(tree.root)/milestones/milestone_20260201_090009_new.md") == "# Milestone: new")
    }
    #expect(try tree.git.git("log", "--format=", "--name-only", "--diff-filter=DT") == "")
    if !reason.path.hasPrefix("..") {
      #expect(try tree.git.git("ls-tree", "-r", "HEAD", "\(tree.root)/\(reason.path)") == before)
    }
    // The next run finds the same, and makes no commit of it.
    let again = try await automaticCommit(tree)
    #expect(again.commit == nil && again.skipped.contains(skipped))
    #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
  }

  @Test("a secret is refused by its line, and the rest is committed")
  func secret() async throws {
    let tree = try await MavenTree.sample()
    let key = "AKIA" + "QYLPMN5HHHFPZAM2"
    try tree.write("decisions/decision_20260301_000000.md", "# Decision Record\n\naws_access_key_id = \(key)\n")
    try tree.write("persona.md", "I am Maven.\n")
    let outcome = try await automaticCommit(tree)
    #expect(outcome.refused.map(\.path) == ["\(tree.root)/decisions/decision_20260301_000000.md"])
    #expect(outcome.refused.map(\.line) == [3] && outcome.skipped.isEmpty)
    #expect(try tree.git.git("show", "HEAD:\(tree.root)/persona.md") == "I am Maven.")
    #expect(try !tree.git.git("log", "--all", "-p").contains(key))
  }

  @Test("converted line ends are no change, and no reason")
  func lineEnds() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("config", "core.autocrlf", "true")
    try shell(tree, "rm -r decisions milestones session_log.md identity.json; git checkout -q -- .; touch decisions/*")
    #expect(try tree.git.git("ls-files", "--eol", tree.root).contains("w/crlf"))
    let clean = try await automaticCommit(tree)
    #expect(clean.commit == nil && clean.skipped.isEmpty && clean.files.isEmpty)
    try shell(
      tree,
      #"sed -i 's/Momentum/Momentum,/' \#(Self.decision); printf '## [2026-02-02T10:00:00+00:00] NOTE\r\n\r\nx\r\n' >>session_log.md"#
    )
    let outcome = try await automaticCommit(tree)
    #expect(
      outcome.files == ["\(tree.root)/\(Self.decision)", "\(tree.root)/session_log.md"] && outcome.skipped.isEmpty)
    #expect(
      try tree.git.git("diff", "--shortstat", "HEAD~1", "HEAD").contains("5 insertions(+), 1 deletion(-)")
        || tree.git.git("diff", "--shortstat", "HEAD~1", "HEAD").contains("insertions(+), 1 deletion(-)"))
    #expect(try !tree.git.git("show", "HEAD:\(tree.root)/session_log.md").contains("\r"))
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("many files that are gone are refused by their number and kind, a few are committed as removed")
  func removals() async throws {
    for (script, count, words) in [
      ("rm decisions/*", 6, "6 of 6 decisions"), ("rm -r decisions milestones", 9, "6 of 6 decisions"),
      ("rm -r milestones", 3, "3 of 3 milestones"),
    ] {
      let tree = try await MavenTree.sample()
      try shell(tree, script)
      try tree.write("persona.md", "I am Maven.\n")
      let head = try tree.git.git("rev-parse", "HEAD")
      await #expect {
        try await automaticCommit(tree)
      } throws: { error in
        guard let error = error as? PersistenceError else { return false }
        return error.code == .massRemoval && error.message.contains(words) && (error.hint ?? "").contains("\(count)")
      }
      #expect(try tree.git.git("rev-parse", "HEAD") == head)
      let outcome = try await AutomaticCommit(
        repository: try tree.repository(), agent: tree.agent, settings: WriteSettings()
      ).run(isDryRun: false, allowedRemovals: count)
      #expect(outcome.files.count == count + 1, "\(script)")
    }
    let tree = try await MavenTree.sample()
    try shell(tree, "rm \(Self.decision)")
    let outcome = try await automaticCommit(tree)
    #expect(outcome.files == ["\(tree.root)/\(Self.decision)"])
  }

  @Test(
    "what waits while nothing may be committed is said once, and taken by the first run that may",
    arguments: [
      ("git checkout -q --detach", "git checkout -q main"),
      ("cp .git/refs/heads/main .git/MERGE_HEAD", "rm -f .git/MERGE_HEAD"),
    ])
  func pending(begin: String, end: String) async throws {
    let tree = try await MavenTree.sample()
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", begin], environment: tree.git.environment, workingDirectory: tree.git.path)
    try tree.write("persona.md", "I am Maven.\n")
    let outcome = try await automaticCommit(tree)
    #expect(outcome.commit == nil && outcome.pendingReason != nil && outcome.files == ["\(tree.root)/persona.md"])
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", end], environment: tree.git.environment, workingDirectory: tree.git.path)
    #expect(try await automaticCommit(tree).commit != nil)
  }
}
