import Records
import Testing

@Suite("Values")
struct ValueTests {
  @Test(
    "timestamps are read in every spelling in use",
    arguments: [
      ("2026-01-13T03:56:13.642576+00:00", "2026-01-13T03:56:13.642576+00:00"),
      ("2026-01-11T08:30:00Z", "2026-01-11T08:30:00.000000+00:00"),
      ("2026-01-11 08:30:00", "2026-01-11T08:30:00.000000+00:00"),
      ("2026-01-11T08:30", "2026-01-11T08:30:00.000000+00:00"),
      ("2026-01-11T08:30:00-04:00", "2026-01-11T12:30:00.000000+00:00"),
      ("2026-01-11T02:00:00+0530", "2026-01-10T20:30:00.000000+00:00"),
      ("2026-01-11T08:30:00.1234567Z", "2026-01-11T08:30:00.123456+00:00"),
      ("2026-01-11", "2026-01-11T00:00:00.000000+00:00"),
      ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000000+00:00"),
      ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000+00:00"),
      ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ])
  func timestamps(text: String, expected: String) {
    #expect(Instant(text)?.description == expected)
  }

  @Test(
    "what is no timestamp is refused",
    arguments: [
      "", "2026", "2026-13-01", "2026-02-29", "2026-01-11T24:00:00Z", "2026-01-11T08:61Z", "YYYY-MM-DDTHH:MM:SSZ",
      "2026-01-11T08:30:00+16:00", "2026-01-11T08:30:00.Z", "0000-01-01", "0001-01-01T00:00:00+01:00", "2026-01-11T",
      "2026-01-11T08:30:00Zx", " 2026-01-11", "2026-1-1",
    ])
  func noTimestamps(text: String) {
    #expect(Instant(text) == nil)
  }

  @Test("the epochs are those of Unix and PostgreSQL")
  func epochs() {
    #expect(Instant("1970-01-01")?.microseconds == 0)
    #expect(Instant("2000-01-01")?.microsecondsSince2000 == 0)
    #expect(Instant("1999-12-31T23:59:59.999999Z")?.microsecondsSince2000 == -1)
    #expect(Instant(microsecondsSince2000: .max) == nil)
  }

  @Test(
    "decimals print as PostgreSQL's trim_scale",
    arguments: [
      ("98.0", "98"), ("0.950", "0.95"), ("-0.0", "0"), ("007", "7"), ("100", "100"), (".5", "0.5"), ("5.", "5"),
      ("+1.10", "1.1"),
      ("-12.340", "-12.34"), ("0", "0"), ("00.00", "0"),
    ])
  func decimals(text: String, expected: String) {
    #expect(ExactDecimal(text)?.canonical == expected)
    #expect(ExactDecimal(text)?.text == text)
  }

  @Test(
    "what is no decimal is refused",
    arguments: ["", "-", ".", "1e5", "NaN", "1,5", "1 ", "--1", "1.2.3", "٣", String(repeating: "1", count: 1_001)])
  func noDecimals(text: String) {
    #expect(ExactDecimal(text) == nil)
  }

  @Test("decimals compare by value")
  func decimalOrder() throws {
    let ordered = try ["-10", "-9.5", "-0.1", "0", "0.09", "0.1", "1", "1.01", "2", "10", "10.5", "9999999999"].map {
      try #require(ExactDecimal($0))
    }
    #expect(ordered.shuffled().sorted() == ordered)
    #expect(ExactDecimal("98.0") == ExactDecimal("98.00"))
  }

  @Test(
    "paths print so that the bytes come back",
    arguments: [
      ("a/b.md".utf8Bytes, "a/b.md"), ("café💎".utf8Bytes, "café💎"), ([0x5C], "\\\\"), ([0xFF, 0x61], "\\xffa"),
      ([0x0A, 0x7F], "\\x0a\\x7f"),
      ([0xE2, 0x82], "\\xe2\\x82"), ("\\xff".utf8Bytes, "\\\\xff"),
    ] as [([UInt8], String)])
  func paths(bytes: [UInt8], text: String) {
    #expect(RecordPath(bytes).text == text)
    #expect(RecordPath(text: text)?.bytes == bytes)
  }

  @Test("a text that no path prints is refused", arguments: ["\\", "\\x4", "\\x41", "\\xFF", "a\tb", "\\n"])
  func noPaths(text: String) {
    #expect(RecordPath(text: text) == nil)
  }

