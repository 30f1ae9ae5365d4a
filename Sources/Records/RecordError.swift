/// Why a record could not be made or changed.
package struct RecordError: Error, Hashable, Sendable {
  package struct Code: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) {
      self.rawValue = rawValue
    }

    /// A row whose columns are not those of its kind, or hold what a record cannot.
    package static let invalidRow = Code(rawValue: "invalid-row")
    /// An edit of a file that does not read as the record to edit.
    package static let unreadableFile = Code(rawValue: "unreadable-file")
  }

  package let code: Code
  /// What failed, without values of the record.
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension RecordError: CustomStringConvertible {
  package var description: String { "\(message) [\(code.rawValue)]" }
}
