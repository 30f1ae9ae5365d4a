/// Body text as it stands in a file: the lines that a reader would take for structure are escaped.
///
/// A line is structural where, after any backslashes at its start, it is
///
/// - a heading that a reader looks for: `## Action`, `## Reasoning`, `## Outcome`, `## Metadata`, `## Description`,
///   `## [`, `### [`, or `### ` and a digit (an event of any generation);
/// - a rule `---`, which ends an entry or introduces a footer;
/// - a code fence, indented by three spaces at most;
/// - a line that begins with `**Metadata:**`;
/// - a git conflict marker that begins or ends a conflict (`<<<<<<< `, `>>>>>>> `).
///
/// The writer puts one backslash in front of a structural line and the reader takes one away from a structural line that
/// has any. Both look at the same predicate, which backslashes do not change, so each undoes the other for every text.
/// Text that others wrote without escapes reads as it is.
enum BodyText {
  /// Appends `text`, a normalised body, escaped.
  static func append(_ text: String, to output: inout [UInt8]) {
    text.withView { view in
      var position = 0
      while position < view.count {
        let line = MarkdownLine(view, at: position, limit: view.count)
        if isStructural(view, line.start, line.end) { output.append(0x5C) }
        output.append(contentsOf: view.slice(line.start, line.next))
        position = line.next
      }
    }
  }

  /// Reads the body in `start..<end`: trimmed, with line feeds as line ends, unescaped.
  static func read(_ view: ByteView, _ start: Int, _ end: Int) -> String {
    let range = RecordText.bodyRange(view, start, end)
    if !hasLeadingBackslash(view, range), !RecordText.hasLineEndReturn(view, range.lowerBound, range.upperBound) {
      return view.string(range)
    }
    var output: [UInt8] = []
    output.reserveCapacity(range.count)
    var position = range.lowerBound
    while position < range.upperBound {
      let line = MarkdownLine(view, at: position, limit: range.upperBound)
      let isEscaped = view[line.start] == 0x5C && isStructural(view, line.start, line.end)
      output.append(contentsOf: view.slice(isEscaped ? line.start + 1 : line.start, line.end))
      if line.next > line.end, view[line.next - 1] == 0x0A { output.append(0x0A) }
      position = line.next
    }
    return String(decoding: output, as: UTF8.self)
  }

  private static func hasLeadingBackslash(_ view: ByteView, _ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    while true {
      position = view.index(of: 0x5C, from: position, to: range.upperBound)
      if position >= range.upperBound { return false }
      if position == range.lowerBound || view[position - 1] == 0x0A { return true }
      position += 1
    }
  }

  /// Whether the line `start..<end` is structural, whatever backslashes it begins with.
  static func isStructural(_ view: ByteView, _ start: Int, _ end: Int) -> Bool {
    var position = start
    while position < end, view[position] == 0x5C { position += 1 }
    guard position < end else { return false }
    switch view[position] {
    case 0x23: return isStructuralHeading(view, position, end)
    case 0x2D: return view.hasPrefix("---", from: position, to: end) && view.isBlankLine(position + 3, end)
    case 0x60: return view.hasPrefix("```", from: position, to: end)
    case 0x20:
      var first = position
      while first < end, first - position < 3, view[first] == 0x20 { first += 1 }
      return view.hasPrefix("```", from: first, to: end)
    case 0x2A: return view.hasPrefix("**Metadata:**", from: position, to: end)
    case 0x3C: return view.hasPrefix("<<<<<<< ", from: position, to: end)
    case 0x3E: return view.hasPrefix(">>>>>>> ", from: position, to: end)
    default: return false
    }
  }

  private static func isStructuralHeading(_ view: ByteView, _ start: Int, _ end: Int) -> Bool {
    if view.hasPrefix("### ", from: start, to: end) {
      return view[start + 4] == 0x5B || isDigit(view[start + 4])
    }
    guard view.hasPrefix("## ", from: start, to: end) else { return false }
    if view[start + 3] == 0x5B { return true }
    let line = MarkdownLine(start: start, end: end, next: end)
    return line.isHeading("## Action", in: view) || line.isHeading("## Reasoning", in: view)
      || line.isHeading("## Outcome", in: view) || line.isHeading("## Metadata", in: view)
      || line.isHeading("## Description", in: view)
  }
}
