internal import Git
internal import TestSupport
internal import Testing

@Suite("Reading many files")
struct ReadTests {
  private struct Outcome: Equatable, Sendable {
    var text: String?
    var code: GitError.Code?
  }

  private func outcomes(_ repository: Repository, _ entries: [SnapshotEntry], limit: Int = 1_000) async throws
    -> [Outcome]
  {
    try await repository.read(entries, limit: limit, into: [Outcome]()) { outcomes, position, result in
      guard position == outcomes.count else { return false }
      switch result {
      case .success(let bytes): outcomes.append(Outcome(text: String(decoding: bytes, as: UTF8.self)))
      case .failure(let error): outcomes.append(Outcome(code: error.code))
      }
      return true
    }
  }

  @Test("committed and new files are read in order, from a commit and from the working tree")
  func sources() async throws {
    let scratch = try GitScratch()
    try scratch.write("d/a", "A")
    try scratch.write("d/empty", "")
    try scratch.commit("one")
    try scratch.write("d/new", "N")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let snapshot = try await repository.snapshot(under: "d")
    #expect(snapshot.entries.map(\.source) == [.object, .object, .workTree])
    #expect(try await outcomes(repository, snapshot.entries).map(\.text) == ["A", "", "N"])
    let tree = try await repository.commit(repository.resolve("HEAD")).tree
    let committed = try await repository.files(inTree: tree).map { SnapshotEntry($0) }
    #expect(try await outcomes(repository, committed).map(\.text) == ["A", ""])
  }

  @Test("a file that changed, vanished or became a link after the snapshot is an error of that entry alone")
  func changed() async throws {
    let scratch = try GitScratch()
    for name in ["a", "b", "c", "d"] { try scratch.write(name, name) }
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let snapshot = try await repository.snapshot(under: .root)
    try scratch.write("a", "other")
    try scratch.remove("b")
    try scratch.remove("c")
    try ChildProcess.runChecked("ln", ["-s", "d", scratch.absolute("c")])
    let found = try await outcomes(repository, snapshot.entries)
    #expect(
      found == [
        Outcome(code: .changedWhileReading), Outcome(code: .notFound), Outcome(code: .io), Outcome(text: "d"),
      ])
  }

  @Test("an object that is missing is taken from the file, if the file still has its bytes")
  func fallback() async throws {
    let scratch = try GitScratch()
    try scratch.write("a", "A")
    try scratch.write("b", "B")
    try scratch.commit("one")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let entries = try await repository.snapshot(under: .root).entries
    for entry in entries {
      try scratch.remove(".git/objects/\(entry.id.description.prefix(2))/\(entry.id.description.dropFirst(2))")
    }
    try scratch.write("b", "changed")
    #expect(try await outcomes(repository, entries) == [Outcome(text: "A"), Outcome(code: .missingObject)])
  }

  @Test("more bytes than the limit are refused, in the database and on disk", arguments: [true, false])
  func limit(isCommitted: Bool) async throws {
    let scratch = try GitScratch()
    try scratch.write("a", "123")
    try scratch.write("b", "1234")
    if isCommitted { try scratch.commit("one") }
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let entries = try await repository.snapshot(under: .root).entries
    #expect(try await outcomes(repository, entries, limit: 3) == [Outcome(text: "123"), Outcome(code: .tooLarge)])
  }

  @Test("reading ends when the body says so, and the body's own error comes through")
  func stopping() async throws {
    struct Stop: Error {}
    let scratch = try GitScratch()
    for name in ["a", "b", "c"] { try scratch.write(name, name) }
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let entries = try await repository.snapshot(under: .root).entries
    let count = try await repository.read(entries, limit: 10, into: 0) { count, _, _ in
      count += 1
      return count < 2
    }
    #expect(count == 2)
    await #expect(throws: Stop.self) { try await repository.read(entries, limit: 10) { _, _ in throw Stop() } }
  }

  @Test("a folder and a submodule have no bytes")
  func notFiles() async throws {
    let scratch = try GitScratch()
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let entries = [FileMode.tree, .submodule].map {
      SnapshotEntry(path: "x", id: .emptyTree, mode: $0, size: nil, source: .object)
    }
    #expect(try await outcomes(repository, entries) == [Outcome(code: .invalidSpec), Outcome(code: .invalidSpec)])
  }
}
