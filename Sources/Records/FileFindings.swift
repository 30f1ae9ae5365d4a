/// Collects the diagnostics of one file while it is read.
struct FileFindings {
  let path: RecordPath
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var hasError = false

  init(path: RecordPath) {
    self.path = path
  }

  mutating func error(_ code: String, line: Int?, _ message: String) {
    hasError = true
    add(.error, code, line, message)
  }

  mutating func warning(_ code: String, line: Int?, _ message: String) {
    add(.warning, code, line, message)
  }

  mutating func info(_ code: String, line: Int?, _ message: String) {
    add(.info, code, line, message)
  }

  private mutating func add(_ severity: Diagnostic.Severity, _ code: String, _ line: Int?, _ message: String) {
    diagnostics.append(Diagnostic(severity: severity, code: code, path: path, line: line, message: message))
  }
}
