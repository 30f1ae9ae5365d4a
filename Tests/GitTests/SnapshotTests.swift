internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

@Suite("Snapshots of the working tree")
struct SnapshotTests {
  /// A repository whose index is newer than its files, so that nothing is uncertain, and how it was made.
  private func settled() throws -> GitScratch {
    let scratch = try GitScratch()
    try scratch.write(".moha/maven/identity.json", "{}\n")
    try scratch.write(".moha/maven/decisions/decision_1.md", "one\n")
    try scratch.write(".moha/maven/decisions/decision_2.md", "two\n")
    try scratch.write(".moha/maven.md", "beside\n")
    try scratch.write("README.md", "top\n")
    try scratch.commit("first")
    try settle(scratch)
    return scratch
  }

  /// Gives the index a modification time after that of every file, as the passing of time does.
  private func settle(_ scratch: GitScratch) throws {
    var status = stat()
    #expect(stat(scratch.absolute(".git/index"), &status) == 0)
    var times = [status.st_atim, timespec(tv_sec: status.st_mtim.tv_sec + 10, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, scratch.absolute(".git/index"), &times, 0) == 0)
  }

  private func open(_ scratch: GitScratch) throws -> Repository {
    try Repository(at: scratch.path, configuration: .hermetic)
  }

  private func headTree(_ repository: Repository) async throws -> ObjectID {
    try await repository.commit(repository.resolve("HEAD")).tree
  }

  @Test("a clean working tree has HEAD's entries, none hashed, and gives HEAD's tree back")
  func clean() async throws {
    let scratch = try settled()
    let repository = try open(scratch)
    let tree = try await headTree(repository)
    for folder: GitPath in [".moha", ".moha/maven", .root] {
      let snapshot = try await repository.snapshot(under: folder)
      #expect(snapshot.entries.map { TreeEntry($0) } == (try await repository.files(inTree: tree, under: folder)))
      #expect(snapshot.hashedCount == 0)
      #expect(snapshot.unreadable.isEmpty)
      #expect(!snapshot.rootMissing)
      #expect(snapshot.entries.allSatisfy { $0.source == .object })
      #expect(try await repository.treeID(replacing: folder, with: snapshot.entries, inTree: tree) == tree)
    }
  }

  @Test("without an index every file is hashed, to the same ids, and the index stays absent")
  func noIndex() async throws {
    let scratch = try settled()
    let repository = try open(scratch)
    let before = try await repository.snapshot(under: ".moha")
    try scratch.remove(".git/index")
    let after = try await repository.snapshot(under: ".moha")
    #expect(after.entries == before.entries)
    #expect(after.hashedCount == 4)
    #expect(access(scratch.absolute(".git/index"), F_OK) != 0)
  }

