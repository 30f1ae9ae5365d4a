/// A file that holds one JSON object.
enum ObjectFile {
  /// Reads the file; nil where it is no JSON object, with an error among the findings.
  static func read(_ bytes: [UInt8], _ findings: inout FileFindings) -> JSONDocument? {
    guard bytes.count <= MarkdownFile.maximumSize else {
      findings.error(
        "too-large", line: nil, "the file has \(bytes.count) bytes; at most \(MarkdownFile.maximumSize) are read")
      return nil
    }
    do {
      let document = try JSONDocument(bytes)
      guard case .object = document.value else {
        findings.error("not-an-object", line: 1, "the file holds JSON, but no object")
        return nil
      }
      if let key = document.value.duplicateKey {
        findings.warning("duplicate-key", line: nil, "the key \"\(key)\" is given twice; the last one counts")
      }
      return document
    } catch {
      findings.error(
        error.code == .invalidUTF8 ? "invalid-utf8" : "invalid-json", line: error.line,
        "the file is not valid JSON: \(error.reason)")
      return nil
    }
  }
}
