extension DecodedView {
  /// The pieces of words that line ends split, joined: each run of token characters that goes on after a line end,
  /// with the quotes, operators, comment signs and indentation around that taken out. `"ab" + "cd"` on one line counts.
  ///
  /// Runs that are short, or have neither digits nor capitals inside, are left out: they are the words of wrapped prose.
  init(joining text: ByteText, _ range: Range<Int>) {
    self.init(isJoined: true)
    var breaks = SoftBreaks(text, range)
    // The pieces of a chain but the first and the last, whose end is not known yet.
    var first: Range<Int>?
    var middle: [Range<Int>] = []
    var last = 0
    while let (end, start) = breaks.next() {
      let goesOn = SoftBreaks.isTokenByte(text[start])
      if let head = first {
        if goesOn, last < end, text.end(from: last, limit: end - last, where: SoftBreaks.isTokenByte) == end {
          middle.append(last..<end)
          last = start
          continue
        }
        append(chain: head, middle, last, of: text, range)
        first = nil
        middle.removeAll(keepingCapacity: true)
      }
      guard goesOn, let begin = Self.chainStart(text, end, start, range) else { continue }
      first = begin..<end
      last = start
    }
    if let first { append(chain: first, middle, last, of: text, range) }
  }

  /// Where the run before a break begins; nil where it and what follows the break are the words of wrapped prose.
  private static func chainStart(_ text: ByteText, _ end: Int, _ start: Int, _ range: Range<Int>) -> Int? {
    guard SoftBreaks.isTokenByte(text[end - 1]) else { return nil }
    let begin = max(text.start(before: end, limit: 600, where: SoftBreaks.isTokenByte), range.lowerBound)
    guard begin < end else { return nil }
    if end - begin < Self.shortestChain {
      let next = text.end(from: start, limit: Self.shortestChain, where: SoftBreaks.isTokenByte)
      // Short pieces are looked at where the second one ends with its line too.
      let isShort = next - start + end - begin < Self.shortestChain
      if isShort, text[next].isBlank, text[next + 1].isGraphic, !SoftBreaks.isOperator(text[next + 1]) { return nil }
    }
    return begin
  }

  /// Is there a digit, or more than one capital after a small letter?
  private static func isUnlikeWords(_ piece: Range<Int>, of text: ByteText) -> Bool {
    var capitals = 0
    var previous: UInt8 = 0
    for offset in piece {
      let byte = text[offset]
      if byte.isDigit { return true }
      if byte.isUpper && previous.isLower { capitals += 1 }
      previous = byte
    }
    return capitals > 1
  }

  /// A token has no less characters.
  private static let shortestChain = 16

  /// Appends a chain whose last piece begins at `last`.
  private mutating func append(
    chain first: Range<Int>, _ middle: [Range<Int>], _ last: Int, of text: ByteText, _ range: Range<Int>
  ) {
    let tail = last..<text.end(from: last, limit: range.upperBound - last, where: SoftBreaks.isTokenByte)
    guard middle.reduce(first.count + tail.count, { $0 + $1.count }) >= Self.shortestChain else { return }
    guard Self.isUnlikeWords(first, of: text) || Self.isUnlikeWords(tail, of: text)
      || middle.contains(where: { Self.isUnlikeWords($0, of: text) })
    else { return }
    append(first, of: text)
    for piece in middle + [tail] {
      join()
      append(piece, of: text)
    }
    endStretch(at: tail.upperBound)
  }
}

/// The places where a word may go on after a line end.
struct SoftBreaks {
  private let text: ByteText
  private let range: Range<Int>
  /// The next line end and the next concatenation; beyond the range where there is none.
  private var line: Int
  private var plus: Int

  init(_ text: ByteText, _ range: Range<Int>) {
    self.text = text
    self.range = range
    line = text.first(0x0A, in: range) ?? .max
    plus = Self.concatenation(text, in: range)
  }

  /// What a token, or base64, is made of.
  static func isTokenByte(_ byte: UInt8) -> Bool {
    LongRuns.isMember(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "=")
      || byte == UInt8(ascii: "~") || byte == UInt8(ascii: "!") || byte == UInt8(ascii: "$")
  }

  /// The end of what stands before the next break, and the start of what follows it.
  ///
  /// Passes over the line ends beside which no word can stand.
  mutating func next() -> (end: Int, start: Int)? {
    while min(line, plus) < .max {
      if plus < line {
        let end = text.start(before: plus, limit: 8, where: \.isBlank) - 1
        let start = text.end(from: plus + 1, limit: 8, where: \.isBlank) + 1
        plus = Self.concatenation(text, in: (plus + 1)..<range.upperBound)
        return (end, start)
      }
      let found = line
      line = text.first(0x0A, in: (found + 1)..<range.upperBound) ?? .max
      guard Self.mayEnd(text[found - 1]), Self.mayBegin(text[found + 1]) else { continue }
      return (Self.end(text, before: found), Self.start(text, after: found))
    }
    return nil
  }

  /// May what was split end its line like this?
  private static func mayEnd(_ byte: UInt8) -> Bool {
    isTokenByte(byte) || byte.isBlank || byte.isQuote || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "&")
  }

  /// May the line after it begin like this?
  private static func mayBegin(_ byte: UInt8) -> Bool {
    isTokenByte(byte) || byte.isBlank || byte.isQuote || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "#")
      || byte == UInt8(ascii: "|") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "&")
  }

  /// The next `+` of `range` between two quotes on one line.
  private static func concatenation(_ text: ByteText, in range: Range<Int>) -> Int {
    var start = range.lowerBound
    while let plus = text.first(UInt8(ascii: "+"), in: start..<range.upperBound) {
      let before = text.start(before: plus, limit: 8, where: \.isBlank)
      if text[before - 1].isQuote && text[text.end(from: plus + 1, limit: 8, where: \.isBlank)].isQuote { return plus }
      start = plus + 1
    }
    return .max
  }

  /// Before a line end: blanks, a backslash, the `=` of quoted-printable, an operator after a quote, a quote.
  private static func end(_ text: ByteText, before line: Int) -> Int {
    var end = text.start(before: line, limit: 8, where: \.isBlank)
    let last = text[end - 1]
    if last == UInt8(ascii: "\\") || last == UInt8(ascii: "=") {
      end = text.start(before: end - 1, limit: 8, where: \.isBlank)
    } else if isOperator(last) {
      let before = text.start(before: end - 1, limit: 8, where: \.isBlank)
      if text[before - 1].isQuote { end = before }
    }
    return text[end - 1].isQuote ? end - 1 : end
  }

  /// After a line end: indentation, signs of comments, quotations and tables, an operator before a quote, a quote.
  private static func start(_ text: ByteText, after line: Int) -> Int {
    var start = text.end(from: line + 1, limit: 64, where: \.isBlank)
    for _ in 0..<4 {
      let byte = text[start]
      let isSign =
        byte == UInt8(ascii: ">") || byte == UInt8(ascii: "#") || byte == UInt8(ascii: "|") || byte == UInt8(ascii: "*")
      let isComment = byte == UInt8(ascii: "/") && text[start + 1] == UInt8(ascii: "/") && text[start + 2].isBlank
      let next = text.end(from: start + 1, limit: 8, where: \.isBlank)
      guard isSign || isComment || (isOperator(byte) && text[next].isQuote) else { break }
      start = text.end(from: isComment ? start + 2 : start + 1, limit: 8, where: \.isBlank)
    }
    return text[start].isQuote ? start + 1 : start
  }

  static func isOperator(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "&")
  }
}
