/// The words of a text as PostgreSQL's parser `default` and configuration `english` see them.
///
/// Parts of a compound come after the compound, and each has a place of its own. Words that say nothing (`the`, `or`)
/// take a place and are not given. Markup and entities are passed over. Which letters a text beyond ASCII has is
/// Unicode's word here and the operating system's there.
struct SearchLexer {
  struct Token: Equatable {
    /// UTF-8, small letters, English words as their stems.
    let lexeme: [UInt8]
    /// From 1; gaps are words that say nothing.
    let place: Int
    /// Where the word stands in the text, in scalars.
    let start: Int
  }

  private let text: [Unicode.Scalar]
  private var place = 0
  private var tokens: [Token] = []
  /// Where the token before ended: what is between two belongs to none.
  private var last = 0

  /// - Parameter first: the first bytes of lexemes that are wanted; nil for all. Others keep their places.
  static func tokens(_ text: [Unicode.Scalar], startingWith first: Set<UInt8>? = nil) -> [Token] {
    var lexer = SearchLexer(text: text, first: first)
    lexer.run()
    return lexer.tokens
  }

  private let first: Set<UInt8>?

  private init(text: [Unicode.Scalar], first: Set<UInt8>?) {
    (self.text, self.first) = (text, first)
  }

  // MARK: Tokens

  private mutating func run() {
    var index = 0
    while index < text.count {
      let count = place
      index = token(at: index)
      if place > count { last = index }
    }
  }

  /// Takes the token that begins here, and returns where the next one may begin.
  private mutating func token(at index: Int) -> Int {
    if isWord(index) { return word(at: index) }
    switch text[index] {
    case "<": return endOfTag(at: index) ?? index + 1
    case "&": return endOfEntity(at: index) ?? index + 1
    case "-", "+":
      guard isDigit(index + 1) else { return index + 1 }
      let number = endOfNumber(at: index + 1)
      // A version has no sign.
      add(number.isVersion ? index + 1 : index, number.end)
      return number.end
    case "/", "~", ".":
      guard let end = endOfPath(at: index) else { return index + 1 }
      add(index, end)
      return end
    default: return index + 1
    }
  }

  private mutating func word(at index: Int) -> Int {
    if isASCIIWord(index) {
      if let end = endOfEmail(at: index) {
        add(index, end)
        return end
      }
      if let end = endOfHost(at: index) { return host(at: index, end) }
      if let end = endOfProtocol(at: index) { return end }
    }
    if isDigit(index) {
      let number = endOfNumber(at: index)
      let isWhole = number.end == endOfDigits(at: index)
      if !isWhole || !isWord(number.end) && !(at(number.end) == "/" && endOfFile(at: index) != nil) {
        if !isWhole || endOfCompound(at: index) == nil {
          add(index, number.end)
          return number.end
        }
      }
    }
    if isASCIIWord(index), let end = endOfFile(at: index) {
      add(index, end)
      return end
    }
    if let end = endOfCompound(at: index) { return compound(at: index, end) }
    var end = endOfRun(at: index)
    // A word with digits and letters beyond ASCII may go on as a path does.
    if text[index..<end].contains(where: { !$0.isASCII }), (index..<end).contains(where: { isDigit($0) }),
      at(end) == "." || at(end) == "/"
    { end = endOfFileRest(at: end) }
    add(index, end)
    return end
  }

  private mutating func host(at index: Int, _ end: Int) -> Int {
    var path = end
    while path < text.count, isURLCharacter(text[path]) { path += 1 }
    guard at(end) == "/", path > end + 1 else {
      add(index, end, isPlain: true)
      return end
    }
    add(index, path, isPlain: true)
    add(index, end, isPlain: true)
    add(end, path, isPlain: true)
    return path
  }

  private mutating func compound(at index: Int, _ end: Int) -> Int {
    add(index, end)
    var start = index
    while start < end {
      let next = endOfRun(at: start)
      add(start, next)
      start = next + 1
    }
    // The hyphen behind a compound is no sign of a number.
    return at(end) == "-" ? end + 1 : end
  }