  @Test("an index that is garbage or has an unknown extension costs time, not truth", arguments: ["garbage", "cut"])
  func brokenIndex(kind: String) async throws {
    let scratch = try settled()
    let repository = try open(scratch)
    let before = try await repository.snapshot(under: ".moha")
    if kind == "cut" { #expect(truncate(scratch.absolute(".git/index"), 100) == 0) }
    if kind == "garbage" { try scratch.write(".git/index", String(repeating: "DIRC\u{7f}\0", count: 50)) }
    let after = try await repository.snapshot(under: ".moha")
    #expect(after.entries == before.entries)
    #expect(after.hashedCount == 4)
  }

  @Test("touching a file changes nothing but that it is hashed again")
  func touch() async throws {
    let scratch = try settled()
    let repository = try open(scratch)
    let before = try await repository.snapshot(under: ".moha")
    var times = [timespec(tv_sec: 1_000_000_000, tv_nsec: 5), timespec(tv_sec: 1_000_000_000, tv_nsec: 5)]
    #expect(utimensat(AT_FDCWD, scratch.absolute(".moha/maven/identity.json"), &times, 0) == 0)
    let after = try await repository.snapshot(under: ".moha")
    #expect(after.entries == before.entries)
    #expect(after.hashedCount == 1)
  }

  @Test("new bytes with the old size and modification time are found")
  func sameSizeAndTime() async throws {
    let scratch = try settled()
    let file = scratch.absolute(".moha/maven/decisions/decision_1.md")
    var status = stat()
    #expect(stat(file, &status) == 0)
    try scratch.write(".moha/maven/decisions/decision_1.md", "ONE\n")
    var times = [status.st_atim, status.st_mtim]
    #expect(utimensat(AT_FDCWD, file, &times, 0) == 0)
    let snapshot = try await open(scratch).snapshot(under: ".moha")
    let entry = try #require(snapshot.entries.first { $0.path == ".moha/maven/decisions/decision_1.md" })
    #expect(entry.id == ObjectID.blob(Array("ONE\n".utf8)))
    #expect(entry.source == .workTree)
    #expect(entry.size == 4)
    #expect(snapshot.hashedCount == 1)
  }

  @Test("an edit in the same tick as the index is found", arguments: 0..<10)
  func racy(round: Int) async throws {
    let scratch = try GitScratch()
    try scratch.write("f", "old\(round)")
    try scratch.git("add", "f")
    try scratch.write("f", "new\(round)")
    let snapshot = try await open(scratch).snapshot(under: .root)
    #expect(snapshot.entries.map(\.id) == [ObjectID.blob(Array("new\(round)".utf8))])
  }

  @Test("a file as new as the index is hashed even if all its data match")
  func racilyClean() async throws {
    let scratch = try settled()
    var status = stat()
    #expect(stat(scratch.absolute("README.md"), &status) == 0)
    var times = [status.st_atim, status.st_mtim]
    #expect(utimensat(AT_FDCWD, scratch.absolute(".git/index"), &times, 0) == 0)
    let snapshot = try await open(scratch).snapshot(under: .root)
    #expect(snapshot.entries.contains { $0.path == "README.md" && $0.id == ObjectID.blob(Array("top\n".utf8)) })
    #expect(snapshot.hashedCount >= 1)
  }

  @Test("a file that is only announced with git add -N has its own id, not that of an empty file")
  func intentToAdd() async throws {
    let scratch = try settled()
    try scratch.write("new", "content")
    try scratch.git("add", "-N", "new")
    try settle(scratch)
    let snapshot = try await open(scratch).snapshot(under: .root)
    #expect(snapshot.entries.first { $0.path == "new" }?.id == ObjectID.blob(Array("content".utf8)))
  }

  @Test("new, changed, deleted, untracked, ignored and executable files are all as on disk")
  func changes() async throws {
    let scratch = try settled()
    try scratch.write(".gitignore", "*.ignored\n")
    try scratch.write(".moha/maven/x.ignored", "i")
    try scratch.write(".moha/maven/new", "n")
    try scratch.remove(".moha/maven/decisions/decision_2.md")
    #expect(chmod(scratch.absolute(".moha/maven/identity.json"), 0o755) == 0)
    let repository = try open(scratch)
    let snapshot = try await repository.snapshot(under: ".moha/maven")
    #expect(
      snapshot.entries.map(\.path) == [
        ".moha/maven/decisions/decision_1.md", ".moha/maven/identity.json", ".moha/maven/new", ".moha/maven/x.ignored",
      ])
    #expect(snapshot.entries[1].mode == .executable)
    let computed = try await repository.treeID(
      replacing: ".moha/maven", with: snapshot.entries, inTree: headTree(repository))
    try scratch.git("add", "--all", "--force", ".moha")
    let files = try scratch.git("write-tree")
    #expect(computed.description == files)
  }

