import ArgumentParser
import Glibc
import Records

/// Makes record trees of any size, for benchmarks and for trying things out.
@main
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moha-generate", abstract: "Makes record trees of any size.", subcommands: [FastImport.self])
}

/// One commit with a whole tree, as git fast-import reads it.
struct FastImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fast-import",
    abstract: "Write a repository with N decisions to standard output, as a stream for git fast-import.",
    discussion: """
      Below .moha/maven: N decision files of about 600 bytes in the writer's exact form, an identity.json that counts \
      them, and a session_log.md. The same arguments give the same bytes, hence the same commit, on every machine.

        git init --bare --initial-branch=main r.git
        moha-generate fast-import 100000 dated | git -C r.git fast-import --quiet
      """)

  @Argument(help: "How many decisions.")
  var decisions: Int
  @Argument(help: "Where their files lie: flat, or dated (a folder for each day).")
  var layout: Layout
  @Option(help: "Another number gives other records.")
  var seed: UInt64 = 42
  @Option(help: "How many events the session log holds.")
  var events = 100
  @Flag(help: "Write nothing; read every file back with the record codec and fail on any finding.")
  var check = false

  func validate() throws {
    guard (1...RecordGenerator.limit).contains(decisions), (0...RecordGenerator.limit).contains(events) else {
      throw ValidationError("each record has a second of three years to itself: at most \(RecordGenerator.limit)")
    }
  }

  func run() throws {
    let tree = RecordTree(decisions: decisions, events: events, seed: seed, layout: layout)
    if check {
      let bytes = try TreeCheck(tree: tree).run()
      print("\(decisions) decisions and \(events) events read back without a finding; \(bytes) bytes")
      return
    }
    var output = OutputStream()
    // Without its `done`, git refuses a stream that was cut short.
    try output.write(
      """
      feature done
      commit refs/heads/main
      committer Maven <maven@example.org> 1767225600 +0000
      data 17
      generated records

      """)
    try tree.forEachFile { path, content, _ in
      try output.write("M 100644 inline ")
      try output.write(path.bytes)
      try output.write("\ndata \(content.count)\n")
      try output.write(content)
      try output.write("\n")
    }
    try output.write("done\n")
    try output.flush()
  }
}
