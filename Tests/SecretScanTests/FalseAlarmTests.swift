import SecretScan
import Testing
import TestSupport

// More where the scanner is optimised; an unoptimised build reads a twentieth as fast.
#if DEBUG
  private let seeds: [UInt64] = [1000]
  private let textSeeds: [UInt64] = Array(2000..<2004)
#else
  private let seeds: [UInt64] = Array(1000..<1020)
  private let textSeeds: [UInt64] = Array(2000..<2100)
#endif

@Suite("False alarms")
struct FalseAlarmTests {
  private let scanner = SecretScanner()

  @Test("of a thousand records at most one alarms", arguments: seeds)
  func records(seed: UInt64) {
    var records = RecordText(seed: seed)
    var alarms: [String] = []
    for _ in 0..<1000 { alarms += found(in: records.file()) }
    #expect(alarms.count <= 1, "\(alarms.prefix(5))")
  }

  @Test("of five thousand harmless texts at most five alarm", arguments: textSeeds)
  func texts(seed: UInt64) {
    var texts = HarmlessText(seed: seed)
    var alarms: [String] = []
    for _ in 0..<5000 { alarms += found(in: texts.next()) }
    #expect(alarms.count <= 5, "\(alarms.prefix(8))")
  }

  @Test("names of harmless files do not alarm")
  func names() {
    var names = HarmlessText(seed: 3000)
    var alarms: [String] = []
    for _ in 0..<3000 {
      let name = names.fileName()
      alarms += scanner.scan(path: Array(name.utf8)).map { "\($0) in \(name)" }
    }
    #expect(alarms.count <= 3, "\(alarms.prefix(8))")
  }

  private func found(in text: String) -> [String] {
    let bytes = Array(text.utf8)
    return scanner.scan(bytes).map { finding in
      let line = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)[finding.line - 1]
      return "\(finding) in \(String(decoding: line, as: UTF8.self))"
    }
  }
}
