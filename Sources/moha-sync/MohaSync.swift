import ArgumentParser
import Git
import Records

/// Keeps the record files of an agent in git and their rows in Postgres the same.
@main
struct MohaSync: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moha-sync",
    abstract: "Keeps an agent's records in git and their rows in Postgres the same.",
    discussion: """
      Git is the record of truth: the files below .moha/<agent> are what happened, and the database is a \
      projection of them that can be dropped and rebuilt. Nothing is deleted outright: what a repair takes out \
      of a table goes to quarantine, whole, and `adopt` brings it back.

      With no database configured, a private Postgres of the repository is used, and started when needed.

      EXIT CODES
        0    fine: in sync, or brought in sync
        1    failed
        2    usage
        3    partly done: some files cannot become records
        4    differences found (verify, reconcile --dry-run)
        10   no repository, or no .moha/<agent> tree in it
        11   locked by another run, or over a rate limit
        12   refused for safety
        69   a service is down
        130  interrupted
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "WRITING", subcommands: [RecordCommand.self, SnapshotCommand.self, CommitCommand.self, Log.self]),
      CommandGroup(name: "RECORDS", subcommands: [Sync.self, Reconcile.self, Verify.self, History.self, Adopt.self]),
      CommandGroup(name: "LOOKING", subcommands: [Decisions.self, Search.self, Performance.self, ReportCommand.self]),
      CommandGroup(name: "SERVING", subcommands: [MCP.self, Serve.self]),
      CommandGroup(name: "REDIS", subcommands: [Cache.self, Lock.self, Watch.self]),
      CommandGroup(name: "WATCHING", subcommands: [Health.self, Doctor.self]),
      CommandGroup(name: "PERIODIC", subcommands: [Tick.self, Cron.self]),
      CommandGroup(name: "DATABASE", subcommands: [Migrate.self, Up.self, Down.self, Status.self]),
      CommandGroup(name: "SETTING UP", subcommands: [Init.self, Config.self, Completion.self]),
    ])

  /// How many words at the start name a command: two for `lock run`, none where the first is none.
  static func commandDepth(of words: ArraySlice<String>) -> Int {
    var (commands, depth) = (configuration.groupedSubcommands.flatMap(\.subcommands) + configuration.subcommands, 0)
    for word in words {
      guard let command = commands.first(where: { $0._commandName == word || $0.configuration.aliases.contains(word) })
      else { break }
      (commands, depth) = (command.configuration.subcommands, depth + 1)
    }
    return depth
  }

  /// Runs the command of these arguments to its end.
  static func run(_ arguments: [String]) async throws {
    var command = try parseAsRoot(arguments)
    if var asynchronous = command as? any AsyncParsableCommand {
      try await asynchronous.run()
    } else {
      try command.run()
    }
  }

  static func main() async {
    SharedPermissions.withholdWritingFromOthers()
    let arguments = GlobalOptions.movedBehindCommand(Array(CommandLine.arguments.dropFirst()))
    let options = arguments.prefix { $0 != "--" }
    let isJSON = options.contains("--json")
    let isQuiet = options.contains("--quiet") || options.contains("-q")
    do {
      // The parser prints the version before any command runs.
      if isJSON, options.contains("--version"), options.allSatisfy({ $0.hasPrefix("-") }) {
        return Output.writeJSON(.object([.init("schema", 1), .init("version", .string(configuration.version))]))
      }
      if let name = arguments.first, !name.hasPrefix("-"), name != "help", commandDepth(of: [name]) == 0 {
        throw CommandFailure(
          code: "usage", message: "there is no command \(printable(name))", hint: "moha-sync --help lists them",
          status: .usage)
      }
      if var server = try parseAsRoot(arguments) as? any ServingCommand {
        return try await server.run()
      }
      try await Interruption.cancelling {
        if let timed = try parseAsRoot(arguments) as? any TimedCommand {
          try await TimeLimit.run(timed, arguments)
        } else {
          try await run(arguments)
        }
      }
    } catch {
      Failure(error).exit(asJSON: isJSON, isQuiet: isQuiet)
    }
  }
}
