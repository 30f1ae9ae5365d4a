import FoundationEssentials
import SecretScan
import Testing
import TestSupport

/// A way of writing that hides a text from a reader of its bytes.
private struct Disguise: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let expected: SecretDisguise?
  let apply: @Sendable (String) -> String

  init(_ name: String, _ expected: SecretDisguise?, _ apply: @escaping @Sendable (String) -> String) {
    (testDescription, self.expected, self.apply) = (name, expected, apply)
  }

  static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
  static func hex(_ text: String) -> String {
    text.utf8.map { (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
  }
  static func wrapped(_ text: String, at width: Int, between: String) -> String {
    let characters = Array(text)
    return stride(from: 0, to: characters.count, by: width)
      .map { String(characters[$0..<min($0 + width, characters.count)]) }.joined(separator: between)
  }
  static func between(_ text: String, _ mark: String) -> String { text.map { String($0) }.joined(separator: mark) }

  /// Those that any text can have.
  static let whole: [Disguise] = [
    Disguise("base64", .base64, base64),
    Disguise("base64url", .base64) {
      base64($0).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    },
    Disguise("base64 after other base64", .base64) { "data/" + base64("xy " + $0) },
    Disguise("base64 in lines of 64", .base64) { wrapped(base64($0), at: 64, between: "\n") },
    Disguise("base64 in lines of 76, CRLF, indented", .base64) { wrapped(base64($0), at: 76, between: "\r\n    ") },
    Disguise("base64 in lines of 20 in a quotation", .base64) { wrapped(base64($0), at: 20, between: "\n> ") },
    Disguise("base64 in a JSON string with escaped line ends", .base64) {
      "{\"d\": \"" + wrapped(base64($0), at: 40, between: "\\n") + "\"}"
    },
    Disguise("base64 of UTF-16", .base64) { Data($0.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }).base64EncodedString() },
    Disguise("base64 twice", .base64) { base64(base64($0)) },
    Disguise("hexadecimal", .hexadecimal, hex),
    Disguise("hexadecimal in capitals with 0x", .hexadecimal) { "0x" + hex($0).uppercased() },
    Disguise("hexadecimal in lines of 32", .hexadecimal) { wrapped(hex($0), at: 32, between: "\n") },
    Disguise("base64 of hexadecimal", .base64) { base64(hex($0)) },
    Disguise("hexadecimal of base64", .hexadecimal) { hex(base64($0)) },
    Disguise("percent-encoding", .characters) { $0.utf8.map { "%" + hex(String(decoding: [$0], as: UTF8.self)) }.joined() },
    Disguise("base64, percent-encoded", .base64) { base64($0).replacing("=", with: "%3D").replacing("a", with: "%61") },
    Disguise("fullwidth forms", .characters) { text in
      String(String.UnicodeScalarView(text.unicodeScalars.map { scalar in
        (0x21...0x7E).contains(scalar.value) ? Unicode.Scalar(scalar.value + 0xFEE0) ?? scalar : scalar
      }))
    },
    Disguise("escaped fullwidth forms in JSON", nil) { text in
      "{\"n\": \"" + text.unicodeScalars.map { scalar in
        (0x21...0x7E).contains(scalar.value)
          ? "\\u" + String(scalar.value + 0xFEE0, radix: 16) : scalar == "\n" ? "\\n" : String(scalar)
      }.joined() + "\"}"
    },
  ] + ["\u{200B}", "\u{200C}", "\u{200D}", "\u{2060}", "\u{FEFF}", "\u{AD}", "\u{200E}", "\u{202E}", "\u{FE0F}", "\u{34F}"].map {
    mark in
    Disguise("U+\(String(mark.unicodeScalars.map(\.value)[0], radix: 16)) between", .characters) { between($0, mark) }
  }
}

@Suite("Disguises")
struct DisguiseTests {
  private let scanner = SecretScanner()

