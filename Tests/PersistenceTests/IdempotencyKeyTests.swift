internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// One key is one record, wherever the record came from and whoever died meanwhile.
@Suite("Idempotency keys")
struct IdempotencyKeyTests {
  private func request(
    _ text: String, _ kind: RecordRequest.Kind = .event, key: String = "k",
    at time: String = "2026-03-01T12:00:00+00:00"
  ) throws -> RecordRequest {
    var members: [JSONValue.Member]
    switch kind {
    case .decision:
      members = [
        .init("decision_type", "buy"), .init("action", .string(text)), .init("reasoning", "r"), .init("confidence", 80),
        .init("risk_level", "low"),
      ]
    case .milestone:
      members = [.init("title", "t"), .init("category", "c"), .init("description", .string(text))]
    case .snapshot:
      members = [.init("total_value_usd", 5), .init("available_balance_usd", 5), .init("notes", .string(text))]
    case .identity: members = [.init("updates", ["mood": .string(text), "rebirth": true])]
    case .event: members = [.init("event_type", "NOTE"), .init("content", .string(text))]
    }
    members.append(.init("idempotency_key", .string(key)))
    return try RecordRequest(kind, json: .object(members), now: #require(Instant(time)))
  }

  private func write(_ request: RecordRequest, _ tree: MavenTree) async throws -> RecordWriter.Written {
    try await RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings()).write(
      request)
  }

  private func stage(_ request: RecordRequest, _ tree: MavenTree) async throws -> WorkTreeWriter.Staged {
    try await WorkTreeWriter(
      try tree.repository(), workTree: tree.git.path, agent: tree.agent, settings: WriteSettings()
    ).stage(request)
  }

  private func expectConflict(_ request: RecordRequest, _ tree: MavenTree) async throws {
    let before = try tree.git.git("rev-parse", "HEAD")
    await #expect {
      _ = try await write(request, tree)
    } throws: { error in
      (error as? PersistenceError)?.code == .keyConflict
    }
    #expect(try tree.git.git("rev-parse", "HEAD") == before)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  /// How many records of HEAD hold a text.
  private func count(_ text: String, _ tree: MavenTree) throws -> Int {
    try ChildProcess.run(
      "git", ["-C", tree.git.path, "grep", "-o", "-h", "-F", text, "HEAD", "--", tree.root],
      environment: tree.git.environment
    ).stdoutText.split(separator: "\n").count
  }

  private static let kinds: [RecordRequest.Kind] = [.decision, .event, .milestone, .snapshot, .identity]

  @Test(
    "the same request gets the first answer, another one under its key is refused and leaves no trace", arguments: kinds
  )
  func conflict(kind: RecordRequest.Kind) async throws {
    let tree = try await MavenTree.sample()
    let first = try await write(request("text one.", kind), tree)
    let again = try await write(request("text one.", kind, at: "2026-03-01T13:00:00+00:00"), tree)
    #expect(again.isRepeated && again.path == first.path && again.commit == first.commit)
    try await expectConflict(request("text two.", kind), tree)
    // The key is one of its kind: another kind may use it.
    let other: RecordRequest.Kind = kind == .event ? .milestone : .event
    #expect(try await !write(request("text three.", other), tree).isRepeated)
    #expect(try count("text one.", tree) == 1 && count("text two.", tree) == 0 && count("text three.", tree) == 1)
  }

  @Test("a record that came from another clone has its key with it", arguments: kinds.dropLast())
  func anotherClone(kind: RecordRequest.Kind) async throws {
    let tree = try await MavenTree.sample()
    _ = try await write(request("before", .event, key: "first"), tree)
    let path = tree.git.base + "/clone"
    try tree.git.git("clone", "-q", tree.git.path, path)
    let clone = RecordWriter(
      repository: try Repository(at: path, configuration: .hermetic), agent: tree.agent, settings: WriteSettings())
    let theirs = try await clone.write(request("text one.", kind))
    try tree.git.git("pull", "-q", "--ff-only", path, "main")
    let again = try await write(request("text one.", kind, at: "2026-03-01T14:00:00+00:00"), tree)
    #expect(again.isRepeated && again.path == theirs.path)
    try await expectConflict(request("text two.", kind), tree)
    #expect(try count("text one.", tree) == 1)
    #expect(try await clone.write(request("before", .event, key: "first")).isRepeated)
  }

