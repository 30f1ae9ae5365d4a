internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A file that does not parse is a finding and its bytes are kept, whatever it is; nothing is gone because of it.
@Suite struct UnparsableFileTests {
  private func errors(_ survey: Survey) -> [Diagnostic] { survey.git.findings.filter { $0.severity == .error } }

  private func kept(_ tree: MavenTree) async throws -> String? {
    try await tree.value(
      """
      SELECT string_agg(kind || ' ' || encode(raw_bytes, 'hex'), ',' ORDER BY kind, id) FROM maven_quarantine
      WHERE reason = 'corrupt-file' AND resolved_at IS NULL
      """)
  }

  // MARK: Documents

  @Test(
    "documents that hold no rows are kept too, and their rows' neighbours arrive",
    arguments: [
      ("identity.json", "identity", Array("{\n<<<<<<< HEAD\n \"a\": 1\n=======\n \"a\": 2\n>>>>>>> other\n}".utf8)),
      ("identity.json", "identity", Array("{\"total_decisions\": 6,".utf8)),
      ("identity.json", "identity", Array("[]".utf8)), ("identity.json", "identity", []),
      ("infrastructure.json", "infrastructure", [0, 0x47, 0x49, 0x54, 0x43, 0x52, 0x59, 0x50, 0x54, 0, 0xFF]),
      ("personas/maven-v2.md", "persona", Array("caf".utf8) + [0xE9]),
    ])
  func documents(file: String, label: String, bytes: [UInt8]) async throws {
    let tree = try await MavenTree.sample()
    try tree.git.write(Array("\(tree.root)/\(file)".utf8), bytes)
    try tree.git.commit("broken")
    for attempt in 1...2 {
      let outcome = try await tree.run("sync")
      #expect(errors(outcome.survey).map(\.path.text) == ["\(tree.root)/\(file)"], "\(attempt)")
      #expect(try await kept(tree) == "\(label) \(hex(bytes))")
      #expect(try await tree.value("SELECT count(*) FROM maven_quarantine") == "1")
      #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
    }
    let verification = try await tree.verification()
    #expect(verification.survey.rowDifferences == 0 && verification.survey.hasErrors)
    try tree.write(file, file.hasSuffix("json") ? "{}" : "a persona")
    try tree.git.commit("mended")
    #expect(try await tree.run("reconcile").remaining == 0)
    #expect(try await kept(tree) == nil)
    #expect(try await tree.verification().isInSync)
  }

  @Test("an unparsable identity is no record that an empty tree could hide behind")
  func identityAlone() async throws {
    let tree = try await MavenTree()
    try tree.writeDecision(1)
    try tree.git.commit("one")
    try await tree.run("sync")
    try tree.git.remove("\(tree.root)/decisions/\(MavenTree.decisionName(1))")
    try tree.write("identity.json", "{")
    try tree.git.commit("none")
    await #expect { try await tree.run() } throws: { ($0 as? PersistenceError)?.code == .massRemoval }
  }

  // MARK: The log

  /// What may befall a log; each is an error, and no entry is archived or missing because of it.
  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let code: String
    let apply: @Sendable ([UInt8]) -> [UInt8]

