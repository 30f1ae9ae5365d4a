internal import Git
internal import TestSupport
internal import Testing

@Suite("Revisions and HEAD")
struct RevisionTests {
  @Test("HEAD of a new repository is a branch without a commit")
  func unborn() async throws {
    let scratch = try GitScratch()
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(try await repository.head() == .unborn(reference: "refs/heads/main"))
    let error = await #expect(throws: GitError.self) { try await repository.resolve("HEAD") }
    #expect(error?.code == .notFound || error?.code == .unbornBranch)
  }

  @Test("HEAD follows the branch, and is read afresh each time")
  func moving() async throws {
    let scratch = try GitScratch()
    let first = try scratch.commit("first")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(try await repository.head().commit?.description == first)
    let second = try scratch.commit("second")
    #expect(try await repository.head() == .commit(try #require(ObjectID(hex: second)), reference: "refs/heads/main"))
    try scratch.git("pack-refs", "--all")
    #expect(try await repository.head().commit?.description == second)
  }

  @Test("a detached HEAD has a commit and no branch")
  func detached() async throws {
    let scratch = try GitScratch()
    let first = try scratch.commit("first")
    try scratch.git("checkout", "--quiet", "--detach")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(try await repository.head() == .commit(try #require(ObjectID(hex: first)), reference: nil))
  }

  @Test(
    "a revision names the commit that git rev-parse says",
    arguments: [
      "HEAD", "main", "HEAD~1", "HEAD^", "light", "annotated", "nested", "HEAD^{/first}", "main@{0}", "HEAD^{commit}",
    ])
  func spellings(revision: String) async throws {
    let scratch = try GitScratch()
    try scratch.commit("first")
    try scratch.commit("second")
    try scratch.git("tag", "light", "HEAD~1")
    scratch.setDate()
    try scratch.git("tag", "-a", "-m", "x", "annotated", "HEAD~1")
    try scratch.git("tag", "-a", "-m", "y", "nested", "annotated")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let expected = try scratch.git("rev-parse", revision + "^{commit}")
    #expect(try await repository.resolve(revision).description == expected)
    let short = String(expected.prefix(9))
    #expect(try await repository.resolve(short).description == expected)
  }

  @Test("what names no commit is not found or malformed, by its code")
  func failures() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "x")
    try scratch.commit("first")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let cases: [(String, GitError.Code)] = [
      ("nowhere", .notFound), ("HEAD~7", .notFound), (String(repeating: "1", count: 40), .notFound),
      ("HEAD^{tree}", .invalidSpec), ("HEAD:f", .invalidSpec), ("", .invalidSpec), ("HEAD\0x", .invalidSpec),
      ("HEAD^{", .invalidSpec),
    ]
    for (revision, code) in cases {
      let error = await #expect(throws: GitError.self, "\(revision)") { try await repository.resolve(revision) }
      #expect(error?.code == code, "\(revision): \(error as Any)")
    }
  }

  @Test("a short id that several objects share is ambiguous")
  func ambiguous() async throws {
    let scratch = try GitScratch()
    try scratch.commit("first")
    // Blobs until two of them share four digits: the pigeonhole needs far fewer than 65,537.
    var seen: [String: String] = [:]
    var shared: String?
    for number in 0..<5_000 where shared == nil {
      let id = ObjectID.blob(Array("\(number)".utf8)).description
      let prefix = String(id.prefix(4))
      if let other = seen[prefix] {
        shared = prefix
        try scratch.git(["hash-object", "-w", "--stdin"], input: Array("\(number)".utf8))
        try scratch.git(["hash-object", "-w", "--stdin"], input: Array(other.utf8))
      }
      seen[prefix] = "\(number)"
    }
    let prefix = try #require(shared)
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let error = await #expect(throws: GitError.self) { try await repository.resolve(prefix) }
    #expect(error?.code == .ambiguous)
  }

  @Test("a commit's metadata is what was recorded")
  func commitValue() async throws {
    let scratch = try GitScratch()
    let first = try scratch.commit("first", date: 1_600_000_000)
    let second = try scratch.commit("Zweiter Stand: é\n\nbody\n", date: 1_600_000_060)
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let commit = try await repository.commit(try #require(ObjectID(hex: second)))
    #expect(commit.parents.map(\.description) == [first])
    #expect(commit.tree == .emptyTree)
    #expect(commit.message == "Zweiter Stand: é\n\nbody\n")
    #expect(
      commit.author == Signature(name: "Test Author", email: "author@example.org", time: 1_600_000_060, offsetMinutes: 90))
    #expect(
      commit.committer
        == Signature(name: "Test Committer", email: "committer@example.org", time: 1_600_000_060, offsetMinutes: 0))
  }

  @Test("a commit that is missing and an object that is no commit are told apart")
  func notACommit() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "x")
    try scratch.commit("first")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let tree = try #require(ObjectID(hex: try scratch.git("rev-parse", "HEAD^{tree}")))
    let wrongType = await #expect(throws: GitError.self) { try await repository.commit(tree) }
    #expect(wrongType?.code == .invalidSpec)
    let missing = await #expect(throws: GitError.self) { try await repository.commit(.zero) }
    #expect(missing?.code == .missingObject)
    #expect(try await !repository.commitExists(tree))
    #expect(try await !repository.commitExists(.zero))
    #expect(try await repository.commitExists(repository.resolve("HEAD")))
  }

  @Test("ancestry holds along any parent, for a commit and itself, and not backwards")
  func ancestry() async throws {
    let scratch = try GitScratch()
    let root = try #require(ObjectID(hex: try scratch.commit("root")))
    try scratch.git("checkout", "--quiet", "-b", "side")
    let side = try #require(ObjectID(hex: try scratch.commit("side")))
    try scratch.git("checkout", "--quiet", "main")
    let main = try #require(ObjectID(hex: try scratch.commit("main")))
    scratch.setDate()
    try scratch.git("merge", "--quiet", "--no-edit", "side")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let merge = try await repository.resolve("HEAD")
    #expect(try await repository.isAncestor(side, of: merge))
    #expect(try await repository.isAncestor(root, of: merge))
    #expect(try await repository.isAncestor(main, of: main))
    #expect(try await !repository.isAncestor(side, of: main))
    #expect(try await !repository.isAncestor(merge, of: root))
    #expect(try await !repository.isAncestor(.zero, of: root))
    await #expect(throws: GitError.self) { try await repository.isAncestor(root, of: .zero) }
  }

  @Test("a merge and a rebase in progress are seen, and a finished one is not")
  func inProgress() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "base\n")
    try scratch.commit("base")
    try scratch.git("checkout", "--quiet", "-b", "side")
    try scratch.write("f", "side\n")
    try scratch.commit("side")
    try scratch.git("checkout", "--quiet", "main")
    try scratch.write("f", "main\n")
    try scratch.commit("main")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(await repository.operationInProgress == nil)
    #expect(throws: ChildProcess.Failure.self) { try scratch.git("merge", "side") }
    #expect(await repository.operationInProgress == .merge)
    try scratch.git("merge", "--abort")
    #expect(await repository.operationInProgress == nil)
    #expect(throws: ChildProcess.Failure.self) { try scratch.git("rebase", "side") }
    #expect(await repository.operationInProgress == .rebase)
  }
}
