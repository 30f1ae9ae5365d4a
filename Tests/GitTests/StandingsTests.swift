internal import Git
internal import TestSupport
internal import Testing

@Suite("Where commits stand to one another")
struct StandingsTests {
  /// A random history of many heads: each commit has up to three parents among those before it. Returns the ids.
  private func randomHistory(_ scratch: GitScratch, seed: UInt64) throws -> [ObjectID] {
    var random = SeededGenerator(seed: seed)
    var stream = ""
    for mark in 1...40 {
      var parents: Set<Int> = []
      for _ in 0..<Int.random(in: 0...3, using: &random) where mark > 1 {
        parents.insert(Int.random(in: max(1, mark - 6)..<mark, using: &random))
      }
      // Dates that mean nothing: clocks are wrong now and then.
      let time = 1_600_000_000 + Int.random(in: 0...300, using: &random)
      stream += "commit refs/heads/b\(mark)\nmark :\(mark)\ncommitter C <c@example.org> \(time) +0000\ndata 3\n\(100 + mark)\n"
      for (index, parent) in parents.sorted().enumerated() {
        stream += index == 0 ? "from :\(parent)\n" : "merge :\(parent)\n"
      }
      stream += "M 100644 inline f\(mark)\ndata 1\nx\n\n"
    }
    try scratch.git(["fast-import", "--quiet", "--force"], input: Array(stream.utf8))
    return try (1...40).map { try #require(ObjectID(hex: try scratch.git("rev-parse", "b\($0)"))) }
  }

  @Test("each commit of a random history stands where git says, whatever the dates", arguments: UInt64(1)...4)
  func agreesWithGit(seed: UInt64) async throws {
    let scratch = try GitScratch()
    let commits = try randomHistory(scratch, seed: seed)
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let unknown = try #require(ObjectID(hex: String(repeating: "ab", count: 20)))
    for head in commits.shuffled().prefix(8) {
      let reached = Set(try scratch.git("rev-list", "\(head)").split(separator: "\n").compactMap { ObjectID(hex: String($0)) })
      var newer: Set<ObjectID> = []
      for commit in commits where commit != head {
        let below = try scratch.git("rev-list", "\(commit)").split(separator: "\n")
        if below.contains(where: { $0 == head.description }) { newer.insert(commit) }
      }
      let standings = try await repository.standings(of: Set(commits + [unknown]), to: head)
      #expect(standings.reached == reached.intersection(commits))
      #expect(standings.newer == newer)
      #expect(standings.absent == [unknown] && standings.severed.isEmpty)
      #expect(standings.beside == Set(commits).subtracting(reached).subtracting(newer))
    }
  }

  @Test("what one commit reaches and another does not is what git says, whatever the dates", arguments: UInt64(1)...4)
  func ranges(seed: UInt64) async throws {
    let scratch = try GitScratch()
    let commits = try randomHistory(scratch, seed: seed)
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    for (start, base) in zip(commits.shuffled().prefix(12), commits.shuffled()) {
      let above = try Set(scratch.git("rev-list", "\(start)").split(separator: "\n").map(String.init))
      let below = try Set(scratch.git("rev-list", "\(base)").split(separator: "\n").map(String.init))
      let between = try await repository.history(under: .root, from: start, since: base)
      #expect(Set(between.map(\.commit.id.description)) == above.subtracting(below))
      // Without all that the base reaches: none is left out, and some may come again.
      let past = try await repository.past(of: "file", and: "folder", from: start, since: base)
      #expect((past != nil) == above.contains(base.description))
      if let past { #expect(past.commits >= above.subtracting(below).count) }
    }
  }

  @Test("an object that is no commit is absent, and so is every commit where none is named that they stand to")
  func otherObjects() async throws {
    let scratch = try GitScratch()
    try scratch.write("file", "text")
    let commit = try #require(ObjectID(hex: try scratch.commit("one")))
    let blob = try #require(ObjectID(hex: try scratch.git("rev-parse", "HEAD:file")))
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    #expect(try await repository.standings(of: [blob, commit], to: commit).absent == [blob])
    let without = try await repository.standings(of: [blob, commit], to: nil)
    #expect(without.absent == [blob] && without.beside == [commit] && without.reached.isEmpty)
  }

  @Test("a commit whose own history is cut off cannot be placed; one beside it can")
  func severed() async throws {
    let scratch = try GitScratch()
    try scratch.write("file", "0")
    let root = try scratch.commit("root")
    var side: [String] = []
    for index in 1...3 {
      try scratch.write("file", "\(index)")
      side.append(try scratch.commit("side \(index)"))
    }
    try scratch.git("reset", "-q", "--hard", root)
    try scratch.write("file", "main")
    let head = try #require(ObjectID(hex: try scratch.commit("main")))
    try scratch.remove(".git/objects/\(side[1].prefix(2))/\(side[1].dropFirst(2))")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    let ids = side.compactMap { ObjectID(hex: $0) }
    let standings = try await repository.standings(of: Set(ids), to: head)
    #expect(standings.beside == [ids[0]] && standings.absent == [ids[1]] && standings.severed == [ids[2]])
  }

  @Test("a shallow clone ends at its boundary")
  func shallow() async throws {
    let scratch = try GitScratch()
    var ids: [ObjectID] = []
    for index in 1...5 {
      try scratch.write("file", "\(index)")
      ids.append(try #require(ObjectID(hex: try scratch.commit("\(index)"))))
    }
    try scratch.git("clone", "-q", "--depth=2", "file://\(scratch.path)", "\(scratch.base)/clone")
    let clone = try Repository(at: "\(scratch.base)/clone", configuration: .hermetic)
    let standings = try await clone.standings(of: Set(ids), to: ids[4])
    #expect(standings.reached == [ids[3], ids[4]] && standings.absent == Set(ids.prefix(3)))
  }
}
