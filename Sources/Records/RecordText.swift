/// The normal forms of a record's text.
///
/// A record's text is what its file can say: line feeds end lines, a body neither begins nor ends with a blank line, and
/// a field of one line holds no line break. Records are normalised when they are made, so that writing one to a file and
/// reading it back gives the same record.
enum RecordText {
  /// Returns a body: carriage returns before a line feed or the end are dropped, as are blank lines (spaces and tabs
  /// at most) at both ends.
  static func body(_ text: String) -> String {
    text.withView { view in
      let range = bodyRange(view, 0, view.count)
      if range.count == view.count, !hasLineEndReturn(view, 0, view.count) { return text }
      var output: [UInt8] = []
      output.reserveCapacity(range.count)
      appendLines(view, range, to: &output)
      return String(decoding: output, as: UTF8.self)
    }
  }

  /// Returns a field of one line: each run of line breaks becomes a space, white space at both ends is dropped.
  static func line(_ text: String) -> String {
    text.withView { view in
      let range = view.trimmed(0, view.count)
      var hasBreak = false
      for position in range where view[position] == 0x0A || view[position] == 0x0D { hasBreak = true }
      if !hasBreak, range.count == view.count { return text }
      var output: [UInt8] = []
      output.reserveCapacity(range.count)
      var isBreak = false
      for position in range {
        let byte = view[position]
        if byte == 0x0A || byte == 0x0D {
          if !isBreak { output.append(0x20) }
          isBreak = true
        } else {
          output.append(byte)
          isBreak = false
        }
      }
      // A break at an end became a space there.
      return output.withView { view in view.string(view.trimmed(0, view.count)) }
    }
  }

  /// As `line`, with nil for nothing left.
  static func optionalLine(_ text: String?) -> String? {
    guard let text else { return nil }
    let line = line(text)
    return line.isEmpty ? nil : line
  }

  /// As `body`, with nil for nothing left.
  static func optionalBody(_ text: String?) -> String? {
    guard let text else { return nil }
    let body = body(text)
    return body.isEmpty ? nil : body
  }

  /// Returns `start..<end` without blank lines at both ends and without the break that ends the last line.
  static func bodyRange(_ view: ByteView, _ start: Int, _ end: Int) -> Range<Int> {
    var low = start
    var position = start
    while position < end {
      let byte = view[position]
      if byte == 0x0A {
        low = position + 1
      } else if !isBlank(byte) {
        break
      }
      position += 1
    }
    if position >= end { return end..<end }
    var high = end
    position = end
    while position > low {
      let byte = view[position - 1]
      if byte == 0x0A {
        high = position - 1
      } else if !isBlank(byte) {
        break
      }
      position -= 1
    }
    while high > low, view[high - 1] == 0x0D { high -= 1 }
    return low..<high
  }

  /// Returns whether a carriage return stands before a line feed in `start..<end`.
  static func hasLineEndReturn(_ view: ByteView, _ start: Int, _ end: Int) -> Bool {
    var position = start
    while true {
      position = view.index(of: 0x0D, from: position, to: end)
      if position >= end { return false }
      if position + 1 == end || view[position + 1] == 0x0A || view[position + 1] == 0x0D { return true }
      position += 1
    }
  }

  private static func appendLines(_ view: ByteView, _ range: Range<Int>, to output: inout [UInt8]) {
    var position = range.lowerBound
    while position < range.upperBound {
      let lineFeed = view.index(of: 0x0A, from: position, to: range.upperBound)
      var end = lineFeed
      while end > position, view[end - 1] == 0x0D { end -= 1 }
      output.append(contentsOf: view.slice(position, end))
      if lineFeed < range.upperBound { output.append(0x0A) }
      position = lineFeed + 1
    }
  }
}
