import Crypto
import FoundationEssentials
import SecretScan
import Testing
import TestSupport

@Suite("Keys of wallets")
struct WalletKeyTests {
  private let scanner = SecretScanner()

  /// Where a key stands bare.
  private static let surroundings: [(head: String, tail: String)] = [
    ("", ""), ("Swept it: ", "."), ("{\"a\": \"", "\"}"), ("- `", "`"), ("wif", " in the text"), ("\n> ", "\n"),
  ]

  private func expect(_ rule: SecretRule, _ key: String, sourceLocation: SourceLocation = #_sourceLocation) {
    for (head, tail) in Self.surroundings {
      let findings = scanner.scan(Array((head + key + tail).utf8))
      #expect(findings.map(\.rule) == [rule], "\(head)\(key)\(tail)", sourceLocation: sourceLocation)
    }
    for cut in [1, key.utf8.count / 2, key.utf8.count - 3] {
      let split = "a\n" + key.prefix(cut) + "\n  " + key.dropFirst(cut) + "\n\nb"
      #expect(scanner.scan(Array(split.utf8)).map(\.rule) == [rule], "\(split)", sourceLocation: sourceLocation)
    }
    #expect(!scanner.scan(Array(KeyEncoding.base64(key).utf8)).isEmpty, sourceLocation: sourceLocation)
  }

  /// With one character changed the checksum is wrong.
  private func expectNone(_ key: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let middle = key.index(key.startIndex, offsetBy: key.count / 2)
    let other: Character = key[middle] == "a" ? "b" : "a"
    let changed = key[..<middle] + String(other) + key[key.index(after: middle)...]
    #expect(scanner.scan(Array("x \(changed) y".utf8)).isEmpty, "\(changed)", sourceLocation: sourceLocation)
  }

  @Test("a key in wallet import format is found by its checksum", arguments: [0x80, 0xEF, 0xB0, 0x9E, 0xCC] as [UInt8])
  func walletImportFormat(version: UInt8) {
    var random = SeededGenerator(seed: UInt64(version))
    for isCompressed in [false, true] {
      let key = KeyEncoding.base58Check([version] + random.bytes(32) + (isCompressed ? [1] : []))
      expect("wif-private-key", key)
      expectNone(key)
    }
  }

  @Test("an address, which has a checksum too, is none")
  func addresses() {
    var random = SeededGenerator(seed: 3)
    for version: UInt8 in [0x00, 0x05, 0x41, 0x6F] {
      let address = KeyEncoding.base58Check([version] + random.bytes(20))
      #expect(scanner.scan(Array("to \(address)".utf8)).isEmpty, "\(address)")
    }
  }

  @Test("an extended private key is found, and an extended public key is not", arguments: [
    [0x04, 0x88, 0xAD, 0xE4], [0x04, 0x35, 0x83, 0x94], [0x04, 0x9D, 0x78, 0x78], [0x04, 0xB2, 0x43, 0x0C],
    [0x02, 0xAA, 0x7A, 0x99],
  ] as [[UInt8]])
  func extendedKeys(version: [UInt8]) {
    var random = SeededGenerator(seed: 5)
    let key = KeyEncoding.base58Check(version + random.bytes(41) + [0] + random.bytes(32))
    #expect(key.utf8.count == 111)
    expect("extended-private-key", key)
    let publicKey = KeyEncoding.base58Check([0x04, 0x88, 0xB2, 0x1E] + random.bytes(41) + [2] + random.bytes(32))
    #expect(scanner.scan(Array("x \(publicKey) y".utf8)).isEmpty)
  }

  @Test("seeds of Stellar and of the XRP Ledger are found, and their addresses are not")
  func seeds() {
    var random = SeededGenerator(seed: 7)
    let stellar = KeyEncoding.stellar(version: 18 << 3, random.bytes(32))
    expect("stellar-secret-seed", stellar)
    expectNone(stellar)
    #expect(scanner.scan(Array("to \(KeyEncoding.stellar(version: 6 << 3, random.bytes(32)))".utf8)).isEmpty)
    let seed = KeyEncoding.base58Check([0x21] + random.bytes(16), alphabet: KeyEncoding.ripple)
    #expect(scanner.scan(Array("x \(seed) y".utf8)).map(\.rule) == ["xrp-secret-seed"])
    let edSeed = KeyEncoding.base58Check([0x01, 0xE1, 0x4B] + random.bytes(16), alphabet: KeyEncoding.ripple)
    #expect(scanner.scan(Array("x \(edSeed) y".utf8)).map(\.rule) == ["xrp-secret-seed"])
    let address = KeyEncoding.base58Check([0x00] + random.bytes(20), alphabet: KeyEncoding.ripple)
    #expect(scanner.scan(Array("to \(address)".utf8)).isEmpty)
  }

