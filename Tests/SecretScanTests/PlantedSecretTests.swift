import SecretScan
import Testing
import TestSupport

#if DEBUG
  private let seeds: [UInt64] = Array(0..<2)
#else
  private let seeds: [UInt64] = Array(0..<40)
#endif

@Suite("Planted secrets")
struct PlantedSecretTests {
  private let scanner = SecretScanner()

  @Test("each one is found in a file of its own", arguments: seeds)
  func alone(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for planted in PlantedSecret.all(&random) {
      let findings = scanner.scan(Array(planted.text.utf8))
      #expect(findings.contains { planted.rules.contains($0.rule) }, "\(planted.rules) in \(planted.text): \(findings)")
    }
  }

  @Test("each one is found anywhere in a record, whatever surrounds it", arguments: seeds)
  func embedded(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var records = RecordText(seed: seed ^ 0xFFFF)
    for planted in PlantedSecret.all(&random) {
      var lines = records.file().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      let place = random.below(lines.count + 1)
      let shape = random.below(7)
      let isOneLine = !planted.text.contains("\n")
      switch (shape, isOneLine) {
      case (0, true): lines.insert("    " + planted.text, at: place)
      case (1, true): lines.insert("- " + planted.text, at: place)
      case (2, true): lines.insert("> **Note** " + planted.text + " (rotate it!)", at: place)
      case (3, true): lines.insert("Seen today: " + planted.text + ", then nothing.", at: place)
      case (4, true): lines.insert("\t`" + planted.text + "`", at: place)
      default: lines.insert(planted.text, at: place)
      }
      // A line of .pgpass is one only on a line of its own.
      let isWholeLine = planted.text.hasPrefix("\n")
      if isWholeLine { lines = [records.file(), planted.text, records.file()] }
      let lineEnd = random.pick(["\n", "\r\n"])
      let text = lines.joined(separator: lineEnd).split(separator: "\n", omittingEmptySubsequences: false)
        .joined(separator: lineEnd)
      let findings = scanner.scan(Array(text.utf8))
      #expect(findings.contains { planted.rules.contains($0.rule) }, "\(planted.rules) in \(planted.text): \(findings)")
    }
  }

  @Test("each one is found in a string of JSON, and in JSON inside that", arguments: seeds)
  func escaped(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for planted in PlantedSecret.all(&random) {
      let once = "{\"note\": \"" + escape(planted.text, &random) + "\"}"
      let twice = "{\"outer\": \"" + escape(once, &random) + "\"}"
      for text in [once, twice] {
        let findings = scanner.scan(Array(text.utf8))
        #expect(findings.contains { planted.rules.contains($0.rule) }, "\(planted.rules) in \(text): \(findings)")
      }
    }
  }

  @Test("each one is found in UTF-16")
  func wide() {
    var random = SeededGenerator(seed: 7)
    for planted in PlantedSecret.all(&random) {
      let units = Array(planted.text.utf16)
      let little: [UInt8] = [0xFF, 0xFE] + units.flatMap { unit -> [UInt8] in [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
      let big: [UInt8] = [0xFE, 0xFF] + units.flatMap { unit -> [UInt8] in [UInt8(unit >> 8), UInt8(unit & 0xFF)] }
      for bytes in [little, big] {
        #expect(scanner.scan(bytes).contains { planted.rules.contains($0.rule) }, "\(planted.text)")
      }
    }
  }

  @Test("all of them are found in one file, far from its beginning")
  func together() {
    var random = SeededGenerator(seed: 99)
    let planted = PlantedSecret.all(&random)
    #expect(planted.count >= 250)
    var records = RecordText(seed: 99)
    var text = ""
    while text.utf8.count < 150_000 { text += records.file() }
    for secret in planted { text += "\n\n" + records.file() + "\n\n" + secret.text + "\n\n" }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
    let findings = scanner.scan(Array(text.utf8))
    #expect(findings.count >= planted.count)
    #expect(findings.map(\.line) == findings.map(\.line).sorted())
    #expect(findings.allSatisfy { $0.line <= lines })
  }

  @Test("a token across the edge of what is read at a time is found", arguments: [-40, -20, -8, -1, 0, 1])
  func edges(shift: Int) {
    var random = SeededGenerator(seed: 3)
    let token = "gh" + "p_" + random.alphanumeric(36)
    for isEscaped in [false, true] {
      let lead = isEscaped ? "\"\\" + "u0067" + token.dropFirst() : " " + token
      let bytes = Array((String(repeating: "-", count: 65_536 + shift) + lead + "\"").utf8)
      let findings = scanner.scan(bytes)
      #expect(findings.map(\.rule) == [.githubToken])
    }
  }

  private func escape(_ text: String, _ random: inout SeededGenerator) -> String {
    var output = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "/" where random.below(2) == 0: output += "\\/"
      case "-" where random.below(4) == 0: output += "\\u002d"
      case "_" where random.below(4) == 0: output += "\\u005F"
      default: output.unicodeScalars.append(scalar)
      }
    }
    return output
  }
}
