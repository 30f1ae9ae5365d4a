/// The lines of a text that an older version of it lacks, with a few around them: a name may stand on the line above its
/// value.
///
/// From the first line that differs to the last one. A log that was appended to costs what was appended, and the
/// comparison.
struct AddedLines {
  let bytes: [UInt8]
  /// How many lines of the text come before.
  let offset: Int

  private static let around = 8

  init(_ text: [UInt8], over old: [UInt8]) {
    let common = min(text.count, old.count)
    var start = 0
    while start < common, text[start] == old[start] { start += 1 }
    var end = text.count
    var oldEnd = old.count
    while end > start, oldEnd > start, text[end - 1] == old[oldEnd - 1] {
      end -= 1
      oldEnd -= 1
    }
    // To the beginning of the line, and as many lines back.
    for line in 0...Self.around where start > 0 {
      if line > 0 { start -= 1 }
      start = text[..<start].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    }
    for _ in 0...Self.around where end < text.count {
      end = text[end...].firstIndex(of: 0x0A).map { $0 + 1 } ?? text.count
    }
    bytes = Array(text[start..<max(start, end)])
    offset = text[..<start].count { $0 == 0x0A }
  }
}
