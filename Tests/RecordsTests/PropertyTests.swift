import Records
import TestSupport
import Testing

private let seeds: [UInt64] = Array(0..<40)

@Suite("Properties of the codecs")
struct PropertyTests {
  @Test("reading a written record gives the same record", arguments: seeds)
  func readAfterWrite(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<40 {
      if let decision = generator.decision() {
        let bytes = RecordFile.encode(.decision(decision), recordedBy: "Maven")
        let decoded = RecordFile.decode(bytes, role: .decision, path: decisionPath)
        #expect(
          decoded.record == .decision(decision), "\(String(decoding: bytes, as: UTF8.self)) \(decoded.diagnostics)")
      }
      if let snapshot = generator.snapshot() {
        let bytes = RecordFile.encode(.snapshot(snapshot), recordedBy: "Maven")
        let decoded = RecordFile.decode(bytes, role: .snapshot, path: snapshotPath)
        // Metadata of null is as good as none.
        #expect(decoded.record?.contentHash == Record.snapshot(snapshot).contentHash || snapshot.metadata == .null)
      }
      let milestone = generator.milestone()
      let bytes = RecordFile.encode(.milestone(milestone), recordedBy: "Maven")
      let decoded = RecordFile.decode(bytes, role: .milestone, path: milestonePath)
      #expect(
        decoded.record == .milestone(milestone), "\(String(decoding: bytes, as: UTF8.self)) \(decoded.diagnostics)")
    }
  }

  @Test("no content forges an entry of the log or ends one early", arguments: seeds)
  func logEntriesHold(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let events = (0..<12).compactMap { _ in generator.event() }
    let bytes = events.flatMap { SessionLog.encode($0) }
    let log = SessionLog.parse(bytes, path: logPath)
    #expect(log.entries.map(\.event) == events.map(\.written))
    #expect(log.entries.allSatisfy { $0.generation == 2 })
    #expect(log.spans.flatMap { bytes[$0.range] } == bytes)
  }

  @Test("an event appended after any log is read back", arguments: seeds)
  func appendAfterProse(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    // A fence without an end could pair with no fence of a written entry, since those are escaped.
    let head = "## Log Format\n" + generator.text(lines: 3).split(separator: "`").joined()
    let generated = generator.event()
    let event = try #require(generated)
    let log = SessionLog.parse(head.utf8Bytes + SessionLog.encode(event), path: logPath)
    if !head.contains("<<<<<<<") { #expect(log.entries.last?.event == event.written) }
  }

  @Test("a record keeps its hash through a row and through a file", arguments: seeds)
  func hashSurvives(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      let record = generator.record()
      let row = record.row
      #expect(row.values.count == RecordRow.columns(of: record.kind).count)
      #expect(row.contentHash == record.contentHash)
      let back = try Record(row: row, kind: record.kind)
      #expect(back.contentHash == record.contentHash)
      #expect(back.fieldDifferences(from: record).isEmpty)
    }
  }

  @Test("any bytes give a record or an error, and no byte is lost", arguments: seeds)
  func arbitraryBytes(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let sources = [decisionFile, milestoneFile, freeMilestoneFile, sessionLog, snapshotFile].map(\.utf8Bytes)
    for _ in 0..<25 {
      var bytes = generator.pick(sources)
      for _ in 0..<(1 + generator.below(8)) {
        let place = generator.below(bytes.count)
        switch generator.below(4) {
        case 0: bytes[place] = UInt8(generator.below(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(contentsOf: (generator.pick(hostileFragments) + "\n").utf8, at: place)
        default: bytes = Array(bytes[..<place]) + Array(bytes[generator.below(bytes.count)...])
        }
        if bytes.isEmpty { bytes = [0xFF] }
      }
      check(bytes)
    }
    check((0..<generator.below(300)).map { _ in UInt8(generator.below(256)) })
  }

  @Test("a file cut at any byte gives an error or the whole record")
  func truncations() throws {
    let whole = decisionFile.utf8Bytes
    let record = RecordFile.decode(whole, role: .decision, path: decisionPath).record
    for count in whole.indices {
      let decoded = RecordFile.decode(Array(whole[..<count]), role: .decision, path: decisionPath)
      #expect(decoded.record == nil || decoded.record == record, "cut at \(count)")
      check(Array(whole[..<count]))
    }
    let log = sessionLog.utf8Bytes
    for count in stride(from: 0, to: log.count, by: 3) { check(Array(log[..<count])) }
  }

  private func check(_ bytes: [UInt8]) {
    for role in [FileRole.decision, .milestone, .snapshot] {
      let decoded = RecordFile.decode(bytes, role: role, path: decisionPath)
      #expect((decoded.record == nil) == decoded.diagnostics.contains { $0.severity == .error })
    }
    let log = SessionLog.parse(bytes, path: logPath)
    #expect(log.spans.flatMap { bytes[$0.range] } == bytes)
    let spans = log.spans.count { if case .entry = $0 { true } else { false } }
    let lost = log.diagnostics.count { $0.severity == .error }
    #expect(log.entries.count <= spans && spans <= log.entries.count + lost)
    _ = IdentityFile.parse(bytes, path: logPath)
    #expect(RecordPath(text: RecordPath(bytes).text) == RecordPath(bytes))
  }

  @Test("JSON that was written reads as the same value", arguments: seeds)
  func jsonRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      let value = generator.json(depth: 4)
      for style in [JSONStyle.compact, .spaced, .pretty] {
        #expect(try JSONValue.parse(value.serialized(style)) == value)
      }
      let stored = try JSONValue.parse(value.jsonbText)
      #expect(JSONValue(databaseForm: stored).jsonbText == value.jsonbText)
    }
  }

  @Test("a timestamp that was written reads as the same moment", arguments: seeds)
  func instantRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let generated = generator.instant()
      let instant = try #require(generated)
      #expect(Instant(instant.description) == instant)
      let fields = instant.calendar
      #expect((1...9999).contains(fields.year))
    }
  }
}
