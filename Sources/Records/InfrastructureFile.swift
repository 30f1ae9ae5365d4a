/// What an agent knows of its platform: a JSON object of any shape.
package struct InfrastructureFile: Sendable {
  /// Nil where the file is not a JSON object; `diagnostics` then says why.
  package let document: JSONDocument?
  package let diagnostics: [Diagnostic]

  package static func parse(_ bytes: [UInt8], path: RecordPath) -> InfrastructureFile {
    var findings = FileFindings(path: path)
    let document = ObjectFile.read(bytes, &findings)
    return InfrastructureFile(document: document, diagnostics: findings.diagnostics)
  }
}
