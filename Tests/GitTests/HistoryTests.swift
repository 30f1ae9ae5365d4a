internal import Git
internal import TestSupport
internal import Testing

@Suite("History")
struct HistoryTests {
  private func id(_ hex: some StringProtocol) throws -> ObjectID { try #require(ObjectID(hex: hex)) }

  /// The commits that git lists for a path, without merges, for which git's rule is another one.
  private func log(_ scratch: GitScratch, _ path: String) throws -> [String] {
    try scratch.git("log", "--full-history", "--no-merges", "--date-order", "--format=%H", "HEAD", "--", path)
      .split(separator: "\n").map(String.init)
  }

  @Test(
    "a random history with merges, deletions and equal dates is that of git log --full-history",
    arguments: UInt64(1)...6)
  func agreesWithGit(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try GitScratch()
    let names = ["d/a", "d/b", "d/sub/c", "e"]
    // fast-import: forty commits in one process. Marks 1… are the commits.
    var stream = ""
    var contents: [[String: Int]] = [[:]]
    for mark in 1...40 {
      var parents: [Int] = []
      if mark > 1 { parents.append(Int.random(in: max(1, mark - 4)..<mark, using: &random)) }
      if mark > 4, Int.random(in: 0..<3, using: &random) == 0 {
        let other = Int.random(in: max(1, mark - 4)..<mark, using: &random)
        if !parents.contains(other) { parents.append(other) }
      }
      var tree = parents.first.map { contents[$0] } ?? [:]
      if let other = parents.dropFirst().first {
        // The merge takes each file from a random side.
        for name in names where Bool.random(using: &random) { tree[name] = contents[other][name] }
      }
      if parents.count < 2 || Int.random(in: 0..<4, using: &random) == 0 {
        let name = names.randomElement(using: &random) ?? "e"
        tree[name] = Int.random(in: 0..<4, using: &random) == 0 ? nil : Int.random(in: 0..<3, using: &random)
      }
      contents.append(tree)
      let time = 1_600_000_000 + mark * Int.random(in: 0...1, using: &random) + mark / 3 * 5
      stream += "commit refs/heads/main\nmark :\(mark)\ncommitter C <c@example.org> \(time) +0000\ndata 1\nx\n"
      for (index, parent) in parents.enumerated() { stream += index == 0 ? "from :\(parent)\n" : "merge :\(parent)\n" }
      stream += "deleteall\n"
      for (name, value) in tree.sorted(by: { $0.key < $1.key }) {
        stream += "M 100644 inline \(name)\ndata 1\n\(value)\n"
      }
      stream += "\n"
    }
    // Moving the branch back and forth is what a random parent means.
    _ = try scratch.git(["fast-import", "--quiet", "--force"], input: Array(stream.utf8))
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let head = try await repository.resolve("HEAD")
    for name in names {
      let revisions = try await repository.history(of: GitPath(name), from: head)
      let ordinary = revisions.filter { $0.commit.parents.count < 2 }
      #expect(Set(ordinary.map(\.commit.id.description)) == Set(try log(scratch, name)), "\(name)")
      // No commit before its child.
      var position: [ObjectID: Int] = [:]
      for (index, revision) in revisions.enumerated() { position[revision.commit.id] = index }
      for (index, revision) in revisions.enumerated() {
        for parent in revision.commit.parents { #expect(position[parent, default: Int.max] > index) }
        let entry = try await repository.entry(at: GitPath(name), inTree: revision.commit.tree)
        #expect(entry?.id == revision.blob)
        for parent in revision.commit.parents {
          let before = try await repository.entry(at: GitPath(name), inTree: repository.commit(parent).tree)
          #expect(before != entry)
        }
      }
      // The same commits come out of the folder's history.
      let all = try await repository.history(under: .root, from: head)
      #expect(all.filter { $0.changes.contains { $0.path == GitPath(name) } }.map(\.commit) == revisions.map(\.commit))
      let last = try await repository.lastCommits(touching: [GitPath(name), "never"], from: head)
      #expect(last == (revisions.first.map { [GitPath(name): $0.commit] } ?? [:]))
    }
    let below = try await repository.history(under: "d", from: head)
    let expected = try await repository.history(under: .root, from: head)
      .map { ($0.commit, $0.changes.filter { $0.path.isInside("d") }) }.filter { !$0.1.isEmpty }
    #expect(below.map(\.commit) == expected.map(\.0))
    #expect(below.map(\.changes) == expected.map(\.1))
  }

  @Test("what was deleted, and what a merge did not take, is still found, newest first")
  func nothingLost() async throws {
    let scratch = try GitScratch()
    try scratch.write("log", "base\n")
    let base = try scratch.commit("base")
    try scratch.git("checkout", "--quiet", "-b", "side")
    try scratch.write("log", "base\nside\n")
    let side = try scratch.commit("side")
    try scratch.git("checkout", "--quiet", "main")
    try scratch.write("other", "x")
    try scratch.commit("other")
    scratch.setDate()
    try scratch.git("merge", "--quiet", "--no-edit", "-s", "ours", "side")
    try scratch.git("rm", "--quiet", "log")
    let gone = try scratch.commit("gone")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let revisions = try await repository.history(of: "log", from: repository.resolve("HEAD"))
    #expect(revisions.map(\.commit.id.description) == [gone, side, base])
    #expect(revisions.map { $0.blob == nil } == [true, false, false])
    let last = try await repository.lastCommits(touching: ["log", "other", "never"], from: repository.resolve("HEAD"))
    #expect(last.mapValues(\.message) == ["log": "gone\n", "other": "other\n"])
  }

  @Test("a merge that has bytes of neither side is listed")
  func evilMerge() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "base\n")
    try scratch.commit("base")
    try scratch.git("checkout", "--quiet", "-b", "side")
    try scratch.write("f", "side\n")
    try scratch.commit("side")
    try scratch.git("checkout", "--quiet", "main")
    try scratch.write("f", "main\n")
    try scratch.commit("main")
    #expect(throws: ChildProcess.Failure.self) { try scratch.git("merge", "side") }
    try scratch.write("f", "both\n")
    try scratch.write("clean", "only the merge has it\n")
    let merge = try scratch.commit("merge")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let head = try await repository.resolve("HEAD")
    let revisions = try await repository.history(of: "f", from: head)
    #expect(revisions.map(\.commit.message) == ["merge\n", "main\n", "side\n", "base\n"])
    let changes = try await repository.history(under: .root, from: head)
    #expect(changes.first?.commit.id.description == merge)
    #expect(changes.first?.changes.map(\.path) == ["clean", "f"])
  }