  @Test("odd names sort and hash as git's, at every level")
  func oddNames() async throws {
    let scratch = try GitScratch()
    let names: [[UInt8]] = [
      Array("d/caf\u{e9}".utf8), Array("d/cafe\u{301}".utf8), [0x64, 0x2f, 0xff, 0xfe], Array("d/a b".utf8),
      Array("d/line\nbreak".utf8), Array("d/sub.x".utf8), Array("d/sub/x".utf8), Array("d/sub0".utf8),
      Array("d.e".utf8), Array("d0".utf8), Array("d/\u{1}".utf8), Array("d/-rf".utf8),
    ]
    for name in names { try scratch.write(name, name) }
    try scratch.commit("odd")
    let repository = try open(scratch)
    let tree = try await headTree(repository)
    let snapshot = try await repository.snapshot(under: .root)
    #expect(snapshot.entries.map { TreeEntry($0) } == (try lsTree(scratch, "HEAD")))
    let below = try await repository.snapshot(under: "d")
    #expect(below.entries == snapshot.entries.filter { $0.path.isInside("d") })
    #expect(try await repository.treeID(replacing: "d", with: below.entries, inTree: tree) == tree)
  }

  @Test("symbolic links are listed with their target's text, and nothing behind them is seen")
  func symlinks() async throws {
    let scratch = try settled()
    try scratch.write("outside/secret", "secret")
    let outside = scratch.absolute("outside")
    #expect(symlink(outside, scratch.absolute(".moha/maven/folder")) == 0)
    #expect(symlink(outside + "/secret", scratch.absolute(".moha/maven/file")) == 0)
    #expect(symlink("nowhere", scratch.absolute(".moha/maven/dangling")) == 0)
    let repository = try open(scratch)
    let snapshot = try await repository.snapshot(under: ".moha/maven")
    let links = snapshot.entries.filter { $0.mode == .symlink }
    #expect(links.map(\.path) == [".moha/maven/dangling", ".moha/maven/file", ".moha/maven/folder"])
    #expect(links[0].id == ObjectID.blob(Array("nowhere".utf8)))
    #expect(snapshot.entries.count == 6)
    let bytes = try await repository.read(links, limit: 1_000, into: [[UInt8]]()) { found, _, result in
      found.append(Array(try result.get()))
      return true
    }
    #expect(bytes == [Array("nowhere".utf8), Array((outside + "/secret").utf8), Array(outside.utf8)])
  }

  @Test("a folder that is reached through a symbolic link is refused, not followed")
  func linkedParent() async throws {
    let scratch = try settled()
    try scratch.write("real/sub/f", "x")
    #expect(symlink("real", scratch.absolute("link")) == 0)
    let repository = try open(scratch)
    for path: GitPath in ["link", "link/sub"] {
      let snapshot = try await repository.snapshot(under: path)
      #expect(snapshot.entries.isEmpty)
      #expect(!snapshot.rootMissing)
      #expect(snapshot.unreadable.map(\.path) == [path])
    }
    for path: GitPath in ["../x", "a//b", "/etc", "a/", "."] {
      let error = await #expect(throws: GitError.self) { try await repository.snapshot(under: path) }
      #expect(error?.code == .invalidSpec)
    }
  }

  @Test("a folder that is not there is said to be missing; an empty one is not")
  func missingFolder() async throws {
    let scratch = try settled()
    let repository = try open(scratch)
    #expect(try await repository.snapshot(under: ".moha/nobody").rootMissing)
    #expect(mkdir(scratch.absolute(".moha/nobody"), 0o755) == 0)
    let empty = try await repository.snapshot(under: ".moha/nobody")
    #expect(!empty.rootMissing)
    #expect(empty.entries.isEmpty)
    let file = try await repository.snapshot(under: "README.md")
    #expect(!file.rootMissing)
    #expect(file.unreadable.map(\.errno) == [ENOTDIR])
  }

