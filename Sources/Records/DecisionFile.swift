/// The form of a decision file.
enum DecisionFile {
  /// A decision and where its parts stand in the file, for edits.
  struct Reading {
    var record: Record?
    var outcome: Outcome = .absent
    /// The offset at which an `## Outcome` section would begin.
    var insertion = 0
    var usesCarriageReturns = false
  }

  enum Outcome {
    case absent
    /// The whole line `**Outcome:** …`, its break included, and the value in it.
    case field(line: Range<Int>, value: Range<Int>)
    /// The section from its heading up to what follows it.
    case section(Range<Int>)
  }

  /// Reads a file; nil where it is not even a text file with a title.
  static func read(_ view: ByteView, _ findings: inout FileFindings) -> Reading? {
    guard MarkdownFile.check(view, &findings) else { return nil }
    let file = MarkdownFile(view)
    guard file.checkContent(&findings) else { return nil }
    let title = file.titleLine
    guard file.hasDecisionTitle else {
      findings.error("missing-title", line: title + 1, "`# Decision Record` is expected as the first line")
      return nil
    }
    let count = file.lines.count
    let headerEnd = ((title + 1)..<count).first { file.lines[$0].headingLevel(in: view) == 2 } ?? count
    var header = Header(file, (title + 1)..<headerEnd, &findings)

    let footer = file.footer("*Recorded by ", from: title)
    if footer == nil {
      findings.error(
        "truncated", line: count, "the file ends without `---` and `*Recorded by …*`: it was cut, or never finished")
    }
    let bodyEnd = footer ?? count
    guard let action = file.heading("## Action", in: headerEnd..<max(headerEnd, bodyEnd)) else {
      findings.error("missing-action", line: min(headerEnd + 1, count), "a section `## Action` is expected")
      return nil
    }
    guard let reasoning = file.headingOutsideCode("## Reasoning", in: (action + 1)..<bodyEnd) else {
      findings.error("missing-reasoning", line: action + 1, "a section `## Reasoning` is expected after the action")
      return nil
    }
    let sections = Sections(file, body: (reasoning + 1)..<bodyEnd, footer: footer, &findings)
    var reading = Reading()
    reading.usesCarriageReturns = file.usesCarriageReturns
    reading.insertion = sections.insertion
    var outcome: String?
    if let place = sections.outcome {
      outcome = file.body(place.body)
      reading.outcome = .section(file.offsets(place.whole))
      if let field = header.outcome {
        findings.warning(
          "duplicate-field", line: field.line + 1, "the outcome is given twice; the section `## Outcome` counts")
      }
    } else if let field = header.outcome {
      outcome = view.string(field.value)
      let line = file.lines[field.line]
      reading.outcome = .field(line: line.start..<line.next, value: field.value)
    }
    var metadata = JSONValue.emptyObject
    if let section = sections.metadata, let value = file.value(of: section, &findings) { metadata = value }
    guard let fields = header.values(&findings), !findings.hasError else { return reading }
    reading.record = .decision(
      Decision(
        decisionType: fields.type, asset: header.asset, riskLevel: fields.riskLevel, confidence: fields.confidence,
        decidedAt: fields.timestamp, action: file.body((action + 1)..<reasoning),
        reasoning: file.body(sections.reasoning), outcome: outcome, metadata: metadata))
    checkFileName(fields.timestamp, &findings)
    return reading
  }

  /// Whether a file begins as a decision does.
  static func hasTitle(_ view: ByteView) -> Bool {
    var findings = FileFindings(path: RecordPath([]))
    guard MarkdownFile.check(view, &findings) else { return false }
    let file = MarkdownFile(view)
    return file.checkContent(&findings) && file.hasDecisionTitle
  }

  /// Says so where the second in the file's name is not that of the Timestamp line.
  private static func checkFileName(_ timestamp: Instant, _ findings: inout FileFindings) {
    let named = findings.path.bytes.withView { view in
      fileNameTime(view, from: (view.buffer.lastIndex(of: 0x2F) ?? -1) + 1)
    }
    if let named, named != timestamp.wholeSecond {
      findings.info(
        "filename-time-mismatch", line: nil, "the file name says \(named), the Timestamp line \(timestamp)")
    }
  }

