/// Reads a session log in one pass over its lines.
struct SessionLogParser {
  /// The last heading of level 1 or 2 that is no entry.
  private struct Section {
    var date: Instant?
    var isArchive = false
    /// Inside `## Log Format`, up to the next rule or heading of level 2: what looks like an entry is an example.
    var isFormat = false
  }

  /// The parts of an entry before it is read.
  private struct Draft {
    var generation: Int
    var type: Range<Int>
    var title: Range<Int>?
    var time: Instant?
    var timeText: Range<Int>?
    /// Whether the time is a full timestamp, which tells entries apart.
    var isExact: Bool
    var line: Int
    var content: Range<Int>
    /// The last `**Metadata:**` line within `content`, its break included.
    var metadata: MarkdownLine?
    /// The number of that line.
    var metadataLine = 0
  }

  /// Time and type: two entries that share them should be the same entry.
  private struct Identity: Hashable {
    var time: Instant
    var type: [UInt8]
  }

  private let view: ByteView
  private let blocks: CodeBlocks
  private let conflicts: [Range<Int>]
  private let isValidUTF8: Bool
  /// Whether the bytes hold what text does not, so that each span has to be looked at.
  private let isSuspect: Bool

  private(set) var spans: [SessionLog.Span] = []
  private(set) var entries: [LogEntry] = []
  private(set) var unreadable: [Range<Int>] = []
  private(set) var findings: FileFindings

  private var position: Int
  private var line = 1
  private var proseStart = 0
  private var section = Section()
  private var nextBlock = 0
  private var nextConflict = 0
  private var reportedConflicts: Set<Int> = []
  private var firstLines: [ContentHash: Int] = [:]
  private var bodies: [Identity: ContentHash] = [:]

  init(_ view: ByteView, path: RecordPath) {
    self.view = view
    self.position = view.hasPrefix("\u{FEFF}", from: 0, to: view.count) ? 3 : 0
    self.blocks = CodeBlocks(view, from: position, to: view.count)
    self.conflicts = Self.conflicts(view)
    self.isValidUTF8 = view.firstInvalidUTF8(from: 0, to: view.count) == nil
    self.isSuspect =
      !isValidUTF8 || view.index(of: 0, from: 0, to: view.count) < view.count
      || Self.hasLoneCarriageReturn(view)
    self.findings = FileFindings(path: path)
  }

  mutating func run() {
    while position < view.count {
      let current = MarkdownLine(view, at: position, limit: view.count)
      if isInCode(current) {
        reportHiddenHeading(current)
        advance(past: current)
        continue
      }
      switch view[current.start] {
      case 0x23: readHeading(current)
      case 0x2D:
        if current.isRule(in: view) {
          section.isFormat = false
          advance(past: current)
        } else if section.isArchive, let bullet = bullet(current) {
          readBullet(bullet, current)
        } else {
          advance(past: current)
        }
      default: advance(past: current)
      }
    }
    closeProse(at: view.count)
    reportConflictsInProse()
  }

  // MARK: Lines

  private mutating func advance(past current: MarkdownLine) {
    position = current.next
    line += 1
  }

  /// Lines are asked about in order, so the blocks are walked beside them.
  private mutating func isInCode(_ current: MarkdownLine) -> Bool {
    while nextBlock < blocks.ranges.count, blocks.ranges[nextBlock].upperBound <= current.start { nextBlock += 1 }
    return nextBlock < blocks.ranges.count && blocks.ranges[nextBlock].lowerBound <= current.start
  }

  /// A code block that was opened by accident would hide entries silently.
  private mutating func reportHiddenHeading(_ current: MarkdownLine) {
    guard view[current.start] == 0x23, EventHeading(view, current) != nil else { return }
    findings.info(
      "heading-in-code", line: line,
      "the line looks like an entry but stands in a code block, so it is read as an example")
  }

  private mutating func closeProse(at end: Int) {
    if proseStart < end {
      spans.append(.prose(proseStart..<end))
      if isSuspect { checkProse(proseStart..<end) }
    }
    proseStart = end
  }