  @Test("the history of a shallow clone ends at its boundary without an error")
  func shallow() async throws {
    let scratch = try GitScratch()
    for number in 0..<5 {
      try scratch.write("f", "\(number)")
      try scratch.commit("commit \(number)")
    }
    let clone = scratch.base + "/clone"
    try scratch.git("clone", "--quiet", "--depth", "2", "file://" + scratch.path, clone)
    let repository = try Repository(at: clone, configuration: .hermetic)
    let head = try await repository.resolve("HEAD")
    #expect(try await repository.isShallow)
    #expect(try await repository.history(of: "f", from: head).map(\.commit.message) == ["commit 4\n", "commit 3\n"])
    #expect(try await repository.history(under: .root, from: head).count == 2)
    let oldest = try await repository.resolve("HEAD~1")
    #expect(try await repository.commit(oldest).parents.isEmpty)
    #expect(try await repository.isAncestor(oldest, of: head))
    #expect(try await !repository.isAncestor(head, of: oldest))
    let cut = try id(try scratch.git("rev-parse", "HEAD~4"))
    #expect(try await !repository.commitExists(cut))
    #expect(try await !repository.isAncestor(cut, of: head))
    let full = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(try await !full.isShallow)
  }

  @Test("a parent that is missing without being cut off is an error")
  func brokenHistory() async throws {
    let scratch = try GitScratch()
    let first = try scratch.commit("first")
    try scratch.commit("second")
    try scratch.remove(".git/objects/\(first.prefix(2))/\(first.dropFirst(2))")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let head = try await repository.resolve("HEAD")
    let error = await #expect(throws: GitError.self) { try await repository.history(of: "f", from: head) }
    #expect(error?.code == .missingObject)
  }

  @Test("blame gives each line to the commit that git blame names")
  func blame() async throws {
    let scratch = try GitScratch()
    try scratch.write("d/f", "one\ntwo\nthree\nfour\n")
    try scratch.commit("first")
    try scratch.write("d/f", "one\nTWO\nthree\nfour\nfive\n")
    try scratch.commit("second")
    try scratch.write("d/f", "zero\none\nTWO\nthree\nfour\nfive")
    try scratch.commit("third")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    for revision in ["HEAD", "HEAD~1"] {
      let hunks = try await repository.blame("d/f", at: repository.resolve(revision))
      let lines = hunks.flatMap { Array(repeating: $0.commit.description, count: $0.lineCount) }
      let expected = try scratch.git("blame", "-l", "--root", "-s", revision, "--", "d/f").split(separator: "\n")
        .map { String($0.prefix(40)) }
      #expect(lines == expected)
      #expect(hunks.first?.startLine == 1)
      #expect(hunks.allSatisfy { $0.author.name == "Test Author" })
    }
    for path: GitPath in ["nowhere", "d", "", "d/f\0x", "../x"] {
      let error = await #expect(throws: GitError.self) {
        try await repository.blame(path, at: repository.resolve("HEAD"))
      }
      #expect(error?.code == .notFound)
    }
  }
}
