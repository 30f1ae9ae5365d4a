internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A person has staged a log or an identity, we commit a record, and then they commit what they had staged.
@Suite("Logs and identities that a person has staged")
struct StagedDocumentTests {
  private func write(_ text: String, _ tree: MavenTree, _ kind: RecordRequest.Kind = .event) async throws {
    let json: JSONValue =
      switch kind {
      case .decision:
        ["decision_type": "buy", "action": .string(text), "reasoning": "r", "confidence": 80, "risk_level": "low"]
      case .identity: ["updates": ["mood": .string(text), "rebirth": true]]
      default: ["event_type": "NOTE", "content": .string(text)]
      }
    let written = try await RecordWriter(
      repository: try tree.repository(), agent: tree.agent, settings: WriteSettings()
    ).write(try RecordRequest(kind, json: json, now: Instant.now()))
    #expect(written.commit != nil && written.pendingReason == nil)
  }

  private func show(_ file: String, _ tree: MavenTree, _ revision: String = "HEAD") throws -> String {
    try tree.git.git("show", "\(revision):\(tree.root)/\(file)")
  }

  private func stage(_ tree: MavenTree, _ file: String, _ text: String) throws {
    try tree.write(file, text)
    try tree.git.git("add", "\(tree.root)/\(file)")
  }

  /// What the person then commits, as they would: what is staged, all, or only another file.
  private static let endings = [
    "git commit -q --allow-empty -m theirs", "git commit -q --allow-empty -a -m theirs",
    "git add -A; git commit -q --allow-empty -m theirs",
  ]

  private func end(_ tree: MavenTree, _ script: String) throws {
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", script], environment: tree.git.environment, workingDirectory: tree.git.path)
  }

