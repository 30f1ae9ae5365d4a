internal import FoundationEssentials
internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What a power cut, a bad disk or a newer program may leave in the journal.
@Suite("A damaged file of the journal")
struct JournalDamageTests {
  private static let content = Array("\n## [2026-02-01T11:00:00+00:00] NOTE\n\nkept\n\n---\n".utf8)
  private static let log = GitPath(".moha/maven/session_log.md")

  /// An entry of each kind.
  private static let operations: [(JournalEntry.Operation, GitPath, [UInt8])] = [
    (.create, ".moha/maven/decisions/decision_20260201_110000.md", Array("# Decision Record\n".utf8)),
    (.append(offset: 10), log, content),
    (.identity, ".moha/maven/identity.json", Array(#"{"updates": {"mood": "calm"}}"#.utf8)),
    (.recount, ".moha/maven/identity.json", []),
    (.takeIdentity, ".moha/maven/identity.json", Array(#"{"name": "Maven"}"#.utf8)),
    (
      .rotate(
        .init(
          log: .emptyBlob, size: 100, cuts: [10..<20, 30..<40],
          parts: [
            .init(path: ".moha/maven/session_log/2026-01.md", offset: nil, length: 12),
            .init(path: ".moha/maven/session_log/2026-02.md", offset: 7, length: content.count - 12),
          ], events: 2)),
      log, content
    ),
  ]

  private static func entry(_ index: Int, name: String = "000000000007-1-9") -> JournalEntry {
    let (operation, path, content) = operations[index]
    return JournalEntry(
      name: name, state: .begun, operation: operation, path: path, content: content,
      key: .init(text: "k\u{2028}", kind: .event, digest: "d"), owner: .current, time: 1_768_492_800)
  }

  /// What an entry may do, whatever has become of its bytes.
  private func expectHarmless(_ entry: JournalEntry) {
    for path in entry.paths {
      #expect(path.isWellFormed && path.isInside(".moha"), "\(path)")
    }
    if case .rotate(let rotation) = entry.operation {
      #expect(rotation.parts.reduce(0) { $0 + $1.length } == entry.content.count)
    }
    _ = (entry.sequence, entry.event, entry.keys, entry.agent)
  }

  @Test("an entry is read as it was written", arguments: operations.indices)
  func whole(index: Int) throws {
    let entry = Self.entry(index)
    let read = try JournalEntry(entry.bytes, name: entry.name, state: .begun)
    #expect(read.operation == entry.operation && read.path == entry.path && read.content == entry.content)
    #expect(read.key == entry.key && read.owner == entry.owner && read.time == entry.time)
  }

  @Test("an entry that was cut off anywhere is none", arguments: operations.indices)
  func truncated(index: Int) {
    let bytes = Self.entry(index).bytes
    for length in 0..<bytes.count {
      #expect(throws: JournalEntry.Fault.self, "at \(length)") {
        try JournalEntry(Array(bytes[..<length]), name: "1-1-1", state: .begun)
      }
    }
  }

  @Test("an entry whose rest is zeros, or another's, is none or keeps to its place", arguments: operations.indices)
  func overwritten(index: Int) {
    let bytes = Self.entry(index).bytes
    for other in [[UInt8](repeating: 0, count: 4_096), Self.entry((index + 1) % Self.operations.count).bytes] {
      for length in 0..<bytes.count {
        for total in [bytes.count, other.count, length + other.count] {
          let damaged = Array((bytes[..<length] + other.dropFirst(min(length, other.count / 2))).prefix(total))
          if let entry = try? JournalEntry(damaged, name: "1-1-1", state: .begun) { expectHarmless(entry) }
        }
      }
    }
  }

  @Test("no bit that flips makes an entry write outside of the records", arguments: operations.indices)
  func flipped(index: Int) {
    let bytes = Self.entry(index).bytes
    for position in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[position] ^= 1 << UInt8(bit)
        if let entry = try? JournalEntry(damaged, name: "1-1-1", state: .begun) { expectHarmless(entry) }
      }
    }
  }

  @Test("numbers beyond all bounds are no sizes, and paths that lead out are no paths")
  func bounds() {
    let numbers = ["-1", "9223372036854775807", "99999999999999999999", "1e400", "0.5", "\"1\"", "[]", "1099511627777"]
    let paths = [
      "", "/etc/passwd", "../x", ".moha/../x", ".moha", ".git/hooks/pre-commit", "src/a", ".moha//x", ".moha/x/",
    ]
    func read(_ json: String, _ content: [UInt8] = []) -> JournalEntry? {
      try? JournalEntry(Array("\(json)\n".utf8) + content, name: "1-1-1", state: .begun)
    }
    for number in numbers {
      #expect(
        read(#"{"v": 2, "path": ".moha/a/b", "pid": 1, "start": "", "action": "append", "offset": \#(number)}"#) == nil)
      #expect(
        read(#"{"v": 2, "path": ".moha/a/b", "pid": 1, "start": "", "action": "create", "length": \#(number)}"#) == nil)
      #expect(read(#"{"v": \#(number), "path": ".moha/a/b", "pid": 1, "start": "", "action": "create"}"#) == nil)
      for place in ["0", "1"] {
        let cuts = place == "0" ? "[[\(number), 5]]" : "[[0, \(number)]]"
        let rotation = #"{"log": "\#(ObjectID.emptyBlob)", "size": 4, "events": 1, "cuts": \#(cuts), "parts": []}"#
        let entry =
          #"{"v": 2, "path": ".moha/a/b", "pid": 1, "start": "", "action": "rotate", "rotation": \#(rotation)}"#
        #expect(read(entry) == nil, "\(cuts)")
      }
      for member in [#""offset": \#(number), "length": 0"#, #""offset": 0, "length": \#(number)"#] {
        let part = #"{"path": ".moha/a/c", \#(member)}"#
        let rotation = #"{"log": "\#(ObjectID.emptyBlob)", "size": 4, "events": 1, "cuts": [], "parts": [\#(part)]}"#
        let entry =
          #"{"v": 2, "path": ".moha/a/b", "pid": 1, "start": "", "action": "rotate", "rotation": \#(rotation)}"#
        #expect(read(entry) == nil, "\(member)")
      }
    }
    for path in paths {
      #expect(read(#"{"v": 2, "path": "\#(path)", "pid": 1, "start": "", "action": "create"}"#) == nil, "\(path)")
      let part = #"{"path": "\#(path)", "offset": null, "length": 0}"#
      let rotation = #"{"log": "\#(ObjectID.emptyBlob)", "size": 4, "events": 1, "cuts": [], "parts": [\#(part)]}"#
      let entry = #"{"v": 2, "path": ".moha/a/b", "pid": 1, "start": "", "action": "rotate", "rotation": \#(rotation)}"#
      #expect(read(entry) == nil, "\(path)")
    }
  }

  @Test("what cannot be read is set aside under its name, and the others are committed")
  func aside() async throws {
    for (number, damage) in [[], Array("{".utf8), Array("\n".utf8), [UInt8](repeating: 0, count: 300)].enumerated() {
      let tree = try await MavenTree.sample()
      let writer = try WorkTreeWriter(
        try tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings())
      let first = try await writer.stage(request("text one"))
      _ = try await writer.stage(request("text two"))
      let name = "000000000000-1-77"
      try tree.git.write(Array(".git/moha-sync/journal/\(number == 0 ? name : "pending-" + name)".utf8), damage)
      #expect(writer.journal.look().unreadable.count == 1)
      let outcome = try await SharedCommitter(of: writer, patience: .seconds(30)).commit(first.entries)
      guard case .committed(let commit) = outcome else {
        Issue.record("nothing was committed")
        continue
      }
      let log = try tree.git.git("show", "\(commit.id):.moha/maven/session_log.md")
      #expect(log.contains("text one") && log.contains("text two"))
      let (left, unreadable, _) = writer.journal.look()
      #expect(left.isEmpty && unreadable.count == 1 && unreadable[0].hasSuffix(name))
      let aside = tree.git.absolute(".git/moha-sync/unreadable-writes")
      #expect(try FileManager.default.contentsOfDirectory(atPath: aside) == unreadable)
    }
  }

  @Test("a newer program's entry stops every write with a word that says so, and nothing is changed")
  func newer() async throws {
    let tree = try await MavenTree.sample()
    let writer = try WorkTreeWriter(
      try tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings())
    _ = try await writer.stage(request("text one"))
    try tree.git.write(".git/moha-sync/journal/000000000009-1-1", #"{"v": 3, "what": "nobody knows"}"# + "\n")
    func state() throws -> [String] {
      [
        try tree.git.git("rev-parse", "HEAD"), try tree.git.git("status", "--porcelain"), try tree.git.git("diff"),
        try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync/journal")]).stdoutText,
      ]
    }
    let before = try state()
    await #expect {
      try await SharedCommitter(of: writer, patience: .seconds(30)).commit([])
    } throws: { error in
      guard let error = error as? PersistenceError else { return false }
      return error.code == .newerVersion && error.message.contains("version 3")
        && error.message.contains("000000000009-1-1")
    }
    await #expect(throws: PersistenceError.self) {
      try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
        .run(isDryRun: false)
    }
    #expect(try state() == before)
  }

  @Test("an entry with flipped bits is recovered from or set aside, and others go on", arguments: UInt64(1)...12)
  func recovered(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let tree = try await MavenTree.sample()
    let writer = try WorkTreeWriter(
      try tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings())
    let staged = try await writer.stage(request("text one"))
    for number in 0..<8 {
      let index = random.below(Self.operations.count)
      var bytes = Self.entry(index).bytes
      for _ in 0..<(1 + random.below(3)) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
      let state = random.pick(["", "pending-", "abandoned-"])
      try tree.git.write(Array(".git/moha-sync/journal/\(state)00000000002\(number)-1-\(number)".utf8), bytes)
    }
    do {
      let outcome = try await SharedCommitter(of: writer, patience: .seconds(30)).commit(staged.entries)
      guard case .committed = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log.md").contains("text one"))
    } catch let error as PersistenceError where error.code == .newerVersion {
      // A flip in the version's digit is one of those.
    }
    #expect(try tree.git.git("fsck", "--full", "--strict", "--no-dangling") == "")
    #expect(try tree.git.git("ls-tree", "--name-only", "HEAD") == ".moha")
    #expect(try tree.git.git("status", "--porcelain", "--", ":!.moha") == "")
  }

  private func request(_ text: String) throws -> RecordRequest {
    try RecordRequest(.event, json: ["event_type": "NOTE", "content": .string(text)], now: Instant.now())
  }
}