  /// Reads `decision_YYYYMMDD_HHMMSS` at the start of a file name.
  private static func fileNameTime(_ view: ByteView, from name: Int) -> Instant? {
    guard view.hasPrefix("decision_", from: name, to: view.count) else { return nil }
    let start = name + 9
    func field(_ offset: Int, _ digits: Int) -> Int? {
      Instant.number(view, start + offset, view.count, digits: digits)
    }
    guard let year = field(0, 4), let month = field(4, 2), let day = field(6, 2), view[start + 8] == 0x5F,
      let hour = field(9, 2), let minute = field(11, 2), let second = field(13, 2)
    else { return nil }
    return Instant(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
  }

  // MARK: Writing

  static func append(_ decision: Decision, recordedBy name: String, to output: inout [UInt8]) {
    output.reserveCapacity(decision.action.utf8.count + decision.reasoning.utf8.count + 512)
    output.append("# Decision Record\n\n**Timestamp:** ")
    output.append(contentsOf: decision.decidedAt.utf8)
    output.append(0x0A)
    RecordFile.append(field: "Type", decision.decisionType, to: &output)
    RecordFile.append(field: "Asset", decision.asset, to: &output)
    RecordFile.append(field: "Risk Level", decision.riskLevel, to: &output)
    RecordFile.append(field: "Confidence", decision.confidence.text + "%", to: &output)
    RecordFile.append(section: "## Action", decision.action, to: &output)
    RecordFile.append(section: "## Reasoning", decision.reasoning, to: &output)
    if let outcome = decision.outcome { RecordFile.append(section: "## Outcome", outcome, to: &output) }
    RecordFile.append(metadata: decision.metadata, to: &output)
    RecordFile.append(footer: "*Recorded by ", name, to: &output)
  }
}

extension MarkdownFile {
  fileprivate var hasDecisionTitle: Bool { lines[titleLine].isHeading("# Decision Record", in: view) }

  /// The bytes of the lines `range`, breaks included.
  func offsets(_ range: Range<Int>) -> Range<Int> {
    guard let first = range.first, let last = range.last else {
      let start = range.lowerBound < lines.count ? lines[range.lowerBound].start : view.count
      return start..<start
    }
    return lines[first].start..<lines[last].next
  }
}

/// The sections after `## Reasoning`.
private struct Sections {
  var reasoning: Range<Int>
  var metadata: MarkdownFile.Metadata?
  /// The lines of the outcome with its heading, and without.
  var outcome: (whole: Range<Int>, body: Range<Int>)?
  /// Where an outcome section would begin.
  var insertion: Int

  init(_ file: MarkdownFile, body: Range<Int>, footer: Int?, _ findings: inout FileFindings) {
    let metadata = file.metadata(in: body)
    self.metadata = metadata
    self.reasoning = body.lowerBound..<(metadata?.heading ?? body.upperBound)
    if let metadata, let heading = file.heading("## Outcome", in: (metadata.close + 1)..<body.upperBound) {
      self.outcome = (heading..<body.upperBound, (heading + 1)..<body.upperBound)
    } else if let heading = file.lastHeadingOutsideCode("## Outcome", in: reasoning) {
      self.outcome = (heading..<reasoning.upperBound, (heading + 1)..<reasoning.upperBound)
      self.reasoning = reasoning.lowerBound..<heading
    }
    let end = metadata?.heading ?? body.upperBound
    self.insertion = end < file.lines.count ? file.lines[end].start : file.view.count
    guard let footer else { return }
    readTail(file, footer, &findings)
  }

  /// Reads what follows the footer: an outcome that somebody added at the end of the file, or text that means nothing.
  private mutating func readTail(_ file: MarkdownFile, _ footer: Int, _ findings: inout FileFindings) {
    let texts = (footer + 1..<file.lines.count).filter { !file.lines[$0].isBlank(in: file.view) }
    // The first of them is the footer's own line.
    guard texts.count > 1 else { return }
    let first = texts[1]
    if outcome == nil, file.lines[first].isHeading("## Outcome", in: file.view) {
      outcome = (first..<file.lines.count, (first + 1)..<file.lines.count)
    } else {
      findings.warning("text-after-footer", line: first + 1, "the text after the footer is not part of the record")
    }
  }
}

/// The header fields of a decision.
private struct Header {
  struct Values {
    var timestamp: Instant
    var type: String
    var riskLevel: String
    var confidence: ExactDecimal
  }

  let file: MarkdownFile
  let end: Int
  var timestamp: MarkdownFile.Field?
  var type: MarkdownFile.Field?
  var assetField: MarkdownFile.Field?
  var riskLevel: MarkdownFile.Field?
  var confidence: MarkdownFile.Field?
  var outcome: MarkdownFile.Field?

