/// A line that opens or closes a code block: three or more backticks after at most three spaces.
struct CodeFence {
  /// The start of the line.
  var line: Int
  /// The end of the line, past its line break.
  var next: Int
  var backticks: Int
  /// What follows the backticks, trimmed; only a fence with nothing after it closes a block.
  var info: Range<Int>

  /// Reads the line; nil where it is no fence. A backtick after the first run makes it inline code (CommonMark 4.5).
  init?(_ view: ByteView, _ line: MarkdownLine) {
    var position = line.start
    while position < line.end, position - line.start < 3, view[position] == 0x20 { position += 1 }
    let first = position
    while position < line.end, view[position] == 0x60 { position += 1 }
    guard position - first >= 3, view.index(of: 0x60, from: position, to: line.end) == line.end else { return nil }
    self.line = line.start
    self.next = line.next
    self.backticks = position - first
    self.info = view.trimmed(position, line.end)
  }
}

/// The code blocks of a text. A fence that nothing closes opens no block.
struct CodeBlocks {
  /// From the start of the opening fence to the end of the closing one, in order.
  private(set) var ranges: [Range<Int>] = []

  /// Finds the blocks in `start..<end`, which must begin at the start of a line, in time linear in the text.
  init(_ view: ByteView, from start: Int, to end: Int) {
    let fences = Self.fences(view, from: start, to: end)
    guard fences.count > 1 else { return }
    // The nearest closing fence of at least as many backticks, found from the end: of two candidates the nearer one wins
    // unless it is shorter, so the candidates form a stack whose lengths grow with the distance.
    var closing = [Int?](repeating: nil, count: fences.count)
    var candidates: [Int] = []
    for index in fences.indices.reversed() {
      var low = 0
      var high = candidates.count
      while low < high {
        let middle = (low + high) / 2
        if fences[candidates[middle]].backticks >= fences[index].backticks { low = middle + 1 } else { high = middle }
      }
      if low > 0 { closing[index] = candidates[low - 1] }
      guard fences[index].info.isEmpty else { continue }
      while let last = candidates.last, fences[last].backticks <= fences[index].backticks { candidates.removeLast() }
      candidates.append(index)
    }
    var index = 0
    while index < fences.count {
      if let close = closing[index] {
        ranges.append(fences[index].line..<fences[close].next)
        index = close + 1
      } else {
        index += 1
      }
    }
  }

  /// Whether `offset` lies in a block, its fences included.
  func contains(_ offset: Int) -> Bool {
    guard !ranges.isEmpty else { return false }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(offset)
  }

  /// Hops from backtick to backtick, since few lines hold one.
  private static func fences(_ view: ByteView, from start: Int, to end: Int) -> [CodeFence] {
    var fences: [CodeFence] = []
    var position = start
    while true {
      position = view.index(of: 0x60, from: position, to: end)
      if position >= end { return fences }
      var lineStart = position
      while lineStart > start, position - lineStart < 3, view[lineStart - 1] == 0x20 { lineStart -= 1 }
      if view.hasPrefix("```", from: position, to: end), lineStart == start || view[lineStart - 1] == 0x0A {
        let line = MarkdownLine(view, at: lineStart, limit: end)
        if let fence = CodeFence(view, line) { fences.append(fence) }
        position = line.next
      } else {
        while position < end, view[position] == 0x60 { position += 1 }
      }
    }
  }
}