  /// Prose is whatever holds no entry, so that text in another encoding, or with other line ends, would pass for it.
  private mutating func checkProse(_ range: Range<Int>) {
    let fault: (code: String, offset: Int, message: String)
    if let offset = view.firstInvalidUTF8(from: range.lowerBound, to: range.upperBound) {
      fault = ("invalid-utf8", offset, "byte \(offset) of the file is not part of valid UTF-8, and is in no entry")
    } else if case let offset = view.index(of: 0, from: range.lowerBound, to: range.upperBound),
      offset < range.upperBound
    {
      fault = (
        "nul-in-text", offset,
        "U+0000 stands in no entry: the text is in another encoding (UTF-16, as some shells append it), or encrypted"
      )
    } else if let offset = view.index(of: "\r#", from: range.lowerBound, to: range.upperBound) {
      fault = ("carriage-returns", offset, "lines end in CR alone here, so that entries among them are not seen")
    } else {
      return
    }
    unreadable.append(range)
    // Counted from the nearest line that is known: from the start for each part would take quadratic time.
    let isAfterLast = position == view.count && view[view.count - 1] != 0x0A
    let number = line - view.lineBreaks(in: fault.offset..<position) - (isAfterLast ? 1 : 0)
    findings.error(fault.code, line: number, fault.message)
  }

  private static func hasLoneCarriageReturn(_ view: ByteView) -> Bool {
    var position = 0
    while true {
      position = view.index(of: 0x0D, from: position, to: view.count)
      if position >= view.count { return false }
      position += 1
      if position < view.count, view[position] != 0x0A, view[position] != 0x0D { return true }
    }
  }

  // MARK: Headings

  private mutating func readHeading(_ current: MarkdownLine) {
    let level = current.headingLevel(in: view)
    if let heading = EventHeading(view, current), !(section.isFormat && level == 3) {
      readEntry(heading, current)
      return
    }
    if level == 1 || level == 2 { section = readSection(current, level: level) }
    advance(past: current)
  }

  private func readSection(_ current: MarkdownLine, level: Int) -> Section {
    let text = view.trimmed(current.start + level, current.end)
    var section = Section()
    section.isArchive = view.hasPrefix("Archive:", from: text.lowerBound, to: text.upperBound)
    section.isFormat = view.hasPrefix("Log Format", from: text.lowerBound, to: text.upperBound)
    var parenthesis = text.lowerBound
    while true {
      parenthesis = view.index(of: 0x28, from: parenthesis, to: text.upperBound)
      guard parenthesis < text.upperBound else { return section }
      parenthesis += 1
      if let date = Instant.parseDate(view, parenthesis, text.upperBound), view[parenthesis + 10] == 0x29 {
        section.date = Instant(year: date.year, month: date.month, day: date.day)
        return section
      }
    }
  }

  private mutating func readEntry(_ heading: EventHeading, _ current: MarkdownLine) {
    let start = current.start
    var draft = Draft(
      generation: heading.generation, type: heading.type, title: heading.title, isExact: false, line: line,
      content: current.next..<current.next)
    switch heading.time {
    case .full(let instant):
      draft.time = instant
      draft.isExact = true
    case .ofDay(let microseconds, let text):
      draft.time = section.date.flatMap { Instant(microseconds: $0.microseconds + microseconds) }
      draft.timeText = text
    }
    closeProse(at: start)
    advance(past: current)
    var contentEnd = view.count
    while position < view.count {
      let next = MarkdownLine(view, at: position, limit: view.count)
      if isInCode(next) {
        reportHiddenHeading(next)
      } else if next.isRule(in: view), heading.generation != 2 || !isInner(next) {
        contentEnd = next.start
        advance(past: next)
        break
      } else if endsEntry(next, generation: heading.generation) {
        contentEnd = next.start
        break
      } else if view.hasPrefix("**Metadata:**", from: next.start, to: next.end) {
        draft.metadata = next
        draft.metadataLine = line
      }
      advance(past: next)
    }
    draft.content = draft.content.lowerBound..<max(draft.content.lowerBound, contentEnd)
    // A heading of level 2 ends the section before it.
    if heading.generation == 2 || heading.generation == 5 { section = Section() }
    finish(draft, start..<position)
  }

  /// Whether a rule is part of an entry's text: other text follows, and another rule ends that, without a heading between.
  ///
  /// Older writers put a rule into the log as it is. Each entry of theirs ends in one, so that the last is the end.
  private func isInner(_ rule: MarkdownLine) -> Bool {
    var block = nextBlock
    var place = rule.next
    var hasText = false
    while place < view.count {
      let next = MarkdownLine(view, at: place, limit: view.count)
      place = next.next
      while block < blocks.ranges.count, blocks.ranges[block].upperBound <= next.start { block += 1 }
      if block < blocks.ranges.count, blocks.ranges[block].lowerBound <= next.start {
        hasText = true
      } else if next.isRule(in: view) {
        return hasText
      } else if (1...3).contains(next.headingLevel(in: view)) {
        return false
      } else if !next.isBlank(in: view) {
        hasText = true
      }
    }
    return false
  }

