import SecretScan
import Testing
import TestSupport

@Suite("Findings")
struct SecretFindingTests {
  private let scanner = SecretScanner()
  private let token = "gh" + "p_" + "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ"

  @Test("a finding names line and columns in bytes")
  func place() throws {
    let findings = scanner.scan(Array("é\r\n💎 \(token).\n".utf8))
    let finding = try #require(findings.first)
    #expect(findings.count == 1)
    #expect(finding.rule == .githubToken)
    #expect(finding.line == 2)
    #expect(finding.columns == 6..<46)
  }

  @Test("a finding in escaped text points at the escapes")
  func placeOfEscaped() throws {
    let finding = try #require(scanner.scan(Array("x\n\"a\\n\(token)\"".utf8)).first)
    #expect(finding.line == 2)
    #expect(finding.columns == 5..<45)
  }

  @Test("a finding shows four characters at most, and of a short password none")
  func masks() throws {
    let finding = try #require(scanner.scan(Array(token.utf8)).first)
    #expect(finding.masked == "ghp_… (40 bytes)")
    let url = try #require(scanner.scan(Array(("redis://:" + "hunter2@cache").utf8)).first)
    #expect(url.masked == "… (7 bytes)")
    #expect(!url.description.contains("hunter"))
    #expect(!finding.description.contains(token.dropFirst(4)))
  }

  @Test("a fingerprint depends on rule and value alone")
  func fingerprints() throws {
    let plain = try #require(scanner.scan(Array(token.utf8)).first)
    let moved = try #require(scanner.scan(Array("a\n\n  - key: `\(token)`, old".utf8)).first)
    let other = try #require(scanner.scan(Array((token.dropLast() + "9").utf8)).first)
    #expect(plain.fingerprint == moved.fingerprint)
    #expect(plain.fingerprint != other.fingerprint)
    #expect(plain.fingerprint.description.utf8.count == 16)
    #expect(SecretFingerprint(hex: plain.fingerprint.description) == plain.fingerprint)
  }

  @Test("a private key has one fingerprint on many lines, with CRLF and on one line of JSON")
  func keyFingerprints() {
    var random = SeededGenerator(seed: 5)
    let lines = (0..<6).map { _ in random.base64(64) }
    let prints = ["\n", "\r\n", "\\n"].map { lineEnd in
      let text = (["-----BEG" + "IN RSA PRIVATE KEY-----"] + lines + ["-----END RSA PRIVATE KEY-----"])
        .joined(separator: lineEnd)
      return scanner.scan(Array(text.utf8)).map(\.fingerprint)
    }
    #expect(prints.allSatisfy { $0.count == 1 })
    #expect(Set(prints).count == 1)
  }

  @Test("overlapping rules give one finding, the one that says most")
  func overlap() {
    #expect(scanner.scan(Array("api_key = \(token)".utf8)).map(\.rule) == [.githubToken])
    #expect(scanner.scan(Array("Authorization: Bearer \(token)".utf8)).map(\.rule) == [.githubToken])
  }

  @Test("placeholders, references and masks are no secrets", arguments: [
    "postgres://user:password@host/db", "postgres://moha:${DB_PASSWORD}@db", "postgres://moha:<password>@db",
    "redis://:***@cache", "redis://:xxxx@cache", "api_key: ${API_KEY}", "token: <token>", "password=$DB_PASSWORD",
    "DB_PASSWORD=", "DB_PASSWORD=********", "password: null", "secret: your-secret-goes-here-please-replace-it",
    "https://example.com:8080/@scope/package", "gh" + "p_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "-----BEG" + "IN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "Basic authentication", "Bearer token",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", "http://127.0.0.1:1@evil.example/",
  ])
  func placeholders(text: String) {
    #expect(scanner.scan(Array(text.utf8)).isEmpty)
  }
}

@Suite("The allow-list")
struct SecretAllowListTests {
  private let scanner = SecretScanner()
  private let token = "gh" + "p_" + "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ"

  @Test("an allowed secret is not reported, nor what overlaps it; another one is")
  func allows() throws {
    let text = "api_key = \(token)\nredis://:" + "hunter2@cache\n"
    let first = try #require(scanner.scan(Array(text.utf8)).first)
    let list = try SecretAllowList(parsing: "# reviewed 2026-01-14\r\n\r\n  \(first.fingerprint)  # a revoked token\r\n")
    #expect(list.allows(first.fingerprint))
    #expect(scanner.scan(Array(text.utf8), allowing: list).map(\.rule) == [.connectionString])
  }

  @Test("a thousand allowed secrets do not hide the next one")
  func limit() throws {
    var random = SeededGenerator(seed: 11)
    let tokens = (0..<1500).map { _ in "gh" + "p_" + random.alphanumeric(36) }
    let old = Array(tokens.dropLast().joined(separator: "\n").utf8)
    let all = Array(tokens.joined(separator: "\n").utf8)
    #expect(scanner.scan(all).count == SecretScanner.findingLimit)
    let prints = stride(from: 0, to: tokens.count - 1, by: 500).flatMap { start in
      scanner.scan(Array(tokens[start..<min(start + 500, tokens.count - 1)].joined(separator: "\n").utf8)).map(\.fingerprint)
    }
    let list = try SecretAllowList(parsing: prints.map(\.description).joined(separator: "\n"))
    #expect(scanner.scan(old, allowing: list).isEmpty)
    #expect(scanner.scan(all, allowing: list).map(\.line) == [1500])
  }

  @Test("a line that is neither fingerprint nor comment is an error with its number", arguments: [
    "# fine\n\n0123456789abcdeg\n", "0123456789abcdef\n\nabc", "0123456789abcdef 1\n\n0",
  ])
  func unknownLines(text: String) {
    let error = #expect(throws: SecretAllowListError.self) { try SecretAllowList(parsing: text) }
    #expect(error?.line == (text.hasPrefix("0123456789abcdef 1") ? 1 : 3))
  }

  @Test("upper case, a byte order mark and no final newline are fine")
  func spellings() throws {
    let list = try SecretAllowList(parsing: "\u{FEFF}0123456789ABCDEF")
    #expect(SecretFingerprint(hex: "0123456789abcdef").map(list.allows) == true)
  }
}
