internal import Records
internal import TestSupport
internal import Testing

/// What reaches a terminal or a pipe.
@Suite struct TerminalTests {
  /// Runs a shell command with a terminal as its stdout, and returns what came out there.
  private func onTerminal(_ tree: CommandTree, _ command: String, _ environment: [String: String] = [:]) async throws
    -> String
  {
    try await Program.run(
      [
        "script", "--quiet", "--return", "--command",
        "\(try Program.path()) \(command) --database '\(tree.database.url)'", "/dev/null",
      ],
      environment: tree.environment.merging(environment) { $1 }, folder: tree.git.path
    ).stdoutText
  }

  @Test("colours on a terminal; none in a pipe, with NO_COLOR, on a dumb terminal or when told so")
  func colour() async throws {
    let tree = try await CommandTree.sample()
    let piped = try await tree.expect(0, "sync")
    #expect(!piped.hasEscapeCode)
    try await tree.sql("UPDATE maven_decisions SET confidence = 12 WHERE id = 1")
    for command in ["verify", "reconcile --dry-run", "status", "history"] {
      let arguments = command.split(separator: " ").map(String.init)
      #expect(try await tree.run(arguments).hasEscapeCode == false, "\(command)")
    }
    #expect(try await onTerminal(tree, "verify").contains("\u{1B}[31m"))
    #expect(try await onTerminal(tree, "verify", ["NO_COLOR": "1"]).contains("\u{1B}") == false)
    #expect(try await onTerminal(tree, "verify", ["TERM": "dumb"]).contains("\u{1B}") == false)
    #expect(try await onTerminal(tree, "verify --color never").contains("\u{1B}") == false)
    #expect(try await tree.run("verify", "--color", "always").hasEscapeCode)
  }

  @Test("text from files, names and commits cannot move the cursor or forge a line")
  func forgedText() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let forged = "x\u{1B}[2K\u{1B}[1A\rIn sync.\u{9B}31m\u{202E}\u{7}\nIn sync.  schema 3, 1 ms"
    try tree.git.write(CommandTree.decisionFile(1), CommandTree.decision(1, reasoning: forged, action: forged))
    // A name may hold any byte but NUL and a slash.
    let name = ".moha/maven/milestones/\u{1B}[2K\nIn sync.\u{9B}31m\u{202E}.md"
    try tree.git.write(Array(name.utf8), Array("# Milestone: \(forged)\n\n**Timestamp:** \(forged)\n".utf8))
    try tree.git.write(".moha/maven/infrastructure.json", "{\"\u{1B}[2K")
    tree.git.environment["GIT_AUTHOR_NAME"] = "Name \u{1B}[2K\u{202E}"
    try tree.git.commit("title \u{1B}[2K\rIn sync.")
    try await tree.sql(
      "UPDATE maven_decisions SET action = E'\\x1b[2KIn sync.\\r' || chr(155), git_filename = E'\\x1b[2K\\nIn sync.' || chr(8238) WHERE id = 2"
    )

    var lines: [Substring] = []
    for arguments in [
      ["verify", "-v"], ["reconcile", "--dry-run", "-v"], ["history", "-v"], ["reconcile", "-v"], ["adopt"], ["sync"],
    ] {
      let output = try await tree.run(arguments)
      for scalar in output.everything.unicodeScalars where scalar != "\n" {
        let isForbidden = scalar.properties.generalCategory == .control || scalar == "\u{202E}"
        #expect(
          !isForbidden, "U+\(String(scalar.value, radix: 16)) from \(arguments): \(output.everything.debugDescription)")
        if isForbidden { break }
      }
      lines += output.everything.split(separator: "\n").filter { $0.hasPrefix("In sync.") }
    }
    #expect(lines.isEmpty, "\(lines)")
  }

  @Test("a reader that goes away early is no error that is reported")
  func closedPipe() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let output = try await Program.run(
      ["/bin/sh", "-c", "'\(try Program.path())' --help | head -n 1"], environment: tree.environment,
      folder: tree.git.path)
    #expect(output.status == 0 && output.stderr.isEmpty, "\(output.everything)")
  }

  @Test("--quiet prints nothing on success")
  func quiet() async throws {
    let tree = try await CommandTree.sample()
    for command in ["sync", "reconcile", "verify", "migrate"] {
      let output = try await tree.expect(0, command, "--quiet")
      #expect(output.everything.isEmpty, "\(command): \(output.everything)")
    }
  }
}