  @Test("what is planted is found in every disguise, on its line", arguments: Disguise.whole)
  fileprivate func whole(disguise: Disguise) {
    var random = SeededGenerator(seed: 21)
    for planted in PlantedSecret.all(&random) where planted.text.utf8.count >= 15 {
      let text = "first line\nsecond: " + disguise.apply(planted.text) + " and more\n"
      let findings = scanner.scan(Array(text.utf8))
      #expect(
        findings.contains { planted.rules.contains($0.rule) && $0.line >= 2 },
        "\(disguise.testDescription) of \(planted.text): \(findings)")
    }
  }

  @Test("a finding says how the secret was hidden, and has the fingerprint of the plain one", arguments: Disguise.whole)
  fileprivate func fingerprints(disguise: Disguise) throws {
    let token = "gh" + "p_" + "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ"
    let plain = try #require(scanner.scan(Array(token.utf8)).first)
    let hidden = try #require(scanner.scan(Array("a\n  \(disguise.apply(token))\n".utf8)).first)
    #expect(hidden.fingerprint == plain.fingerprint)
    #expect(hidden.masked == plain.masked)
    #expect(hidden.line >= 2)
    #expect(hidden.disguise == disguise.expected)
    #expect(plain.disguise == nil)
    let list = try SecretAllowList(parsing: plain.fingerprint.description)
    #expect(scanner.scan(Array(disguise.apply(token).utf8), allowing: list).isEmpty)
  }

  static let splits: [(name: String, mark: String, head: String, tail: String)] = [
    ("a line end", "\n", "", ""), ("CRLF", "\r\n", "", ""), ("indentation", "\n      ", "", ""), ("a tab", "\n\t", "", ""),
    ("a backslash", "\\\n", "", ""), ("a backslash and indentation", " \\\n    ", "", ""),
    ("a quotation", "\n> ", "> ", ""), ("a comment", "\n# ", "# ", ""), ("a comment of C", "\n// ", "// ", ""),
    ("strings with +", "\" +\n    \"", "x = \"", "\""), ("strings with + on one line", "\" + \"", "x = \"", "\""),
    ("strings with a leading +", "\"\n    + \"", "x = \"", "\""), ("adjacent strings", "\"\n  \"", "x = \"", "\""),
    ("single quotes", "' + '", "x = '", "'"), ("quoted-printable", "=\n", "", ""), ("a cell", "\n| ", "| ", " |"),
    ("an escaped line end in JSON", "\\n", "{\"a\": \"", "\"}"),
  ]

  @Test("a distinctive token that line ends split is found, wherever they are", arguments: Self.splits.indices)
  func split(index: Int) {
    let split = Self.splits[index]
    var sample = FormSample(seed: 31)
    for form in TokenForm.all where form.isDistinctive && form.lead.isEmpty {
      let token = sample.token(form)
      guard token.utf8.count >= 18 else { continue }
      for cut in Set([1, 3, token.utf8.count / 3, token.utf8.count / 2, token.utf8.count - 2]) {
        // In quoted-printable the sign is the mark of the break.
        if token.prefix(cut).hasSuffix("=") { continue }
        let text =
          "Note:\n" + split.head + token.prefix(cut) + split.mark + token.dropFirst(cut) + split.tail + "\nnext line\n"
        let findings = scanner.scan(Array(text.utf8))
        // What is left of it on one line may have a name of its own.
        #expect(!findings.isEmpty, "\(form.anchor), \(split.name) at \(cut): \(text)")
      }
    }
  }

  @Test("a token in many pieces is found")
  func pieces() {
    var sample = FormSample(seed: 33)
    for form in TokenForm.all where form.isDistinctive && form.lead.isEmpty {
      let token = sample.token(form)
      guard token.utf8.count >= 18 else { continue }
      let text = Disguise.wrapped(token, at: 7, between: "\n   ") + "\n\nThe end."
      #expect(scanner.scan(Array(text.utf8)).contains { $0.rule == form.rule }, "\(form.anchor): \(text)")
    }
  }

  @Test("structured tokens and passwords of databases are found when split", arguments: [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "SG.", "postgres://bot:", "https://hooks.", "1234567890:AA", "TWljcm9zb2Z0",
  ])
  func structured(kind: String) {
    var random = SeededGenerator(seed: 35)
    let token =
      switch kind {
      case "SG.": "S" + "G." + random.base64URL(22) + "." + random.base64URL(43)
      case "postgres://bot:": "postgres" + "://bot:Xy7kqLmP2w@db.example.org/maven"
      case "https://hooks.": "https://hooks." + "slack.com/services/T0A1B2C3D/B0A1B2C3D/" + random.alphanumeric(24)
      case "1234567890:AA": "1234567890:" + "AA" + random.alphanumeric(33)
      case "TWljcm9zb2Z0": "MT" + random.alphanumeric(24) + ".G" + random.alphanumeric(5) + "." + random.alphanumeric(38)
      default: "ey" + kind.dropFirst(2) + "." + random.base64URL(60) + "." + random.base64URL(43)
      }
    let cut = token.utf8.count - 20
    let text = "Seen: " + token.prefix(cut) + "\n  " + token.dropFirst(cut) + "\n"
    #expect(!scanner.scan(Array(text.utf8)).isEmpty, "\(text)")
  }
}
