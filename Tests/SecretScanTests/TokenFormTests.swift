import SecretScan
import Testing
import TestSupport

#if DEBUG
  private let seeds: [UInt64] = [1]
#else
  private let seeds: [UInt64] = Array(1...30)
#endif

@Suite("Forms of tokens")
struct TokenFormTests {
  private let scanner = SecretScanner()

  @Test("a token of every form is found bare, in prose, in JSON and in an event", arguments: seeds)
  func everyForm(seed: UInt64) {
    var sample = FormSample(seed: seed)
    for form in TokenForm.all {
      let token = sample.token(form)
      for text in FormSample.contexts(token) {
        let found = scanner.scan(Array(text.utf8))
        #expect(found.contains { $0.rule == form.rule }, "\(form.anchor) (\(form.rule)) in \(text): \(found)")
        #expect(found.allSatisfy { !"\($0)".contains(token.dropFirst(4)) })
      }
    }
  }

  @Test("what is nearly of a form is not of it: another length, another alphabet, a filler", arguments: seeds)
  func nearMisses(seed: UInt64) {
    var sample = FormSample(seed: seed)
    for form in TokenForm.all {
      for text in nearMisses(form, &sample) {
        let found = scanner.scan(Array("The value \(text) is none.".utf8)).filter { $0.rule == form.rule }
        #expect(found.isEmpty, "\(form.anchor) (\(form.rule)) in \(text): \(found)")
      }
    }
  }

  /// Of forms whose rule has another one with the same beginning, only what is none of either.
  private func nearMisses(_ form: TokenForm, _ sample: inout FormSample) -> [String] {
    guard case .run(let alphabet, let length)? = form.tail.last else { return [] }
    let head = sample.text(form.lead) + "\(form.anchor)" + sample.text(Array(form.tail.dropLast()))
    let siblings = TokenForm.all.filter { other in
      other.rule == form.rule && "\(other.anchor)" != "\(form.anchor)"
        && ("\(form.anchor)".hasPrefix("\(other.anchor)") || "\(other.anchor)".hasPrefix("\(form.anchor)"))
    }
    let twins = TokenForm.all.filter { $0.rule == form.rule && "\($0.anchor)" == "\(form.anchor)" }
    guard form.tail.count == 1, form.lead.isEmpty else { return [] }
    var texts = [head + FormSample.filler(alphabet, length.minimum)]
    guard siblings.isEmpty, twins.count == 1 else { return texts }
    texts.append(head + sample.run(alphabet, length.minimum - 1))
    if !length.isOpen { texts.append(head + sample.run(alphabet, length.maximum + 1)) }
    // A character that no alphabet has, in the middle: neither half is long enough.
    let half = sample.run(alphabet, length.minimum / 2)
    if length.isOpen == false { texts.append(head + half + "!" + sample.run(alphabet, length.minimum - half.count - 1)) }
    return texts
  }

  @Test("each form names its source, and each rule is in kebab case")
  func sources() {
    for (rule, source) in TokenForm.all.map({ ($0.rule, $0.source) }) + NamedForm.all.map({ ($0.rule, $0.source) }) {
      #expect("\(source)".hasPrefix("https://"))
      #expect(rule.rawValue.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" }, "\(rule)")
    }
    #expect(TokenForm.all.count >= 300)
  }

  @Test("a word that is glued to a distinctive token does not hide it", arguments: ["token", "apiKey", "mytoken", "KEY", "x"])
  func glued(word: String) {
    var sample = FormSample(seed: 7)
    for form in TokenForm.all where form.isDistinctive && form.lead.isEmpty {
      let text = "see \(word)\(sample.token(form)) there"
      #expect(scanner.scan(Array(text.utf8)).contains { $0.rule == form.rule }, "\(form.anchor) in \(text)")
    }
  }

  @Test("in random base64 no form is found inside a run")
  func base64() {
    var random = SeededGenerator(seed: 17)
    let text = (0..<400).map { _ in random.base64(700) }.joined(separator: "\n")
    #expect(scanner.scan(Array(text.utf8)).isEmpty)
  }
}

extension FormSample {
  /// What stands for a token in documentation.
  fileprivate static func filler(_ alphabet: TokenAlphabet, _ count: Int) -> String {
    let letter = letters(of: alphabet).contains("x") ? "x" : letters(of: alphabet).contains("X") ? "X" : "0"
    return String(repeating: letter, count: count)
  }
}

@Suite("Forms that a vendor's name tells")
struct NamedFormTests {
  private let scanner = SecretScanner()

  @Test("a value of every form is found beside its vendor's name", arguments: seeds)
  func everyForm(seed: UInt64) {
    var sample = FormSample(seed: seed)
    for form in NamedForm.all {
      for name in form.names {
        let value = sample.text(form.parts)
        let title = "\(name)".prefix(1).uppercased() + "\(name)".dropFirst()
        for text in [
          "\(name)_api_token = \"\(value)\"", "\("\(name)".uppercased())_SECRET=\(value)",
          "{\"\(name)Token\": \"\(value)\"}", "\(title) API key: \(value)", "The \(title) API key is \(value).",
          "\(name)_auth_token: '\(value)'", "System.setProperty(\"\("\(name)".uppercased())_TOKEN\", \"\(value)\")",
          "\(name)Token := `\(value)`", "  \"\(name)Key\" => \"\(value)\"", "\(name)_TOKEN ?= \"\(value)\"",
        ] {
          #expect(!scanner.scan(Array(text.utf8)).isEmpty, "\(form.rule) in \(text)")
        }
      }
    }
  }

  @Test("without a word for a secret, or in another sentence, it is an id", arguments: seeds)
  func others(seed: UInt64) {
    var sample = FormSample(seed: seed)
    for form in NamedForm.all {
      guard let name = form.names.first, form.rule != .exchangeKey else { continue }
      let value = sample.text(form.parts)
      guard scanner.scan(Array("value \(value)".utf8)).isEmpty else { continue }
      for text in ["\(name) event \(value)", "Uses \(name) for builds. The trace was \(value)"] {
        let found = scanner.scan(Array(text.utf8)).filter { $0.rule == form.rule }
        #expect(found.isEmpty || "\(name)".contains("key"), "\(form.rule) in \(text)")
      }
    }
  }
}
