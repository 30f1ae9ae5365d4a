import FoundationEssentials
import Glibc

/// Colours and symbols, or none: NO_COLOR, a dumb terminal and a pipe get plain text.
struct Style: Sendable {
  let usesColor: Bool

  init(_ choice: GlobalOptions.ColorChoice) {
    switch choice {
    case .always: usesColor = true
    case .never: usesColor = false
    case .auto:
      let environment = ProcessInfo.processInfo.environment
      let isWanted = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
      usesColor = isWanted && Output.isTerminal(STDOUT_FILENO)
    }
  }

  func bold(_ text: String) -> String { paint(text, "1") }
  func dim(_ text: String) -> String { paint(text, "2") }
  func good(_ text: String) -> String { paint(text, "32") }
  func bad(_ text: String) -> String { paint(text, "31") }
  func warning(_ text: String) -> String { paint(text, "33") }

  private func paint(_ text: String, _ code: String) -> String {
    usesColor ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }
}
