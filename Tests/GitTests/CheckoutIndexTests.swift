internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("What the index says of a checkout")
struct CheckoutIndexTests {
  private func repository() throws -> GitScratch {
    let scratch = try GitScratch()
    for name in [
      ".moha/maven/a.md", ".moha/maven/deep/b.md", ".moha/maven-x", ".moha/out/c.md", ".moha/out/deep/d.md", "src/e",
    ] {
      try scratch.write(name, name)
    }
    try scratch.commit("first")
    return scratch
  }

  private func index(_ scratch: GitScratch, below folder: GitPath = .root) async throws -> CheckoutIndex {
    try await scratch.open().checkoutIndex(below: folder)
  }

  private func tree(_ scratch: GitScratch, _ folder: GitPath) async throws -> String? {
    let repository = try scratch.open()
    return try await repository.subtree(of: folder, in: repository.checkoutIndex())?.description
  }

  @Test("all entries of every form are those of git ls-files", arguments: IndexForm.allCases)
  func entries(form: IndexForm) async throws {
    let scratch = try repository()
    try scratch.write("src/left", "left")
    try scratch.commit("left")
    if form != .patterns { try form.prepare(scratch) }
    try scratch.write("src/added", "added")
    try scratch.write("src/e", "changed")
    try scratch.git("add", "src")
    try scratch.git("rm", "-q", "--cached", ".moha/maven/a.md")
    try form.finish(scratch)
    let file = try #require(await index(scratch).file)
    let lines = try scratch.gitBytes(
      ["ls-files", "-s", "-z"] + (form.isSparse ? ["--sparse"] : [])
    ).split(separator: 0)
    let found = (0..<file.count).map { position in
      let entry = file.entry(at: position)
      let mode = String(entry.mode, radix: 8)
      return Array("\(mode.count < 6 ? "0" : "")\(mode) \(entry.id) \(entry.stage)\t".utf8) + file.path(at: position)
    }
    #expect(found == lines.map { Array($0) })
    // The snapshot's cache works: nothing that git knows is hashed, but for what is as new as the index.
    let snapshot = try await scratch.open().snapshot(under: ".moha")
    let racy = (0..<file.count).count { file.modified(at: $0) >= file.modified(at: 0) }
    #expect(snapshot.hashedCount <= racy)
  }

  @Test("a file that a sparse checkout leaves out is no removal", arguments: [IndexForm.sparse, .cone, .patterns])
  func leftOut(form: IndexForm) async throws {
    let scratch = try repository()
    try scratch.write("src/left", "left")
    try scratch.commit("left")
    try form.prepare(scratch)
    let index = try await index(scratch)
    #expect(index.condition == .whole)
    for path: GitPath in [".moha/out/c.md", ".moha/out/deep/d.md"] {
      #expect(index.isLeftOut(path))
      #expect(index.absence(of: path) == .leftOut)
    }
    for path: GitPath in [".moha/maven/a.md", ".moha/maven/deep/b.md", "src/e", "nowhere", ".moha", ".moha/ou"] {
      #expect(!index.isLeftOut(path))
      #expect(index.absence(of: path) == .removed)
    }
    // Where only a part of the index is asked for, the folder that stands for it is a part of it.
    let below = try await self.index(scratch, below: ".moha")
    #expect(below.isLeftOut(".moha/out/deep/d.md"))
  }

  @Test("a commit of the working tree takes nothing out that is left out", arguments: IndexForm.allCases)
  func notDeleted(form: IndexForm) async throws {
    let scratch = try repository()
    try scratch.write("src/left", "left")
    try scratch.commit("left")
    try form.prepare(scratch)
    try scratch.write(".moha/maven/new.md", "new")
    try scratch.remove(".moha/maven/a.md")
    let repository = try scratch.open()
    let outcome = try await repository.commit(
      CommitRequest(
        changes: .workTree(try await repository.snapshot(under: ".moha")) { _ in nil }, message: "maven: a test"))
    #expect(outcome.commit != nil)
    #expect(try scratch.git("diff", "--name-status", "HEAD^", "HEAD") == "D\t.moha/maven/a.md\nA\t.moha/maven/new.md")
    let skipped: [GitPath] = form.leavesOut ? [".moha/out/c.md", ".moha/out/deep/d.md"] : []
    #expect(outcome.skipped == skipped.map { CommitOutcome.Skipped(path: $0, reason: .sparse) })
    #expect(try scratch.status() == "")
    try scratch.expectSound()
  }

  @Test("the tree of a folder is that which git would write", arguments: IndexForm.allCases)
  func subtree(form: IndexForm) async throws {
    let scratch = try repository()
    try scratch.write("src/left", "left")
    try scratch.commit("left")
    try form.prepare(scratch)
    try scratch.write(".moha/maven/later", "x")
    // With both, `git write-tree` of 2.39 crashes.
    if !form.isSparse { try scratch.git("add", "-N", ".moha/maven/later") }
    try scratch.write(".moha/maven/deep/staged", "x")
    try scratch.git("add", ".moha/maven/deep/staged")
    let top = try scratch.git("write-tree")
    for folder: GitPath in [".moha", ".moha/maven", ".moha/maven/deep", ".moha/out", ".moha/out/deep", "src"] {
      #expect(try await tree(scratch, folder) == scratch.git("rev-parse", "\(top):\(folder)"))
    }
    #expect(try await tree(scratch, .root) == top)
    #expect(try await tree(scratch, "nowhere") == ObjectID.emptyTree.description)
    #expect(try await tree(scratch, ".moha/out/nowhere") == ObjectID.emptyTree.description)
    #expect(try await tree(scratch, "src/e") == nil)
    #expect(try await tree(scratch, ".moha/out/c.md") == nil)
  }

  @Test("a folder with a conflict makes no tree, and the conflict's paths are listed")
  func conflicts() async throws {
    let scratch = try repository()
    try scratch.addConflict(".moha/maven/deep/x")
    try scratch.addConflict(".moha/maven/w")
    try scratch.addConflict("src/e")
    let index = try await index(scratch)
    #expect(index.conflicts(below: ".moha") == [".moha/maven/deep/x", ".moha/maven/w"])
    #expect(index.conflicts(below: ".moha/maven/deep") == [".moha/maven/deep/x"])
    #expect(index.conflicts(below: "src/e") == ["src/e"])
    #expect(index.conflicts(below: ".moha/out") == [])
    #expect(try await tree(scratch, ".moha") == nil)
    #expect(try await tree(scratch, ".moha/out") == scratch.git("rev-parse", "HEAD:.moha/out"))
  }

  @Test("without an index nothing was checked out")
  func missing() async throws {
    let scratch = try repository()
    try scratch.remove(".git/index")
    let index = try await index(scratch)
    #expect(index.condition == .missing)
    #expect(index.absence(of: ".moha/maven/a.md") == .removed)
    #expect(try await tree(scratch, ".moha") == ObjectID.emptyTree.description)
  }
}
