import SecretScan
import Testing

// 20,000 records where the scanner is optimised; an unoptimised build reads a twentieth of them.
#if DEBUG
  private let seeds: [UInt64] = [1000]
#else
  private let seeds: [UInt64] = Array(1000..<1020)
#endif

@Suite("False alarms")
struct FalseAlarmTests {
  private let scanner = SecretScanner()

  @Test("of a thousand records at most one alarms", arguments: seeds)
  func records(seed: UInt64) {
    var records = RecordText(seed: seed)
    var alarms: [String] = []
    for _ in 0..<1000 {
      let bytes = Array(records.file().utf8)
      for finding in scanner.scan(bytes) {
        let line = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)[finding.line - 1]
        alarms.append("\(finding) in \(String(decoding: line, as: UTF8.self))")
      }
    }
    #expect(alarms.count <= 1, "\(alarms.prefix(5))")
  }
}
