internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

@Suite("Opening a repository")
struct OpeningTests {
  @Test("a folder below the working tree finds the repository above it")
  func discovery() async throws {
    let scratch = try GitScratch()
    try scratch.write("a/b/c", "")
    let repository = try Repository(discoveringFrom: scratch.absolute("a/b"), configuration: .hermetic)
    #expect(repository.workTree == scratch.path)
    #expect(repository.gitDirectory == scratch.absolute(".git"))
    #expect(!repository.isBare)
  }

  @Test("the search does not go above a ceiling")
  func ceiling() throws {
    let scratch = try GitScratch()
    try scratch.write("a/b/c", "")
    let error = #expect(throws: GitError.self) {
      try Repository(
        discoveringFrom: scratch.absolute("a/b"), ceilings: [scratch.absolute("a")], configuration: .hermetic)
    }
    #expect(error?.code == .notARepository)
  }

  @Test("opening exactly a folder does not search above it")
  func exact() throws {
    let scratch = try GitScratch()
    try scratch.write("a/b", "")
    let error = #expect(throws: GitError.self) {
      try Repository(at: scratch.absolute("a"), configuration: .hermetic)
    }
    #expect(error?.code == .notARepository)
    #expect(try Repository(at: scratch.path, configuration: .hermetic).workTree == scratch.path)
  }

  @Test("a path that is missing, or holds NUL, is an error that says so")
  func badPaths() throws {
    let scratch = try GitScratch(isInitialized: false)
    let missing = #expect(throws: GitError.self) {
      try Repository(at: scratch.absolute("nowhere"), configuration: .hermetic)
    }
    #expect(missing?.code == .notARepository)
    let cut = #expect(throws: GitError.self) {
      try Repository(at: scratch.path + "\0x", configuration: .hermetic)
    }
    #expect(cut?.code == .invalidSpec)
  }

  @Test("a bare repository has no working tree, and no snapshot")
  func bare() async throws {
    let scratch = try GitScratch("--bare")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(repository.isBare)
    #expect(repository.workTree == nil)
    let error = await #expect(throws: GitError.self) { try await repository.snapshot(under: .root) }
    #expect(error?.code == .bareRepository)
  }

  @Test("a linked working tree has its own HEAD and index, and shares the objects")
  func linkedWorkTree() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "one\n")
    let first = try scratch.commit("first")
    let linked = scratch.base + "/linked"
    try scratch.git("worktree", "add", "--quiet", "-b", "side", linked)
    let repository = try Repository(at: linked, configuration: .hermetic)
    #expect(repository.workTree == linked)
    #expect(repository.commonDirectory == scratch.absolute(".git"))
    #expect(repository.gitDirectory == scratch.absolute(".git/worktrees/linked"))
    let id = try #require(ObjectID(hex: first))
    #expect(try await repository.head() == .commit(id, reference: "refs/heads/side"))
    let snapshot = try await repository.snapshot(under: .root)
    #expect(snapshot.entries.map(\.path) == ["f"])
  }

  @Test("a repository of another user is refused with the exact line that admits it", .enabled(if: geteuid() == 0))
  func ownership() throws {
    let scratch = try GitScratch()
    #expect(chown(scratch.path, 12_345, 12_345) == 0)
    #expect(chown(scratch.absolute(".git"), 12_345, 12_345) == 0)
    for isExact in [true, false] {
      let error = #expect(throws: GitError.self) {
        isExact
          ? try Repository(at: scratch.path, configuration: .hermetic)
          : try Repository(discoveringFrom: scratch.path, configuration: .hermetic)
      }
      #expect(error?.code == .ownership)
      #expect(
        error?.message.hasSuffix("git config --global --add safe.directory \(scratch.path)") == true, "\(error as Any)")
    }
  }

  @Test("a bare repository of another user is named itself", .enabled(if: geteuid() == 0))
  func bareOwnership() throws {
    let scratch = try GitScratch("--bare")
    #expect(chown(scratch.path, 12_345, 12_345) == 0)
    let error = #expect(throws: GitError.self) { try Repository(at: scratch.path, configuration: .hermetic) }
    #expect(error?.code == .ownership)
    #expect(error?.message.hasSuffix("safe.directory \(scratch.path)") == true)
  }

  @Test("a SHA-256 repository is refused as unsupported")
  func sha256() throws {
    let scratch = try GitScratch("--object-format=sha256")
    let error = #expect(throws: GitError.self) { try Repository(at: scratch.path, configuration: .hermetic) }
    #expect(error?.code == .unsupported)
  }

  @Test(
    "an unknown extension and an unknown format version are refused as unsupported",
    arguments: ["extension", "version"])
  func unknownFormat(kind: String) throws {
    let scratch = try GitScratch()
    if kind == "extension" {
      try scratch.git("config", "core.repositoryFormatVersion", "1")
      try scratch.git("config", "extensions.foo", "true")
    } else {
      try scratch.git("config", "core.repositoryFormatVersion", "7")
    }
    let error = #expect(throws: GitError.self) { try Repository(at: scratch.path, configuration: .hermetic) }
    #expect(error?.code == .unsupported)
  }

  @Test("a git folder that is cut or garbled is an error, not a trap", arguments: ["HEAD", "config", "objects"])
  func damaged(part: String) async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "x")
    try scratch.commit("one")
    if part == "objects" {
      try ChildProcess.runChecked("rm", ["-rf", scratch.absolute(".git/objects")])
    } else {
      try scratch.write(".git/\(part)", "[core\nbroken \u{1}")
    }
    await #expect(throws: GitError.self) {
      let repository = try Repository(at: scratch.path, configuration: .hermetic)
      _ = try await repository.head()
      _ = try await repository.resolve("HEAD")
    }
  }
}