  @Test("an older version of the log that they staged takes no entry of ours out", arguments: endings)
  func olderLog(ending: String) async throws {
    let tree = try await MavenTree.sample()
    let old = try show("session_log.md", tree) + "\n"
    try await write("text one", tree)
    try stage(tree, "session_log.md", old)
    try await write("text two", tree)
    try end(tree, ending)
    let log = try show("session_log.md", tree)
    #expect(log.contains("text two"), "what was recorded beside the staged version")
    // The removal that they had staged, with our commit before their eyes, is theirs unless the file was put right since.
    if ending != Self.endings[0] { #expect(log.contains("text one")) }
    for number in 1...3 { #expect(log.contains("Event number \(number).")) }
  }

  @Test("a line of their own in the log is in their commit with all of ours", arguments: endings)
  func ownLine(ending: String) async throws {
    for place in ["front", "between", "end"] {
      let tree = try await MavenTree.sample()
      var log = try show("session_log.md", tree) + "\n\n"
      switch place {
      case "front": log = log.replacing("# Maven Session Log\n", with: "# Maven Session Log\n\nA remark of theirs.\n")
      case "between": log = log.replacing(MavenTree.entry(2), with: MavenTree.entry(8) + MavenTree.entry(2))
      default: log += MavenTree.entry(8)
      }
      try stage(tree, "session_log.md", log)
      let theirs = place == "front" ? "A remark of theirs." : "Event number 8."
      try await write("text one", tree)
      try await write("text two", tree)
      #expect(try !tree.git.git("diff", "--cached").contains("-text"), "\(place)")
      #expect(try tree.git.git("diff", "--cached").contains("+\(theirs)"), "\(place)")
      try end(tree, ending)
      let committed = try show("session_log.md", tree)
      for text in [theirs, "text one", "text two", "Event number 1.", "Event number 3."] {
        #expect(committed.split(separator: text).count == 2, "\(place): \(text)")
      }
      // Where the lines stand may differ until the next run; what is there does not.
      _ = try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
        .run(isDryRun: false)
      #expect(try tree.git.git("status", "--porcelain") == "", "\(place)")
      let settled = try show("session_log.md", tree)
      for text in [theirs, "text one", "text two", "Event number 1.", "Event number 3."] {
        #expect(settled.split(separator: text).count == 2, "\(place): \(text)")
      }
    }
  }

  @Test("what they staged and then edited further stays in the working tree, and ours is in both")
  func editedFurther() async throws {
    let tree = try await MavenTree.sample()
    let log = try show("session_log.md", tree) + "\n\n"
    try stage(tree, "session_log.md", log + MavenTree.entry(8))
    try tree.write("session_log.md", log + MavenTree.entry(8) + MavenTree.entry(9))
    try await write("text one", tree)
    try end(tree, Self.endings[0])
    let committed = try show("session_log.md", tree)
    #expect(
      committed.contains("Event number 8.") && committed.contains("text one") && !committed.contains("Event number 9."))
    #expect(try tree.git.git("status", "--porcelain") == " M \(tree.root)/session_log.md")
    let present = try ChildProcess.runChecked("cat", [tree.git.absolute("\(tree.root)/session_log.md")]).stdoutText
    for text in ["Event number 8.", "Event number 9.", "text one"] {
      #expect(present.split(separator: text).count == 2, "\(text)")
    }
  }

  @Test(
    "another member of identity.json that they staged is in their commit with our counter and members",
    arguments: endings)
  func identity(ending: String) async throws {
    let tree = try await MavenTree.sample()
    try stage(tree, "identity.json", "{\"name\": \"Maven\", \"total_decisions\": 6, \"note\": {\"by\": \"hand\"}}\n")
    try await write("text one", tree, .decision)
    try await write("calm", tree, .identity)
    try end(tree, ending)
    let value = try JSONValue.parse(Array(show("identity.json", tree).utf8))
    #expect(value["note"]?["by"]?.text == "hand" && value["mood"]?.text == "calm")
    #expect(value["total_decisions"]?.integer == 7 && value["rebirth_count"]?.integer == 1)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("a member that they staged with another value than ours is as they staged it, and no counter falls")
  func sameMember() async throws {
    let tree = try await MavenTree.sample()
    try stage(tree, "identity.json", "{\"name\": \"Maven\", \"total_decisions\": 2, \"mood\": \"theirs\"}\n")
    try await write("ours", tree, .identity)
    try await write("text one", tree, .decision)
    try end(tree, Self.endings[0])
    let value = try JSONValue.parse(Array(show("identity.json", tree).utf8))
    #expect(value["mood"]?.text == "theirs" && value["total_decisions"]?.integer == 7)
    #expect(value["rebirth_count"]?.integer == 1)
  }

  @Test(
    "a removal of the log or identity that they staged is theirs, and the records of ours stay",
    arguments: [
      "session_log.md", "identity.json",
    ])
  func removal(file: String) async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("rm", "-q", "--cached", "\(tree.root)/\(file)")
    try await write("text one", tree, .decision)
    #expect(try show("identity.json", tree).contains("7"))
    try end(tree, Self.endings[0])
    #expect(
      try tree.git.git("ls-tree", "-r", "--name-only", "HEAD", "\(tree.root)/decisions").split(separator: "\n").count
        == 7)
    #expect(try tree.git.git("ls-tree", "HEAD", "\(tree.root)/\(file)") == "")
    // The next record makes it anew, from what is on disk.
    try await write("text two", tree)
    #expect(try show("session_log.md", tree).contains("text two"))
  }

  @Test(
    "what is staged in the log with a conflict unresolved, or is no log at all, keeps both",
    arguments: [
      "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> side\n", "no entries, only prose\n", "\u{FEFF}", "",
    ])
  func noLog(text: String) async throws {
    let tree = try await MavenTree.sample()
    try stage(tree, "session_log.md", text)
    try tree.write("session_log.md", MavenTree.log(entries: 1...3))
    try await write("text one", tree)
    try end(tree, Self.endings[0])
    let committed = try show("session_log.md", tree)
    #expect(committed.contains("text one"))
    #expect(committed.contains(text.trimmingPrefix("\u{FEFF}").split(separator: "\n").first ?? ""))
    #expect(
      try await AutomaticCommit(repository: try tree.repository(), agent: tree.agent, settings: WriteSettings())
        .run(isDryRun: false).pendingReason == nil)
    #expect(try show("session_log.md", tree).contains("text one"))
  }
}