    private static func utf16(_ text: String) -> [UInt8] {
      Array(text.utf16).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    static let all: [Damage] = [
      Damage(testDescription: "UTF-16 behind it", code: "nul-in-text") {
        $0 + utf16("\r\n## [2026-01-04T10:00:00.000000+00:00] NOTE\r\n\r\nAppended.\r\n\r\n---\r\n")
      },
      Damage(testDescription: "all of it in UTF-16", code: "invalid-utf8") {
        [0xFF, 0xFE] + utf16(String(decoding: $0, as: UTF8.self))
      },
      Damage(testDescription: "all of it in UTF-16 without a mark", code: "nul-in-text") {
        utf16(String(decoding: $0, as: UTF8.self))
      },
      Damage(testDescription: "a note in Latin-1", code: "invalid-utf8") { $0 + Array("caf".utf8) + [0xE9, 0x0A] },
      Damage(testDescription: "an entry in Latin-1", code: "invalid-utf8") {
        $0 + Array("## [2026-02-01T10:00:19Z] NOTE\n\ncaf".utf8) + [0xE9, 0x0A]
      },
      Damage(testDescription: "zeros of a file that was never written", code: "nul-in-text") {
        [UInt8](repeating: 0, count: $0.count)
      },
      Damage(testDescription: "ciphertext", code: "nul-in-text") {
        [0] + Array("GITCRYPT".utf8) + [0] + $0.map { ~$0 & 0x7F }
      },
      Damage(testDescription: "ciphertext as text", code: "log-emptied") { Array(hex($0.reversed()).utf8) },
      Damage(testDescription: "line ends of CR alone", code: "carriage-returns") { $0.map { $0 == 0x0A ? 0x0D : $0 } },
      Damage(testDescription: "an entry of CR alone behind it", code: "carriage-returns") {
        $0 + Array("## [2026-02-01T10:00:19Z] NOTE\r\rText.\r\r---\r".utf8)
      },
      Damage(testDescription: "a conflict around its entries", code: "conflict-markers") {
        Array("<<<<<<< HEAD\n".utf8) + $0 + Array("=======\n\n>>>>>>> other\n".utf8)
      },
      Damage(testDescription: "a conflict beside its entries", code: "conflict-markers") {
        $0 + Array("\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n".utf8)
      },
      Damage(testDescription: "nothing", code: "log-emptied") { _ in [] },
      Damage(testDescription: "its title alone", code: "log-emptied") { _ in
        Array("# Maven Session Log\n\n---\n\n".utf8)
      },
    ]
  }

