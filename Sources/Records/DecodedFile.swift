/// What a record file says: a record, or at least one error that says why there is none.
package struct DecodedFile: Sendable {
  /// Nil exactly where `diagnostics` holds an error.
  package let record: Record?
  /// In the order of discovery.
  package let diagnostics: [Diagnostic]

  package init(record: Record?, diagnostics: [Diagnostic]) {
    self.record = record
    self.diagnostics = diagnostics
  }
}
