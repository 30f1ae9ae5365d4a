/// Something to say about a file: bad input is data, collected and reported, never thrown.
package struct Diagnostic: Hashable, Sendable {
  package enum Severity: String, Sendable {
    /// The record cannot be read; it has no value.
    case error
    /// The record was read, and probably means something else than it says.
    case warning
    /// Worth knowing; nothing needs doing.
    case info
  }

  package let severity: Severity
  /// What it is about, in kebab case: stable, for scripts.
  package let code: String
  package let path: RecordPath
  /// The line, from 1; nil where it is about the whole file.
  package let line: Int?
  /// A sentence for people.
  package let message: String

  package init(severity: Severity, code: String, path: RecordPath, line: Int?, message: String) {
    self.severity = severity
    self.code = code
    self.path = path
    self.line = line
    self.message = message
  }
}

extension Diagnostic: CustomStringConvertible {
  /// `path:line: severity: message [code]`, the form that editors follow to the line.
  package var description: String {
    let place = line.map { "\(path):\($0)" } ?? "\(path)"
    return "\(place): \(severity.rawValue): \(message) [\(code)]"
  }
}
