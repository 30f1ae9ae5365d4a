/// A line of a file: `start..<end` without its line break, and where the next one begins.
struct MarkdownLine {
  var start: Int
  /// The end of the text: carriage returns before the line feed are not part of it.
  var end: Int
  /// The start of the next line; the end of the file after the last line.
  var next: Int

  init(start: Int, end: Int, next: Int) {
    self.start = start
    self.end = end
    self.next = next
  }

  /// Reads the line that begins at `start`; `start` must be below `limit`.
  @inline(__always)
  init(_ view: ByteView, at start: Int, limit: Int) {
    let lineFeed = view.index(of: 0x0A, from: start, to: limit)
    self.start = start
    self.next = min(lineFeed + 1, limit)
    var end = lineFeed
    while end > start, view[end - 1] == 0x0D { end -= 1 }
    self.end = end
  }

  @inline(__always)
  func isBlank(in view: ByteView) -> Bool {
    view.isBlankLine(start, end)
  }

  /// Whether the line is `---`, with white space after it at most.
  @inline(__always)
  func isRule(in view: ByteView) -> Bool {
    view.hasPrefix("---", from: start, to: end) && view.isBlankLine(start + 3, end)
  }

  /// Whether the line is exactly `text`, with white space after it at most.
  @inline(__always)
  func isHeading(_ text: StaticString, in view: ByteView) -> Bool {
    view.hasPrefix(text, from: start, to: end) && view.isBlankLine(start + text.utf8CodeUnitCount, end)
  }

  /// The level of a heading: the number of `#` in front of a space; 0 where the line is none.
  @inline(__always)
  func headingLevel(in view: ByteView) -> Int {
    var position = start
    while position < end, view[position] == 0x23 { position += 1 }
    let level = position - start
    return level > 0 && level <= 6 && position < end && view[position] == 0x20 ? level : 0
  }

  /// The lines in `start..<end`.
  static func lines(of view: ByteView, from start: Int, to end: Int) -> [MarkdownLine] {
    var lines: [MarkdownLine] = []
    lines.reserveCapacity(32)
    var position = start
    while position < end {
      let line = MarkdownLine(view, at: position, limit: end)
      lines.append(line)
      position = line.next
    }
    return lines
  }
}
