import Records
import TestSupport
import Testing

@Suite("Portfolio snapshots")
struct SnapshotTests {
  private func decode(_ text: String) -> DecodedFile {
    RecordFile.decode(text.utf8Bytes, role: .snapshot, path: snapshotPath)
  }

  @Test("a file is read, and written byte for byte as it was")
  func roundTrip() throws {
    let record = try #require(decode(snapshotFile).record)
    #expect(String(decoding: RecordFile.encode(record, recordedBy: "Maven"), as: UTF8.self) == snapshotFile)
    #expect(record.time?.description == "2026-01-13T03:56:13.642576+00:00")
    #expect(record.row.values[2] == .numeric(try #require(ExactDecimal("10500.25"))))
  }

  @Test(
    "a file that lacks an amount, or has one that the table would round, is a finding and no record",
    arguments: [
      (#""total_value_usd": 10500.25,"#, #""total_value_usd": 10500.255,"#, "total_value_usd is no number"),
      (#""total_value_usd": 10500.25,"#, #""total_value_usd": 1e5,"#, "total_value_usd is no number"),
      (#""total_value_usd": 10500.25,"#, #""total_value_usd": "10500.25","#, "total_value_usd is no number"),
      (#""total_value_usd": 10500.25,"#, #""total_value_usd": 12345678901234,"#, "total_value_usd is no number"),
      (#""available_balance_usd": 4000.00,"#, "", "available_balance_usd is missing"),
      (#""snapshot_type": "scheduled""#, #""snapshot_type": "hourly""#, "snapshot_type is none of"),
      (#""snapshot_at": "2026-01-13"#, #""snapshot_at": "2026-13-13"#, "snapshot_at is no time"),
      (#""pnl_24h": -12.50"#, #""pnl_24h": true"#, "pnl_24h is no number"),
      (#""notes": "Quiet day""#, #""notes": 7"#, "notes is no text"),
    ])
  func faults(part: String, replacement: String, message: String) throws {
    let text = snapshotFile.split(separator: part, omittingEmptySubsequences: false).joined(separator: replacement)
    try #require(text != snapshotFile)
    let file = decode(text)
    #expect(file.record == nil && file.diagnostics.contains { $0.message.hasPrefix(message) }, "\(file.diagnostics)")
  }

  @Test("only portfolio/snapshot_*.json is a snapshot, also in dated folders")
  func places() {
    func role(_ path: String) -> FileRole { TreeLayout.role(of: RecordPath(path.utf8Bytes), agent: .default) }
    #expect(role(".moha/maven/portfolio/snapshot_20260113_035613.json") == .snapshot)
    #expect(role(".moha/maven/portfolio/2026/01/13/snapshot_20260113_035613_2.json") == .snapshot)
    for other in [
      "snapshot_.json.bak", "notes.json", "x/snapshot_1.json", ".snapshot_1.json", "snapshot_1.md", "snapshot_",
    ] {
      #expect(role(".moha/maven/portfolio/\(other)") == .other)
    }
  }

  @Test("sums and products are exact, and what cannot be is nil")
  func arithmetic() throws {
    func decimal(_ text: String) throws -> ExactDecimal { try #require(ExactDecimal(text)) }
    #expect(try decimal("0.1").adding(decimal("0.2")) == decimal("0.3"))
    #expect(try decimal("-1.005").subtracting(decimal("2")) == decimal("-3.005"))
    #expect(try decimal("64000.12345678").multiplied(by: decimal("0.00000001")) == decimal("0.0006400012345678"))
    #expect(try decimal("1").subtracting(decimal("1.0"))?.canonical == "0")
    for (text, rounded) in [
      ("1.005", "1.01"), ("-1.005", "-1.01"), ("1.004999", "1.00"), ("7", "7.00"), ("-0.001", "0.00"),
      ("0.995", "1.00"),
    ] {
      #expect(try decimal(text).rounded(to: 2)?.text == rounded)
    }
    let large = try decimal(String(repeating: "9", count: 36))
    #expect(try large.adding(decimal("1")) == nil)
    #expect(large.multiplied(by: large) == nil)
    #expect(try large.multiplied(by: decimal("1")) == large)
    #expect(try large.adding(decimal("0.01")) == nil)
    #expect(try decimal("1." + String(repeating: "0", count: 60)).adding(decimal("1")) == decimal("2"))
  }
}