  @Test("a key that was used on a branch that is not checked out counts, and gives no second record")
  func anotherBranch() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("switch", "-q", "-c", "side")
    let first = try await write(request("text one.", .decision), tree)
    try tree.git.git("switch", "-q", "main")
    let again = try await write(request("text one.", .decision), tree)
    #expect(again.isRepeated && again.path == first.path)
    // It says that HEAD does not hold it, rather than that it does.
    #expect(again.commit == nil && again.pendingReason != nil)
    #expect(try count("text one.", tree) == 0)
    try tree.git.git("merge", "-q", "--ff-only", "side")
    let merged = try await write(request("text one.", .decision), tree)
    #expect(merged.isRepeated && merged.commit != nil && merged.pendingReason == nil)
    #expect(try count("text one.", tree) == 1)
  }

  @Test("a writer that was killed after its entry leaves one record, whoever asks again, and however", arguments: kinds)
  func killedWriter(kind: RecordRequest.Kind) async throws {
    for waits in [false, true] {
      let tree = try await MavenTree.sample()
      let staged = try await stage(request("text one.", kind), tree)
      // The entry is that of a process that is there no more.
      let journal = tree.git.absolute(".git/moha-sync/journal")
      if !waits {
        try ChildProcess.runChecked(
          "/bin/sh", ["-c", "for f in *; do mv \"$f\" \"abandoned-$f\"; done"], workingDirectory: journal)
      }
      // While the first one still waits for a commit, a second one comes with the same request, and one with another.
      let writers = try (0..<2).map { _ in
        RecordWriter(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
      }
      let requests = [
        try request("text one.", kind, at: "2026-03-01T15:00:00+00:00"),
        try request("text one.", kind, at: "2026-03-01T16:00:00+00:00"),
      ]
      async let second = writers[0].write(requests[0])
      async let third = writers[1].write(requests[1])
      let answers = try await [second, third]
      #expect(answers.allSatisfy { $0.commit != nil } && Set(answers.map(\.path)).count == 1, "\(waits)")
      if waits { #expect(answers.allSatisfy(\.isRepeated) && answers[0].path == RecordPath(staged.path.bytes).text) }
      #expect(try count("text one.", tree) == 1, "\(waits)")
      try await expectConflict(request("text two.", kind), tree)
      if kind == .identity {
        #expect(try tree.git.git("show", "HEAD:\(tree.root)/identity.json").contains("\"rebirth_count\": 1"))
      }
      #expect(try ChildProcess.runChecked("ls", [journal]).stdoutText == "")
    }
  }

  @Test("keys are told apart by their bytes, whatever they are")
  func spellings() async throws {
    let tree = try await MavenTree.sample()
    let keys = ["caf\u{E9}", "cafe\u{301}", "K", "k", "k ", "k/../k", String(repeating: "x", count: 200), "\u{1F48E}"]
    for key in keys { #expect(try await !write(request("text \(key)", key: key), tree).isRepeated) }
    for key in keys { #expect(try await write(request("text \(key)", key: key), tree).isRepeated) }
    try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".git/moha-sync")])
    for key in keys { #expect(try await write(request("text \(key)", key: key), tree).isRepeated) }
  }

  @Test(
    "a damaged file of the index of keys is no reason for a second record, nor for an error",
    arguments: [
      "", "\n", "\u{0}\u{0}", "no path", ".moha/maven/decisions/gone.md\n\n\n\n", "\n\n\n\n",
    ])
  func damagedIndex(text: String) async throws {
    let tree = try await MavenTree.sample()
    let first = try await write(request("text one.", .decision), tree)
    let folder = tree.git.absolute(".git/moha-sync/keys")
    for name in try ChildProcess.runChecked("ls", [folder]).stdoutText.split(separator: "\n")
    where
      !name.hasPrefix("complete-")
    {
      try tree.git.write(".git/moha-sync/keys/\(name)", text)
    }
    let again = try await write(request("text one.", .decision), tree)
    #expect(again.isRepeated, "\(again.path)")
    #expect(try count("text one.", tree) == 1)
    if !text.hasPrefix(".moha/") { #expect(again.path == first.path) }
  }
}
