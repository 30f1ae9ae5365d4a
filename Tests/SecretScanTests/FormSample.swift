import SecretScan
import TestSupport

/// Makes tokens of a form, and what is nearly one.
struct FormSample {
  var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  /// A token of the form, of a length that the form allows.
  mutating func token(_ form: TokenForm) -> String {
    text(form.lead) + "\(form.anchor)" + text(form.tail)
  }

  mutating func text(_ parts: [TokenPart]) -> String {
    parts.map { part in
      switch part {
      case .literal(let literal): "\(literal)"
      case .uuid: random.uuid()
      case .run(let alphabet, let length):
        run(alphabet, length.isOpen ? length.minimum + random.below(8) : between(length.minimum, length.maximum))
      }
    }.joined()
  }

  private mutating func between(_ low: Int, _ high: Int) -> Int { low + random.below(high - low + 1) }

  /// Random characters. The first and the last are letters or digits, as a sentence's punctuation is beside them; one
  /// is a digit and one a capital, as in nearly every token that an issuer makes.
  mutating func run(_ alphabet: TokenAlphabet, _ count: Int) -> String {
    var characters = Array(random.text(count, of: FormSample.letters(of: alphabet)))
    let ends = FormSample.letters(of: alphabet).filter { $0.isLetter || $0.isNumber }
    guard count > 0, !ends.isEmpty else { return String(characters) }
    characters[0] = Character(random.text(1, of: ends))
    characters[count - 1] = Character(random.text(1, of: ends))
    for (place, kind) in [(2, "7"), (4, "Q"), (5, "k"), (7, "3")] where count > 8 {
      if FormSample.letters(of: alphabet).contains(kind) { characters[place] = Character(kind) }
    }
    return String(characters)
  }

  static func letters(of alphabet: TokenAlphabet) -> String {
    switch alphabet {
    case .digits: Alphabet.digits
    case .hexadecimal: Alphabet.hex
    case .alphanumeric: Alphabet.alphanumeric
    case .upperAlphanumeric: Alphabet.upper + Alphabet.digits
    case .word: Alphabet.alphanumeric + "_"
    case .base64URL, .dotted: Alphabet.alphanumeric + "-_"
    case .dottedPadded: Alphabet.alphanumeric + "-_"
    case .base64: Alphabet.alphanumeric + "+/"
    case .percentEncoded: Alphabet.alphanumeric
    case .separator: "_-"
    }
  }

  /// Texts in which a token stands bare: prose, JSON, an event of the log, a table.
  static func contexts(_ token: String) -> [String] {
    [
      token, "Rotated today, and the old one was \(token).", "{\"note\": \"use \(token) for it\", \"n\": 1}",
      "## [2026-02-05T08:00:00+00:00] NOTE\n\nSeen: \(token)\n\n**Metadata:** {\"a\": [\"\(token)\"]}\n\n---\n",
      "| name | \(token) |", "(`\(token)`)", "\t'\(token)';\r\n",
    ]
  }
}
