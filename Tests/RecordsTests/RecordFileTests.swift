import Records
import Testing

@Suite("Decision and milestone files")
struct RecordFileTests {
  private func decode(_ text: String, _ role: FileRole = .decision) -> DecodedFile {
    RecordFile.decode(text.utf8Bytes, role: role, path: role == .decision ? decisionPath : milestonePath)
  }

  private func decision(_ text: String) throws -> Decision {
    let decoded = decode(text)
    guard case .decision(let decision) = try #require(decoded.record, "\(decoded.diagnostics)") else {
      throw RecordError(.unreadableFile, "no decision")
    }
    return decision
  }

  private func milestone(_ text: String, path: RecordPath = milestonePath) throws -> Milestone {
    let decoded = RecordFile.decode(text.utf8Bytes, role: .milestone, path: path)
    guard case .milestone(let milestone) = try #require(decoded.record, "\(decoded.diagnostics)") else {
      throw RecordError(.unreadableFile, "no milestone")
    }
    return milestone
  }

  private func edited(_ text: String, _ old: String, _ new: String) -> String {
    guard let place = text.firstRange(of: old) else { return text }
    return text.replacingCharacters(place, new)
  }

  @Test("a file in the writer's form is read and written back byte for byte")
  func exactForm() throws {
    for (text, role) in [(decisionFile, FileRole.decision), (milestoneFile, .milestone)] {
      let decoded = decode(text, role)
      #expect(decoded.diagnostics.isEmpty)
      let record = try #require(decoded.record)
      #expect(String(decoding: RecordFile.encode(record, recordedBy: "Maven"), as: UTF8.self) == text)
    }
    #expect(
      try decision(decisionFile).metadata == [
        "account_value": .number(try #require(JSONNumber("1070.85"))), "leverage": "10x",
      ])
  }

  @Test("line ends, a byte order mark and a missing last line feed do not matter")
  func spellings() throws {
    let expected = try decision(decisionFile)
    #expect(try decision("\u{FEFF}" + decisionFile) == expected)
    #expect(
      try decision(decisionFile.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n"))
        == expected)
    #expect(try decision(String(decisionFile.dropLast())) == expected)
  }

  @Test(
    "a fault is one error with its code and line",
    arguments: [
      ("**Timestamp:** 2026-01-13T03:56:13.642576+00:00\n", "", "missing-timestamp"),
      ("2026-01-13T03:56:13.642576+00:00", "yesterday", "invalid-timestamp"),
      ("**Type:** status_check", "**Type:**", "missing-type"), ("**Risk Level:** low\n", "", "missing-risk-level"),
      ("**Confidence:** 98.0%\n", "", "missing-confidence"), ("98.0%", "high", "invalid-confidence"),
      ("## Action", "## Actions", "missing-action"), ("## Reasoning", "## Reason", "missing-reasoning"),
      ("*Recorded by Maven*", "", "truncated"), ("\"10x\"", "10x", "invalid-metadata"),
      ("# Decision Record", "# Record", "missing-title"),
      ("The boss asked.", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x", "conflict-markers"),
    ])
  func faults(old: String, new: String, code: String) {
    let decoded = decode(edited(decisionFile, old, new))
    #expect(decoded.record == nil)
    #expect(decoded.diagnostics.filter { $0.severity == .error }.map(\.code) == [code])
    #expect(decoded.diagnostics.allSatisfy { ($0.line ?? 0) > 0 })
  }

  @Test("bytes that are no text, nothing, and too much are errors")
  func unreadable() {
    let broken = RecordFile.decode("# Decision Record\n\n".utf8Bytes + [0xFF], role: .decision, path: decisionPath)
    #expect(broken.diagnostics.map(\.code) == ["invalid-utf8"])
    #expect(broken.diagnostics.first?.line == 3)
    #expect(decode("").diagnostics.map(\.code) == ["empty"])
    #expect(decode("\n \r\n").diagnostics.map(\.code) == ["empty"])
    let large = [UInt8](repeating: 0x20, count: 16 * 1_024 * 1_024 + 1)
    #expect(RecordFile.decode(large, role: .milestone, path: milestonePath).diagnostics.map(\.code) == ["too-large"])
  }

  @Test(
    "a doubtful value is kept as written and reported",
    arguments: [
      ("98.0%", "0.95%", "confidence-scale-suspect"), ("98.0%", "1.0%", "confidence-scale-suspect"),
      ("98.0%", "101%", "confidence-out-of-range"),
      ("98.0%", "-1", "confidence-out-of-range"), ("Level:** low", "Level:** severe", "risk-level-unknown"),
      ("03:56:13.64", "03:56:14.64", "filename-time-mismatch"), ("\"leverage\"", "\"account_value\"", "duplicate-key"),
      ("**Asset:** BTC", "**Mood:** good", "unknown-field"), ("**Asset:** BTC", "**Type:** other", "duplicate-field"),
    ])
  func doubts(old: String, new: String, code: String) {
    let decoded = decode(edited(decisionFile, old, new))
    #expect(decoded.record != nil)
    #expect(decoded.diagnostics.map(\.code) == [code])
  }

  @Test("a known risk level is lower case in the record, in any case in the file")
  func riskLevels() throws {
    #expect(try decision(edited(decisionFile, "Level:** low", "Level:** HIGH")).riskLevel == "high")
    #expect(try decision(edited(decisionFile, "Level:** low", "Level:** Severe")).riskLevel == "Severe")
  }

  @Test("bodies hold headings, rules, fences and look-alikes")
  func bodies() throws {
    let body =
      "## Notes\n\n---\n\n```\n## Reasoning\n```\n\n**Type:** fake\n\n## Metadata\n\n```json\n{\"fake\": 1}\n```\n\nmore"
    let read = try decision(
      edited(edited(decisionFile, "Verified the balance", "```\n## Reasoning\n```\nDone"), "The boss asked.", body))
    #expect(read.action == "```\n## Reasoning\n```\nDone")
    #expect(read.reasoning == body + " It has grown 7%.")
    #expect(read.metadata["leverage"] == "10x")
  }

  @Test("an example of metadata in the reasoning is not the metadata")
  func metadataExample() throws {
    let start = try #require(decisionFile.firstRange(of: "\n## Metadata"))
    let text =
      String(decisionFile[..<start.lowerBound])
      + "\n## Metadata\n\n```json\n{\"x\": 1}\n```\nand text\n\n---\n*Recorded by Maven*\n"
    let read = try decision(text)
    #expect(read.metadata == .emptyObject)
    #expect(read.reasoning.hasSuffix("and text"))
  }

  @Test("an outcome is a header line, or a section on either side of the metadata")
  func outcomes() throws {
    #expect(try decision(edited(decisionFile, "**Asset:** BTC", "**Outcome:** won 6%")).outcome == "won 6%")
    let before = try decision(edited(decisionFile, "## Metadata", "## Outcome\n\nwon\n\n## Metadata"))
    let after = try decision(edited(decisionFile, "---\n*Rec", "## Outcome\n\nwon\n\n---\n*Rec"))
    for read in [before, after] {
      #expect(read.outcome == "won")
      #expect(read.metadata["leverage"] == "10x")
      #expect(read.reasoning == "The boss asked. It has grown 7%.")
    }
  }

  @Test("setting an outcome leaves every other byte", arguments: ["", "## Outcome\n\nold\n\n"])
  func outcomeEdits(section: String) throws {
    let source = edited(decisionFile, "## Metadata", section + "## Metadata")
    let document = RecordDocument(source.utf8Bytes, role: .decision, path: decisionPath)
    #expect(document.bytes == source.utf8Bytes)
    let changed = try document.settingOutcome("won\n---\nbig")
    #expect(
      String(decoding: changed.bytes, as: UTF8.self)
        == edited(decisionFile, "## Metadata", "## Outcome\n\nwon\n\\---\nbig\n\n## Metadata"))
    guard case .decision(let read)? = changed.decoded.record else {
      return #expect(Bool(false), "\(changed.decoded.diagnostics)")
    }
    #expect(read.outcome == "won\n---\nbig")
    #expect(try changed.settingOutcome(nil).bytes == decisionFile.utf8Bytes)
    #expect(
      try document.settingOutcome("old").bytes
        == (section.isEmpty ? edited(decisionFile, "## Metadata", "## Outcome\n\nold\n\n## Metadata") : source)
        .utf8Bytes)
  }

  @Test("a header outcome is edited in its line, and a file with faults not at all")
  func outcomeLine() throws {
    let source = edited(decisionFile, "**Asset:** BTC", "**Outcome:** open  ")
    let document = RecordDocument(source.utf8Bytes, role: .decision, path: decisionPath)
    #expect(String(decoding: try document.settingOutcome("won").bytes, as: UTF8.self) == edited(source, "open", "won"))
    let long = try document.settingOutcome("a\nb")
    guard case .decision(let read)? = long.decoded.record else { return #expect(Bool(false)) }
    #expect(read.outcome == "a\nb")
    let broken = RecordDocument("x".utf8Bytes, role: .decision, path: decisionPath)
    #expect(throws: RecordError.self) { try broken.settingOutcome("won") }
  }

  @Test("a milestone from before the format existed is a record with its whole text")
  func freeForm() throws {
    let read = try milestone(freeMilestoneFile)
    #expect(read.title == "Met Boss (JB)")
    #expect(read.achievedAt == Instant("2026-01-11T08:30:00Z"))
    #expect(read.category == nil)
    #expect(read.significance == "🌟🌟🌟🌟🌟 (Life-changing)")
    #expect(read.description.hasPrefix("**Date:**") && read.description.hasSuffix("Gave me a name."))
  }

  @Test("a milestone without a date takes the one in its name, or none")
  func dates() throws {
    let text = "# First Rebirth\n\nIt happened."
    let named = try milestone(text, path: RecordPath(".moha/maven/milestones/2026-01-11-rebirth.md"))
    #expect(named.achievedAt == Instant("2026-01-11"))
    let decoded = decode(text, .milestone)
    #expect(decoded.diagnostics.map(\.code) == ["milestone-date-missing"])
    #expect(decoded.record?.time == nil)
  }

  @Test("a milestone without its footer was cut; without a title it is none")
  func milestoneFaults() throws {
    let cut = try #require(milestoneFile.firstRange(of: "---"))
    #expect(decode(String(milestoneFile[..<cut.lowerBound]), .milestone).diagnostics.map(\.code) == ["truncated"])
    #expect(decode("no title", .milestone).diagnostics.map(\.code) == ["missing-title"])
    #expect(decode("# Milestone: ", .milestone).diagnostics.map(\.code) == ["missing-title"])
  }
}

extension String {
  func firstRange(of other: String) -> Range<String.Index>? {
    let bytes = Array(utf8)
    let pattern = Array(other.utf8)
    guard !pattern.isEmpty, bytes.count >= pattern.count else { return nil }
    for start in 0...(bytes.count - pattern.count) where Array(bytes[start..<(start + pattern.count)]) == pattern {
      return utf8.index(startIndex, offsetBy: start)..<utf8.index(startIndex, offsetBy: start + pattern.count)
    }
    return nil
  }

  func replacingCharacters(_ range: Range<String.Index>, _ new: String) -> String {
    String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
  }
}