  @Test("named pipes are reported and never waited for; .git is skipped in any case")
  func strangeFiles() async throws {
    let scratch = try settled()
    #expect(mkfifo(scratch.absolute(".moha/maven/pipe"), 0o644) == 0)
    try scratch.write(".moha/maven/.GIT/config", "x")
    try scratch.write(".moha/maven/decisions/.git", "gitdir: x")
    try scratch.write(".moha/maven/.gitx", "kept")
    let snapshot = try await open(scratch).snapshot(under: ".moha/maven")
    #expect(snapshot.unreadable.map(\.path) == [".moha/maven/pipe"])
    #expect(snapshot.unreadable.map(\.errno) == [0])
    #expect(
      snapshot.entries.map(\.path) == [
        ".moha/maven/.gitx", ".moha/maven/decisions/decision_1.md", ".moha/maven/decisions/decision_2.md",
        ".moha/maven/identity.json",
      ])
  }

  @Test("files and folders without permission are reported, and the rest is still listed")
  func permissions() async throws {
    let scratch = try settled()
    try scratch.write(".moha/maven/closed/f", "x")
    try scratch.write(".moha/maven/secret", "x")
    #expect(chmod(scratch.base, 0o755) == 0)
    #expect(chmod(scratch.absolute(".moha/maven/closed"), 0) == 0)
    #expect(chmod(scratch.absolute(".moha/maven/secret"), 0) == 0)
    let repository = try open(scratch)
    if geteuid() == 0 {
      // Permissions do not bind root. The file-system user is a matter of one thread: the repository's own.
      let some = SnapshotEntry(path: "x", id: .emptyBlob, mode: .tree, size: 0, source: .object)
      try await repository.read([some], limit: 1) { _, _ in
        // setfsuid(2); glibc's header for it is not part of the module.
        typealias SetUser = @convention(c) (UInt32) -> Int32
        let symbol = try #require(dlsym(nil, "setfsuid"))
        _ = unsafeBitCast(symbol, to: SetUser.self)(65_534)
        return true
      }
    }
    let snapshot = try await repository.snapshot(under: ".moha/maven")
    #expect(snapshot.unreadable.map(\.path) == [".moha/maven/closed", ".moha/maven/secret"])
    #expect(snapshot.unreadable.map(\.errno) == [EACCES, EACCES])
    #expect(snapshot.unreadable.map(\.reason) == ["Permission denied", "Permission denied"])
    #expect(snapshot.entries.count == 3)
    #expect(chmod(scratch.absolute(".moha/maven/closed"), 0o755) == 0)
  }

  @Test("a file over the limit for memory is hashed to the same id")
  func large() async throws {
    let scratch = try GitScratch()
    let bytes = [UInt8](repeating: 0x61, count: 300_001)
    try scratch.write(Array("big".utf8), bytes)
    let repository = try open(scratch)
    let streamed = try await repository.snapshot(under: .root, maximumFileSize: 1_000)
    #expect(streamed.entries.map(\.id) == [ObjectID.blob(bytes)])
    #expect(streamed.entries == (try await repository.snapshot(under: .root)).entries)
  }

  @Test(
    "a file has the id of what git would store for it, whatever asks for the conversion",
    arguments: ["*.md text", "*.md text eol=crlf", "* text=auto", "*.md ident", "*.md working-tree-encoding=UTF-16LE"])
  func conversions(attributes: String) async throws {
    for place in [".gitattributes", "d/.gitattributes", ".git/info/attributes", "elsewhere"] {
      let scratch = try GitScratch()
      try scratch.write(place, attributes + "\n")
      if place == "elsewhere" { try scratch.git("config", "core.attributesFile", scratch.absolute(place)) }
      try scratch.write("d/e/b.txt", "one\n")
      try scratch.commit("before")
      let text = "one\r\n$Id: of somebody else $\r\ntwo\r\n"
      let isWide = attributes.contains("UTF-16LE")
      let bytes = isWide ? text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } : Array(text.utf8)
      try scratch.write(Array("d/e/a.md".utf8), bytes)
      let repository = try open(scratch)
      let untracked = try await repository.snapshot(under: "d/e")
      let id = try scratch.git("hash-object", "--path", "d/e/a.md", "d/e/a.md")
      let entry = try #require(untracked.entries.first { $0.path == "d/e/a.md" }, "\(place)")
      #expect("\(entry.id)" == id && entry.source == .workTree, "\(place)")
      // The bytes that are read are those that would be stored.
      let read = try await repository.read([entry], limit: 1_000, into: [UInt8]()) { read, _, content in
        read = Array(try content.get())
        return true
      }
      #expect(ObjectID.blob(read) == entry.id, "\(place)")

      try scratch.git("-c", "core.safecrlf=false", "add", "d/e/a.md")
      try scratch.commit("converted")
      try settle(scratch)
      let clean = try await repository.snapshot(under: "d/e")
      #expect(clean.hashedCount == 0 && clean.unreadable.isEmpty, "\(place)")
      let tree = try await headTree(repository)
      #expect(clean.entries.map { TreeEntry($0) } == (try await repository.files(inTree: tree, under: "d/e")))
      // Touched, it is hashed, to the same.
      try scratch.write(Array("d/e/a.md".utf8), bytes)
      #expect(try await repository.snapshot(under: "d/e").entries.map(\.id) == clean.entries.map(\.id), "\(place)")
    }
  }

  @Test("a file that goes through a filter is unreadable, and no program is run")
  func filters() async throws {
    let scratch = try GitScratch()
    try scratch.write(".gitattributes", "*.md filter=swap\n")
    try scratch.git("config", "filter.swap.clean", "tr a-z b-za")
    try scratch.write("a.md", "one\n")
    try scratch.write("b.txt", "one\n")
    try scratch.commit("converted")
    try settle(scratch)
    try scratch.git("config", "filter.swap.clean", "touch \(scratch.absolute("run")); cat")
    let repository = try open(scratch)
    let clean = try await repository.snapshot(under: .root)
    #expect(clean.unreadable.map(\.path) == ["a.md"] && clean.unreadable.map(\.cause) == [.filter("swap")])
    #expect(clean.unreadable[0].isUnchanged && clean.entries.contains { $0.path == "b.txt" })
    try scratch.write("a.md", "two\n")
    #expect(try await repository.snapshot(under: .root).unreadable.map(\.isUnchanged) == [false])
    #expect(access(scratch.absolute("run"), F_OK) != 0)
    #expect(try await repository.obstacle(toStoringAt: "new.md") == .filter("swap"))
    #expect(try await repository.obstacle(toStoringAt: "new.txt") == nil)
  }

  @Test("bytes that are not in the encoding of the attributes are unreadable")
  func wrongEncoding() async throws {
    let scratch = try GitScratch()
    try scratch.write(".gitattributes", "*.md working-tree-encoding=UTF-16\n")
    try scratch.write("a.md", "plain\n")
    let snapshot = try await open(scratch).snapshot(under: .root)
    #expect(snapshot.unreadable.map(\.cause) == [.encoding("UTF-16")])
  }

  @Test("a clone inside the working tree is one unreadable folder; a stray .git beside tracked files is nothing")
  func nestedRepository() async throws {
    let scratch = try settled()
    try scratch.write(".moha/maven/decisions/.git", "gitdir: x")
    try scratch.git("init", "-q", ".moha/inner")
    try scratch.write(".moha/inner/file", "x")
    let snapshot = try await open(scratch).snapshot(under: ".moha")
    #expect(snapshot.unreadable.map(\.path) == [".moha/inner"])
    #expect(snapshot.unreadable.map(\.cause) == [.otherRepository])
    #expect(snapshot.entries.count == 4)
  }

  @Test("files in conflict have the id of what is on disk")
  func conflict() async throws {
    let scratch = try settled()
    try scratch.git("checkout", "--quiet", "-b", "side")
    try scratch.write("README.md", "side\n")
    try scratch.commit("side")
    try scratch.git("checkout", "--quiet", "main")
    try scratch.write("README.md", "main\n")
    try scratch.commit("main")
    #expect(throws: ChildProcess.Failure.self) { try scratch.git("merge", "side") }
    let snapshot = try await open(scratch).snapshot(under: .root)
    let expected = try scratch.git("hash-object", "--no-filters", "README.md")
    #expect(snapshot.entries.first { $0.path == "README.md" }?.id.description == expected)
  }

  @Test("a submodule is one entry, in its place among the names, and its files are not listed")
  func submodule() async throws {
    let scratch = try GitScratch()
    try scratch.write("d/m-x", "x")
    try scratch.write("d/m/f", "inside")
    try scratch.git("-C", "d/m", "init", "--quiet")
    scratch.setDate()
    try scratch.git("-C", "d/m", "add", "f")
    try scratch.git("-C", "d/m", "commit", "--quiet", "-m", "inner")
    try scratch.commit("outer")
    let repository = try open(scratch)
    let tree = try await headTree(repository)
    let snapshot = try await repository.snapshot(under: "d")
    #expect(snapshot.entries.map { TreeEntry($0) } == (try lsTree(scratch, "HEAD")))
    #expect(snapshot.entries.map(\.mode) == [.submodule, .regular])
    #expect(try await repository.treeID(replacing: "d", with: snapshot.entries, inTree: tree) == tree)
  }

  @Test("the index is left as it was, and no lock is needed")
  func indexUntouched() async throws {
    let scratch = try settled()
    try scratch.write(".git/index.lock", "")
    let before = try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"])
    #expect(utimensat(AT_FDCWD, scratch.absolute("README.md"), nil, 0) == 0)
    let snapshot = try await open(scratch).snapshot(under: .root)
    #expect(snapshot.hashedCount == 1)
    #expect(try scratch.gitBytes(["hash-object", "--no-filters", ".git/index"]) == before)
  }

  @Test("removing the last file of a folder removes the folder, up to the empty tree")
  func emptied() async throws {
    let scratch = try GitScratch()
    try scratch.write("a/b/c", "x")
    try scratch.commit("one")
    let repository = try open(scratch)
    let tree = try await headTree(repository)
    #expect(try await repository.treeID(replacing: "a/b", with: [], inTree: tree) == .emptyTree)
    #expect(try await repository.treeID(replacing: "a/b", with: [], inTree: nil) == .emptyTree)
    #expect(try await repository.treeID(replacing: "z", with: [], inTree: tree) == tree)
  }

  @Test("the tree of a new repository's files is what git write-tree makes")
  func withoutBase() async throws {
    let scratch = try GitScratch()
    try scratch.write(".moha/maven/a", "x")
    try scratch.write(".moha/b", "y")
    let repository = try open(scratch)
    let snapshot = try await repository.snapshot(under: ".moha")
    let computed = try await repository.treeID(replacing: ".moha", with: snapshot.entries, inTree: nil)
    try scratch.git("add", "--all")
    #expect(computed.description == (try scratch.git("write-tree")))
  }

  @Test("entries out of order, outside the folder or impossible are refused")
  func badEntries() async throws {
    let scratch = try GitScratch()
    let repository = try open(scratch)
    func entry(_ path: GitPath, _ mode: FileMode = .regular) -> SnapshotEntry {
      SnapshotEntry(path: path, id: .emptyBlob, mode: mode, size: 0, source: .object)
    }
    let lists = [
      [entry("d/b"), entry("d/a")], [entry("d/a"), entry("d/a")], [entry("e/a")], [entry("d")], [entry("d/a//b")],
      [entry("d/../x")], [entry("d/a", .tree)],
    ]
    for list in lists {
      let error = await #expect(throws: GitError.self, "\(list)") {
        try await repository.treeID(replacing: "d", with: list, inTree: nil)
      }
      #expect(error?.code == .invalidSpec)
    }
  }
}
