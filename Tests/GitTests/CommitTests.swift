internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

@Suite("Committing files")
struct CommitTests {
  @Test("a commit holds the given bytes, and every other entry of the tree is the parent's")
  func basic() async throws {
    let scratch = try GitScratch.withHistory()
    let parent = try scratch.git("rev-parse", "HEAD")
    let before = try scratch.git("ls-tree", "-r", "HEAD")
    let outcome = try await scratch.open().commit(
      .files([".moha/maven/decisions/decision_2.md": "two\n", ".moha/notes": nil, ".moha/maven/identity.json": "{1}\n"])
    )
    #expect(outcome.changedCount == 3)
    #expect(try scratch.git("rev-parse", "HEAD") == outcome.commit)
    #expect(try scratch.git("rev-parse", "HEAD^") == parent)
    #expect(try scratch.git("show", "HEAD:.moha/maven/decisions/decision_2.md") == "two")
    #expect(
      try scratch.git("diff", "--name-status", "HEAD^", "HEAD")
        == "M\t.moha/maven/identity.json\nA\t.moha/maven/decisions/decision_2.md\nD\t.moha/notes"
        || scratch.git("diff", "--name-status", "HEAD^", "HEAD").split(separator: "\n").count == 3)
    let after = try scratch.git("ls-tree", "-r", "HEAD")
    let kept = before.split(separator: "\n").filter { !$0.contains(".moha") }
    #expect(after.split(separator: "\n").filter { !$0.contains(".moha") } == kept)
    try scratch.expectSound()
    try scratch.expectTidy()
  }

  @Test("the tree is the one that git makes of the same files")
  func sameTree() async throws {
    let scratch = try GitScratch.withHistory()
    // Names around `/` in the order of bytes, and a folder that becomes a file.
    let files: [GitPath: String?] = [
      ".moha/a": "1", ".moha/a.b": "2", ".moha/a-b": "3", ".moha/x/y/z": "4", ".moha/x.y": "5", ".moha/x0": "6",
      ".moha/maven/decisions/decision_1.md": nil, ".moha/maven/decisions": "file",
    ]
    _ = try await scratch.open().commit(.files(files))
    try scratch.git("rm", "-rq", "--cached", ".moha/maven/decisions")
    try scratch.git("checkout", "-q", "-f", "HEAD")
    try scratch.git("add", "--all", "--force")
    #expect(try scratch.git("write-tree") == scratch.git("rev-parse", "HEAD^{tree}"))
    // And back again: a file becomes a folder.
    _ = try await scratch.open().commit(
      .files([".moha/a": nil, ".moha/a/b": "1", ".moha/maven/decisions": nil, ".moha/maven/decisions/d.md": "d"]))
    try scratch.git("checkout", "-q", "-f", "HEAD")
    try scratch.git("read-tree", "--reset", "-u", "HEAD")
    try scratch.expectSound()
    #expect(try scratch.git("show", "HEAD:.moha/a/b") == "1")
    #expect(try scratch.git("show", "HEAD:.moha/maven/decisions/d.md") == "d")
  }

  @Test("random edits give the tree that git computes", arguments: UInt64(1)...12)
  func randomEdits(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try GitScratch()
    let repository = try scratch.open()
    let names = ["a", "a.b", "a-b", "a0", "b", "b/c", "b.c", "b0", "c/d/e", "c/d", "c", "c/d0/e/f"]
    var model: [String: String] = [:]
    for step in 0..<8 {
      var changes: [GitPath: String?] = [:]
      for name in names where Bool.random(using: &random) {
        changes[GitPath(".moha/\(name)")] = Int.random(in: 0..<3, using: &random) == 0 ? .some(nil) : "\(step)"
      }
      var next = model
      for (path, content) in changes { next[path.description] = content }
      // A set that git could not check out is refused as a whole.
      let isPossible = !next.keys.contains { key in next.keys.contains { $0.hasPrefix(key + "/") } }
      if isPossible, !changes.isEmpty {
        _ = try await repository.commit(.files(changes))
        model = next
      } else if !changes.isEmpty {
        let error = await #expect(throws: GitError.self) { try await repository.commit(.files(changes)) }
        #expect(error?.code == .invalidSpec)
      }
      if model.isEmpty { continue }
      let input = model.map { "100644 \(ObjectID.blob(Array($0.value.utf8)))\t\($0.key)\n" }.joined()
      try scratch.git("read-tree", "--empty")
      try scratch.git(["update-index", "--add", "--index-info"], input: Array(input.utf8))
      #expect(try scratch.git("write-tree") == scratch.git("rev-parse", "HEAD^{tree}"))
    }
    if !model.isEmpty { try scratch.expectSound() }
  }

  @Test("a commit of what is there already changes nothing")
  func unchanged() async throws {
    let scratch = try GitScratch.withHistory()
    let head = try scratch.git("rev-parse", "HEAD")
    let outcome = try await scratch.open().commit(.files([".moha/notes": "notes\n", ".moha/none": nil]))
    #expect(outcome.result == .unchanged(ObjectID(hex: head)))
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    #expect(try scratch.git("reflog").split(separator: "\n").count == 2)
  }

  @Test("author, committer, date, message and reflogs are as asked for")
  func metadata() async throws {
    let scratch = try GitScratch.withHistory()
    var request = CommitRequest.files([".moha/x": "x"])
    request.author = Signature(name: "Ada <A>", email: "ada@example.org", time: 5, offsetMinutes: -60)
    request.committer = Signature(name: "Carl", email: "carl@example.org", time: 7, offsetMinutes: 0)
    request.message = "maven: 1 decision\n\nTrailer: yes"
    _ = try await scratch.open().commit(request)
    #expect(
      try scratch.git("cat-file", "-p", "HEAD").split(separator: "\n").dropFirst(2).joined(separator: "\n")
        == "author Ada A <ada@example.org> 5 -0100\ncommitter Carl <carl@example.org> 7 +0000\nmaven: 1 decision\nTrailer: yes"
    )
    for name in ["HEAD", "main"] {
      #expect(try scratch.git("log", "-1", "-g", "--format=%gs|%gn", name) == "commit: maven: 1 decision|Carl")
    }
    try scratch.expectSound()
  }

  @Test("without any user.name the last resort signs, and the repository's own settings come before it")
  func identity() async throws {
    let scratch = try GitScratch()
    _ = try await scratch.open().commit(.files([".moha/x": "x"]))
    #expect(
      try scratch.git("log", "-1", "--format=%an <%ae> %cn <%ce> %ai")
        == "moha-sync <moha-sync@localhost> moha-sync <moha-sync@localhost> 2023-11-14 23:43:20 +0130")
    try scratch.git("config", "user.name", "Uma User")
    try scratch.git("config", "author.email", "author@example.org")
    // A signing key that does not exist, and a hook that would fail.
    try scratch.git("config", "commit.gpgsign", "true")
    try scratch.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n")
    chmod(scratch.absolute(".git/hooks/pre-commit"), 0o755)
    _ = try await scratch.open().commit(.files([".moha/x": "y"]))
    #expect(try scratch.git("log", "-1", "--format=%an <%ae> %cn") == "Uma User <author@example.org> Uma User")
    try scratch.expectSound()
  }

  @Test("the first commit makes the branch, and git status is clean after it", arguments: ["main", "deep/branch"])
  func unborn(branch: String) async throws {
    let scratch = try GitScratch("--initial-branch=\(branch)")
    try scratch.write(".moha/maven/identity.json", "{}\n")
    let outcome = try await scratch.open().commit(.files([".moha/maven/identity.json": "{}\n"], parent: .exactly(nil)))
    #expect(try scratch.git("rev-parse", "refs/heads/\(branch)") == outcome.commit)
    #expect(try scratch.git("rev-list", "--count", "HEAD") == "1")
    #expect(try scratch.status() == "")
    try scratch.expectSound()
    try scratch.expectTidy()
  }

  @Test("an expected parent that is not HEAD is refused before anything is written")
  func stale() async throws {
    let scratch = try GitScratch.withHistory()
    let old = try #require(ObjectID(hex: scratch.git("rev-parse", "HEAD^")))
    let objects = try scratch.git("count-objects")
    for parent in [CommitRequest.Parent.exactly(old), .exactly(nil)] {
      let error = await #expect(throws: GitError.self) {
        try await scratch.open().commit(.files([".moha/x": "x"], parent: parent))
      }
      #expect(error?.code == .modified)
      #expect(error?.code.isTransient == true)
    }
    #expect(try scratch.git("count-objects") == objects)
    let head = try #require(ObjectID(hex: scratch.git("rev-parse", "HEAD")))
    _ = try await scratch.open().commit(.files([".moha/x": "x"], parent: .exactly(head)))
    #expect(try scratch.git("rev-parse", "HEAD^") == "\(head)")
  }

  @Test(
    "a path outside of the folder, malformed or reserved is refused",
    arguments: [
      "README.md", ".moha", ".moha/", ".moha//x", "/etc/passwd", ".moha/../x", ".moha/./x", ".mohax/y",
      ".moha/.git/config",
      ".moha/.GIT/x", ".moha/a/.Git", ".moha/git~1/x", ".moha/GIT~1", ".moha/.git. /x",
      ".moha/.git::$INDEX_ALLOCATION/x",
      ".moha/.g\u{200c}it/x", ".moha/a\nb", ".moha/a\u{7f}", ".moha/a\u{85}b", ".moha/-rf", ".moha/a\0b", "",
    ])
  func refusedPaths(path: String) async throws {
    let scratch = try GitScratch.withHistory()
    let head = try scratch.git("rev-parse", "HEAD")
    let objects = try scratch.git("count-objects")
    let error = await #expect(throws: GitError.self) {
      try await scratch.open().commit(.files([".moha/fine": "fine", GitPath(path): "x"]))
    }
    #expect(error?.code == .invalidSpec)
    #expect(error?.description.utf8.allSatisfy { $0 >= 0x20 } == true)
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    #expect(try scratch.git("count-objects") == objects)
  }

  @Test("names that look strange but are harmless are committed as their bytes")
  func strangeNames() async throws {
    let scratch = try GitScratch.withHistory()
    let paths: [GitPath] = [
      GitPath(".moha/caf\u{e9}"), GitPath(".moha/cafe\u{301}"), GitPath(Array(".moha/".utf8) + [0xff, 0xfe]),
      ".moha/.gitx",
      ".moha/a b", ".moha/a:b", ".moha/git~2", ".moha/...", ".moha/\u{1f31f}",
    ]
    let files = Dictionary(uniqueKeysWithValues: paths.map { ($0, String?.some($0.description)) })
    let outcome = try await scratch.open().commit(.files(files))
    #expect(outcome.changedCount == paths.count)
    let listed = try scratch.gitBytes(["ls-tree", "-r", "-z", "--name-only", "HEAD", ".moha/"])
    let names = Set(listed.split(separator: 0).map { Array($0) })
    #expect(paths.allSatisfy { names.contains($0.bytes) })
    try scratch.expectSound()
  }

  @Test("an empty message, a NUL in it, or the root as the folder is refused")
  func refusedRequests() async throws {
    let scratch = try GitScratch.withHistory()
    for message in ["", " \n", "a\0b"] {
      var request = CommitRequest.files([".moha/x": "x"])
      request.message = message
      let error = await #expect(throws: GitError.self) { try await scratch.open().commit(request) }
      #expect(error?.code == .invalidSpec)
    }
    var request = CommitRequest.files([".moha/x": "x"])
    request.folder = .root
    let error = await #expect(throws: GitError.self) { try await scratch.open().commit(request) }
    #expect(error?.code == .invalidSpec)
  }

  @Test("submodules, symbolic links, old modes and executable bits of the parent survive byte for byte")
  func otherEntries() async throws {
    let scratch = try GitScratch.withHistory()
    let commit = try scratch.git("rev-parse", "HEAD")
    symlink("../README.md", scratch.absolute(".moha/link"))
    try scratch.write(".moha/run.sh", "#!/bin/sh\n")
    chmod(scratch.absolute(".moha/run.sh"), 0o755)
    try scratch.git("add", "-A")
    try scratch.git("update-index", "--add", "--cacheinfo", "160000,\(commit),.moha/module")
    try scratch.commitStaged("special")
    // A tree with a mode that git no longer writes.
    let blob = try scratch.git("rev-parse", "HEAD:README.md")
    let id = try #require(ObjectID(hex: blob))
    let old = Array("100664 old".utf8) + [0] + id.bytes
    let tree = try scratch.git(["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], input: old)
    let top = try scratch.gitBytes(["ls-tree", "HEAD"]) + Array("040000 tree \(tree)\told\n".utf8)
    let root = try scratch.git(["mktree"], input: top)
    try scratch.git("reset", "-q", "--soft", scratch.git("commit-tree", "-p", "HEAD", "-m", "old", root))
    let before = try scratch.git("ls-tree", "-r", "HEAD").split(separator: "\n")
    _ = try await scratch.open().commit(.files([".moha/run.sh": "#!/bin/sh\nexit\n", ".moha/z": "z"]))
    let after = try scratch.git("ls-tree", "-r", "HEAD").split(separator: "\n")
    #expect(
      before.filter { !$0.hasSuffix(".moha/run.sh") }
        == after.filter { !$0.hasSuffix(".moha/run.sh") && !$0.hasSuffix(".moha/z") })
    #expect(try scratch.git("ls-tree", "HEAD", ".moha/run.sh").hasPrefix("100755"))
    #expect(try scratch.git("rev-parse", "HEAD:old") == tree)
  }

  @Test("a file is never written through a symbolic link or submodule of the parent, nor over a folder")
  func throughLinks() async throws {
    let scratch = try GitScratch.withHistory()
    symlink("../src", scratch.absolute(".moha/link"))
    try scratch.commit("link")
    for path: GitPath in [".moha/link/a", ".moha/link", ".moha/notes/below", ".moha/maven"] {
      let error = await #expect(throws: GitError.self) { try await scratch.open().commit(.files([path: "x"])) }
      #expect(error?.code == .invalidSpec)
    }
    // Deleting below a file finds nothing.
    let outcome = try await scratch.open().commit(.files([".moha/notes/below": nil]))
    #expect(outcome.commit == nil)
  }

  @Test("an executable file stays one unless told otherwise")
  func modes() async throws {
    let scratch = try GitScratch.withHistory()
    let repository = try scratch.open()
    let path: GitPath = ".moha/run"
    for (isExecutable, expected) in [(true, "100755"), (nil, "100755"), (false, "100644"), (nil, "100644")] {
      var request = CommitRequest.files([:])
      let bytes = Array("\(expected)\(String(describing: isExecutable))".utf8)
      request.changes = .files([path: CommitRequest.FileContent(bytes, isExecutable: isExecutable)])
      _ = try await repository.commit(request)
      #expect(try scratch.git("ls-tree", "HEAD", ".moha/run").hasPrefix(expected))
    }
  }

  @Test("deleting the last file removes the folders that it leaves empty")
  func emptied() async throws {
    let scratch = try GitScratch()
    let repository = try scratch.open()
    _ = try await repository.commit(.files([".moha/a/b/c": "x"]))
    let outcome = try await repository.commit(.files([".moha/a/b/c": nil]))
    #expect(try scratch.git("rev-parse", "HEAD") == outcome.commit)
    #expect(try scratch.git("rev-parse", "HEAD^{tree}") == "\(ObjectID.emptyTree)")
    try scratch.expectSound()
    try scratch.git("read-tree", "--empty")
    _ = try await repository.commit(.files([".moha/a": "x"]))
    try scratch.expectSound()
  }

  @Test("a hundred files in dated folders make one commit of few trees")
  func batch() async throws {
    let scratch = try GitScratch.withHistory()
    var files: [GitPath: String?] = [:]
    for number in 0..<100 { files[GitPath(".moha/maven/decisions/2026/01/14/d_\(number).md")] = "\(number)\n" }
    let before = try scratch.git("rev-list", "--objects", "--all").split(separator: "\n").count
    _ = try await scratch.open().commit(.files(files))
    // 100 blobs, 7 trees, 1 commit.
    #expect(try scratch.git("rev-list", "--objects", "--all").split(separator: "\n").count == before + 108)
    try scratch.expectSound()
  }

  @Test("packed references and objects are read and followed")
  func packed() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.git("gc", "--quiet")
    try scratch.git("pack-refs", "--all")
    let outcome = try await scratch.open().commit(.files([".moha/x": "x"]))
    #expect(try scratch.git("rev-parse", "main") == outcome.commit)
    #expect(try scratch.git("rev-list", "--count", "HEAD") == "3")
    try scratch.expectSound()
  }

  @Test("a bare repository takes commits of files")
  func bare() async throws {
    let scratch = try GitScratch("--bare")
    let outcome = try await scratch.open().commit(.files([".moha/x": "x"]))
    #expect(outcome.index == .untouched)
    #expect(try scratch.git("show", "HEAD:.moha/x") == "x")
    try scratch.expectSound()
  }
}
