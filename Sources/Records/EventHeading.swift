/// What the heading line of a log entry says.
struct EventHeading {
  /// Which of the log's generations the heading belongs to: 1, 2, 3 or 5.
  var generation: Int
  var type: Range<Int>
  var title: Range<Int>?
  var time: HeadingTime

  enum HeadingTime {
    /// A full timestamp.
    case full(Instant)
    /// A time of day in microseconds, with the text it stands in; the date is that of the section around it.
    case ofDay(Int64, text: Range<Int>)
  }

  /// Reads the line; nil where it is no entry's heading. A placeholder such as `YYYY-MM-DD` is no timestamp.
  ///
  ///     1  ### <timestamp> - TYPE
  ///     2  ## [<timestamp>] TYPE
  ///     3  ### [HH:MMZ] TYPE - TITLE       (a range, `~` or a full timestamp in the brackets, too)
  ///     5  ## [TYPE] <timestamp>
  init?(_ view: ByteView, _ line: MarkdownLine) {
    if view.hasPrefix("### [", from: line.start, to: line.end) {
      self.init(thirdGeneration: view, line)
    } else if view.hasPrefix("### ", from: line.start, to: line.end) {
      self.init(firstGeneration: view, line)
    } else if view.hasPrefix("## [", from: line.start, to: line.end) {
      self.init(secondOrFifthGeneration: view, line)
    } else {
      return nil
    }
  }

  private init?(firstGeneration view: ByteView, _ line: MarkdownLine) {
    let start = line.start + 4
    guard isDigit(view[start]), let separator = view.index(of: " - ", from: start, to: min(line.end, start + 64)),
      let time = Self.fullTimestamp(view, view.trimmed(start, separator))
    else { return nil }
    self.init(generation: 1, type: view.trimmed(separator + 3, line.end), title: nil, time: .full(time))
  }

  private init?(secondOrFifthGeneration view: ByteView, _ line: MarkdownLine) {
    let start = line.start + 4
    let bracket = view.index(of: 0x5D, from: start, to: line.end)
    guard bracket < line.end else { return nil }
    let inside = view.trimmed(start, bracket)
    let after = view.trimmed(bracket + 1, line.end)
    if let time = Self.fullTimestamp(view, inside) {
      self.init(generation: 2, type: after, title: nil, time: .full(time))
      return
    }
    guard !inside.isEmpty else { return nil }
    // The timestamp is the rest of the line, or what stands before ` - TITLE`.
    let separator = view.index(of: " - ", from: after.lowerBound, to: after.upperBound) ?? after.upperBound
    guard let time = Self.fullTimestamp(view, view.trimmed(after.lowerBound, separator)) else { return nil }
    let title = view.trimmed(min(separator + 3, after.upperBound), after.upperBound)
    self.init(generation: 5, type: inside, title: title.isEmpty ? nil : title, time: .full(time))
  }

  private init?(thirdGeneration view: ByteView, _ line: MarkdownLine) {
    let start = line.start + 5
    let bracket = view.index(of: 0x5D, from: start, to: line.end)
    guard bracket < line.end else { return nil }
    let inside = view.trimmed(start, bracket)
    let after = view.trimmed(bracket + 1, line.end)
    let time: HeadingTime
    if let full = Self.fullTimestamp(view, inside) {
      time = .full(full)
    } else if let ofDay = Self.timeOfDay(view, inside) {
      time = .ofDay(ofDay, text: inside)
    } else {
      return nil
    }
    guard !after.isEmpty else { return nil }
    let separator = view.index(of: " - ", from: after.lowerBound, to: after.upperBound) ?? after.upperBound
    let title = view.trimmed(min(separator + 3, after.upperBound), after.upperBound)
    self.init(
      generation: 3, type: view.trimmed(after.lowerBound, separator), title: title.isEmpty ? nil : title, time: time)
  }

  private init(generation: Int, type: Range<Int>, title: Range<Int>?, time: HeadingTime) {
    self.generation = generation
    self.type = type
    self.title = title
    self.time = time
  }

  private static func fullTimestamp(_ view: ByteView, _ range: Range<Int>) -> Instant? {
    guard let parsed = Instant.parse(view, range.lowerBound, range.upperBound), parsed.hasTime else { return nil }
    return parsed.instant
  }

  /// Reads `[~]HH:MM[:SS][-HH:MM[:SS]][Z]`, the start of the range, in microseconds since midnight.
  static func timeOfDay(_ view: ByteView, _ range: Range<Int>) -> Int64? {
    var position = range.lowerBound
    var end = range.upperBound
    if view[position] == 0x7E { position += 1 }
    if end > position, view[end - 1] | 0x20 == 0x7A { end -= 1 }
    guard let first = clock(view, &position, end) else { return nil }
    if position < end {
      if view[position] | 0x20 == 0x7A { position += 1 }
      guard view[position] == 0x2D else { return nil }
      position += 1
      guard clock(view, &position, end) != nil, position == end else { return nil }
    }
    return first
  }

  private static func clock(_ view: ByteView, _ position: inout Int, _ end: Int) -> Int64? {
    guard let hour = Instant.number(view, position, end, digits: 2), hour <= 23, view[position + 2] == 0x3A,
      let minute = Instant.number(view, position + 3, end, digits: 2), minute <= 59
    else { return nil }
    position += 5
    var second = 0
    if position < end, view[position] == 0x3A {
      guard let value = Instant.number(view, position + 1, end, digits: 2), value <= 59 else { return nil }
      second = value
      position += 3
    }
    return Int64(hour * 3_600 + minute * 60 + second) * 1_000_000
  }
}