  @Test("a key pair of Solana is found as an array and in base58, and 64 other bytes are not")
  func solana() throws {
    var random = SeededGenerator(seed: 9)
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: random.bytes(32))
    let pair = Array(key.rawRepresentation) + Array(key.publicKey.rawRepresentation)
    for separator in [",", ", ", ",\n  "] {
      let array = "[" + pair.map { "\($0)" }.joined(separator: separator) + "]"
      let findings = scanner.scan(Array("id.json:\n\(array)\n".utf8))
      #expect(findings.map(\.rule) == ["solana-secret-key"])
    }
    let base58 = KeyEncoding.base58(pair)
    expect("solana-secret-key", base58)
    let other = random.bytes(64)
    let array = "[" + other.map { "\($0)" }.joined(separator: ",") + "]"
    #expect(scanner.scan(Array("samples: \(array)".utf8)).isEmpty)
    #expect(scanner.scan(Array("{\"secretKey\": \(array)}".utf8)).map(\.rule) == ["solana-secret-key"])
    #expect(scanner.scan(Array("signature \(KeyEncoding.base58(other))".utf8)).isEmpty)
  }

  @Test("a BIP 38 key is found")
  func encrypted() {
    var random = SeededGenerator(seed: 11)
    let key = KeyEncoding.base58Check([0x01, 0x42] + random.bytes(37))
    #expect(scanner.scan(Array("paper: \(key)".utf8)).map(\.rule) == ["bip38-private-key"])
  }

  @Test("keys in the encodings of ASN.1 are found without the lines of PEM")
  func asn1() {
    let key = P256.Signing.PrivateKey()
    let text = "k: " + key.derRepresentation.base64EncodedString()
    #expect(scanner.scan(Array(text.utf8)).map(\.rule) == ["der-private-key"])
    #expect(scanner.scan(Array(key.pemRepresentation.utf8)).map(\.rule) == [.privateKeyBlock])
    let publicKey = key.publicKey.derRepresentation.base64EncodedString()
    #expect(scanner.scan(Array("k: \(publicKey)".utf8)).isEmpty)
  }
}

@Suite("Recovery phrases that nothing announces")
struct RecoveryPhraseTests {
  private let scanner = SecretScanner()

  @Test("a phrase of each length is found, however its words are separated", arguments: [12, 15, 18, 21, 24])
  func everyLength(count: Int) {
    var random = SeededGenerator(seed: UInt64(count))
    for _ in 0..<4 {
      let words = KeyEncoding.recoveryPhrase(random.bytes(count * 4 / 3))
      let plain = words.joined(separator: " ")
      let numbered: [String] = words.enumerated().map { "\($0.offset + 1). \($0.element)" }
      let capitals: [String] = words.map { $0.uppercased() }
      let titles: [String] = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }
      let cells: [String] = words.map { "| \($0) |" }
      let quoted: [String] = words.map { "\"\($0)\"" }
      var texts: [String] = [plain, "kept here: \(plain).", numbered.joined(separator: "\n"), numbered.joined(separator: " ")]
      texts += ["\n", ", ", "\r\n  - ", "-", "_", " \n> "].map { words.joined(separator: $0) }
      texts += [capitals.joined(separator: " "), titles.joined(separator: " "), cells.joined(separator: "\n")]
      texts += ["[" + quoted.joined(separator: ", ") + "]", "{\"n\": \"" + words.joined(separator: "\\n") + "\"}"]
      for text in texts {
        let findings = scanner.scan(Array(text.utf8))
        #expect(findings.map(\.rule) == [.seedPhrase], "\(text)")
      }
      #expect(!scanner.scan(Array(KeyEncoding.base64(plain).utf8)).isEmpty)
      #expect(!scanner.scan(path: Array("notes/\(words.joined(separator: "_")).md".utf8)).isEmpty || count > 24)
    }
  }

  @Test("a phrase has one fingerprint, announced or not, in lines or not")
  func fingerprint() {
    var random = SeededGenerator(seed: 4)
    let words = KeyEncoding.recoveryPhrase(random.bytes(16))
    let prints = ["seed phrase: " + words.joined(separator: " "), words.joined(separator: " "), words.joined(separator: "\n")]
      .map { scanner.scan(Array($0.utf8)).map(\.fingerprint) }
    #expect(prints.allSatisfy { $0.count == 1 })
    #expect(Set(prints).count == 1)
  }

  @Test("of phrases with a wrong checksum, of the list itself and of repeated words none is found")
  func others() {
    var random = SeededGenerator(seed: 6)
    for _ in 0..<20 {
      var words = KeyEncoding.recoveryPhrase(random.bytes(32))
      words.swapAt(0, 1)
      let isValid = KeyEncoding.isValid(words)
      // The windows of shorter lengths in it are as likely to be valid as those of any text.
      let found = scanner.scan(Array(words.joined(separator: " ").utf8))
      if !isValid { #expect(!found.contains { $0.masked.hasSuffix("(\(words.joined(separator: " ").utf8.count) bytes)") }) }
    }
    let list = KeyEncoding.words[100..<160].joined(separator: "\n")
    #expect(scanner.scan(Array(list.utf8)).isEmpty)
    #expect(scanner.scan(Array(Array(repeating: "abandon", count: 24).joined(separator: " ").utf8)).isEmpty)
  }
}
