/// The parts that decision and milestone files share: title, header fields, metadata section, footer.
struct MarkdownFile {
  /// A `**Name:** value` line of the header.
  struct Field {
    var name: Range<Int>
    var value: Range<Int>
    /// The index of the line.
    var line: Int
  }

  /// A `## Metadata` section at the end of the body, before the footer.
  struct Metadata {
    /// Indices of the heading and of the closing fence.
    var heading: Int
    var close: Int
    /// The bytes between the fences.
    var json: Range<Int>
  }

  let view: ByteView
  let lines: [MarkdownLine]
  /// The index of the first line that is not blank; `lines.count` where there is none.
  let titleLine: Int

  /// Splits the file into lines, behind a byte order mark at its start.
  init(_ view: ByteView) {
    self.view = view
    let start = view.hasPrefix("\u{FEFF}", from: 0, to: view.count) ? 3 : 0
    self.lines = MarkdownLine.lines(of: view, from: start, to: view.count)
    self.titleLine = lines.firstIndex { !$0.isBlank(in: view) } ?? lines.count
  }

  /// The largest file that is read.
  static let maximumSize = 16 * 1_024 * 1_024

  /// Reports what makes a file unreadable whatever its kind: its size, its encoding, a merge that was not finished.
  ///
  /// Returns whether there is a file to read.
  static func check(_ view: ByteView, _ findings: inout FileFindings) -> Bool {
    guard view.count <= maximumSize else {
      findings.error("too-large", line: nil, "the file has \(view.count) bytes; at most \(maximumSize) are read")
      return false
    }
    if let offset = view.firstInvalidUTF8(from: 0, to: view.count) {
      findings.error(
        "invalid-utf8", line: view.lineNumber(at: offset), "byte \(offset) of the file is not part of valid UTF-8")
      return false
    }
    return true
  }

  /// Reports an empty file or one with conflict markers. Returns whether there is a file to read.
  func checkContent(_ findings: inout FileFindings) -> Bool {
    if titleLine == lines.count {
      findings.error("empty", line: nil, "the file is empty")
      return false
    }
    if let line = conflictLine {
      findings.error("conflict-markers", line: line + 1, "a merge conflict begins here that nobody has resolved")
      return false
    }
    return true
  }

  /// The index of a line that begins an unresolved conflict: all of git's markers follow each other.
  private var conflictLine: Int? {
    var begin: Int?
    var hasMiddle = false
    for (index, line) in lines.enumerated() {
      switch view[line.start] {
      case 0x3C where view.hasPrefix("<<<<<<< ", from: line.start, to: line.end):
        begin = index
        hasMiddle = false
      case 0x3D where view.equals("=======", from: line.start, to: line.end): hasMiddle = begin != nil
      case 0x3E where view.hasPrefix(">>>>>>> ", from: line.start, to: line.end):
        if hasMiddle { return begin }
      default: continue
      }
    }
    return nil
  }

  /// The fields in the lines `range`, and the indices of other lines that are not blank.
  func fields(in range: Range<Int>) -> (fields: [Field], others: [Int]) {
    var fields: [Field] = []
    fields.reserveCapacity(8)
    var others: [Int] = []
    for index in range {
      let line = lines[index]
      if let field = field(at: index) {
        fields.append(field)
      } else if !line.isBlank(in: view) {
        others.append(index)
      }
    }
    return (fields, others)
  }

  private func field(at index: Int) -> Field? {
    let line = lines[index]
    guard view.hasPrefix("**", from: line.start, to: line.end) else { return nil }
    let colon = view.index(of: 0x3A, from: line.start + 2, to: line.end)
    guard colon > line.start + 2, view.hasPrefix(":**", from: colon, to: line.end) else { return nil }
    return Field(name: (line.start + 2)..<colon, value: view.trimmed(colon + 3, line.end), line: index)
  }

  /// The index of the first line in `range` that is the heading `text`.
  func heading(_ text: StaticString, in range: Range<Int>) -> Int? {
    range.first { lines[$0].isHeading(text, in: view) }
  }

  /// The index of the first line in `range` that is the heading `text` and stands outside the code blocks of the range;
  /// where all stand inside one, the first at all: a fence that somebody forgot to close must not hide a section.
  func headingOutsideCode(_ text: StaticString, in range: Range<Int>) -> Int? {
    guard let first = heading(text, in: range) else { return nil }
    let hasFence = (range.lowerBound..<first).contains { CodeFence(view, lines[$0]) != nil }
    guard hasFence, let last = range.last else { return first }
    let blocks = CodeBlocks(view, from: lines[range.lowerBound].start, to: lines[last].next)
    return range.first { lines[$0].isHeading(text, in: view) && !blocks.contains(lines[$0].start) } ?? first
  }

