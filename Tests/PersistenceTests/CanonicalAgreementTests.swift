internal import Persistence
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// The program computes content hashes from files, the database from columns: they must never disagree.
@Suite struct CanonicalAgreementTests {
  private static let words = [
    "buy", "", "\\", "\\x41", "'", "a\nb", "tab\there", "é", "e\u{301}", "💎", "\u{241b}0", "nul\u{0}inside", "~", "5:x",
    "\u{2028}",
    "100%", "\u{fffd}", "\\\\n", "{\"a\": 1}", "\u{7f}", "\u{1}",
  ]

  private static let metadata = [
    "{}", #"{"b": 1, "a": 2, "aa": 3, "é": 4}"#,
    #"{"x": 1.50, "y": 1e2, "z": -0.0, "w": 1E-3, "v": 12345678901234567890.10}"#,
    #"{"a": 1, "a": 2}"#, #"{"n": null, "t": true, "l": [1, [2, {}], "s"]}"#, #"{"u": "\u0000"}"#, #"{"s": "\ud800"}"#,
    #"{"e": "\u00e9\ud83d\udc8e\/\b\f\n\r\t\"\\"}"#, #"{"moha:json": "x"}"#, #"{"big": 1e5000}"#, "[1, 2]", #""text""#,
    #"{"": 0}"#,
  ]

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func theDatabaseComputesTheSameHashFromTheRow(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    func text() -> String {
      (0..<Int.random(in: 1...4, using: &random)).map { _ in Self.words.randomElement(using: &random) ?? "" }.joined()
    }
    let connection = try await PostgresServer.shared().database().connect()
    _ = try await Migrator(schema: .public).migrate(connection)
    for index in 0..<60 {
      let json = try JSONValue.parse(Array((Self.metadata.randomElement(using: &random) ?? "{}").utf8))
      let time = Instant(
        microseconds: Int64.random(in: -60_000_000_000_000_000...250_000_000_000_000_000, using: &random))
      let number =
        ["0", "98.0", "0.950", "100", "-3.5", "12.345678901234567890", "007", "1000000"].randomElement(using: &random)
        ?? "1"
      let confidence = try #require(ExactDecimal(number))
      let record: Record
      switch index % 4 {
      case 3:
        let amounts = ["0", "98.0", "0.95", "-3.5", "0.01", "9999999999999.99"].compactMap {
          ExactDecimal($0)
        }
        func amount() -> ExactDecimal { amounts.randomElement(using: &random) ?? ExactDecimal(1) }
        record = .snapshot(
          Snapshot(
            cause: Snapshot.Cause.allCases.randomElement(using: &random) ?? .manual, takenAt: try #require(time),
            totalValue: amount(), availableBalance: amount(), marginUsed: amount(), unrealizedPnL: amount(),
            openPositions: .array([json]), changes: .init(day: amount(), month: amount()),
            notes: Bool.random(using: &random) ? text() : nil, metadata: json))
      case 0:
        record = .decision(
          Decision(
            decisionType: text(), asset: Bool.random(using: &random) ? text() : nil, riskLevel: text(),
            confidence: confidence,
            decidedAt: try #require(time), action: text(), reasoning: text(),
            outcome: Bool.random(using: &random) ? text() : nil, metadata: json))
      case 1:
        record = .milestone(
          Milestone(
            title: text(), category: Bool.random(using: &random) ? text() : nil,
            significance: Bool.random(using: &random) ? text() : nil,
            achievedAt: Bool.random(using: &random) ? time : nil,
            description: text(), metadata: json))
      default:
        record = .event(
          Event(
            type: text(), title: Bool.random(using: &random) ? text() : nil,
            time: Bool.random(using: &random) ? time : nil,
            timeText: Bool.random(using: &random) ? text() : nil, content: text(), metadata: json))
      }
      let columns = RecordRow.columns(of: record.kind)
      let key = record.kind == .event ? "event_key" : "git_filename"
      let places = (1...columns.count + 1).map { "$\($0)" }.joined(separator: ", ")
      let row = try await connection.query(
        "INSERT INTO \(record.kind.table) (\((columns + [key]).joined(separator: ", "))) VALUES (\(places)) RETURNING content_hash",
        record.row.values.map(\.sqlValue) + [.text("key-\(index)")])
      #expect(try row.first?.bytes(0) == record.contentHash.bytes, "\(record)")
    }
  }
}

extension ColumnValue {
  fileprivate var sqlValue: Value {
    switch self {
    case .null: .null
    case .text(let text): .text(text)
    case .numeric(let number): .numeric(number.text)
    case .instant(let instant): .timestamp(microsecondsSince2000: instant.microsecondsSince2000)
    case .json(let text): .json(text)
    }
  }
}
