/// A personality of an agent: Markdown under `personas/`.
package struct PersonaFile: Sendable {
  package let path: RecordPath
  /// The `N` of a file named `<agent>-vN.md`; nil for other names. The highest is current.
  package let version: Int?
  /// The text without a byte order mark; nil where it is not valid UTF-8 or too large.
  package let text: String?
  package let diagnostics: [Diagnostic]

  package static func parse(_ bytes: [UInt8], path: RecordPath) -> PersonaFile {
    var findings = FileFindings(path: path)
    let text = bytes.withView { view -> String? in
      guard MarkdownFile.check(view, &findings) else { return nil }
      return view.string(view.hasPrefix("\u{FEFF}", from: 0, to: view.count) ? 3 : 0, view.count)
    }
    return PersonaFile(
      path: path, version: version(of: path.fileName), text: text, diagnostics: findings.diagnostics)
  }

  /// The `N` of a name `<agent>-vN.md`; nil for other names.
  package static func version(of name: [UInt8]) -> Int? {
    name.withView { view in
      guard view.count > 3, view.equals(".md", from: view.count - 3, to: view.count),
        let dash = view.buffer.lastIndex(of: 0x2D), view[dash + 1] == 0x76
      else { return nil }
      let digits = view.slice(dash + 2, view.count - 3)
      return digits.allSatisfy(isDigit) ? Int(String(decoding: digits, as: UTF8.self)) : nil
    }
  }
}