  /// Takes the text of one token: a word of letters and hyphens as English, all else as it is.
  private mutating func add(_ start: Int, _ end: Int, isPlain: Bool = false) {
    let scalars = text[start..<end]
    var lexeme: [UInt8] = []
    var isEnglish = !isPlain
    for scalar in scalars {
      lexeme.append(contentsOf: UTF8.encode(SearchLexer.small(scalar)) ?? .init())
      if !(scalar == "-" || isLetter(scalar)) { isEnglish = false }
    }
    // Longer ones are not indexed, and take no place.
    guard lexeme.count < 2_047 else { return }
    if isEnglish, lexeme.first == UInt8(ascii: "-") { isEnglish = false }
    place += 1
    if isEnglish {
      if SearchLexer.stopWords.contains(lexeme) { return }
      // A stem begins as its word does.
      if let first, let byte = lexeme.first, !first.contains(byte) { return }
      lexeme = EnglishStemmer.stem(lexeme)
    } else if let first, let byte = lexeme.first, !first.contains(byte) {
      return
    }
    tokens.append(Token(lexeme: lexeme, place: place, start: start))
  }

  // MARK: Characters

  private func at(_ index: Int) -> Unicode.Scalar? { index < text.count ? text[index] : nil }

  private func isDigit(_ index: Int) -> Bool { at(index).map { ("0"..."9").contains($0) } ?? false }