  @Test(
    "a damaged log is a finding, its bytes are kept, and every entry stays as it was", arguments: Damage.all,
    [true, false])
  func logs(damage: Damage, isCommitted: Bool) async throws {
    let tree = try await MavenTree.sample()
    let good = Array(MavenTree.log(entries: 1...3).utf8)
    let bad = damage.apply(good)
    // Entry 9 was compacted away before: it is archived, and stays so.
    try tree.write("session_log.md", MavenTree.log(entries: 1...3) + MavenTree.entry(9))
    try tree.git.commit("one more")
    try tree.git.write(Array("\(tree.root)/session_log.md".utf8), good)
    try tree.git.commit("compacted")
    try await tree.run("sync")
    let rows = "SELECT string_agg(m::text, '|' ORDER BY id) FROM maven_memory m"
    let before = try await tree.value(rows)
    try tree.git.write(Array("\(tree.root)/session_log.md".utf8), bad)
    if isCommitted {
      try tree.git.commit("damaged")
      try tree.writeDecision(7)
      try tree.git.commit("more")
    }
    for isRebuilt in [false, true] {
      if isRebuilt { try await tree.sql("TRUNCATE maven_memory") }
      let outcome = try await tree.run()
      #expect(outcome.remaining == 0)
      #expect(
        errors(outcome.survey).contains { $0.code == damage.code && $0.path.text == "\(tree.root)/session_log.md" })
      if !isRebuilt { #expect(try await tree.value(rows) == before) }
      #expect(
        try await tree.value(
          """
          SELECT string_agg(description || git_status, ',' ORDER BY event_at) FROM maven_memory
          WHERE event_type = 'NOTE'
          """
        )
          == "Event number 1.current,Event number 2.current,Event number 3.current,Event number 9.archived")
      let verification = try await tree.verification()
      #expect(verification.survey.rowDifferences == 0 && !verification.isInSync)
      for kind in verification.kinds {
        #expect(kind.git == kind.rows + kind.findings && kind.gitDigest == kind.rowDigest, "\(kind)")
      }
    }
    // What cannot be read is somewhere among the bytes that are kept.
    let bytes = try #require(try await kept(tree))
    #expect(bytes.contains("memory "))
    if damage.code == "log-emptied" { #expect(bytes == "memory \(hex(bad))") }
    try tree.git.write(Array("\(tree.root)/session_log.md".utf8), good)
    try tree.git.commit("mended")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.verification().isInSync)
    #expect(try await kept(tree) == nil)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "1")
  }

  @Test("a log that is encrypted anew with each entry keeps the entries of its last version that could be read")
  func encryptedTwice() async throws {
    let tree = try await MavenTree.sample()
    for index in 4...6 {
      let text = Array(MavenTree.log(entries: 1...index).utf8)
      try tree.git.write(
        Array("\(tree.root)/session_log.md".utf8), [0] + Array("GITCRYPT".utf8) + [0] + text.map { $0 ^ UInt8(index) })
      try tree.git.commit("encrypted")
    }
    try await tree.run("sync")
    #expect(try await tree.value("SELECT string_agg(git_status, ',') FROM maven_memory") == "current,current,current")
  }

  @Test("a damage that was there before does not keep entries from being compacted away")
  func olderDamage() async throws {
    let tree = try await MavenTree()
    let note = Array("caf".utf8) + [0xE9, 0x0A, 0x0A]
    for entries in [1...3, 2...3, 3...3] {
      try tree.git.write(Array("\(tree.root)/session_log.md".utf8), note + Array(MavenTree.log(entries: entries).utf8))
      try tree.git.commit("a note in Latin-1 from the first day on")
    }
    let outcome = try await tree.run("sync")
    #expect(errors(outcome.survey).map(\.code) == ["invalid-utf8"])
    #expect(
      try await tree.value("SELECT string_agg(git_status, ',' ORDER BY event_at) FROM maven_memory")
        == "archived,archived,current")
  }

  @Test("entries that are in no commit stay while their log cannot be read")
  func uncommitted() async throws {
    let tree = try await MavenTree.sample()
    try tree.git.git("rm", "-q", "--cached", "\(tree.root)/session_log.md")
    try tree.git.commitStaged("without a log")
    let log = MavenTree.log(entries: 11...14)
    try tree.write("session_log.md", log)
    try await tree.run("sync")
    try tree.git.write(Array("\(tree.root)/session_log.md".utf8), [0xFF, 0xFE, 0, 0])
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'unreadable'") == "4")
    try tree.write("session_log.md", log)
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'current'") == "4")
  }

  @Test("a log without entries is no finding where it never had any, or where they were rotated")
  func emptyLogs() async throws {
    let tree = try await MavenTree()
    try tree.writeDecision(1)
    try tree.write("session_log.md", "# Maven Session Log\n")
    try tree.git.commit("new")
    #expect(errors(try await tree.run("sync").survey).isEmpty)
    try tree.write("session_log.md", MavenTree.log(entries: 1...3))
    try tree.git.commit("entries")
    try tree.write("session_log.md", "# Maven Session Log\n")
    try tree.write("session_log/2026-02.md", MavenTree.log(entries: 1...3))
    try tree.git.commit("rotated")
    let outcome = try await tree.run()
    #expect(errors(outcome.survey).isEmpty && outcome.remaining == 0)
    #expect(try await tree.value("SELECT string_agg(git_status, ',') FROM maven_memory") == "current,current,current")
    // A rotated log is looked at in the same way.
    try tree.git.write(Array("\(tree.root)/session_log/2026-02.md".utf8), [0xFF, 0xFE, 0, 0])
    let damaged = try await tree.run()
    #expect(errors(damaged.survey).map(\.path.fileName) == [Array("2026-02.md".utf8)])
    #expect(try await tree.value("SELECT string_agg(git_status, ',') FROM maven_memory") == "current,current,current")
    #expect(try await kept(tree) == "memory fffe0000")
  }

  // MARK: Size

  @Test(
    "a file over the limit is kept with its size, up to a bound",
    arguments: [
      ("decisions/decision_20260301_000000.md", 17), ("infrastructure.json", 17),
      ("decisions/decision_20260301_000000.md", 70),
    ])
  func large(file: String, megabytes: Int) async throws {
    let tree = try await MavenTree.sample()
    try tree.git.write(Array("\(tree.root)/\(file)".utf8), [UInt8](repeating: 0x61, count: megabytes << 20))
    try tree.git.commit("large")
    let outcome = try await tree.run("sync")
    #expect(errors(outcome.survey).map(\.path.text) == ["\(tree.root)/\(file)"])
    #expect(errors(outcome.survey).allSatisfy { $0.message.contains(String(megabytes << 20)) })
    #expect(
      try await tree.value("SELECT octet_length(raw_bytes) FROM maven_quarantine")
        == (megabytes > 64 ? nil : String(megabytes << 20)))
    #expect(try await tree.value("SELECT detail FROM maven_quarantine")?.contains(String(megabytes << 20)) == true)
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "6")
    #expect(try await tree.run("sync").quarantined == 0)
  }
}