  private func endsEntry(_ next: MarkdownLine, generation: Int) -> Bool {
    guard view[next.start] == 0x23 else { return false }
    if generation == 3, (1...3).contains(next.headingLevel(in: view)) { return true }
    return EventHeading(view, next) != nil
  }

  // MARK: Bullets

  private struct Bullet {
    var title: Range<Int>
    var time: Range<Int>?
    var text: Int
  }

  /// Reads `- **TITLE** [08:30Z]: text` or `- **TITLE**: text`.
  private func bullet(_ current: MarkdownLine) -> Bullet? {
    guard view.hasPrefix("- **", from: current.start, to: current.end),
      let close = view.index(of: "**", from: current.start + 4, to: current.end)
    else { return nil }
    let title = view.trimmed(current.start + 4, close)
    var position = close + 2
    while position < current.end, view[position] == 0x20 { position += 1 }
    var time: Range<Int>?
    if position < current.end, view[position] == 0x5B {
      let bracket = view.index(of: 0x5D, from: position, to: current.end)
      time = view.trimmed(position + 1, bracket)
      position = bracket + 1
    }
    guard position < current.end, view[position] == 0x3A, !title.isEmpty else { return nil }
    return Bullet(title: title, time: time, text: position + 1)
  }

  private mutating func readBullet(_ bullet: Bullet, _ current: MarkdownLine) {
    let start = current.start
    let firstLine = line
    closeProse(at: start)
    advance(past: current)
    var isAfterBlank = false
    while position < view.count {
      let next = MarkdownLine(view, at: position, limit: view.count)
      if !isInCode(next) {
        if next.isBlank(in: view) {
          isAfterBlank = true
        } else if view[next.start] == 0x20 || view[next.start] == 0x09 {
          isAfterBlank = false
        } else if isAfterBlank || isBullet(next) || next.headingLevel(in: view) > 0 || next.isRule(in: view) {
          break
        }
      }
      advance(past: next)
    }
    let text = view.trimmed(bullet.text, current.end).lowerBound
    var draft = Draft(
      generation: 4, type: bullet.title, time: section.date, isExact: false, line: firstLine,
      content: text..<max(position, text))
    if let time = bullet.time, !time.isEmpty {
      draft.timeText = time
      if let date = section.date, let ofDay = EventHeading.timeOfDay(view, time) {
        draft.time = Instant(microseconds: date.microseconds + ofDay)
      }
    }
    finish(draft, start..<position)
  }

  private func isBullet(_ next: MarkdownLine) -> Bool {
    view.hasPrefix("- ", from: next.start, to: next.end) || view.hasPrefix("* ", from: next.start, to: next.end)
      || view.hasPrefix("+ ", from: next.start, to: next.end)
  }

  // MARK: Entries

  private mutating func finish(_ draft: Draft, _ range: Range<Int>) {
    spans.append(.entry(range))
    proseStart = range.upperBound
    if !isValidUTF8, let offset = view.firstInvalidUTF8(from: range.lowerBound, to: range.upperBound) {
      let faultLine = draft.line + view.lineBreaks(in: range.lowerBound..<offset)
      findings.error("invalid-utf8", line: faultLine, "byte \(offset) of the file is not part of valid UTF-8")
      unreadable.append(range)
      return
    }
    let heading = MarkdownLine(view, at: range.lowerBound, limit: view.count)
    if isSuspect, view.index(of: 0x0D, from: heading.start, to: heading.end) < heading.end {
      findings.error(
        "carriage-returns", line: draft.line, "lines end in CR alone here, so that the entry cannot be told from others"
      )
      unreadable.append(range)
      return
    }
    if isInConflict(range) {
      findings.error(
        "conflict-markers", line: draft.line, "the entry is part of a merge conflict that nobody has resolved")
      unreadable.append(range)
      return
    }
    let event = read(draft)
    let hash = Record.event(event).contentHash
    let earlier = firstLines[hash]
    if let earlier {
      findings.warning(
        "duplicate-entry", line: draft.line, "the entry repeats the one in line \(earlier); they are one record")
    } else {
      firstLines[hash] = draft.line
      if draft.isExact, let time = event.time { checkConflict(time, event, hash, draft.line) }
    }
    entries.append(
      LogEntry(
        event: event, range: range, line: draft.line, generation: draft.generation,
        recordKey: hash.recordKey, contentHash: hash, isRepetition: earlier != nil))
  }

