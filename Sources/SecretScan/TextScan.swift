/// The scan of one text: a window after the other as it is, and for each window what is encoded in it.
struct TextScan {
  var collector: FindingCollector

  private let table = TriggerTable.shared
  /// The bytes that are decoded at a time.
  private static let window = 1 << 16
  /// How far a decoded stretch reaches into its neighbours: more than any matcher reads.
  private static let overlap = 1 << 13

  init(_ collector: FindingCollector) {
    self.collector = collector
  }

  /// Where a text comes from: the text itself, or views of it, one inside the other, the outermost first.
  private struct Origin {
    var views: [(view: DecodedView, offset: Int)] = []
    /// How many encodings may still be undone.
    var depth = 2
    var disguise: SecretDisguise?

    /// The place in the text that is scanned of a range in the innermost view.
    func range(_ range: Range<Int>) -> Range<Int> {
      views.reversed().reduce(range) { range, inner in
        range.isEmpty
          ? range : inner.view.origin(of: (range.lowerBound + inner.offset)..<(range.upperBound + inner.offset))
      }
    }
  }

  mutating func run(_ text: ByteText) {
    let isBigEndian = text[0] == 0xFE && text[1] == 0xFF
    let isWide = isBigEndian || (text[0] == 0xFF && text[1] == 0xFE)
    var state = 0
    var start = 0
    while start < text.count {
      let end = min(text.count, start + Self.window)
      var hasRoom: Bool
      if isWide {
        // Of an even length before an even offset, so that no code unit is cut.
        let stretch = max(0, start - Self.overlap)..<min(text.count, end + Self.overlap)
        let view = DecodedView(narrowing: text, stretch, isBigEndian: isBigEndian)
        hasRoom = scan(view, in: Origin(), undoing: 0, as: nil)
      } else {
        hasRoom = scan(text, start..<end, state: &state, Origin())
      }
      guard hasRoom else { break }
      collector.settle(before: end - 2 * Self.overlap)
      start = end
    }
  }

  /// Looks for the keywords of a text as it stands, and keeps the candidates that are meant.
  mutating func runKeywords(_ text: ByteText, where isMeant: (Candidate) -> Bool) {
    var state = 0
    _ = table.scan(text, 0..<text.count, state: &state) { candidate in
      isMeant(candidate) ? collector.add(candidate, at: candidate.range) : true
    }
  }

  /// Scans a range as it is and decoded; returns whether there is room for more findings.
  private mutating func scan(_ text: ByteText, _ range: Range<Int>, state: inout Int, _ origin: Origin) -> Bool {
    var hasRoom = table.scan(text, range, state: &state) { candidate in
      collector.add(candidate, at: origin.range(candidate.range), disguise: origin.disguise)
    }
    guard hasRoom else { return false }
    let stretch = max(0, range.lowerBound - Self.overlap)..<min(text.count, range.upperBound + Self.overlap)
    if !text.isJoined {
      let near = max(0, range.lowerBound - 512)..<range.upperBound
      hasRoom = RecoveryPhrase.scan(text, near) { phrase in
        collector.add(phrase, at: origin.range(phrase.range), disguise: origin.disguise)
      }
    }
    guard hasRoom, scanRuns(text, range, stretch, origin) else { return false }
    if origin.depth > 0 {
      guard scanLines(text, range, origin, undoing: .escapes), scanLines(text, range, origin, undoing: .characters) else {
        return false
      }
    }
    // What line ends split is joined once.
    guard !text.isJoined else { return true }
    return scan(DecodedView(joining: text, stretch), in: origin, undoing: 0, as: .lines)
  }

  private mutating func scan(
    _ view: DecodedView, in origin: Origin, undoing count: Int, as disguise: SecretDisguise?
  ) -> Bool {
    if view.isEmpty { return true }
    var inner = origin
    inner.views.append((view, 0))
    inner.depth -= count
    // Lines are named where there is no more to say.
    inner.disguise = [inner.disguise, disguise].compactMap { $0 }.first { $0 != .lines } ?? inner.disguise ?? disguise
    return view.forEachText { text, offset in
      inner.views[inner.views.count - 1].offset = offset
      var state = 0
      return scan(text, 0..<text.count, state: &state, inner)
    }
  }

  /// Looks at the long runs of base64 characters for keys that prove themselves and for text that is encoded.
  private mutating func scanRuns(
    _ text: ByteText, _ range: Range<Int>, _ stretch: Range<Int>, _ origin: Origin
  ) -> Bool {
    var base64 = DecodedView()
    var hexadecimal = DecodedView()
    let hasRoom = LongRuns.scan(text, stretch) { run in
      // A hash: what is in base64, and a key with a checksum, has other letters too.
      if let digits = LongRuns.hexadecimal(text, run) {
        if origin.depth > 0 { hexadecimal.append(hexadecimal: digits, of: text) }
        return true
      }
      if origin.depth > 0 {
        base64.append(base64: run, of: text)
        LongRuns.forEachHexadecimal(text, run) { hexadecimal.append(hexadecimal: $0, of: text) }
      }
      return LongRuns.wordsSatisfy(text, run) { word in
        guard let key = WalletKey.match(text, word: word) else { return true }
        return collector.add(key, at: origin.range(key.range), disguise: origin.disguise)
      }
    }
    guard hasRoom else { return false }
    return scan(base64, in: origin, undoing: 1, as: .base64)
      && scan(hexadecimal, in: origin, undoing: 1, as: .hexadecimal)
  }

  private enum LineEncoding {
    case escapes
    case characters
  }

  /// Scans the lines of `range` that are encoded, as far as its overlap reaches, with that undone.
  private mutating func scanLines(
    _ text: ByteText, _ range: Range<Int>, _ origin: Origin, undoing encoding: LineEncoding
  ) -> Bool {
    var view = DecodedView()
    var offset = range.lowerBound
    while offset < range.upperBound {
      let rest = offset..<range.upperBound
      let first =
        switch encoding {
        case .escapes: text.first(UInt8(ascii: "\\"), in: rest)
        case .characters: DecodedView.firstFolded(text, in: rest)
        }
      guard let first else { break }
      let start = text.start(before: first, limit: Self.overlap) { $0 != 0x0A }
      let bound = range.upperBound + Self.overlap
      var end = text.end(from: first, limit: bound - first) { $0 != 0x0A }
      switch encoding {
      case .escapes: view.append(unescaping: text, start..<end)
      case .characters:
        // Lines that follow one another are one stretch, so that a key of many lines is whole.
        while end < range.upperBound {
          let start = text.end(from: end, limit: 3) { $0.isSpace }
          let next = max(start, text.end(from: start, limit: bound - start) { $0 != 0x0A })
          guard start > end, DecodedView.firstFolded(text, in: start..<next) != nil else { break }
          end = next
        }
        view.append(folding: text, start..<end)
      }
      offset = max(end, first + 1)
    }
    return scan(view, in: origin, undoing: 1, as: encoding == .characters ? .characters : nil)
  }
}