  @Test("two normal forms of a name are two paths, in the order of their bytes")
  func normalForms() {
    let composed = RecordPath("caf\u{E9}")
    let decomposed = RecordPath("cafe\u{301}")
    #expect(composed != decomposed)
    #expect(decomposed < composed)
    #expect(RecordPath("a/x.md").fileName == "x.md".utf8Bytes)
  }

  @Test(
    "agents have plain names",
    arguments: [
      ("maven", true), ("a", true), ("m-1_x", true), ("", false), ("-m", false), ("_m", false), ("Maven", false),
      ("a/b", false), ("..", false), (String(repeating: "a", count: 64), false),
    ])
  func agents(name: String, isValid: Bool) {
    #expect((Agent(name) != nil) == isValid)
  }

  @Test(
    "a file's place decides what it is",
    arguments: [
      ("decisions/decision_20260113_035613.md", .decision), ("decisions/2026/01/14/decision_x.md", .decision),
      ("decisions/old/decision_x.md", .other), ("decisions/notes.md", .decision), ("decisions/decision_1.md.tmp", .other),
      ("decisions/2026/01/Sell.MD", .decision), ("decisions/README.md", .other), ("decisions/readme-2.Md", .other),
      ("decisions/.md", .other), ("decisions/x.mdx", .other), ("milestones/First.MD", .milestone),
      ("milestones/ReadMe.md", .other),
      ("milestones/2026-01-11-met-boss.md", .milestone), ("milestones/2026/x.md", .milestone),
      ("milestones/.x.md", .other),
      ("identity.json", .identity), ("session_log.md", .sessionLog), ("session_log/2026-01.md", .rotatedLog),
      ("session_log/2026-13.md", .other), ("session_log/notes.md", .other), ("personas/maven-v2.md", .persona),
      ("infrastructure.json", .infrastructure), ("strategies/x.json", .other), ("x/identity.json", .other),
      ("decisions", .other),
    ] as [(String, FileRole)])
  func roles(name: String, role: FileRole) {
    #expect(TreeLayout.role(of: RecordPath(".moha/maven/" + name), agent: .default) == role)
    #expect(TreeLayout.role(of: RecordPath(".moha/other/" + name), agent: .default) == .other)
    #expect(TreeLayout.role(of: RecordPath("x/.moha/maven/" + name), agent: .default) == .other)
  }

  @Test("new files are named after their second, title and ordinal")
  func fileNames() throws {
    let time = try #require(Instant("2026-01-13T04:41:44.9Z"))
    #expect(TreeLayout.decisionFileName(at: time, ordinal: 1) == "decision_20260113_044144.md")
    #expect(TreeLayout.decisionFileName(at: time, ordinal: 3) == "decision_20260113_044144_3.md")
    #expect(
      TreeLayout.milestoneFileName(at: time, title: "Mother Attach Revolution + First Chat", ordinal: 1)
        == "milestone_20260113_044144_mother_attach_revolution_+_fir.md")
    #expect(TreeLayout.milestoneFileName(at: time, title: "../é", ordinal: 1) == "milestone_20260113_044144_..__.md")
    #expect(TreeLayout.rotatedLog(of: .default, at: time).text == ".moha/maven/session_log/2026-01.md")
    #expect(TreeLayout.datedFolder(at: time) == "2026/01/13")
  }

  @Test(
    "text goes into the database without U+0000 and comes back",
    arguments: [
      ("a\u{0}b", "a\u{241B}0b"), ("\u{241B}0", "\u{241B}\u{241B}0"), ("plain", "plain"),
      ("\u{0}\u{241B}", "\u{241B}0\u{241B}\u{241B}"),
    ])
  func databaseText(text: String, encoded: String) {
    #expect(DatabaseText.encode(text) == encoded)
    #expect(DatabaseText.decode(encoded) == text)
    #expect(DatabaseText.decode("\u{241B}x") == "\u{241B}x")
  }

  @Test(
    "a persona's version is in its name",
    arguments: [("maven-v12.md", 12), ("maven.md", nil), ("maven-v.md", nil), ("a-vx.md", nil)] as [(String, Int?)])
  func personas(name: String, version: Int?) {
    #expect(PersonaFile.parse("x".utf8Bytes, path: RecordPath("personas/" + name)).version == version)
  }
}