  private func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber: return true
    default: return scalar.properties.isAlphabetic
    }
  }

  private func isLetter(_ index: Int) -> Bool { at(index).map { isLetter($0) } ?? false }

  private func isWord(_ index: Int) -> Bool { isLetter(index) || isDigit(index) }

  private func isASCIILetter(_ index: Int) -> Bool { at(index).map { $0.isASCII && isLetter($0) } ?? false }

  private func isASCIIWord(_ index: Int) -> Bool { isASCIILetter(index) || isDigit(index) }

  private func isURLCharacter(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value > 0x20 && scalar.value < 0x7F && !"\"<>\\^`{|}".unicodeScalars.contains(scalar)
  }

  private static func small(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar.isASCII { return ("A"..."Z").contains(scalar) ? Unicode.Scalar(scalar.value | 0x20) ?? scalar : scalar }
    let mapped = scalar.properties.lowercaseMapping.unicodeScalars
    return mapped.count == 1 ? mapped.first ?? scalar : scalar
  }

  // MARK: Shapes

  private func endOfRun(at index: Int) -> Int {
    var end = index
    while isWord(end) { end += 1 }
    return end
  }

  private func endOfDigits(at index: Int) -> Int {
    var end = index
    while isDigit(end) { end += 1 }
    return end
  }

  /// `12`, `1.5`, `1.2.3` and `1.5e-3`.
  private func endOfNumber(at index: Int) -> (end: Int, isVersion: Bool) {
    var end = endOfDigits(at: index)
    var points = 0
    while at(end) == ".", isDigit(end + 1) {
      end = endOfDigits(at: end + 1)
      points += 1
    }
    if points < 2, at(end) == "e" || at(end) == "E" {
      let sign = at(end + 1) == "-" || at(end + 1) == "+" ? end + 2 : end + 1
      if isDigit(sign) { return (endOfDigits(at: sign), false) }
    }
    return (end, points > 1)
  }

  /// `foo-bar`: words that hyphens join, each with a letter in it; nil for a single one.
  private func endOfCompound(at index: Int) -> Int? {
    var end = endOfRun(at: index)
    guard (index..<end).contains(where: { isLetter($0) }) else { return nil }
    var parts = 1
    while at(end) == "-" {
      let next = endOfRun(at: end + 1)
      guard (end + 1..<next).contains(where: { isLetter($0) }) else { break }
      end = next
      parts += 1
    }
    return parts > 1 ? end : nil
  }

  /// `example.com`, with a port where there is one: the last of its names is of two letters or more.
  private func endOfHost(at index: Int) -> Int? {
    var end = index
    var found: Int?
    while isASCIIWord(end) {
      let start = end
      while isASCIIWord(end) || (at(end) == "-" || at(end) == "_") { end += 1 }
      if start > index {
        var letters = start
        while isASCIILetter(letters) { letters += 1 }
        if letters - start > 1, !isDigit(letters) { found = letters }
      }
      guard at(end) == ".", at(end - 1) != "-", at(end - 1) != "_" else { break }
      end += 1
    }
    guard let host = found else { return nil }
    if at(host) == ":", isDigit(host + 1) { return endOfDigits(at: host + 1) }
    return host
  }

  private func endOfEmail(at index: Int) -> Int? {
    var end = index
    while isASCIIWord(end) || at(end) == "." || at(end) == "-" || at(end) == "_" { end += 1 }
    guard at(end) == "@", at(end - 1) != ".", isASCIIWord(end + 1) else { return nil }
    guard let host = endOfHost(at: end + 1) else { return nil }
    return host
  }

  private func endOfProtocol(at index: Int) -> Int? {
    var end = index
    while isASCIILetter(end) { end += 1 }
    return end > index && at(end) == ":" && at(end + 1) == "/" && at(end + 2) == "/" ? end + 3 : nil
  }

  /// `and/or`, `e.g`, `24/7`: a word that a slash or a point joins with more; nil for a word alone.
  private func endOfFile(at index: Int) -> Int? {
    var end = index
    while isASCIIWord(end) { end += 1 }
    guard at(end) == "/" || at(end) == ".", !isLetter(end) else { return nil }
    if at(end) == "." {
      guard isFileWord(end + 1), (index..<end).contains(where: { isASCIILetter($0) }) else { return nil }
    }
    let rest = endOfFileRest(at: end)
    return rest > end ? rest : nil
  }

  /// `/usr/bin`, `~x`, `./x` and `../x`.
  private func endOfPath(at index: Int) -> Int? {
    var start = index
    switch text[index] {
    case "/":
      let end = endOfFileRest(at: index)
      return end > index ? end : nil
    case "~":
      if at(index + 1) == "/" { start += 1 }
      guard index == last, isFileWord(start + 1) else { return nil }
      return endOfFileRest(at: start + 1)
    default:
      guard index == last else { return nil }
      while at(start) == ".", start < index + 2 { start += 1 }
      // Two points by themselves are the folder above.
      if start == index + 2, at(start).map(\.properties.isWhitespace) ?? true { return start }
      guard at(start) == "/", isASCIIWord(start + 1) else { return nil }
      return endOfFileRest(at: start)
    }
  }

  private func isFileWord(_ index: Int) -> Bool { isASCIIWord(index) || at(index) == "_" }

  private func endOfFileRest(at index: Int) -> Int {
    var end = index
    while let scalar = at(end) {
      switch scalar {
      case "/", ".":
        let isHidden = scalar == "/" && at(end + 1) == "." && (isFileWord(end + 2) || at(end + 2) == "/")
        guard isFileWord(end + 1) || isHidden else { return end }
      case "-", "_": break
      default: guard isASCIIWord(end) else { return end }
      }
      end += 1
    }
    return end
  }

  /// Behind the `>` of markup; nil where it is a sign of comparison.
  private func endOfTag(at index: Int) -> Int? {
    var end = index + 1
    if at(end) == "!", at(end + 1) == "-", at(end + 2) == "-" {
      while end + 2 < text.count {
        if text[end] == "-", text[end + 1] == "-", text[end + 2] == ">" { return end + 3 }
        end += 1
      }
      return nil
    }
    if at(end) == "/" || at(end) == "?" { end += 1 }
    guard isASCIILetter(end) else { return nil }
    var name = end
    while isASCIIWord(name) || at(name) == "-" || at(name) == "_" { name += 1 }
    // Behind a name stands what is in it; an address between brackets is none.
    switch at(name) {
    case "@", "#", "=", "?", "&", "~": return nil
    case "/" where at(name + 1) != ">": return nil
    case ":" where at(name + 1) == "/": return nil
    default: break
    }
    var quote: Unicode.Scalar?
    while let scalar = at(end) {
      if let mark = quote {
        if scalar == mark { quote = nil }
      } else if scalar == ">" {
        return end + 1
      } else if scalar == "\"" || scalar == "'" {
        quote = scalar
      } else if !(isWord(end) || " \t\n\r=-_#/:.&?%~!".unicodeScalars.contains(scalar)) {
        return nil
      }
      end += 1
    }
    return nil
  }

  private func endOfEntity(at index: Int) -> Int? {
    var end = index + 1
    if at(end) == "#" {
      end += 1
      if at(end) == "x" || at(end) == "X" { end += 1 }
      guard isASCIIWord(end) else { return nil }
    } else if !isASCIILetter(end) {
      return nil
    }
    while isASCIIWord(end) { end += 1 }
    return at(end) == ";" ? end + 1 : nil
  }

  static let stopWords = Set(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
    its itself they them their theirs themselves what which who whom this that these those am is are was were be been
    being
    have has had having do does did doing a an the and but if or because as until while of at by for with about against
    between into through during before after above below to from up down in out on off over under again further then once
    here there when where why how all any both each few more most other some such no nor not only own same so than too
    very s t can will just don should now
    """.split(whereSeparator: \.isWhitespace).map { Array($0.utf8) })
}
