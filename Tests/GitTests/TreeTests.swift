internal import Git
internal import TestSupport
internal import Testing

@Suite("Trees")
struct TreeTests {
  /// Names that break the tools that split lines, fold cases or decode text.
  private static let oddNames: [[UInt8]] = [
    Array("caf\u{e9}.md".utf8), Array("cafe\u{301}.md".utf8), [0xff, 0xfe, 0x2e, 0x6d, 0x64], Array("a b".utf8),
    Array("line\nbreak".utf8), Array("-dash".utf8), Array("a".utf8), Array("a.b".utf8), Array("a0/x".utf8),
    Array("d/e/f/g".utf8), Array("d.e".utf8), Array("d/e.f".utf8), Array("d0".utf8), Array("quo\"te\\".utf8),
    Array("\u{1}\u{7f}".utf8), Array("Upper".utf8), Array("upper".utf8),
  ]

  @Test("files are those of git ls-tree -r, in its order, with every kind of entry and of name")
  func listing() async throws {
    let scratch = try GitScratch()
    for (index, name) in TreeTests.oddNames.enumerated() { try scratch.write(name, Array("content \(index)".utf8)) }
    try scratch.write("run.sh", "#!/bin/sh\n")
    try scratch.git("add", "--all")
    try scratch.git("update-index", "--chmod=+x", "run.sh")
    let link = try scratch.git(["hash-object", "-w", "--stdin"], input: Array("target".utf8))
    try scratch.git("update-index", "--add", "--cacheinfo", "120000,\(link),d/link")
    try scratch.git("update-index", "--add", "--cacheinfo", "160000,\(String(repeating: "1", count: 40)),d/module")
    try scratch.commitStaged("all")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let tree = try await repository.commit(repository.resolve("HEAD")).tree
    let files = try await repository.files(inTree: tree)
    #expect(files == (try lsTree(scratch, "HEAD")))
    #expect(files.map(\.path) == files.map(\.path).sorted())
    #expect(Set(files.map(\.mode)) == [.regular, .executable, .symlink, .submodule])

    let below = try await repository.files(inTree: tree, under: "d")
    #expect(below == files.filter { $0.path.isInside("d") })
    #expect(try await repository.files(inTree: tree, under: "nowhere").isEmpty)
    #expect(try await repository.files(inTree: tree, under: "a").isEmpty)
    #expect(try await repository.files(inTree: .emptyTree).isEmpty)
    for file in files { #expect(try await repository.entry(at: file.path, inTree: tree) == file) }
    #expect(try await repository.entry(at: "d/e", inTree: tree)?.mode == .tree)
    for absent: GitPath in ["d/e/f/g/h", "d/e/x", "", "d/", "/d", "D"] {
      #expect(try await repository.entry(at: absent, inTree: tree) == nil)
    }
  }

  @Test("the difference of two random trees is that of git diff-tree", arguments: UInt64(1)...8)
  func difference(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try GitScratch()
    let names = ["a", "a/x", "a/y/z", "a.b", "b/c", "b/d", "b/e/f", "b0", "c", "c/d", "é", "\u{65}\u{301}"]
    var commits: [ObjectID] = []
    for step in 0..<3 {
      try scratch.git("read-tree", "--empty")
      for name in names.shuffled(using: &random).prefix(8) {
        let id = try scratch.git(
          ["hash-object", "-w", "--stdin"], input: Array("\(Int.random(in: 0..<2, using: &random))".utf8))
        let mode = Bool.random(using: &random) ? "100644" : "100755"
        // A file and a folder of one name cannot both be: git refuses the later one.
        _ = try? scratch.git("update-index", "--add", "--cacheinfo", "\(mode),\(id),\(name)")
      }
      commits.append(try #require(ObjectID(hex: try scratch.commitStaged("step \(step)"))))
    }
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    for old in commits {
      for new in commits {
        let oldTree = try await repository.commit(old).tree
        let newTree = try await repository.commit(new).tree
        let changes = try await repository.difference(from: oldTree, to: newTree)
        let expected = try scratch.gitBytes(
          ["diff-tree", "-r", "--no-renames", "--name-only", "-z", old.description, new.description]
        ).split(separator: 0).map { GitPath(Array($0)) }
        #expect(changes.map(\.path) == expected)
        for change in changes {
          #expect(
            change.old
              == (try await repository.entry(at: change.path, inTree: oldTree).flatMap { $0.mode == .tree ? nil : $0 }))
          #expect(
            change.new
              == (try await repository.entry(at: change.path, inTree: newTree).flatMap { $0.mode == .tree ? nil : $0 }))
          #expect(change.old != change.new)
        }
        for folder: GitPath in ["a", "b", "b/e", "a.b", "nowhere"] {
          let below = try await repository.difference(from: oldTree, to: newTree, under: folder)
          #expect(below == changes.filter { $0.path.isInside(folder) })
        }
      }
      let tree = try await repository.commit(old).tree
      let files = try await repository.files(inTree: tree)
      #expect(try await repository.difference(from: nil, to: tree).compactMap(\.new) == files)
      #expect(try await repository.difference(from: tree, to: nil).compactMap(\.old) == files)
    }
  }

