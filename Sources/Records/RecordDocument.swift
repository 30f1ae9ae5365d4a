/// A record file with its source bytes: what is not edited is written back byte for byte.
package struct RecordDocument: Sendable {
  package let bytes: [UInt8]
  package let role: FileRole
  package let path: RecordPath
  package let decoded: DecodedFile

  package init(_ bytes: [UInt8], role: FileRole, path: RecordPath) {
    self.bytes = bytes
    self.role = role
    self.path = path
    self.decoded = RecordFile.decode(bytes, role: role, path: path)
  }

  /// Returns the decision's document with this outcome; nil, or text without any, takes the outcome away.
  ///
  /// An outcome that is there is replaced in its place: the value of an `**Outcome:**` line while the new one fits into a
  /// line, else the section `## Outcome`. A new one becomes a section before the metadata, or before the footer. Every
  /// other byte stays, and new lines end as the file's do.
  ///
  /// - Throws: `RecordError.unreadableFile` where the file does not read as a decision.
  package func settingOutcome(_ outcome: String?) throws(RecordError) -> RecordDocument {
    var findings = FileFindings(path: path)
    let reading = role == .decision ? bytes.withView { DecisionFile.read($0, &findings) } : nil
    guard let reading, case .decision(let decision)? = reading.record else {
      throw RecordError(.unreadableFile, "an outcome can be set only in a file that reads as a decision")
    }
    let outcome = RecordText.optionalBody(outcome)
    if outcome.isIdentical(toBytesOf: decision.outcome) { return self }
    let section = outcome.map { Self.section($0, usesCarriageReturns: reading.usesCarriageReturns) }
    var edited = bytes
    switch reading.outcome {
    case .absent:
      edited.insert(contentsOf: section ?? [], at: reading.insertion)
    case .field(let line, let value):
      if let outcome, RecordText.line(outcome).isIdentical(toBytesOf: outcome) {
        edited.replaceSubrange(value, with: Array(outcome.utf8))
      } else {
        // The section stands behind the header, so inserting it first leaves the line where it is.
        edited.insert(contentsOf: section ?? [], at: reading.insertion)
        edited.removeSubrange(line)
      }
    case .section(let whole):
      edited.replaceSubrange(whole, with: section ?? [])
    }
    return RecordDocument(edited, role: role, path: path)
  }

  private static func section(_ outcome: String, usesCarriageReturns: Bool) -> [UInt8] {
    var output: [UInt8] = []
    output.append("## Outcome\n\n")
    BodyText.append(outcome, to: &output)
    output.append("\n\n")
    return usesCarriageReturns ? output.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] } : output
  }
}
