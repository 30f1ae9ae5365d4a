internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What is remembered of the history of logs, and what comes of it.
@Suite struct LogPastTests {
  private static let log: GitPath = ".moha/maven/session_log.md"
  private static let folder: GitPath = ".moha/maven/session_log"

  /// A history with branches and merges in which entries are appended, edited, dropped, brought back and rotated.
  private func randomHistory(_ scratch: GitScratch, seed: UInt64) throws -> [ObjectID] {
    var random = SeededGenerator(seed: seed)
    var contents: [(log: [Int], month: [Int])] = [([], [])]
    var stream = ""
    for mark in 1...30 {
      var parents = mark == 1 ? [] : [Int.random(in: max(1, mark - 3)..<mark, using: &random)]
      if mark > 3, Int.random(in: 0..<4, using: &random) == 0 { parents.append(Int.random(in: max(1, mark - 6)..<mark, using: &random)) }
      if parents.count == 2, parents[0] == parents[1] { parents.removeLast() }
      var (log, month) = parents.first.map { contents[$0] } ?? ([], [])
      if let other = parents.dropFirst().first { log += contents[other].log.filter { !log.contains($0) && Bool.random(using: &random) } }
      switch Int.random(in: 0..<8, using: &random) {
      case 0 where !log.isEmpty: log.remove(at: Int.random(in: 0..<log.count, using: &random))
      case 1 where log.count > 2: month += log.prefix(2); log.removeFirst(2)
      case 2 where !month.isEmpty: month.removeFirst()
      case 3: break
      default: log.append(mark)
      }
      contents.append((log, month))
      let time = 1_600_000_000 + mark * 100 + Int.random(in: 0...150, using: &random)
      stream += "commit refs/heads/main\nmark :\(mark)\ncommitter C <c@example.org> \(time) +0000\ndata 1\nx\n"
      for (index, parent) in parents.enumerated() { stream += index == 0 ? "from :\(parent)\n" : "merge :\(parent)\n" }
      stream += "deleteall\n"
      for (path, entries) in [("session_log.md", log), ("session_log/2026-02.md", month)] where mark > 1 && !entries.isEmpty {
        let text = "# Log\n\n" + entries.map(MavenTree.entry).joined()
        stream += "M 100644 inline .moha/maven/\(path)\ndata \(text.utf8.count)\n\(text)\n"
      }
      stream += "\n"
    }
    try scratch.git(["fast-import", "--quiet", "--force"], input: Array(stream.utf8))
    return try scratch.git("rev-list", "--first-parent", "--reverse", "main").split(separator: "\n").compactMap {
      ObjectID(hex: String($0))
    }
  }

  private func past(
    _ repository: Repository, upTo commit: ObjectID, from known: LogPast?
  ) async throws -> LogPast? {
    let since = try await repository.past(of: Self.log, and: Self.folder, from: commit, since: known?.commit)
    guard let since, known?.canContinue(with: since.files) != false else { return nil }
    var past = known ?? LogPast(upTo: commit)
    try await past.advance(over: since.files, to: try await repository.commit(commit)) {
      try await repository.blob($0, limit: .max)
    }
    return past
  }

  @Test("what is learnt step by step is what is learnt at once, and survives being written", arguments: UInt64(1)...12)
  func incremental(seed: UInt64) async throws {
    let scratch = try GitScratch()
    let line = try randomHistory(scratch, seed: seed)
    let repository = try Repository(at: scratch.path, configuration: .hermetic)
    var random = SeededGenerator(seed: seed &+ 99)
    var known: LogPast?
    for commit in line where Bool.random(using: &random) || commit == line.last {
      let whole = try #require(try await past(repository, upTo: commit, from: nil))
      if let continued = try await past(repository, upTo: commit, from: known) {
        // Of what the present logs hold, nothing has to be remembered.
        let present = Set(try await entries(repository, of: continued).map(\.recordKey))
        let lost = continued.lost.filter { !present.contains($0.key.text) }
        let expected = whole.lost.filter { !present.contains($0.key.text) }
        #expect(Set(lost.keys) == Set(expected.keys), "\(commit)")
        #expect(continued.current.mapValues(\.blob) == whole.current.mapValues(\.blob))
        let written = continued.json.serialized()
        known = LogPast(json: try JSONValue.parse(written))
        #expect(known == continued)
      } else {
        known = whole
      }
    }
    #expect(known?.commit == line.last)
  }

  private func entries(_ repository: Repository, of past: LogPast) async throws -> [LogEntry] {
    var entries: [LogEntry] = []
    for version in past.current.values {
      entries += SessionLog.parse(try await repository.blob(version.blob, limit: .max), path: RecordPath("log")).entries
    }
    return entries
  }

  // MARK: The file