  @Test(
    "a tree that git would not write is corrupt, not a wrong answer",
    arguments: [
      "100644 b\0I100644 a\0I", "100644 a\0I100644 a\0I", "100644 a/b\0I", "100644 ..\0I", "100644 .\0I", "100644 \0I",
      "100648 a\0I", "1006440000 a\0I", "999999 a\0I", "100644 a\0short", "100644 a", "100644",
      "40000 a\0T100644 a.\0I",
      "110000 a\0I",
    ])
  func malformed(encoded: String) async throws {
    let scratch = try GitScratch()
    var bytes: [UInt8] = []
    for byte in encoded.utf8 {
      switch byte {
      case UInt8(ascii: "I"): bytes += ObjectID.emptyBlob.bytes
      case UInt8(ascii: "T"): bytes += ObjectID.emptyTree.bytes
      default: bytes.append(byte)
      }
    }
    let id = try scratch.git(["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], input: bytes)
    let tree = try #require(ObjectID(hex: id))
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let listing = await #expect(throws: GitError.self) { try await repository.files(inTree: tree) }
    #expect(listing?.code == .corrupt)
    let difference = await #expect(throws: GitError.self) { try await repository.difference(from: nil, to: tree) }
    #expect(difference?.code == .corrupt)
  }

  @Test("a tree nested without measure is refused, and the thread's stack holds")
  func deep() async throws {
    let scratch = try GitScratch()
    // Only loose objects made here: 1,100 runs of git would take long. The builder's ids are git's own.
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let path = GitPath(Array(String(repeating: "d/", count: 1_100).utf8) + [UInt8(ascii: "f")])
    let stream =
      "blob\nmark :1\ndata 0\n\ncommit refs/heads/main\ncommitter C <c@example.org> 1600000000 +0000\n"
      + "data 1\nx\nM 100644 :1 \(path)\n\n"
    _ = try scratch.git(["fast-import", "--quiet"], input: Array(stream.utf8))
    let tree = try await repository.commit(repository.resolve("main")).tree
    let error = await #expect(throws: GitError.self) { try await repository.files(inTree: tree) }
    #expect(error?.code == .unsupported)
    #expect(try await repository.entry(at: path, inTree: tree)?.id == .emptyBlob)
  }

  @Test("a missing and a damaged object are errors with their code")
  func damagedObjects() async throws {
    let scratch = try GitScratch()
    try scratch.write("d/f", "text")
    try scratch.commit("one")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let head = try await repository.resolve("HEAD")
    let tree = try await repository.commit(head).tree
    let folder = try #require(try await repository.entry(at: "d", inTree: tree))
    let blob = ObjectID.blob(Array("text".utf8))
    let blobFile = ".git/objects/\(blob.description.prefix(2))/\(blob.description.dropFirst(2))"
    try ChildProcess.runChecked("chmod", ["644", scratch.absolute(blobFile)])
    try scratch.write(blobFile, "not zlib")
    let damaged = await #expect(throws: GitError.self) { try await repository.blob(blob, limit: 100) }
    #expect(damaged?.code == .corrupt, "\(damaged as Any)")
    try scratch.remove(".git/objects/\(folder.id.description.prefix(2))/\(folder.id.description.dropFirst(2))")
    let missing = await #expect(throws: GitError.self) { try await repository.files(inTree: tree) }
    #expect(missing?.code == .missingObject)
    let wrongType = await #expect(throws: GitError.self) { try await repository.files(inTree: head) }
    #expect(wrongType?.code == .invalidSpec)
  }

  @Test("a blob is read whole up to the limit, and refused beyond it without being loaded")
  func blobLimit() async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "12345")
    try scratch.commit("one")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let id = ObjectID.blob(Array("12345".utf8))
    #expect(try await repository.blob(id, limit: 5) == Array("12345".utf8))
    #expect(try await repository.blob(id, limit: .max) == Array("12345".utf8))
    let tree = try await repository.commit(repository.resolve("HEAD")).tree
    for limit in [1_000, Int.max] {
      let wrongType = await #expect(throws: GitError.self) { try await repository.blob(tree, limit: limit) }
      #expect(wrongType?.code == .invalidSpec)
      let missing = await #expect(throws: GitError.self) { try await repository.blob(.zero, limit: limit) }
      #expect(missing?.code == .missingObject)
    }
    let error = await #expect(throws: GitError.self) { try await repository.blob(id, limit: 4) }
    #expect(error?.code == .tooLarge)
  }
}

/// The entries that `git ls-tree -r` prints for a revision.
func lsTree(_ scratch: GitScratch, _ revision: String) throws -> [TreeEntry] {
  try scratch.gitBytes(["ls-tree", "-r", "-z", "--full-tree", revision]).split(separator: 0).map { line in
    let tab = try #require(line.firstIndex(of: 9))
    let fields = String(decoding: line[..<tab], as: UTF8.self).split(separator: " ")
    let mode = try #require(UInt32(fields[0], radix: 8).flatMap { FileMode(rawMode: $0) })
    let id = try #require(ObjectID(hex: fields[2]))
    return TreeEntry(path: GitPath(Array(line[(tab + 1)...])), id: id, mode: mode)
  }
}
