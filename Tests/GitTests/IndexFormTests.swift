internal import Git
internal import TestSupport
internal import Testing

/// Whatever a person has done to the index, and whatever form it has, git itself finds after a commit of ours what it
/// found before, but for what was committed.
@Suite("A commit beside any kind of index")
struct IndexFormTests {
  /// Files of the repository, a third of them ours.
  private static func repository() throws -> GitScratch {
    let scratch = try GitScratch()
    for number in 0..<6 {
      try scratch.write("src/\(number)", "\(number)\n")
      try scratch.write(".moha/maven/\(number).md", "\(number)\n")
      try scratch.write(".moha/out/\(number).md", "\(number)\n")
    }
    try scratch.write("src/left", "left\n")
    try scratch.write("src/deep/er/file", "deep\n")
    try scratch.write("README.md", "top\n")
    try scratch.commit("first")
    return scratch
  }

  /// What a person may do, outside of our folder or to a path in it that no commit of ours touches.
  private func work(
    _ scratch: GitScratch, _ form: IndexForm, _ random: inout SeededGenerator, step: Int
  ) throws {
    let file = "src/\(random.below(6))"
    switch random.below(10) {
    case 0:
      try scratch.write(file, "staged \(step)\n")
      try scratch.git("add", file)
    case 1:
      try scratch.write("src/new\(step)", "new\n")
      try scratch.git("add", "src/new\(step)")
    case 2: try scratch.git("rm", "-q", "--cached", "--ignore-unmatch", file)
    // Git 2.39 itself ruins a sparse index with such an entry when it writes it.
    case 3 where !form.isSparse:
      try scratch.write("src/later\(step)", "later\n")
      try scratch.git("add", "-N", "src/later\(step)")
    case 4: try scratch.git("update-index", "--assume-unchanged", "README.md")
    case 5: try scratch.addConflict("src/conflict\(step)")
    case 6: try scratch.write(file, "dirty \(step)\n")
    case 7:
      try scratch.write(".moha/maven/persons.md", "a person's \(step)\n")
      try scratch.git("add", ".moha/maven/persons.md")
    case 8: try scratch.git("update-index", "--skip-worktree", "src/left")
    default: _ = try scratch.status()
    }
  }

  /// All that git knows of what is not ours: ids, stages, flags, `stat` data.
  private func foreign(_ scratch: GitScratch) throws -> [UInt8] {
    try scratch.gitBytes(["ls-files", "--stage", "--debug", "-v", "-z", "--", ":!.moha", ".moha/maven/persons.md"])
  }

  private func staged(_ scratch: GitScratch) throws -> [UInt8] {
    try scratch.gitBytes(["diff", "--cached", "--raw", "--abbrev=40"])
  }

  /// A commit of ours, and the files that it is of.
  private func request(
    _ scratch: GitScratch, _ random: inout SeededGenerator, step: Int
  ) throws -> [GitPath: String?] {
    var files: [GitPath: String?] = [:]
    let count = 1 + random.below(3)
    while files.count < count {
      let folder = random.below(3) == 0 ? "out" : "maven"
      let isNew = random.below(2) == 0
      let name = isNew ? "new\(step)-\(files.count).md" : "\(random.below(6)).md"
      let path = ".moha/\(folder)/\(name)"
      if isNew || random.below(3) > 0 {
        let text = "ours \(step) \(files.count)\n"
        files[GitPath(path)] = text
        // Git asks for no file that is left out.
        let isLeftOut = try scratch.git("ls-files", "-t", path).hasPrefix("S")
        if !isLeftOut || random.below(2) == 0 { try scratch.write(path, text) }
      } else {
        files[GitPath(path)] = .some(nil)
        _ = try ChildProcess.run("rm", ["-f", scratch.absolute(path)])
      }
    }
    return files
  }

  @Test(
    "a person's flags and staged work stay, and their next commit undoes nothing", arguments: IndexForm.allCases,
    UInt64(1)...3)
  func beside(form: IndexForm, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed &* 1_000 &+ UInt64(form.rawValue.utf8.count))
    let scratch = try Self.repository()
    try form.prepare(scratch)
    for step in 0..<3 {
      for _ in 0..<random.below(5) { try work(scratch, form, &random, step: step) }
      try form.finish(scratch)
      let files = try request(scratch, &random, step: step)
      let (before, stagedBefore) = (try foreign(scratch), try staged(scratch))
      let outcome = try await scratch.open().commit(.files(files))
      let head = try scratch.head()
      #expect(outcome.commit != nil || outcome.result == .unchanged(head))
      #expect(try foreign(scratch) == before)
      // Ours are no difference between HEAD and the index, and what was staged still is.
      #expect(try staged(scratch) == stagedBefore)
      #expect(try scratch.status(of: files) == "")
      try scratch.expectSound()
    }
    // A person's next commit, of what is staged and of something else.
    for line in try scratch.git("ls-files", "--unmerged").split(separator: "\n") {
      let path = String(line.split(separator: "\t")[1])
      if try scratch.git("ls-files", "--unmerged", path) != "" { try scratch.git("rm", "-q", "--cached", path) }
    }
    try scratch.write("src/last", "last\n")
    try scratch.git("add", "src/last")
    let expected = try scratch.git("diff", "--cached", "--name-only")
    let ours = try scratch.git("ls-tree", "-r", "HEAD", ".moha")
    try scratch.commitStaged("a person's")
    #expect(try scratch.git("diff", "--name-only", "HEAD^", "HEAD") == expected)
    #expect(
      try scratch.git("ls-tree", "-r", "HEAD", ".moha").split(separator: "\n").filter { !$0.hasSuffix("/persons.md") }
        == ours.split(separator: "\n").filter { !$0.hasSuffix("/persons.md") })
    try scratch.expectSound()
  }

  @Test("the forms are those that they are called")
  func forms() throws {
    for (form, name) in [
      (IndexForm.split, "link"), (.compressedSplit, "link"), (.alwaysSplit, "link"), (.sparse, "sdir"),
      (.compressedSparse, "sdir"), (.untrackedCache, "UNTR"), (.fileMonitor, "FSMN"), (.threads, "IEOT"),
      (.unknownExtension, "ZZZZ"),
    ] {
      let scratch = try Self.repository()
      try form.prepare(scratch)
      try scratch.write("src/1", "1!\n")
      try scratch.git("add", "src/1")
      try form.finish(scratch)
      #expect(try scratch.extensionNames().contains(name), "\(form)")
    }
  }
}

extension GitScratch {
  fileprivate func head() throws -> ObjectID? { ObjectID(hex: try git("rev-parse", "HEAD")) }

  /// What git says of these files, staged or not.
  fileprivate func status(of files: [GitPath: String?]) throws -> String {
    try git(["status", "--porcelain", "--untracked-files=all", "--"] + files.keys.sorted().map(\.description))
  }
}
