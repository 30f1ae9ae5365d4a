internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("What a commit does to a person's index")
struct CommitIndexTests {
  /// Staged: a change, an addition, a deletion; dirty: one file.
  private func busy(_ prepare: (GitScratch) throws -> Void = { _ in }) throws -> GitScratch {
    let scratch = try GitScratch.withHistory()
    try prepare(scratch)
    try scratch.write("src/a", "staged\n")
    try scratch.write("src/new", "new\n")
    try scratch.git("add", "src")
    try scratch.git("rm", "-q", "--cached", "src/b")
    try scratch.write("src/a", "dirty\n")
    try scratch.git("update-index", "--assume-unchanged", "README.md")
    return scratch
  }

  /// Everything that git knows of entries outside of `.moha`, `stat` data and flags included.
  private func foreignEntries(_ scratch: GitScratch) throws -> [UInt8] {
    try scratch.gitBytes(["ls-files", "--stage", "--debug", "-v", "--", ":!.moha"])
  }

  private let decision: GitPath = ".moha/maven/decisions/decision_2.md"

  private func write(_ scratch: GitScratch) throws -> CommitRequest {
    try scratch.write(decision.bytes, Array("two\n".utf8))
    try scratch.write(".moha/maven/identity.json", "{\"n\":2}\n")
    try scratch.remove(".moha/notes")
    return .files([decision: "two\n", ".moha/maven/identity.json": "{\"n\":2}\n", ".moha/notes": nil])
  }

