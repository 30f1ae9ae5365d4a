import ArgumentParser

/// Options that every command takes, before or after its name.
struct GlobalOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The repository's working tree.", discussion: "Default: MAVEN_BASE_DIR, or upward from the current folder.",
      valueName: "dir"))
  var root: String?

  @Option(help: ArgumentHelp("Whose records: the folder below .moha. (default: maven)", valueName: "name"))
  var agent: String?

  @Option(help: ArgumentHelp("The database, as a postgresql:// URL or libpq's keyword=value pairs.", valueName: "url"))
  var database: String?

  @Option(help: ArgumentHelp("The Redis server, as a redis:// or unix:// URL.", valueName: "url"))
  var redis: String?

  @Option(
    help: ArgumentHelp(
      "Give up after this long; 0 for never.",
      discussion: "Default: 60 for looks, 600 for what compares or changes everything.", valueName: "seconds"))
  var timeout: Int?

  @Flag(help: "Print one JSON document, errors too.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors and what was asked for.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Print everything that was found.")
  var verbose = false

  @Option(help: "Colour the output: auto, always or never.")
  var color = ColorChoice.auto

  enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never
  }

  func validate() throws {
    if let timeout, !(0...864_000).contains(timeout) {
      throw ValidationError("--timeout takes a number of seconds, at most 864000")
    }
  }

  /// How long one of several questions may take that are asked at the same time: nearly all of `--timeout` where that
  /// is given, and `usual` otherwise.
  func patience(_ usual: Duration) -> Duration {
    guard let timeout else { return usual }
    return timeout == 0 ? .seconds(86_400) : .milliseconds(max(timeout * 1_000 - 500, 1_000))
  }

  /// For commands that go on until they are ended.
  func refuseTimeLimit() throws {
    if timeout != nil { throw ValidationError("--timeout is for commands that end by themselves") }
  }

  private static let flags: Set<String> = ["--json", "--quiet", "-q", "--verbose", "-v"]
  private static let valued: Set<String> = ["--root", "--agent", "--database", "--redis", "--color", "--timeout"]

  /// The arguments with the global options that precede the command's name moved behind it.
  ///
  /// Subcommands parse these options; the argument parser would take a leading one for the root command's.
  static func movedBehindCommand(_ arguments: [String]) -> [String] {
    var leading: [String] = []
    var rest = arguments[...]
    while let argument = rest.first {
      if flags.contains(argument) {
        leading.append(rest.removeFirst())
      } else if valued.contains(argument), rest.count >= 2 {
        leading += rest.prefix(2)
        rest = rest.dropFirst(2)
      } else if valued.contains(where: { argument.hasPrefix($0 + "=") }) {
        leading.append(rest.removeFirst())
      } else {
        break
      }
    }
    guard rest.first?.hasPrefix("-") == false else { return arguments }
    let depth = max(1, MohaSync.commandDepth(of: rest))
    return Array(rest.prefix(depth)) + leading + rest.dropFirst(depth)
  }
}