  init(_ file: MarkdownFile, _ range: Range<Int>, _ findings: inout FileFindings) {
    self.file = file
    self.end = range.upperBound
    let (fields, others) = file.fields(in: range)
    for field in fields { take(field, &findings) }
    for index in others where !file.lines[index].isRule(in: file.view) {
      findings.info("header-text", line: index + 1, "the line is no `**Field:** value` and is not part of the record")
    }
  }

  private mutating func take(_ field: MarkdownFile.Field, _ findings: inout FileFindings) {
    let view = file.view
    func isNamed(_ name: StaticString) -> Bool {
      view.equals(name, from: field.name.lowerBound, to: field.name.upperBound)
    }
    func set(_ place: inout MarkdownFile.Field?) {
      if place == nil {
        place = field
      } else {
        findings.warning(
          "duplicate-field", line: field.line + 1,
          "the field \(view.string(field.name)) is given twice; the first one counts")
      }
    }
    if isNamed("Timestamp") {
      set(&timestamp)
    } else if isNamed("Type") {
      set(&type)
    } else if isNamed("Asset") {
      set(&assetField)
    } else if isNamed("Risk Level") {
      set(&riskLevel)
    } else if isNamed("Confidence") {
      set(&confidence)
    } else if isNamed("Outcome") {
      if !field.value.isEmpty { set(&outcome) }
    } else {
      findings.info(
        "unknown-field", line: field.line + 1, "the field \(view.string(field.name)) is not part of the record")
    }
  }

  var asset: String? { assetField.map { file.view.string($0.value) } }

  /// Reads the required fields; reports each that is missing or unreadable.
  mutating func values(_ findings: inout FileFindings) -> Values? {
    let timestamp = readTimestamp(&findings)
    let type = text(self.type, "missing-type", "**Type:**", &findings)
    let riskLevel = text(self.riskLevel, "missing-risk-level", "**Risk Level:**", &findings)
    let confidence = readConfidence(&findings)
    guard let timestamp, let type, let riskLevel, let confidence else { return nil }
    if !Decision.riskLevels.contains(Decision.canonicalRiskLevel(riskLevel)) {
      findings.info(
        "risk-level-unknown", line: self.riskLevel.map { $0.line + 1 },
        "the risk level \"\(riskLevel)\" is none of low, medium, high and critical; it is kept as written")
    }
    return Values(timestamp: timestamp, type: type, riskLevel: riskLevel, confidence: confidence)
  }

  private func text(
    _ field: MarkdownFile.Field?, _ code: String, _ expected: String, _ findings: inout FileFindings
  ) -> String? {
    guard let field, !field.value.isEmpty else {
      findings.error(
        code, line: field.map { $0.line + 1 } ?? end, "a line `\(expected)` with a value is expected in the header")
      return nil
    }
    return file.view.string(field.value)
  }

  private func readTimestamp(_ findings: inout FileFindings) -> Instant? {
    guard let text = text(timestamp, "missing-timestamp", "**Timestamp:**", &findings) else { return nil }
    guard let instant = Instant(text) else {
      findings.error(
        "invalid-timestamp", line: timestamp.map { $0.line + 1 },
        "\"\(text)\" is no timestamp such as 2026-01-13T03:56:13.642576+00:00")
      return nil
    }
    return instant
  }

  private func readConfidence(_ findings: inout FileFindings) -> ExactDecimal? {
    guard text(confidence, "missing-confidence", "**Confidence:**", &findings) != nil, let field = confidence else {
      return nil
    }
    let view = file.view
    let line = field.line + 1
    var number = field.value
    if view[number.upperBound - 1] == 0x25 { number = view.trimmed(number.lowerBound, number.upperBound - 1) }
    guard let value = ExactDecimal(view, number.lowerBound, number.upperBound) else {
      findings.error(
        "invalid-confidence", line: line, "\"\(view.string(field.value))\" is no percentage such as 98.0%")
      return nil
    }
    if value < .zero || value > .hundred {
      findings.warning("confidence-out-of-range", line: line, "the confidence \(value) is not between 0 and 100")
    } else if value > .zero, value <= .one {
      findings.warning(
        "confidence-scale-suspect", line: line,
        "the confidence \(value)% looks like a fraction that was meant as \(value) of 1; it is kept as written")
    }
    return value
  }
}