  private func compacted() async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    try tree.write("session_log.md", MavenTree.log(entries: 3...3))
    try tree.git.commit("compacted")
    return tree
  }

  private func memo(_ tree: MavenTree) -> String { tree.git.absolute(".git/moha-sync/log-history-maven") }
  private static let archived = "SELECT count(*) FROM maven_memory WHERE git_status = 'archived'"

  @Test("a run that writes remembers, a look uses what it finds and writes nothing")
  func looksWriteNothing() async throws {
    let tree = try await compacted()
    _ = try await tree.survey()
    #expect(try ChildProcess.run("test", ["-e", tree.git.absolute(".git/moha-sync")]).status != 0)
    try await tree.run("sync")
    #expect(try ChildProcess.run("test", ["-s", memo(tree)]).status == 0)
    let files = try tree.fileDigests()
    #expect(try await tree.verification().isInSync)
    #expect(try tree.fileDigests() == files)
  }

  @Test(
    "a file that is damaged, empty, of another agent or of another reading is made again and changes nothing",
    arguments: [
      "printf x >> $f", ": > $f", "rm $f", "sed -i '1s/ maven / other /' $f",
      "sed -i '1s/log-history [0-9]*/log-history 0/' $f", "sed -i 's/Event number 1/Event number 9/' $f",
      "printf '\\0\\0\\0' | dd of=$f conv=notrunc bs=1 seek=300 status=none", "head -c 400 $f > $f.part; mv $f.part $f",
    ])
  func damage(command: String) async throws {
    let tree = try await compacted()
    try await tree.run("sync")
    let good = try ChildProcess.runChecked("cat", [memo(tree)]).stdout
    try ChildProcess.runChecked("/bin/sh", ["-c", "f='\(memo(tree))'; \(command)"])
    #expect(try ChildProcess.run("cat", [memo(tree)]).stdout != good)
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.run().survey.repairable == 0)
    #expect(try await tree.value(Self.archived) == "2")
    #expect(try ChildProcess.runChecked("cat", [memo(tree)]).stdout == good)
  }

  @Test("history that was rewritten is read anew: what only the old one held is not remembered")
  func rewritten() async throws {
    let tree = try await compacted()
    try await tree.run("sync")
    try tree.git.git("checkout", "-q", "--orphan", "anew")
    try tree.git.commit("all of it again")
    let outcome = try await tree.run("reconcile", allowing: 10)
    #expect(outcome.survey.counts[.orphaned] == 2)
    #expect(try await tree.value(Self.archived) == "0")
    #expect(try await tree.verification().isInSync)
    // And back again, with what the old one held.
    try tree.git.git("checkout", "-q", "main")
    try await tree.run()
    #expect(try await tree.value(Self.archived) == "2")
  }

  @Test("a look at an older commit leaves what is remembered as it is")
  func olderCommit() async throws {
    let tree = try await compacted()
    try await tree.run("sync")
    let good = try ChildProcess.runChecked("cat", [memo(tree)]).stdout
    let schema = try #require(SchemaName("past"))
    try await tree.run("sync", at: "HEAD~1", into: schema)
    #expect(try ChildProcess.runChecked("cat", [memo(tree)]).stdout == good)
    #expect(try await tree.value("SELECT count(*) FROM past.maven_memory WHERE git_status = 'archived'") == "0")
  }

  @Test("a git folder in which nothing can be written costs time and nothing else")
  func unwritable() async throws {
    let tree = try await compacted()
    try await tree.run("sync")
    // A folder in the file's place stops every user, root too.
    try ChildProcess.runChecked("/bin/sh", ["-c", "rm \(memo(tree)); mkdir -p \(memo(tree))/in-the-way"])
    #expect(try await tree.run().survey.repairable == 0)
    #expect(try await tree.verification().isInSync)
    let names = try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync")]).stdoutText
    #expect(!names.contains("log-history-maven."), "a temporary file was left")
  }

  @Test("entries of a log that are lost after they were remembered are archived, and those that come back are current")
  func lostLater() async throws {
    let tree = try await compacted()
    try await tree.run("sync")
    for (entries, archived) in [(3...6, 2), (5...6, 4), (1...6, 0), (6...6, 5)] {
      try tree.write("session_log.md", MavenTree.log(entries: entries))
      try tree.git.commit("\(entries)")
      try await tree.run()
      #expect(try await tree.value(Self.archived) == "\(archived)", "\(entries)")
      #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "\(max(3, entries.upperBound))")
    }
    let remembered = try await tree.verification().kinds.map(\.rowDigest)
    try ChildProcess.runChecked("rm", [memo(tree)])
    #expect(try await tree.verification().isInSync)
    #expect(try await tree.verification().kinds.map(\.gitDigest) == remembered)
  }
}
