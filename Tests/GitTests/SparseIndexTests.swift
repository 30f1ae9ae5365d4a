internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("A commit in a folder that the index knows by its tree alone")
struct SparseIndexTests {
  /// `.moha/out` and `other` are left out, as one entry each.
  private func repository() throws -> GitScratch {
    let scratch = try GitScratch()
    for name in [".moha/maven/a.md", ".moha/out/b.md", ".moha/out/deep/c.md", ".moha/out-x", "other/d", "src/e"] {
      try scratch.write(name, name)
    }
    try scratch.commit("first")
    try scratch.git("sparse-checkout", "set", "--cone", "--sparse-index", ".moha/maven", "src")
    return scratch
  }

  private func entries(_ scratch: GitScratch) throws -> [String] {
    try scratch.git("ls-files", "--sparse").split(separator: "\n").map(String.init)
  }

  @Test("the folder's entry gets the new tree, and nothing of it is checked out")
  func moved() async throws {
    let scratch = try repository()
    let before = try entries(scratch)
    #expect(before == [".moha/maven/a.md", ".moha/out-x", ".moha/out/", "other/", "src/e"])
    let outcome = try await scratch.open().commit(
      .files([".moha/out/b.md": nil, ".moha/out/deep/new.md": "new", ".moha/maven/a.md": "a"]))
    #expect(outcome.index == .refreshed(entries: 2, kept: 0))
    #expect(try entries(scratch) == before)
    #expect(try scratch.git("ls-files") == scratch.git("ls-tree", "-r", "--name-only", "HEAD"))
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    #expect(try scratch.git("status", "--porcelain", ".moha/out") == "")
    try scratch.expectSound()
  }

  @Test("a folder that the commit empties, or makes anew, goes and comes")
  func gone() async throws {
    let scratch = try repository()
    let repository = try scratch.open()
    _ = try await repository.commit(.files([".moha/out/b.md": nil, ".moha/out/deep/c.md": nil]))
    #expect(try entries(scratch) == [".moha/maven/a.md", ".moha/out-x", "other/", "src/e"])
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    _ = try await repository.commit(.files([".moha/out": "a file"]))
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    _ = try await repository.commit(.files([".moha/out": nil, ".moha/out/deep/c.md": "again"]))
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectSound()
  }

  @Test("what a person has staged in the folder stays staged, and what was committed there is kept")
  func staged() async throws {
    let scratch = try repository()
    try scratch.git("sparse-checkout", "disable")
    try scratch.write(".moha/out/b.md", "a person's")
    try scratch.write("other/d", "a person's")
    try scratch.commit("second")
    try scratch.git("sparse-checkout", "set", "--cone", "--sparse-index", ".moha/maven", "src")
    // Staged: all that the second commit changed, in folders that are not checked out.
    try scratch.git("reset", "-q", "--soft", "HEAD^")
    #expect(try scratch.git("diff", "--cached", "--name-only") == ".moha/out/b.md\nother/d")
    let outcome = try await scratch.open().commit(
      .files([".moha/out/deep/c.md": "ours", ".moha/out/new.md": "ours", ".moha/out/b.md": "ours too"]))
    #expect(outcome.index == .refreshed(entries: 2, kept: 1))
    #expect(try scratch.git("diff", "--cached", "--name-only") == ".moha/out/b.md\nother/d")
    #expect(try scratch.git("show", ":.moha/out/b.md") == "a person's")
    // `git fsck` makes the trees of a sparse index itself, and then misses them, unless they are there.
    try scratch.git("write-tree")
    try scratch.expectSound()
    try scratch.commitStaged("a person's")
    #expect(try scratch.git("diff", "--name-only", "HEAD^", "HEAD") == ".moha/out/b.md\nother/d")
    #expect(try scratch.git("show", "HEAD:.moha/out/deep/c.md") == "ours")
    #expect(try scratch.git("show", "HEAD:.moha/out/new.md") == "ours")
    // The folder, which was taken apart, is put together again by git.
    try scratch.git("sparse-checkout", "reapply")
    #expect(try entries(scratch) == [".moha/maven/a.md", ".moha/out-x", ".moha/out/", "other/", "src/e"])
    try scratch.expectSound()
  }
}
