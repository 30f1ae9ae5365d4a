/// The stem of an English word by the Porter2 algorithm, which PostgreSQL's dictionary `english_stem` uses.
///
/// Works on the UTF-8 bytes of a word in small letters; every byte beyond ASCII counts as a consonant. Inside, `Y` is a
/// `y` that is one.
enum EnglishStemmer {
  static func stem(_ word: [UInt8]) -> [UInt8] {
    // Two characters, of any number of bytes, say all there is to say.
    guard word.count(where: { $0 & 0xC0 != 0x80 }) > 2 else { return word }
    if let known = exceptions[word] { return known }
    var stem = Stem(word)
    stem.removePlural()
    if invariant.contains(stem.letters) { return stem.letters }
    stem.removePast()
    stem.replaceFinalY()
    stem.replaceSuffix(Stem.second)
    stem.replaceSuffix(Stem.third)
    stem.removeSuffix()
    stem.removeFinal()
    return stem.letters.map { $0 == UInt8(ascii: "Y") ? UInt8(ascii: "y") : $0 }
  }

  private static let exceptions: [[UInt8]: [UInt8]] = {
    let words = [
      "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl",
      "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl", "sky": "sky", "news": "news", "howe": "howe",
      "atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes",
    ]
    return Dictionary(uniqueKeysWithValues: words.map { (Array($0.utf8), Array($1.utf8)) })
  }()

  private static let invariant = Set(
    ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"].map { Array($0.utf8) })
}

/// A word on its way to its stem.
private struct Stem {
  var letters: [UInt8]
  /// Where the two regions begin in which suffixes may go.
  private var first: Int
  private var second: Int

  init(_ word: [UInt8]) {
    letters = word
    for index in letters.indices where letters[index] == UInt8(ascii: "y") {
      if index == 0 || Stem.isVowel(letters[index - 1]) { letters[index] = UInt8(ascii: "Y") }
    }
    func regionEnd(from start: Int) -> Int {
      var index = start
      while index < word.count, !Stem.isVowel(self.letters[index]) { index += 1 }
      while index < word.count, Stem.isVowel(self.letters[index]) { index += 1 }
      return min(index + 1, word.count)
    }
    first = 0
    second = 0
    let prefix = ["gener", "commun", "arsen"].first { letters.starts(with: $0.utf8) }
    first = prefix?.utf8.count ?? regionEnd(from: 0)
    second = regionEnd(from: first)
  }

  private static func isVowel(_ byte: UInt8) -> Bool { "aeiouy".utf8.contains(byte) }

  private func ends(with suffix: String) -> Bool { letters.reversed().starts(with: suffix.utf8.reversed()) }

  private func hasVowel(before end: Int) -> Bool { letters[..<max(end, 0)].contains(where: Stem.isVowel) }

  private mutating func replace(_ count: Int, with text: String = "") {
    letters.removeLast(count)
    letters += text.utf8
  }

  /// Whether the letters before `end` end in a short syllable.
  private func isShortSyllable(before end: Int) -> Bool {
    if end == 2 { return Stem.isVowel(letters[0]) && !Stem.isVowel(letters[1]) }
    guard end > 2 else { return false }
    return !Stem.isVowel(letters[end - 3]) && Stem.isVowel(letters[end - 2]) && !Stem.isVowel(letters[end - 1])
      && !"wxY".utf8.contains(letters[end - 1])
  }

  mutating func removePlural() {
    if ends(with: "sses") { return replace(2) }
    if ends(with: "ied") || ends(with: "ies") { return replace(letters.count > 4 ? 2 : 1) }
    if ends(with: "us") || ends(with: "ss") { return }
    if ends(with: "s"), hasVowel(before: letters.count - 2) { replace(1) }
  }

  mutating func removePast() {
    for suffix in ["eedly", "eed"] where ends(with: suffix) {
      if letters.count - suffix.utf8.count >= first { replace(suffix.utf8.count, with: "ee") }
      return
    }
    guard let suffix = ["ingly", "edly", "ing", "ed"].first(where: ends(with:)) else { return }
    let rest = letters.count - suffix.utf8.count
    guard hasVowel(before: rest) else { return }
    replace(suffix.utf8.count)
    if ["at", "bl", "iz"].contains(where: ends(with:)) {
      letters.append(UInt8(ascii: "e"))
    } else if ["bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"].contains(where: ends(with:)) {
      letters.removeLast()
    } else if letters.count <= first, isShortSyllable(before: letters.count) {
      letters.append(UInt8(ascii: "e"))
    }
  }

  mutating func replaceFinalY() {
    guard letters.count > 2, let last = letters.last, last == UInt8(ascii: "y") || last == UInt8(ascii: "Y"),
      !Stem.isVowel(letters[letters.count - 2])
    else { return }
    letters[letters.count - 1] = UInt8(ascii: "i")
  }

  /// Suffixes, the longer ones first, with what takes their place, and what must stand before them.
  typealias Suffix = (text: String, replacement: String, condition: Condition)
  enum Condition {
    case none, afterL, afterValidLi, inSecondRegion
  }

  static let second: [Suffix] = [
    ("ational", "ate", .none), ("ization", "ize", .none), ("fulness", "ful", .none), ("ousness", "ous", .none),
    ("iveness", "ive", .none), ("tional", "tion", .none), ("biliti", "ble", .none), ("lessli", "less", .none),
    ("entli", "ent", .none), ("ation", "ate", .none), ("alism", "al", .none), ("aliti", "al", .none),
    ("ousli", "ous", .none), ("iviti", "ive", .none), ("fulli", "ful", .none), ("enci", "ence", .none),
    ("anci", "ance", .none), ("abli", "able", .none), ("izer", "ize", .none), ("ator", "ate", .none),
    ("alli", "al", .none), ("bli", "ble", .none), ("ogi", "og", .afterL), ("li", "", .afterValidLi),
  ]

  static let third: [Suffix] = [
    ("ational", "ate", .none), ("tional", "tion", .none), ("alize", "al", .none), ("icate", "ic", .none),
    ("iciti", "ic", .none), ("ative", "", .inSecondRegion), ("ical", "ic", .none), ("ness", "", .none),
    ("ful", "", .none),
  ]

  mutating func replaceSuffix(_ suffixes: [Suffix]) {
    guard let suffix = suffixes.first(where: { ends(with: $0.text) }) else { return }
    let rest = letters.count - suffix.text.utf8.count
    guard rest >= first else { return }
    switch suffix.condition {
    case .none: break
    case .afterL: guard rest > 0, letters[rest - 1] == UInt8(ascii: "l") else { return }
    case .afterValidLi: guard rest > 0, "cdeghkmnrt".utf8.contains(letters[rest - 1]) else { return }
    case .inSecondRegion: guard rest >= second else { return }
    }
    replace(suffix.text.utf8.count, with: suffix.replacement)
  }

  mutating func removeSuffix() {
    let suffixes = [
      "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion",
      "al", "er", "ic",
    ]
    guard let suffix = suffixes.first(where: ends(with:)) else { return }
    let rest = letters.count - suffix.utf8.count
    guard rest >= second else { return }
    if suffix == "ion" { guard rest > 0, "st".utf8.contains(letters[rest - 1]) else { return } }
    replace(suffix.utf8.count)
  }

  mutating func removeFinal() {
    let rest = letters.count - 1
    if ends(with: "e") {
      if rest >= second || rest >= first && !isShortSyllable(before: rest) { replace(1) }
    } else if ends(with: "l"), rest >= second, rest > 0, letters[rest - 1] == UInt8(ascii: "l") {
      replace(1)
    }
  }
}
