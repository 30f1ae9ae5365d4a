internal import Telemetry

/// The codec of decision and milestone files.
package enum RecordFile {
  /// Reads a file. It never fails: what is wrong with the file is a diagnostic, and any error leaves `record` nil.
  ///
  /// A file among the decisions that has a name of its own (`TreeLayout.isNamedDecision`) and does not begin as a decision
  /// is none: `record` is nil, and the one diagnostic is the note `no-record`.
  ///
  /// - Parameters:
  ///   - role: `.decision`, `.milestone` or `.snapshot`; a file of any other role gives the error `not-a-record-file`.
  ///   - path: where the file lies; for diagnostics, and for the date in its name.
  package static func decode(_ bytes: [UInt8], role: FileRole, path: RecordPath) -> DecodedFile {
    bytes.withView { view in decode(view, role: role, path: path) }
  }

  /// As `decode(_:role:path:)`, over memory that the caller lends for the time of the call.
  package static func decode(_ bytes: UnsafeRawBufferPointer, role: FileRole, path: RecordPath) -> DecodedFile {
    decode(ByteView(bytes), role: role, path: path)
  }

  private static func decode(_ view: ByteView, role: FileRole, path: RecordPath) -> DecodedFile {
    WorkCount.add(.bytesParsed, view.count)
    var findings = FileFindings(path: path)
    let record: Record?
    switch role {
    case .decision:
      record = DecisionFile.read(view, &findings)?.record
      if findings.hasError, !TreeLayout.isNamedDecision(path), !DecisionFile.hasTitle(view) {
        findings = FileFindings(path: path)
        findings.info("no-record", line: nil, "it lies among the decisions and is none: it is committed, and has no row")
      }
    case .milestone: record = MilestoneFile.read(view, &findings)
    case .snapshot: record = SnapshotFile.read(Array(view.slice(0, view.count)), &findings)
    default:
      findings.error("not-a-record-file", line: nil, "the file is no record by its place")
      record = nil
    }
    return DecodedFile(record: findings.hasError ? nil : record, diagnostics: findings.diagnostics)
  }

  /// Writes the file of a record in the writer's exact form, with body lines escaped (see `BodyText`).
  ///
  /// Reading the result gives the same record, provided that `record.missingColumns` is empty. A milestone without a
  /// date has no Timestamp line, so its file must not begin its name with another date. An event is written as an entry
  /// of the session log.
  ///
  /// - Parameter name: who the footer says recorded it.
  package static func encode(_ record: Record, recordedBy name: String) -> [UInt8] {
    var output: [UInt8] = []
    let name = RecordText.line(name)
    switch record {
    case .decision(let decision): DecisionFile.append(decision, recordedBy: name, to: &output)
    case .milestone(let milestone): MilestoneFile.append(milestone, recordedBy: name, to: &output)
    case .snapshot(let snapshot): SnapshotFile.append(snapshot, to: &output)
    case .event(let event): return SessionLog.encode(event)
    }
    return output
  }

  static func append(field name: StaticString, _ value: String?, to output: inout [UInt8]) {
    guard let value else { return }
    output.append("**")
    output.append(name)
    output.append(":** ")
    output.append(text: value)
    output.append(0x0A)
  }

  static func append(section heading: StaticString, _ body: String, to output: inout [UInt8]) {
    output.append("\n")
    output.append(heading)
    output.append("\n\n")
    BodyText.append(body, to: &output)
    output.append(0x0A)
  }

  static func append(metadata: JSONValue, to output: inout [UInt8]) {
    guard !metadata.isEmptyObject else { return }
    output.append("\n## Metadata\n\n```json\n")
    metadata.write(.pretty, level: 0, to: &output)
    output.append("\n```\n")
  }

  static func append(footer opening: StaticString, _ name: String, to output: inout [UInt8]) {
    output.append("\n---\n")
    output.append(opening)
    output.append(text: name.isEmpty ? "unknown" : name)
    output.append("*\n")
  }
}