  private mutating func checkConflict(_ time: Instant, _ event: Event, _ hash: ContentHash, _ line: Int) {
    let identity = Identity(time: time, type: Array(event.type.utf8))
    guard let other = bodies.updateValue(hash, forKey: identity), let otherLine = firstLines[other] else { return }
    findings.warning(
      "conflicting-entry", line: line,
      "the entry has the time and type of the one in line \(otherLine) and other content; both are kept")
  }

  private mutating func read(_ draft: Draft) -> Event {
    var metadata = JSONValue.emptyObject
    var content: String?
    if let place = draft.metadata {
      let json = view.trimmed(place.start + 13, place.end)
      do {
        // Errors are placed by the number of the line, which is known: counting from the start of the file for each
        // entry would take time quadratic in the log.
        let slice = ByteView(view.slice(json.lowerBound, json.upperBound))
        metadata = try JSONValue.parse(slice, from: 0, to: slice.count)
        content = text(draft.content, without: place)
        if let key = metadata.duplicateKey {
          findings.warning(
            "duplicate-key", line: draft.metadataLine,
            "the metadata holds the key \"\(key)\" twice; the last one counts")
        }
      } catch {
        findings.warning(
          "invalid-metadata", line: draft.metadataLine,
          "the Metadata line is not valid JSON (\(error.reason)); it is read as part of the content")
      }
    }
    return Event(
      type: view.string(draft.type), title: draft.title.map { view.string($0) }, time: draft.time,
      timeText: draft.timeText.map { view.string($0) },
      content: content ?? BodyText.read(view, draft.content.lowerBound, draft.content.upperBound),
      metadata: metadata)
  }

  private func text(_ content: Range<Int>, without line: MarkdownLine) -> String {
    if RecordText.bodyRange(view, line.next, content.upperBound).isEmpty {
      return BodyText.read(view, content.lowerBound, line.start)
    }
    let joined = Array(view.slice(content.lowerBound, line.start)) + Array(view.slice(line.next, content.upperBound))
    return joined.withView { BodyText.read($0, 0, $0.count) }
  }

  // MARK: Conflicts

  private mutating func reportConflictsInProse() {
    var conflictLine = 1
    var counted = 0
    for (index, conflict) in conflicts.enumerated() {
      // Counted on from conflict to conflict, so that many of them take linear time.
      conflictLine += view.lineBreaks(in: counted..<conflict.lowerBound)
      counted = conflict.lowerBound
      guard !reportedConflicts.contains(index) else { continue }
      findings.error("conflict-markers", line: conflictLine, "a merge conflict begins here that nobody has resolved")
      unreadable.append(conflict)
    }
    unreadable.sort { $0.lowerBound < $1.lowerBound }
  }

  private mutating func isInConflict(_ range: Range<Int>) -> Bool {
    while nextConflict < conflicts.count, conflicts[nextConflict].upperBound <= range.lowerBound { nextConflict += 1 }
    guard nextConflict < conflicts.count, conflicts[nextConflict].overlaps(range) else { return false }
    // Every conflict that touches the entry is reported with it.
    var index = nextConflict
    while index < conflicts.count, conflicts[index].lowerBound < range.upperBound {
      reportedConflicts.insert(index)
      index += 1
    }
    return true
  }

  /// From each line `<<<<<<< ` that is followed by `=======` and `>>>>>>> ` to the end of the last.
  private static func conflicts(_ view: ByteView) -> [Range<Int>] {
    guard view.index(of: "<<<<<<< ", from: 0, to: view.count) != nil else { return [] }
    var found: [Range<Int>] = []
    var begin: Int?
    var hasMiddle = false
    var position = 0
    while position < view.count {
      let line = MarkdownLine(view, at: position, limit: view.count)
      if view.hasPrefix("<<<<<<< ", from: line.start, to: line.end) {
        begin = line.start
        hasMiddle = false
      } else if view.equals("=======", from: line.start, to: line.end) {
        hasMiddle = begin != nil
      } else if hasMiddle, let start = begin, view.hasPrefix(">>>>>>> ", from: line.start, to: line.end) {
        found.append(start..<line.next)
        begin = nil
        hasMiddle = false
      }
      position = line.next
    }
    return found
  }
}

extension ByteView {
  /// The number of line feeds in `range`.
  func lineBreaks(in range: Range<Int>) -> Int {
    var count = 0
    var position = range.lowerBound
    while true {
      position = index(of: 0x0A, from: position, to: range.upperBound)
      if position >= range.upperBound { return count }
      count += 1
      position += 1
    }
  }
}
