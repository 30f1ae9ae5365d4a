import TestSupport

extension SeededGenerator {
  /// `count` characters of `alphabet`.
  mutating func text(_ count: Int, of alphabet: String) -> String {
    let alphabet = Array(alphabet.utf8)
    return String(decoding: (0..<count).map { _ in alphabet[below(alphabet.count)] }, as: UTF8.self)
  }

  mutating func digits(_ count: Int) -> String { text(count, of: Alphabet.digits) }
  mutating func hex(_ count: Int) -> String { text(count, of: Alphabet.hex) }
  mutating func alphanumeric(_ count: Int) -> String { text(count, of: Alphabet.alphanumeric) }
  mutating func base64(_ count: Int) -> String { text(count, of: Alphabet.alphanumeric + "+/") }
  mutating func base64URL(_ count: Int) -> String { text(count, of: Alphabet.alphanumeric + "-_") }
  mutating func words(_ count: Int) -> String { (0..<count).map { _ in pick(Alphabet.words) }.joined(separator: " ") }
  mutating func uuid() -> String { [8, 4, 4, 4, 12].map { hex($0) }.joined(separator: "-") }
}

enum Alphabet {
  static let digits = "0123456789"
  static let hex = "0123456789abcdef"
  static let lower = "abcdefghijklmnopqrstuvwxyz"
  static let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
  static let alphanumeric = lower + upper + digits
  static let base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
  /// Words that are in the list of BIP 39.
  static let words = [
    "abandon", "ability", "absorb", "account", "balance", "bamboo", "beyond", "bounce", "captain", "caution", "cereal",
    "damage", "decline", "donkey", "elegant", "erosion", "essence", "fabric", "fiscal", "fortune", "gadget", "glimpse",
    "gravity", "harvest", "hockey", "hybrid", "icon", "inhale", "jacket", "kangaroo", "kitchen", "ladder", "lizard",
    "magnet", "mimic", "napkin", "obtain", "orchard", "paddle", "purchase", "quantum", "raven", "rigid", "saddle",
    "tackle", "umbrella", "vacuum", "walnut", "yellow", "zebra", "have", "then", "must", "when", "any", "can",
  ]
}
