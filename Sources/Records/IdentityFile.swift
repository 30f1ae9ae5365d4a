/// The identity of an agent: a JSON object with counters in it.
package struct IdentityFile: Sendable {
  /// Nil where the file is not a JSON object; `diagnostics` then says why.
  package let document: JSONDocument?
  package let diagnostics: [Diagnostic]

  package static func parse(_ bytes: [UInt8], path: RecordPath) -> IdentityFile {
    var findings = FileFindings(path: path)
    let document = ObjectFile.read(bytes, &findings)
    return IdentityFile(document: document, diagnostics: findings.diagnostics)
  }

  /// The counter `total_decisions`; nil where it is absent or no integer.
  package var totalDecisions: Int? { document?.value["total_decisions"]?.integer }

  package var rebirthCount: Int? { document?.value["rebirth_count"]?.integer }

  /// The second counter of older files, `performance_tracking.total_decisions`; nil where it is absent or no integer.
  package var performanceTotalDecisions: Int? {
    document?.value["performance_tracking"]?["total_decisions"]?.integer
  }

  /// Returns the file with its decision counters set; every byte outside the two numbers stays.
  ///
  /// `total_decisions` is added at the end where it is missing; the older counter is set only where it is an integer.
  ///
  /// - Returns: nil where the file is not a JSON object.
  package func edited(totalDecisions: Int) -> [UInt8]? {
    guard var document else { return nil }
    do {
      document = try document.setting(["total_decisions"], to: .integer(totalDecisions))
      if performanceTotalDecisions != nil {
        document = try document.setting(["performance_tracking", "total_decisions"], to: .integer(totalDecisions))
      }
      return document.bytes
    } catch {
      return nil
    }
  }
}
