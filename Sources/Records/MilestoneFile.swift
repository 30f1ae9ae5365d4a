/// The form of a milestone file, and the free form that is older than it.
enum MilestoneFile {
  static func read(_ view: ByteView, _ findings: inout FileFindings) -> Record? {
    guard MarkdownFile.check(view, &findings) else { return nil }
    let file = MarkdownFile(view)
    guard file.checkContent(&findings) else { return nil }
    let titleLine = file.titleLine
    guard let title = title(file) else {
      findings.error("missing-title", line: titleLine + 1, "`# Milestone: <title>` is expected as the first line")
      return nil
    }
    let count = file.lines.count
    let headerEnd =
      ((titleLine + 1)..<count).first {
        file.lines[$0].headingLevel(in: view) > 0 || file.lines[$0].isRule(in: view)
      } ?? count
    let header = Header(file, (titleLine + 1)..<headerEnd)
    let footer = file.footer("*Milestone recorded by ", from: titleLine)
    let description = file.heading("## Description", in: headerEnd..<(footer ?? count))
    if footer == nil, header.timestamp != nil, header.category != nil {
      findings.error(
        "truncated", line: count,
        "the file ends without `---` and `*Milestone recorded by …*`: it was cut, or never finished")
      return nil
    }
    guard let footer, let description else {
      if footer != nil, header.timestamp != nil, header.category != nil {
        findings.error("missing-description", line: headerEnd, "a section `## Description` is expected")
        return nil
      }
      return readFreeForm(file, header, title, &findings)
    }
    var body = (description + 1)..<footer
    var metadata = JSONValue.emptyObject
    if let section = file.metadata(in: body) {
      body = body.lowerBound..<section.heading
      guard let value = file.value(of: section, &findings) else { return nil }
      metadata = value
    }
    let texts = (footer + 1..<count).filter { !file.lines[$0].isBlank(in: view) }
    if texts.count > 1 {
      findings.warning("text-after-footer", line: texts[1] + 1, "the text after the footer is not part of the record")
    }
    return .milestone(
      Milestone(
        title: title, category: header.category.map { view.string($0.value) },
        significance: header.significance.map { view.string($0.value) }, achievedAt: date(file, header, &findings),
        description: file.body(body), metadata: metadata))
  }

  /// A file from before the format existed: the whole text after the title is the description.
  private static func readFreeForm(
    _ file: MarkdownFile, _ header: Header, _ title: String, _ findings: inout FileFindings
  ) -> Record {
    .milestone(
      Milestone(
        title: title, significance: header.significance.map { file.view.string($0.value) },
        achievedAt: date(file, header, &findings), description: file.body((file.titleLine + 1)..<file.lines.count)))
  }

  private static func title(_ file: MarkdownFile) -> String? {
    let view = file.view
    let line = file.lines[file.titleLine]
    guard view.hasPrefix("# ", from: line.start, to: line.end) else { return nil }
    var range = view.trimmed(line.start + 2, line.end)
    if view.hasPrefix("Milestone:", from: range.lowerBound, to: range.upperBound) {
      range = view.trimmed(range.lowerBound + 10, range.upperBound)
    }
    return range.isEmpty ? nil : view.string(range)
  }

  /// The Timestamp or Date line, else the date that the file's name begins with, else nothing.
  private static func date(_ file: MarkdownFile, _ header: Header, _ findings: inout FileFindings) -> Instant? {
    var line: Int?
    for field in [header.timestamp, header.date] {
      guard let field else { continue }
      if let instant = Instant(file.view.string(field.value)) { return instant }
      line = line ?? field.line + 1
    }
    let named = findings.path.fileName.withView { view in
      Instant.parseDate(view, 0, view.count).flatMap { Instant(year: $0.year, month: $0.month, day: $0.day) }
    }
    if let named, line == nil { return named }
    findings.warning(
      "milestone-date-missing", line: line,
      named == nil
        ? "neither a Timestamp or Date line nor the file's name gives a date"
        : "the date is not readable; the one in the file's name counts")
    return named
  }

  private struct Header {
    var timestamp: MarkdownFile.Field?
    var date: MarkdownFile.Field?
    var category: MarkdownFile.Field?
    var significance: MarkdownFile.Field?

    /// Takes the first of each field that has a value. Other fields are part of the text in the free form, and mean
    /// nothing in the newer one.
    init(_ file: MarkdownFile, _ range: Range<Int>) {
      let view = file.view
      for field in file.fields(in: range).fields where !field.value.isEmpty {
        func isNamed(_ name: StaticString) -> Bool {
          view.equals(name, from: field.name.lowerBound, to: field.name.upperBound)
        }
        if isNamed("Timestamp") {
          timestamp = timestamp ?? field
        } else if isNamed("Date") {
          date = date ?? field
        } else if isNamed("Category") {
          category = category ?? field
        } else if isNamed("Significance") {
          significance = significance ?? field
        }
      }
    }
  }

  // MARK: Writing

  static func append(_ milestone: Milestone, recordedBy name: String, to output: inout [UInt8]) {
    output.reserveCapacity(milestone.description.utf8.count + 512)
    output.append("# Milestone: ")
    output.append(text: milestone.title)
    output.append("\n\n")
    RecordFile.append(field: "Timestamp", milestone.achievedAt?.description, to: &output)
    RecordFile.append(field: "Category", milestone.category, to: &output)
    RecordFile.append(field: "Significance", milestone.significance, to: &output)
    RecordFile.append(section: "## Description", milestone.description, to: &output)
    RecordFile.append(metadata: milestone.metadata, to: &output)
    RecordFile.append(footer: "*Milestone recorded by ", name, to: &output)
  }
}
