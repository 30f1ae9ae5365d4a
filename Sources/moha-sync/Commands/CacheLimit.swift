import ArgumentParser
import Persistence
import Records

/// Counts a call against a limit.
struct CacheLimit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limit", abstract: "Count a call against a limit: exit 0 if it is allowed, 11 if not.",
    discussion: """
      All processes share the count, and windows begin at multiples of their length by Redis's clock. A call that is \
      not allowed counts for nothing. Exit 11 is that of every run that should try again later; it says nothing else \
      here, since errors have other codes.
      """)

  @OptionGroup var options: GlobalOptions
  @Argument(help: "The limit's name.")
  var name: String
  @Option(help: ArgumentHelp("How many calls a window allows.", valueName: "n"))
  var max: Int
  @Option(help: ArgumentHelp("The window: 30s, 5m, 1h.", valueName: "time"))
  var window = TimeSpan(.seconds(60))

  func run() async throws {
    let name = try CacheName(name)
    let client = try await Workspace(options).redisClient()
    let answer = try await RateLimit(client, name: name, maximum: max, window: window.duration).take()
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("name", .string(name.text)), .init("allowed", .bool(answer.isAllowed)),
          .init("remaining", .integer(answer.remaining)), .init("reset_seconds", answer.reset.jsonSeconds),
        ]))
    } else if !options.quiet {
      Output.write(
        "\(answer.isAllowed ? "allowed" : "refused")  \(answer.remaining) left, \(answer.reset.ceilingSeconds) s to the next window\n"
      )
    }
    if !answer.isAllowed { throw ExitCode(ExitStatus.locked.rawValue) }
  }
}