  @Test(
    "staged, flagged and dirty files stay as they were, and ours are clean",
    arguments: ["2", "3", "4", "untracked-cache", "threads", "resolve-undo"])
  func staged(form: String) async throws {
    let scratch = try busy { scratch in
      switch form {
      case "untracked-cache":
        try scratch.git("update-index", "--force-untracked-cache")
        _ = try scratch.status()
      case "threads": try scratch.git("config", "index.threads", "4")
      case "resolve-undo": try Self.resolveConflict(scratch)
      default: try scratch.git("update-index", "--index-version", form)
      }
      if form == "3" {
        try scratch.write("sparse", "s\n")
        try scratch.commit("sparse")
        try scratch.git("update-index", "--skip-worktree", "sparse")
      }
    }
    let request = try write(scratch)
    // An untracked cache that knows our new file as untracked.
    _ = try scratch.status()
    let before = try foreignEntries(scratch)
    let cached = try scratch.gitBytes(["diff", "--cached", "--", ":!.moha"])
    let status = try scratch.git("status", "--porcelain", "--", ":!.moha")
    let outcome = try await scratch.open().commit(request)
    #expect(outcome.index == .refreshed(entries: 3, kept: 0))
    #expect(try foreignEntries(scratch) == before)
    #expect(try scratch.gitBytes(["diff", "--cached", "--", ":!.moha"]) == cached)
    #expect(
      try scratch.git("diff", "--cached", "--name-only")
        == scratch.git("diff", "--cached", "--name-only", "--", ":!.moha"))
    #expect(try scratch.git("status", "--porcelain", "--", ":!.moha") == status)
    #expect(try scratch.git("status", "--porcelain", "--", ".moha") == "")
    // What git verifies of an index: order, checksum, cached trees.
    try scratch.expectSound()
    // A person's next commit keeps what was committed.
    try scratch.commitStaged("a person's")
    #expect(try scratch.git("show", "HEAD:\(decision)") == "two")
    #expect(try scratch.git("show", "HEAD:src/a") == "staged")
    #expect(try scratch.git("diff", "--name-only", "HEAD^", "HEAD") == "src/a\nsrc/b\nsrc/new")
    try scratch.expectSound()
  }

  private static func resolveConflict(_ scratch: GitScratch) throws {
    try scratch.git("checkout", "-q", "-b", "other")
    try scratch.write("README.md", "other\n")
    try scratch.commit("other")
    try scratch.git("checkout", "-q", "main")
    try scratch.write("README.md", "main\n")
    try scratch.commit("main")
    _ = try? scratch.git("merge", "other")
    try scratch.write("README.md", "both\n")
    try scratch.commit("merged")
  }

  @Test("the bytes of the index stay when asked to")
  func untouched() async throws {
    let scratch = try busy()
    let before = try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"])
    var request = try write(scratch)
    request.index = .untouched
    let outcome = try await scratch.open().commit(request)
    #expect(outcome.index == .untouched)
    #expect(try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"]) == before)
  }

  @Test("what a person staged at one of our paths stays, and the commit does not take it")
  func stagedByPerson() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".moha/notes", "staged by hand\n")
    try scratch.git("add", ".moha/notes")
    try scratch.git("rm", "-q", "--cached", ".moha/maven/identity.json")
    let outcome = try await scratch.open().commit(
      .files([".moha/notes": "committed\n", ".moha/maven/identity.json": "{2}\n"]))
    #expect(outcome.index == .refreshed(entries: 0, kept: 2))
    #expect(try scratch.git("show", ":.moha/notes") == "staged by hand")
    #expect(try scratch.git("show", "HEAD:.moha/notes") == "committed")
    #expect(try scratch.git("ls-files", ".moha/maven/identity.json") == "")
  }

  @Test("a file announced with git add -N becomes an ordinary entry; an index that is right already is not written")
  func announced() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".moha/x", "x\n")
    try scratch.git("add", "-N", ".moha/x")
    _ = try await scratch.open().commit(.files([".moha/x": "x\n"]))
    #expect(try scratch.status() == "")
    try scratch.write(".moha/x", "y\n")
    try scratch.git("add", ".moha/x")
    let before = try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"])
    let outcome = try await scratch.open().commit(.files([".moha/x": "y\n"]))
    #expect(outcome.index == .refreshed(entries: 0, kept: 0))
    #expect(try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"]) == before)
    #expect(try scratch.status() == "")
  }

  @Test("a file that replaces a folder, and a folder that replaces a file, leave a valid index")
  func exchange() async throws {
    let scratch = try GitScratch.withHistory()
    let repository = try scratch.open()
    _ = try await repository.commit(
      .files([
        ".moha/notes": nil, ".moha/notes/a": "a", ".moha/maven/decisions/decision_1.md": nil,
        ".moha/maven/decisions": "d",
      ]))
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectSound()
    // A person staged a file where a folder is to be.
    try scratch.write("person", "p\n")
    let id = try scratch.git("hash-object", "-w", "person")
    try scratch.git("update-index", "--add", "--cacheinfo", "100644,\(id),.moha/new")
    let outcome = try await repository.commit(.files([".moha/new/below": "x"]))
    #expect(outcome.index == .refreshed(entries: 0, kept: 1))
    #expect(try scratch.git("ls-files", ".moha/new") == ".moha/new")
  }

  @Test("random commits and stagings keep git and the index of one mind", arguments: ["2", "4"], UInt64(1)...4)
  func random(version: String, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try GitScratch.withHistory()
    try scratch.git("update-index", "--index-version", version)
    let repository = try scratch.open()
    var staged: [String: String] = [:]
    for step in 0..<6 {
      let file = "src/\(Int.random(in: 0..<5, using: &random))"
      staged[file] = "\(step)"
      try scratch.write(file, "\(step)")
      try scratch.git("add", file)
      if Bool.random(using: &random) { try scratch.git("write-tree") }
      var files: [GitPath: String?] = [:]
      for _ in 0..<4 {
        let name =
          "\(String(repeating: "n", count: Int.random(in: 1..<200, using: &random)))/\(Int.random(in: 0..<3, using: &random))"
        files[GitPath(".moha/\(name)")] = Bool.random(using: &random) ? "\(step)" : .some(nil)
      }
      _ = try await repository.commit(.files(files))
      #expect(try scratch.git("diff", "--cached", "--name-only", "--", ".moha") == "")
      #expect(
        try Set(scratch.git("diff", "--cached", "--name-only").split(separator: "\n").map(String.init))
          == Set(staged.keys))
    }
    let tree = try scratch.git("write-tree")
    try scratch.git("update-index", "--force-remove", "README.md")
    try scratch.git("reset", "-q", "README.md")
    #expect(try scratch.git("write-tree") == tree)
    try scratch.expectSound()
  }

  @Test("a file that changed in the second in which it was staged still counts as changed")
  func changedInTheSameSecond() async throws {
    let scratch = try GitScratch.withHistory()
    var isRacy = false
    while !isRacy {
      try scratch.write("src/a", "aaa")
      try scratch.write("src/b", "bbb")
      try scratch.git("add", "src")
      try scratch.write("src/a", "xxx")
      // Equal in all that git compares: it looks at the file because the index is no younger.
      let checkout = try await scratch.open().checkoutIndex()
      let index = try #require(checkout.file)
      let (file, entry) = (try scratch.stat("src/a"), try #require(index.position(of: "src/a")))
      isRacy =
        file.changed.seconds == index.entry(at: entry).changed.seconds
        && file.changed.seconds == checkout.written.seconds
    }
    #expect(try scratch.git("diff", "--name-only") == "src/a")
    try scratch.write(".moha/x", "x")
    _ = try await scratch.open().commit(.files([".moha/x": "x"]))
    // By now the index is younger, or will be once the next second has come and it is written again.
    let index = try #require(await scratch.open().checkoutIndex().file)
    #expect(index.entry(at: try #require(index.position(of: "src/a"))).size == 0)
    #expect(index.entry(at: try #require(index.position(of: "src/b"))).size == 3)
    #expect(try scratch.git("diff", "--name-only") == "src/a")
    #expect(try scratch.git("diff", "--cached", "--name-only") == "src/a\nsrc/b")
  }
}
