import SecretScan
import Testing
import TestSupport

@Suite("Names of files")
struct NameTests {
  private let scanner = SecretScanner()

  @Test("a token of every distinctive form is found in a name, whatever is beside it")
  func everyForm() {
    var sample = FormSample(seed: 41)
    for form in TokenForm.all where form.isDistinctive && form.lead.isEmpty {
      let token = sample.token(form)
      for name in [
        "\(token).md", "note_\(token).md", "\(token)_2026.json", "2026-01-14-\(token)-old.md", "\(token)",
      ] {
        if token.contains("/") { continue }
        let path = ".moha/maven/notes/" + name
        #expect(!scanner.scan(path: Array(path.utf8)).isEmpty, "\(form.anchor) in \(path)")
      }
    }
  }

  @Test("a token that was made part of a slug is found")
  func slugs() {
    var sample = FormSample(seed: 43)
    for form in TokenForm.all where form.isDistinctive && form.lead.isEmpty {
      guard form.tail.count == 1, case .run(let alphabet, let length) = form.tail[0], length.minimum >= 16 else { continue }
      guard [.alphanumeric, .hexadecimal, .upperAlphanumeric].contains(where: { "\($0)" == "\(alphabet)" } as (TokenAlphabet) -> Bool)
      else { continue }
      guard "\(form.anchor)".utf8.count >= 4 else { continue }
      let slug = sample.token(form).lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" }
      let path = ".moha/maven/milestones/milestone_20260101_120000_\(String(slug)).md"
      #expect(!scanner.scan(path: Array(path.utf8)).isEmpty, "\(form.anchor) in \(path)")
    }
  }

  @Test("passwords, assignments and what is encoded are found in a name", arguments: [
    "password=hunter2.md", "api_secret_@.md", "api-key=@.txt", "postgres%3A%2F%2Fbot%3Ahunter22x%40db.example.org.md",
    "postgres:/bot:hunter22x@db.example.org:5432/maven.md", "client_secret_@/x.md", "DB_PASSWORD=hunter2/readme.md",
  ])
  func assignments(name: String) {
    let path = ".moha/maven/notes/" + name.replacing("@.", with: "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ.")
      .replacing("@/x", with: "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ/x")
    #expect(!scanner.scan(path: Array(path.utf8)).isEmpty, "\(path)")
  }

  @Test("a finding's columns are the secret's bytes in the path")
  func columns() throws {
    let token = "gh" + "p_" + "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ"
    let path = ".moha/maven/notes/\(token).md"
    let finding = try #require(scanner.scan(path: Array(path.utf8)).first)
    #expect(finding.line == 1)
    #expect(Array(path.utf8)[(finding.columns.lowerBound - 1)..<(finding.columns.upperBound - 1)].elementsEqual(token.utf8))
    #expect(scanner.scan(Array(token.utf8)).map(\.fingerprint) == [finding.fingerprint])
  }

  @Test("names that are not text, empty or long never trap")
  func hostile() {
    var random = SeededGenerator(seed: 47)
    for count in 0..<200 {
      let bytes = random.bytes(count)
      _ = scanner.scan(path: bytes)
      _ = scanner.scan(path: bytes.map { $0 & 0x7F | 0x20 })
      _ = scanner.scan(path: Array("a_0/.b:@%".utf8.shuffled(using: &random)) + bytes)
    }
  }
}
