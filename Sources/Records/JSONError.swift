/// Why bytes are not JSON, and where.
package struct JSONError: Error, Hashable, Sendable {
  package struct Code: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) {
      self.rawValue = rawValue
    }

    /// The bytes break the grammar of RFC 8259.
    package static let syntax = Code(rawValue: "syntax")
    package static let invalidUTF8 = Code(rawValue: "invalid-utf8")
    /// Arrays and objects are nested deeper than the reader allows.
    package static let tooDeep = Code(rawValue: "too-deep")
    /// A path to edit leads through a value that is no object.
    package static let notAnObject = Code(rawValue: "not-an-object")
  }

  package let code: Code
  /// Bytes before the place, from 0.
  package let offset: Int
  /// The line of the place, from 1.
  package let line: Int
  /// What was found or expected, as a clause without a full stop.
  package let reason: String

  package init(_ code: Code, offset: Int, line: Int, reason: String) {
    self.code = code
    self.offset = offset
    self.line = line
    self.reason = reason
  }
}

extension JSONError: CustomStringConvertible {
  package var description: String { "line \(line), byte \(offset): \(reason)" }
}
