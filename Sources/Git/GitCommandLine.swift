/// The command that git was called with, and the words after it: `git -C folder gc --auto`, `git-gc --auto`.
struct GitCommandLine {
  let name: String
  let options: ArraySlice<String>

  /// Nil where the words name no command. The first of them is the program.
  init?(_ arguments: [String]) {
    guard let program = arguments.first?.split(separator: "/").last else { return nil }
    if program.hasPrefix("git-") {
      (name, options) = (String(program.dropFirst(4)), arguments.dropFirst())
      return
    }
    var rest = arguments.dropFirst()
    while let word = rest.popFirst() {
      guard word.hasPrefix("-") else {
        (name, options) = (word, rest)
        return
      }
      if ["-C", "-c", "--git-dir", "--work-tree", "--namespace"].contains(word) { rest = rest.dropFirst() }
    }
    return nil
  }
}
