/// The fixed form of an issuer's tokens: a literal that begins them, or stands inside, and what is around it.
///
/// A form is data. One automaton looks for the literals of all forms; the rest of a form is compared where its literal
/// was found, reading each byte once. Lengths are those that the source documents; where issuers have changed theirs
/// before, the lower bound is below.
package struct TokenForm: Sendable {
  package struct Traits: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) {
      self.rawValue = rawValue
    }

    /// Words, names and addresses begin like this too, so that what follows must also look random.
    package static let ambiguous = Traits(rawValue: 1)
    /// Hexadecimal digits alone are something else.
    package static let notHexadecimal = Traits(rawValue: 2)
    /// Found only where it begins: what is inside a word, or split by a line end, is more often something else.
    package static let wholeOnly = Traits(rawValue: 4)
  }

  /// The literal, as it is written.
  package let anchor: StaticString
  package let rule: SecretRule
  /// What stands before the anchor; every run of it has a fixed length.
  package let lead: [TokenPart]
  package let tail: [TokenPart]
  /// The vendor's documentation, or the public rule set that has the form.
  package let source: StaticString
  package let traits: Traits

  /// A literal and one run.
  init(
    _ prefix: StaticString, _ rule: SecretRule, _ alphabet: TokenAlphabet, _ length: TokenLength,
    _ source: StaticString, _ traits: Traits = []
  ) {
    self.init(prefix, rule, tail: [.run(alphabet, length)], source, traits)
  }

  init(
    _ anchor: StaticString, _ rule: SecretRule, lead: [TokenPart] = [], tail: [TokenPart], _ source: StaticString,
    _ traits: Traits = []
  ) {
    self.anchor = anchor
    self.rule = rule
    self.lead = lead
    self.tail = tail
    self.source = source
    self.traits = traits
  }

  /// Every form that is known.
  package static let all = code + cloud + services + monitoring + money + models + keys

  /// Whether it is told from ordinary text also inside a word, split over lines, or in another case: four bytes or
  /// more that words do not have.
  package var isDistinctive: Bool {
    !traits.contains(.wholeOnly) && !traits.contains(.ambiguous)
      && (anchor.utf8CodeUnitCount >= 4 || tail.count > 1 || !lead.isEmpty)
  }

  /// The token whose anchor begins at `start`, if there is one.
  func match(_ text: ByteText, at start: Int) -> Candidate? {
    guard text.has(anchor, at: start), let head = TokenForm.start(of: lead, before: start, in: text) else { return nil }
    let isWhole = text.isTokenStart(head)
    guard isWhole || (isDistinctive && TokenForm.isAfterWord(head, in: text)) else { return nil }
    if traits.contains(.ambiguous) {
      let before = text[head - 1]
      if LongRuns.isMember(before) && before != UInt8(ascii: "_") { return nil }
    }
    let tailStart = start + anchor.utf8CodeUnitCount
    guard let end = TokenForm.end(of: tail, from: tailStart, in: text) else { return nil }
    let value = text[head..<start] + text[tailStart..<end]
    // `ghp_xxxxxxxx` stands for a token.
    guard Randomness.distinctCount(value) >= min(6, value.count / 2), !SecretShape.isFiller(value) else { return nil }
    if traits.contains(.ambiguous) && (Randomness.isWordLike(value) || Randomness.entropy(of: value) < 3) { return nil }
    if !isWhole || text.crossesJoint(head..<end), !TokenForm.looksRandom(value) { return nil }
    if traits.contains(.notHexadecimal) && value.allSatisfy(\.isHexadecimal) { return nil }
    return Candidate(rule, head..<end, in: text)
  }

  /// The offset after the last of `parts`; nil where the text differs from them.
  ///
  /// A run ends where its alphabet does. The last one sheds the punctuation of a sentence, and where lines were joined
  /// it may end with one of them, since what follows there need not be of the token.
  static func end(of parts: [TokenPart], from start: Int, in text: ByteText) -> Int? {
    var offset = start
    for (index, part) in parts.enumerated() {
      switch part {
      case .literal(let literal):
        guard text.has(literal, at: offset) else { return nil }
        offset += literal.utf8CodeUnitCount
      case .uuid:
        guard SecretShape.isUUID(text[offset..<(offset + 36)]) else { return nil }
        offset += 36
      case .run(let alphabet, let length):
        let isLast = index == parts.count - 1
        // A part in the middle with a fixed length is only so much, whatever follows.
        let limit = !isLast && length.minimum == length.maximum ? length.maximum : length.maximum + 1
        var end = text.end(from: offset, limit: limit, where: alphabet.contains)
        if isLast {
          while end > offset + length.minimum, trails(text[end - 1]) { end -= 1 }
          if !length.contains(end - offset) {
            guard let joint = text.lastJoint(in: (offset + length.minimum)..<(offset + length.maximum + 1)) else {
              return nil
            }
            guard joint <= end else { return nil }
            end = joint
          }
        }
        guard length.contains(end - offset) else { return nil }
        offset = min(end, offset + length.maximum)
      }
    }
    return offset
  }

  private static func trails(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "=")
  }

  /// The offset of the first of `parts`, which end before `end`.
  private static func start(of parts: [TokenPart], before end: Int, in text: ByteText) -> Int? {
    var offset = end
    for part in parts.reversed() {
      switch part {
      case .literal(let literal):
        offset -= literal.utf8CodeUnitCount
        guard text.has(literal, at: offset) else { return nil }
      case .uuid:
        offset -= 36
        guard offset >= 0, SecretShape.isUUID(text[offset..<(offset + 36)]) else { return nil }
      case .run(let alphabet, let length):
        let start = text.start(before: offset, limit: length.maximum, where: alphabet.contains)
        guard offset - start >= length.minimum else { return nil }
        offset = start
      }
    }
    return offset
  }

  /// Does `offset` follow a word that something was glued to, rather than stand in the middle of random letters?
  static func isAfterWord(_ offset: Int, in text: ByteText) -> Bool {
    let start = text.start(before: offset, limit: 25, where: \.isLetter)
    guard start < offset, offset - start <= 24, !LongRuns.isMember(text[start - 1]) else { return false }
    let word = text[start..<offset]
    return word.allSatisfy(\.isLower) || word.allSatisfy(\.isUpper) || Randomness.isWordLike(word)
  }

  /// Is it no word, name or number?
  static func looksRandom(_ value: [UInt8]) -> Bool {
    let hasDigit = value.contains(where: \.isDigit)
    let isMixed = value.contains(where: \.isUpper) && value.contains(where: \.isLower)
    guard hasDigit || isMixed, value.contains(where: \.isLetter) else { return false }
    let least = value.allSatisfy(\.isHexadecimal) ? 2.5 : 3
    return Randomness.entropy(of: value) >= least && (Randomness.isInterleaved(value) || !Randomness.isWordLike(value))
  }
}
