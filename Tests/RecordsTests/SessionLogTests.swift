import Records
import Testing

@Suite("Session logs")
struct SessionLogTests {
  private func parse(_ text: String) -> SessionLog {
    SessionLog.parse(text.utf8Bytes, path: logPath)
  }

  @Test("every generation of entries is read, and nothing else")
  func generations() throws {
    let log = parse(sessionLog)
    let summary = log.entries.map {
      "\($0.generation) \($0.event.time?.description.prefix(19) ?? "-") \($0.event.timeText ?? "-") \($0.event.type) | \($0.event.title ?? "-")"
    }
    #expect(
      summary == [
        "1 2026-01-11T08:30:00 - BIRTH | -", "1 2026-01-11T08:30:00 - MET BOSS | -",
        "4 2026-01-11T08:30:00 08:30Z BIRTH | -",
        "4 2026-01-11T00:00:00 - MET BOSS | -", "4 2026-01-11T09:00:00 ~09:00Z REBIRTH #4 | -",
        "4 2026-01-11T14:39:00 14:39-15:01Z BUG FIXES | -", "3 2026-01-16T01:45:00 01:45Z MILESTONE | BOUGIE CLI",
        "3 2026-01-16T02:55:00 02:55-02:59Z KNOWLEDGE | CONNECTIVITY",
        "3 2026-01-16T03:10:00 03:10Z MAINTENANCE_DAY | -",
        "2 2026-01-17T20:29:50 - GIT_SYNC | -", "5 2026-01-18T15:49:06 - NOTE | -",
      ])
    #expect(log.diagnostics.map(\.code) == ["heading-in-code"])
    #expect(log.spans.flatMap { log.bytes[$0.range] } == log.bytes)
  }

  @Test("contents are what people wrote, without the frame")
  func contents() throws {
    let entries = parse(sessionLog).entries
    #expect(entries[0].event.content == "**Event:** Born\n**Action:**\n  - Created")
    #expect(entries[2].event.content == "Born as CFO\n  - Commit: d71c949")
    #expect(entries[5].event.content == "  - Fixed it")
    #expect(entries[9].event.content == "Synced 3 files\n\n## What's Working Now:\n\n- all")
    #expect(entries[9].event.metadata == ["synced": ["a"], "force": true])
    #expect(entries[10].event.content == "A note without an end.")
    #expect(entries[0].line == 7)
  }

  @Test("an entry's range is its bytes, rule included")
  func ranges() throws {
    let text = "prose\n## [2026-01-01T00:00:00Z] A\n\nx\n\n---\nmore\n"
    let log = parse(text)
    #expect(log.spans == [.prose(0..<6), .entry(6..<42), .prose(42..<47)])
    #expect(log.entries.map(\.range) == [6..<42])
  }

  @Test("an event is appended in the writer's exact form")
  func exactForm() throws {
    let event = Event(
      type: "git_sync", time: Instant("2026-01-17T20:29:50.332321Z"), content: "Synced\n---", metadata: ["a": [1, 2]])
    #expect(
      String(decoding: SessionLog.encode(event), as: UTF8.self)
        == "\n## [2026-01-17T20:29:50.332321+00:00] GIT_SYNC\n\nSynced\n\\---\n\n**Metadata:** {\"a\": [1, 2]}\n\n---\n"
    )
  }

  @Test("equal entries are one record, and each repetition is reported")
  func duplicates() throws {
    let entry = "## [2026-01-01T00:00:00Z] A\n\nx\n\n---\n"
    let log = parse(entry + "\n" + entry + entry)
    #expect(log.entries.map(\.isRepetition) == [false, true, true])
    #expect(Set(log.entries.map(\.recordKey)).count == 1)
    #expect(log.entries[0].recordKey.utf8.count == 32)
    #expect(log.distinctEntries.count == 1)
    #expect(log.diagnostics.map(\.code) == ["duplicate-entry", "duplicate-entry"])
  }

  @Test("one time and type with two bodies is a conflict, and both are kept")
  func conflicting() {
    let log = parse(
      "## [2026-01-01T00:00:00Z] A\n\nx\n\n---\n## [2026-01-01T00:00:00Z] A\n\ny\n\n---\n## [2026-01-01T00:00:00Z] B\n")
    #expect(log.distinctEntries.count == 3)
    #expect(log.diagnostics.map(\.code) == ["conflicting-entry"])
    #expect(log.diagnostics.first?.line == 6)
  }

  @Test("an entry with invalid UTF-8 is an error with its line; the others stay")
  func invalidUTF8() {
    let bytes =
      "## [2026-01-01T00:00:00Z] A\n\nx\n---\n## [2026-01-01T00:00:01Z] B\n\n".utf8Bytes + [0xFF, 0x0A]
      + "---\n## [2026-01-01T00:00:02Z] C\n".utf8Bytes
    let log = SessionLog.parse(bytes, path: logPath)
    #expect(log.entries.map(\.event.type) == ["A", "C"])
    #expect(log.diagnostics.map(\.code) == ["invalid-utf8"])
    #expect(log.diagnostics.first?.line == 7)
  }

  @Test("metadata that is not JSON stays in the content")
  func invalidMetadata() {
    let log = parse("## [2026-01-01T00:00:00Z] A\n\nx\n\n**Metadata:** {broken\n\n---\n")
    #expect(log.entries.first?.event.content == "x\n\n**Metadata:** {broken")
    #expect(log.diagnostics.map(\.code) == ["invalid-metadata"])
    #expect(log.diagnostics.first?.line == 5)
  }

  @Test("entries inside a conflict are errors; those outside stay")
  func conflictMarkers() {
    let log = parse(
      "## [2026-01-01T00:00:00Z] A\n---\n<<<<<<< HEAD\n## [2026-01-01T00:00:01Z] B\n---\n=======\n## [2026-01-01T00:00:02Z] C\n---\n>>>>>>> x\n## [2026-01-01T00:00:03Z] D\n---\n"
    )
    #expect(log.entries.map(\.event.type) == ["A", "D"])
    #expect(log.diagnostics.map(\.code) == ["conflict-markers", "conflict-markers"])
  }

  @Test("a conflict outside entries is an error with its line")
  func conflictInProse() {
    let log = parse("# Log\n\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n\n## [2026-01-01T00:00:00Z] A\n---\n")
    #expect(log.entries.count == 1)
    #expect(log.diagnostics.map(\.code) == ["conflict-markers"])
    #expect(log.diagnostics.first?.line == 3)
  }

  @Test("a fence that nothing closes hides no entry; one that is closed does")
  func fences() {
    #expect(parse("```\n## [2026-01-01T00:00:00Z] A\n").entries.count == 1)
    #expect(parse("```\n## [2026-01-01T00:00:00Z] A\n```\n").entries.isEmpty)
    #expect(parse("````\n```\n## [2026-01-01T00:00:00Z] A\n```\n").entries.isEmpty)
    #expect(
      parse("## [2026-01-01T00:00:00Z] A\n\n```\n---\n```\nend\n---\n").entries.first?.event.content
        == "```\n---\n```\nend")
  }

  @Test("a time without a dated section is no moment", arguments: ["### [01:45Z] A - B\nx\n"])
  func undated(text: String) {
    let event = parse(text).entries.first?.event
    #expect(event?.time == nil)
    #expect(event?.timeText == "01:45Z")
  }

  @Test("a hundred thousand fences and headings are read in linear time", .timeLimit(.minutes(5)))
  func linear() {
    let fences = (0..<3_000).reversed().map { String(repeating: "`", count: 3 + $0 % 200) + "x\n" }.joined()
    let headings = String(repeating: "## [2026-01-01T00:00:00Z] A\n**Metadata:** {bad\n", count: 5_000)
    let log = parse(fences + headings)
    #expect(log.entries.count == 5_000)
    #expect(parse(String(repeating: "<<<<<<< \n", count: 50_000)).entries.isEmpty)
  }

  /// Older writers put text into the log as it is; each entry of theirs ends in a rule.
  @Test func aRuleBetweenTextsOfAnEntryIsPartOfIt() {
    let log = parse(
      "## [2026-01-01T00:00:00Z] A\n\none\n\n---\n\ntwo\n\n---\n\nthree\n\n---\n\n## [2026-01-01T00:00:01Z] B\n\nx\n\n---\nprose\n")
    #expect(log.entries.map(\.event.content) == ["one\n\n---\n\ntwo\n\n---\n\nthree", "x"])
    // A heading between two rules begins something else.
    let section = parse("## [2026-01-01T00:00:00Z] A\n\none\n\n---\n\n## Notes\n\ntwo\n\n---\n")
    #expect(section.entries.map(\.event.content) == ["one"])
  }
}
