import Records
import Testing

/// The golden vectors of wire format 1. They never change: a change of the format is another tag.
@Suite("Canonical bytes")
struct CanonicalTests {
  private let time = Instant("2026-01-13T03:56:13.642576+00:00")

  @Test("a decision encodes as the format says")
  func decision() throws {
    let record = Record.decision(
      Decision(
        decisionType: "buy", asset: nil, riskLevel: "LOW", confidence: try #require(ExactDecimal("98.0")),
        decidedAt: try #require(time), action: "a\u{0}", reasoning: "é", outcome: "", metadata: ["bb": 1, "a": "x\\"]))
    #expect(
      String(decoding: record.canonicalBytes.bytes, as: UTF8.self)
        == "moha.decision.v1;3:buy~3:low98;0002eb3bbdd17f505:a\u{241B}02:é~21:{\"a\": \"x\\\\\", \"bb\": 1}")
    // The hash that a PostgreSQL 15 server computed from these columns with the expression of `CanonicalBytes`.
    #expect(record.contentHash.description == "a6e644c78a0cd042790b2394089e909c3e209e8678d79ac4e633f34d4081f7c0")
  }

  @Test("a milestone and an event encode as the format says")
  func others() throws {
    let milestone = Record.milestone(Milestone(title: "T", achievedAt: nil, description: ""))
    #expect(String(decoding: milestone.canonicalBytes.bytes, as: UTF8.self) == "moha.milestone.v1;1:T~~~0:2:{}")
    let event = Record.event(
      Event(type: "X", title: "T", time: Instant("1999-12-31T23:59:59.999999Z"), timeText: "08:30Z", content: "c"))
    #expect(
      String(decoding: event.canonicalBytes.bytes, as: UTF8.self)
        == "moha.event.v1;1:Xffffffffffffffff6:08:30Z1:T1:c2:{}")
    #expect(milestone.contentHash.description == "16fe0ffc99324ccefafab500a9a7e20fd89421f1ff84afa1c45a6e1db9a3b065")
    #expect(event.contentHash.description == "673025dbf030d5e94db1086baf055d2b996ec5e42e55db6a1899c9e12df0146d")
  }

  @Test("hashes convert to bytes and text and back")
  func hashes() {
    let hash = ContentHash(bytes: Array(0..<32))
    #expect(hash?.description.hasPrefix("000102030405") == true)
    #expect(hash.flatMap { ContentHash(hex: $0.description) } == hash)
    #expect(hash?.bytes == Array(0..<32))
    #expect(
      ContentHash(hex: "00") == nil && ContentHash(hex: String(repeating: "g", count: 64)) == nil
        && ContentHash(bytes: [1]) == nil)
  }

  @Test("differences name the column and both values")
  func differences() throws {
    func decision(_ confidence: String, _ outcome: String?) throws -> Record {
      .decision(
        Decision(
          decisionType: "buy", riskLevel: "low", confidence: try #require(ExactDecimal(confidence)),
          decidedAt: try #require(time), action: "a", reasoning: "r", outcome: outcome))
    }
    #expect(try decision("98.0", nil).fieldDifferences(from: decision("98", nil)).isEmpty)
    #expect(
      try decision("98.0", nil).fieldDifferences(from: decision("12.00", "won")) == [
        FieldDifference(name: "confidence", git: "98.0", row: "12.00"),
        FieldDifference(name: "outcome", git: nil, row: "won"),
      ])
  }

  @Test("a row that no record has is refused")
  func badRows() throws {
    #expect(throws: RecordError.self) { try Record(row: RecordRow(kind: .event, values: [.null]), kind: .event) }
    #expect(throws: RecordError.self) {
      try Record(row: RecordRow(kind: .event, values: [.null, .null, .null, .null, .text(""), .null]), kind: .event)
    }
    #expect(throws: RecordError.self) {
      try Record(
        row: RecordRow(kind: .event, values: [.text("x"), .null, .null, .null, .text(""), .json("{")]), kind: .event)
    }
  }

  @Test("normal forms of one text are different records")
  func normalForms() {
    let composed = Record.milestone(Milestone(title: "caf\u{E9}", achievedAt: nil, description: ""))
    let decomposed = Record.milestone(Milestone(title: "cafe\u{301}", achievedAt: nil, description: ""))
    #expect(composed != decomposed)
    #expect(composed.contentHash != decomposed.contentHash)
    #expect(composed.fieldDifferences(from: decomposed).map(\.name) == ["title"])
  }
}
