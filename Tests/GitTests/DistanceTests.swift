internal import Git
internal import TestSupport
internal import Testing

/// How far two commits are apart, as `git rev-list --count` says it.
@Suite struct DistanceTests {
  private func id(_ text: String) throws -> ObjectID { try #require(ObjectID(hex: text)) }

  @Test("commits of both sides of a merge count, and what is behind counts 0")
  func merge() async throws {
    let scratch = try GitScratch()
    let first = try scratch.commit("first")
    try scratch.git("checkout", "--quiet", "-b", "side")
    for index in 1...3 {
      try scratch.write("side\(index)", "s")
      try scratch.commit("side \(index)")
    }
    try scratch.git("checkout", "--quiet", "main")
    try scratch.write("main", "m")
    let second = try scratch.commit("second", date: 1_700_100_000)
    try scratch.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
    let head = try scratch.git("rev-parse", "HEAD")
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    for (base, commit) in [(first, head), (second, head), (head, head), (head, first), (first, second)] {
      let count = try scratch.git("rev-list", "--count", "\(base)..\(commit)")
      #expect(try await repository.distance(from: id(base), to: id(commit)) == Int(count))
    }
    #expect(try await repository.oldest(from: id(first), to: id(head), limit: 100)?.id == id(second))
    #expect(try await repository.oldest(from: id(head), to: id(head), limit: 100) == nil)
    #expect(try await repository.oldest(from: id(first), to: id(head), limit: 1)?.id == id(head))
  }

  @Test("in a shallow clone they are counted up to its boundary; a commit that is not there is an error")
  func shallow() async throws {
    let scratch = try GitScratch()
    var commits: [String] = []
    for index in 1...5 {
      try scratch.write("file", "\(index)")
      commits.append(try scratch.commit("commit \(index)"))
    }
    try scratch.git("clone", "--quiet", "--depth", "3", "file://\(scratch.path)", "\(scratch.base)/clone")
    let clone = try Repository(at: "\(scratch.base)/clone", configuration: .hermetic)
    #expect(try await clone.distance(from: id(commits[3]), to: id(commits[4])) == 1)
    #expect(try await clone.distance(from: id(commits[2]), to: id(commits[4])) == 2)
    for repository in [clone, try Repository(at: scratch.path, configuration: .hermetic)] {
      await #expect(throws: GitError.self) {
        try await repository.distance(from: id(String(repeating: "1", count: 40)), to: id(commits[4]))
      }
    }
  }
}
