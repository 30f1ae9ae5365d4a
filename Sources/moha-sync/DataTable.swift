import Glibc
import Persistence
import Records

/// A dataset as an aligned table for a terminal, or whole for a pipe, or as Markdown.
struct DataTable {
  /// How many columns of characters there are; nil for as many as it takes.
  private let room: Int?
  private let style: Style
  private let isMarkdown: Bool
  private static let gap = 2

  /// - Parameter isWide: whether long text stays whole on a terminal too.
  init(style: Style, isWide: Bool, isMarkdown: Bool = false) {
    self.style = style
    self.isMarkdown = isMarkdown
    room = isWide || isMarkdown ? nil : TerminalText.width(of: STDOUT_FILENO)
  }

  /// The lines with a heading, each ended; one line that says so where there is nothing.
  func text(_ dataset: Dataset) -> String {
    let cells = dataset.rows.map { row in
      zip(dataset.columns, row).map { column, cell in printable(cell.shown(as: column.kind)) }
    }
    return isMarkdown ? markdown(dataset.columns, cells) : aligned(dataset.columns, cells)
  }

  private func aligned(_ columns: [Dataset.Column], _ rows: [[String]]) -> String {
    var widths = columns.indices.map { index in
      rows.reduce(TerminalText.width(columns[index].title)) { max($0, TerminalText.width($1[index])) }
    }
    if let room { shrink(&widths, columns, to: room) }
    func line(_ cells: [String]) -> String {
      var text = ""
      for index in columns.indices {
        let cell = TerminalText.cut(cells[index], to: widths[index])
        let gap = String(repeating: " ", count: max(0, widths[index] - TerminalText.width(cell)))
        let isLast = index == columns.count - 1
        text += columns[index].isNumber ? gap + cell : isLast ? cell : cell + gap
        if !isLast { text += String(repeating: " ", count: DataTable.gap) }
      }
      return text
    }
    return ([style.dim(line(columns.map(\.title)))] + rows.map(line)).map { $0 + "\n" }.joined()
  }

  /// Takes from the widest text until the line fits; numbers stay whole.
  private func shrink(_ widths: inout [Int], _ columns: [Dataset.Column], to room: Int) {
    let least = 8
    var excess = widths.reduce(0, +) + DataTable.gap * max(0, widths.count - 1) - room
    while excess > 0 {
      let texts = columns.indices.filter { columns[$0].kind == .text && widths[$0] > least }
      guard let widest = texts.max(by: { widths[$0] < widths[$1] }) else { return }
      // Down to the next narrower one at once, so that a very long cell takes few steps.
      let next = texts.map { widths[$0] }.filter { $0 < widths[widest] }.max() ?? least
      let step = min(excess, max(1, widths[widest] - max(next, least)))
      widths[widest] -= step
      excess -= step
    }
  }

  private func markdown(_ columns: [Dataset.Column], _ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }
    let rule = columns.map { $0.isNumber ? "--:" : "---" }
    return line(columns.map(\.title)) + line(rule) + rows.map { line($0.map(DataTable.markdownText)) }.joined()
  }

  /// Text that means only itself in Markdown, also where a renderer lets HTML through.
  static func markdownText(_ text: String) -> String {
    var output = ""
    for character in text {
      switch character {
      case "<": output += "&lt;"
      case ">": output += "&gt;"
      case "&": output += "&amp;"
      case "\\", "`", "*", "_", "[", "]", "|", "#", "~", "!": output += "\\\(character)"
      default: output.append(character)
      }
    }
    return output
  }
}

/// The room that text takes on a terminal.
enum TerminalText {
  /// The columns of the terminal behind a descriptor; nil for a pipe or a file.
  static func width(of descriptor: Int32) -> Int? {
    guard Output.isTerminal(descriptor) else { return nil }
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  static func width(_ text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + width($1) }
  }

  /// The text, or its beginning with an ellipsis, in at most `limit` columns.
  static func cut(_ text: String, to limit: Int) -> String {
    guard width(text) > limit else { return text }
    var output = ""
    var used = 0
    for character in text {
      let next = width(character)
      if used + next > limit - 1 { break }
      output.append(character)
      used += next
    }
    return output + "…"
  }

  /// Two for East Asian wide characters and emoji, none for marks and joiners that stand alone.
  private static func width(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if first.value < 0x300 { return 1 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    if first.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    return wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  /// The blocks whose characters are wide in Unicode's East_Asian_Width.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
    0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
  ]
}
