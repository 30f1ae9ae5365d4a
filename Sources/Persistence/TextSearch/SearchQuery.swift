/// What a search asks for, in the language of PostgreSQL's `websearch_to_tsquery('english', …)`: words, "phrases",
/// `or` and `-not`.
///
/// A word of several parts (`foo-bar`, `foo_bar`) is a phrase. Words that say nothing are left out, and a query of
/// nothing else finds nothing.
struct SearchQuery {
  private indirect enum Node {
    /// Lexemes at their distances from the first one.
    case phrase([(lexeme: [UInt8], offset: Int)])
    case not(Node)
    case both(Node, Node)
    case either(Node, Node)
  }

  private let root: Node?
  /// Which lexemes matter, as keys; the values are unused places.
  private let wanted: Set<[UInt8]>
  private let firstBytes: Set<UInt8>

  init(_ text: String) {
    var parser = Parser(text: Array(text.unicodeScalars))
    root = parser.either()
    var wanted: Set<[UInt8]> = []
    SearchQuery.collect(root, into: &wanted)
    self.wanted = wanted
    firstBytes = Set(wanted.compactMap(\.first))
  }

  /// Whether nothing is asked for.
  var isEmpty: Bool { root == nil }

  private static func collect(_ node: Node?, into wanted: inout Set<[UInt8]>) {
    switch node {
    case nil: return
    case .phrase(let parts): wanted.formUnion(parts.map(\.lexeme))
    case .not(let inner): collect(inner, into: &wanted)
    case .both(let left, let right), .either(let left, let right):
      collect(left, into: &wanted)
      collect(right, into: &wanted)
    }
  }

  // MARK: Matching

  /// The scalar of `text` at which what is asked for first shows, 0 where only its absence is; nil where the text does
  /// not match.
  func match(_ text: some StringProtocol) -> Int? {
    guard let root else { return nil }
    var places: [[UInt8]: [Int]] = [:]
    var start: Int?
    for token in SearchLexer.tokens(Array(text.unicodeScalars), startingWith: firstBytes)
    where wanted.contains(token.lexeme) {
      // A vector keeps 255 places of a word, and none beyond the last that it can count.
      let place = min(token.place, 16_383)
      var known = places[token.lexeme, default: []]
      if known.count < 255, known.last != place { known.append(place) }
      places[token.lexeme] = known
      if start == nil, SearchQuery.wants(token.lexeme, in: root) { start = token.start }
    }
    return SearchQuery.matches(root, places) ? start ?? 0 : nil
  }

  private static func matches(_ node: Node, _ places: [[UInt8]: [Int]]) -> Bool {
    switch node {
    case .not(let inner): return !matches(inner, places)
    case .both(let left, let right): return matches(left, places) && matches(right, places)
    case .either(let left, let right): return matches(left, places) || matches(right, places)
    case .phrase(let parts):
      guard let first = parts.first, let starts = places[first.lexeme] else { return false }
      if parts.count == 1 { return true }
      let others = parts.dropFirst().map { (Set(places[$0.lexeme] ?? []), $0.offset) }
      return starts.contains { start in others.allSatisfy { $0.0.contains(start + $0.1) } }
    }
  }

  /// Whether a lexeme is one that is to be there.
  private static func wants(_ lexeme: [UInt8], in node: Node) -> Bool {
    switch node {
    case .not: false
    case .phrase(let parts): parts.contains { $0.lexeme == lexeme }
    case .both(let left, let right), .either(let left, let right): wants(lexeme, in: left) || wants(lexeme, in: right)
    }
  }
}

extension SearchQuery {
  /// Reads a query. `nil` stands for an operand of words that say nothing, which leaves its operator out too.
  private struct Parser {
    let text: [Unicode.Scalar]
    private var index = 0

    init(text: [Unicode.Scalar]) { self.text = text }

    private var current: Unicode.Scalar? { index < text.count ? text[index] : nil }

    mutating func either() -> Node? {
      var left = both()
      while takeOr() {
        let right = both()
        switch (left, right) {
        case (let some?, let other?): left = .either(some, other)
        default: left = left ?? right
        }
      }
      return left
    }

    private mutating func both() -> Node? {
      var left = operand()
      while hasOperand() {
        let right = operand()
        switch (left, right) {
        case (let some?, let other?): left = .both(some, other)
        default: left = left ?? right
        }
      }
      return left
    }

    /// Signs of other query languages mean nothing here.
    private static func isSign(_ scalar: Unicode.Scalar) -> Bool { "!&|()<".unicodeScalars.contains(scalar) }

    private mutating func operand() -> Node? {
      var isNegated = false
      while let scalar = current {
        if scalar == "-" {
          isNegated.toggle()
        } else if scalar == "\"" {
          return phrase(isNegated)
        } else if !(Parser.isSign(scalar) || scalar.properties.isWhitespace) {
          return word(isNegated)
        }
        index += 1
      }
      return nil
    }

    private mutating func phrase(_ isNegated: Bool) -> Node? {
      index += 1
      let start = index
      while let scalar = current, scalar != "\"" { index += 1 }
      let node = node(start, isNegated)
      index += 1
      return node
    }

    private mutating func word(_ isNegated: Bool) -> Node? {
      let start = index
      index += 1
      while let scalar = current,
        !(scalar.properties.isWhitespace || Parser.isSign(scalar) || scalar == "\"" || scalar == ":")
      { index += 1 }
      return node(start, isNegated)
    }

    private func node(_ start: Int, _ isNegated: Bool) -> Node? {
      let tokens = SearchLexer.tokens(Array(text[start..<min(index, text.count)]))
      guard let first = tokens.first else { return nil }
      let phrase = Node.phrase(tokens.map { ($0.lexeme, $0.place - first.place) })
      return isNegated ? .not(phrase) : phrase
    }

    private mutating func skipSpace() {
      while let scalar = current, scalar.properties.isWhitespace { index += 1 }
    }

    private mutating func hasOperand() -> Bool {
      skipSpace()
      return current != nil && !isOr()
    }

    private mutating func takeOr() -> Bool {
      skipSpace()
      guard isOr() else { return false }
      index += 2
      return true
    }

    /// Whether `or` stands here by itself, with something after it.
    private func isOr() -> Bool {
      guard index + 2 < text.count, text[index] == "o" || text[index] == "O",
        text[index + 1] == "r" || text[index + 1] == "R"
      else { return false }
      let next = text[index + 2]
      guard next != "-", next != "_", !next.properties.isAlphabetic, next.properties.numericType == nil else {
        return false
      }
      return text[(index + 3)...].contains { !$0.properties.isWhitespace }
    }
  }
}
