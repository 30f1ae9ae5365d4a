internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

@Suite struct RecoveryTests {
  private func journal(_ tree: MavenTree) throws -> WriteJournal {
    try WorkTreeWriter(tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings()).journal
  }

  private func event(_ tree: MavenTree) async throws {
    let now = try #require(Instant("2026-03-01T12:00:00Z"))
    let request = try RecordRequest(.event, json: ["event_type": "note", "content": "x"], now: now)
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    _ = try await writer.write(request)
  }

  @Test(
    "the next record removes what a killed one was about to put in place, of its own file and of identity.json",
    arguments: ["decisions/decision_20260301_110000.md", "milestones/a.md", "session_log.md", "identity.json"])
  func leftovers(name: String) async throws {
    let tree = try await MavenTree.sample()
    let path = ".moha/maven/\(name)"
    let folder = path[..<(path.lastIndex(of: "/") ?? path.endIndex)]
    let leftovers = [".moha/maven/.moha-1-7.tmp", "\(folder)/.moha-1-8.tmp"]
    for leftover in leftovers { try tree.git.write(leftover, "half a") }
    let journal = try journal(tree)
    let operation: JournalEntry.Operation =
      switch name {
      case "session_log.md": .append(offset: 1 << 20)
      case "identity.json": .identity
      default: .create
      }
    try journal.abandon(journal.add(operation, path: GitPath(path), content: Array("{}".utf8)))

    try await event(tree)
    let status = try tree.git.git("status", "--porcelain", "--untracked-files=all")
    #expect(status == "")
    #expect(try journal.entries().isEmpty)
  }

  @Test("counters that are put right beside decisions of killed writers count each of them once", arguments: 0...3)
  func recount(unfinished: Int) async throws {
    let tree = try await MavenTree.sample()
    let identity = try JSONDocument(Array(tree.git.git("show", "HEAD:.moha/maven/identity.json").utf8))
    let drifted = try identity.setting(["total_decisions"], to: 2)
    try tree.git.write(".moha/maven/identity.json", String(decoding: drifted.bytes, as: UTF8.self))
    try tree.git.commit("a counter that is wrong")

    let journal = try journal(tree)
    for number in 0..<unfinished {
      let name = ".moha/maven/decisions/decision_20260301_11000\(number).md"
      let text = "# Decision Record\n\n**Timestamp:** 2026-03-01T11:00:0\(number)+00:00\n**Type:** buy\n"
      try tree.git.write(name, text)
      try journal.abandon(journal.add(.create, path: GitPath(name), content: Array(text.utf8)))
    }
    let writer = RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
    let isCorrected = try await writer.correctCounters()
    #expect(isCorrected)
    for place in ["HEAD:.moha/maven/identity.json", ":.moha/maven/identity.json"] {
      let corrected = try JSONDocument(Array(tree.git.git("show", place).utf8))
      #expect(corrected.value["total_decisions"] == .integer(6 + unfinished))
    }
    #expect(try tree.git.git("status", "--porcelain", "--untracked-files=all") == "")
  }
}