  /// The index of the last line in `range` that is the heading `text` and stands outside the code blocks of the range.
  func lastHeadingOutsideCode(_ text: StaticString, in range: Range<Int>) -> Int? {
    guard range.contains(where: { lines[$0].isHeading(text, in: view) }), let last = range.last else { return nil }
    let blocks = CodeBlocks(view, from: lines[range.lowerBound].start, to: lines[last].next)
    return range.last { lines[$0].isHeading(text, in: view) && !blocks.contains(lines[$0].start) }
  }

  /// The index of the rule of the last footer: `---`, then a line of the form `<opening>…*`.
  func footer(_ opening: StaticString, from first: Int) -> Int? {
    var index = lines.count - 1
    while index > first {
      let line = lines[index]
      if view[line.start] == 0x2A, view.hasPrefix(opening, from: line.start, to: line.end) {
        let text = view.trimmed(line.start, line.end)
        if text.count > opening.utf8CodeUnitCount + 1, view[text.upperBound - 1] == 0x2A,
          let rule = (first..<index).last(where: { !lines[$0].isBlank(in: view) }), lines[rule].isRule(in: view)
        {
          return rule
        }
      }
      index -= 1
    }
    return nil
  }

  /// The metadata section that ends the lines `range`: the last `## Metadata` whose code block is followed by blank lines
  /// or by `## Outcome` only. A section that other text follows is part of the body.
  ///
  /// It is looked for from the end, without regard to code blocks before it, so that a fence that somebody forgot to
  /// close in the body cannot swallow it.
  func metadata(in range: Range<Int>) -> Metadata? {
    var candidates = range
    while let heading = candidates.last(where: { lines[$0].isHeading("## Metadata", in: view) }) {
      if let metadata = metadata(at: heading, in: range) { return metadata }
      candidates = range.lowerBound..<heading
      // Only the last heading with a code block counts: what stands before text of the body is body.
      if hasFence(after: heading, in: range) { return nil }
    }
    return nil
  }

  private func hasFence(after heading: Int, in range: Range<Int>) -> Bool {
    guard let open = firstText(after: heading, in: range) else { return false }
    return CodeFence(view, lines[open]) != nil
  }

  private func firstText(after index: Int, in range: Range<Int>) -> Int? {
    ((index + 1)..<max(range.upperBound, index + 1)).first { !lines[$0].isBlank(in: view) }
  }

  private func metadata(at heading: Int, in range: Range<Int>) -> Metadata? {
    guard let open = firstText(after: heading, in: range), let fence = CodeFence(view, lines[open]),
      fence.info.isEmpty || view.equals("json", from: fence.info.lowerBound, to: fence.info.upperBound)
        || view.equals("JSON", from: fence.info.lowerBound, to: fence.info.upperBound)
    else { return nil }
    let rest = (open + 1)..<max(range.upperBound, open + 1)
    let close = rest.first { index in
      guard let closing = CodeFence(view, lines[index]) else { return false }
      return closing.info.isEmpty && closing.backticks >= fence.backticks
    }
    // An open code block at the end is a metadata section with a fault, which the caller reports.
    guard let close else {
      return Metadata(heading: heading, close: range.upperBound - 1, json: lines[open].next..<lines[open].next)
    }
    if let text = firstText(after: close, in: range), !lines[text].isHeading("## Outcome", in: view) { return nil }
    return Metadata(heading: heading, close: close, json: lines[open].next..<lines[close].start)
  }

  /// Reads the JSON of the section; reports an error or a repeated key.
  func value(of metadata: Metadata, _ findings: inout FileFindings) -> JSONValue? {
    do {
      let value = try JSONValue.parse(view, from: metadata.json.lowerBound, to: metadata.json.upperBound)
      if let key = value.duplicateKey {
        findings.warning(
          "duplicate-key", line: metadata.heading + 1,
          "the metadata holds the key \"\(key)\" twice; the last one counts")
      }
      return value
    } catch {
      findings.error("invalid-metadata", line: error.line, "the metadata is not valid JSON: \(error.reason)")
      return nil
    }
  }

  /// The text of the lines `range` as a body.
  func body(_ range: Range<Int>) -> String {
    guard let first = range.first, let last = range.last else { return "" }
    return BodyText.read(view, lines[first].start, lines[last].next)
  }

  /// Whether the file ends its lines with CR LF.
  var usesCarriageReturns: Bool {
    guard let line = lines.first else { return false }
    return line.next - line.end == 2
  }
}
