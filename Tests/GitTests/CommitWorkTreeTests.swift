internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

@Suite("Committing the working tree")
struct CommitWorkTreeTests {
  private func commit(
    _ scratch: GitScratch, judge: @escaping CommitRequest.Judgement = { _ in nil }
  ) async throws -> CommitOutcome {
    let repository = try scratch.open()
    let snapshot = try await repository.snapshot(under: ".moha")
    return try await repository.commit(
      CommitRequest(changes: .workTree(snapshot, judge: judge), message: "maven: everything"))
  }

  @Test("added, changed, deleted and executable files are committed as on disk, and nothing else is")
  func everything() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".moha/new/deep/file", "new\n")
    try scratch.write(".moha/maven/identity.json", "{2}\n")
    try scratch.write(".moha/run", "run\n")
    chmod(scratch.absolute(".moha/run"), 0o755)
    symlink("../src/a", scratch.absolute(".moha/link"))
    try scratch.remove(".moha/notes")
    try scratch.write("src/a", "dirty\n")
    try scratch.write("outside", "untracked\n")
    let outcome = try await commit(scratch)
    #expect(outcome.changedCount == 5)
    #expect(try scratch.status() == " M src/a\n?? outside")
    #expect(try scratch.git("ls-tree", "HEAD", ".moha/run").hasPrefix("100755"))
    #expect(try scratch.git("ls-tree", "HEAD", ".moha/link").hasPrefix("120000"))
    #expect(try await commit(scratch).commit == nil)
    try scratch.expectSound()
  }

  @Test("a refused file stays as the parent has it, no object holds its bytes, and the rest is committed")
  func refused() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".moha/notes", "the secret\n")
    try scratch.write(".moha/fresh", "another secret\n")
    try scratch.write(".moha/good", "good\n")
    let outcome = try await commit(scratch) { file in
      String(decoding: file.bytes, as: UTF8.self).contains("secret") ? .refused : nil
    }
    #expect(
      outcome.skipped == [
        CommitOutcome.Skipped(path: ".moha/fresh", reason: .refused),
        CommitOutcome.Skipped(path: ".moha/notes", reason: .refused),
      ])
    #expect(try scratch.git("show", "HEAD:.moha/notes") == "notes")
    #expect(try scratch.git("show", "HEAD:.moha/good") == "good")
    for text in ["the secret\n", "another secret\n"] {
      let id = ObjectID.blob(Array(text.utf8))
      #expect(throws: (any Error).self) { try scratch.git("cat-file", "-e", "\(id)") }
    }
  }

  @Test("an ignored new file is not added, an ignored tracked one is still followed")
  func ignored() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".gitignore", "*.env\n.moha/notes\n")
    try scratch.write(".moha/key.env", "x\n")
    try scratch.write(".moha/notes", "changed\n")
    let outcome = try await commit(scratch)
    #expect(outcome.skipped == [CommitOutcome.Skipped(path: ".moha/key.env", reason: .ignored)])
    #expect(try scratch.git("show", "HEAD:.moha/notes") == "changed")
  }

  @Test("files that a sparse checkout leaves out are kept")
  func sparse() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.git("sparse-checkout", "set", "--no-cone", "/*", "!/.moha/maven/decisions")
    #expect(access(scratch.absolute(".moha/maven/decisions/decision_1.md"), F_OK) != 0)
    try scratch.write(".moha/new", "n\n")
    let outcome = try await commit(scratch)
    #expect(outcome.changedCount == 1)
    #expect(outcome.skipped.map(\.reason) == [.sparse])
    #expect(try scratch.git("show", "HEAD:.moha/maven/decisions/decision_1.md") == "one")
    #expect(try scratch.status() == "")
  }

  @Test("a folder that is missing is refused, and one that cannot be read keeps its files")
  func unreadable() async throws {
    let scratch = try GitScratch.withHistory()
    let repository = try scratch.open()
    var snapshot = try await repository.snapshot(under: ".moha")
    snapshot = WorkTreeSnapshot(
      entries: snapshot.entries.filter { !$0.path.isInside(".moha/maven") }, hashedCount: 0,
      unreadable: [UnreadablePath(path: ".moha/maven", errno: EACCES, reason: "Permission denied")], rootMissing: false)
    let outcome = try await repository.commit(
      CommitRequest(changes: .workTree(snapshot, judge: { _ in nil }), message: "m"))
    #expect(outcome.commit == nil)
    #expect(outcome.skipped.map(\.reason) == [.unreadable])
    let missing = WorkTreeSnapshot(entries: [], hashedCount: 0, unreadable: [], rootMissing: true)
    let error = await #expect(throws: GitError.self) {
      try await repository.commit(CommitRequest(changes: .workTree(missing, judge: { _ in nil }), message: "m"))
    }
    #expect(error?.code == .notFound)
  }

  @Test("a new file that goes before it is read makes the commit begin anew: others may count on it")
  func vanished() async throws {
    let scratch = try GitScratch.withHistory()
    let head = try scratch.git("rev-parse", "HEAD")
    let repository = try scratch.open()
    try scratch.write(".moha/moved", "what was in notes\n")
    try scratch.write(".moha/notes", "less than before\n")
    let snapshot = try await repository.snapshot(under: ".moha")
    try scratch.remove(".moha/moved")
    let error = await #expect(throws: GitError.self) {
      try await repository.commit(CommitRequest(changes: .workTree(snapshot, judge: { _ in nil }), message: "m"))
    }
    #expect(error?.code == .modified)
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    #expect(try await commit(scratch).changedCount == 1)
  }

  @Test("a name that must not come into a tree is left out, and the rest is committed")
  func badName() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".moha/a\nb", "x")
    try scratch.write(".moha/git~1", "x")
    try scratch.write(".moha/good", "x")
    let outcome = try await commit(scratch)
    #expect(outcome.skipped.map(\.reason) == [.name, .name])
    #expect(outcome.changedCount == 1)
    try scratch.expectSound()
  }

  @Test("a folder behind a symbolic link is one link, never its files")
  func linkedFolder() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write("src/outside", "outside\n")
    symlink("../src", scratch.absolute(".moha/folder"))
    _ = try await commit(scratch)
    #expect(try scratch.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/folder") == ".moha/folder")
    #expect(try scratch.git("cat-file", "-p", "HEAD:.moha/folder") == "../src")
  }
}
