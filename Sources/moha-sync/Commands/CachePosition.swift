import ArgumentParser
import FoundationEssentials
import Persistence
import Records

/// Open positions.
struct CachePosition: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "position", abstract: "Open positions, until they are removed.",
    subcommands: [Get.self, Set.self, List.self, Remove.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print an asset's position; exit 1 if there is none.")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The asset, such as BTC.")
    var asset: String

    func run() async throws {
      let asset = try Asset(asset)
      let client = try await Workspace(options).redisClient()
      guard let position = try await PositionCache(client).position(asset) else {
        throw CommandFailure(code: "not-found", message: "there is no position in \(asset)", status: .failed)
      }
      CachePosition.report(position, options)
    }
  }

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Keep an asset's position in place of its former one.")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The asset, such as BTC.")
    var asset: String
    @Option(help: "long or short.")
    var side: Position.Side
    @Option(parsing: .unconditional, help: "The price at which it was opened.")
    var entry: String
    @Option(parsing: .unconditional, help: "How much of the asset.")
    var size: String
    @Option(help: ArgumentHelp("When it was opened, as 2026-01-13T03:56:13Z. (default: now)", valueName: "time"))
    var openedAt: String?

    func run() async throws {
      let size = try cacheNumber(size, "--size")
      guard size >= ExactDecimal(0) else {
        throw CommandFailure(
          code: "usage", message: "--size is not negative; --side says which way: nothing was changed", status: .usage)
      }
      var opened = Instant.now()
      if let openedAt {
        guard let time = Instant(openedAt) else {
          throw CommandFailure(
            code: "usage", message: "--opened-at takes a time such as 2026-01-13T03:56:13Z: nothing was changed",
            status: .usage)
        }
        opened = time
      }
      let position = Position(
        asset: try Asset(asset), side: side, entry: try cacheNumber(entry, "--entry"), size: size, openedAt: opened)
      let client = try await Workspace(options).redisClient()
      try await PositionCache(client).put(position)
      if options.json { CachePosition.report(position, options) }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List all positions; exit 3 if some keys hold none.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
      let client = try await Workspace(options).redisClient()
      let (positions, problems) = try await PositionCache(client).all()
      let entries = positions.map { CachePosition.members($0) }
      try CacheListing(
        name: "positions", entries: entries, headings: CachePosition.headings,
        rows: entries.map { $0.map { $0.value.text ?? "" } }, problems: problems
      ).report(options)
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Forget an asset's position, whatever its key holds.")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The asset, such as BTC.")
    var asset: String

    func run() async throws {
      let asset = try Asset(asset)
      let client = try await Workspace(options).redisClient()
      let isRemoved = try await PositionCache(client).remove(asset)
      if options.json {
        Output.writeJSON(
          .object([.init("schema", 1), .init("asset", .string(asset.name)), .init("removed", .bool(isRemoved))]))
      } else if !isRemoved, !options.quiet {
        Output.writeError("moha-sync: there was no position in \(asset)\n")
      }
    }
  }

  private static func report(_ position: Position, _ options: GlobalOptions) {
    let members = members(position)
    if options.json {
      Output.writeJSON(.object([.init("schema", 1)] + members))
    } else {
      let rows = [members.map { $0.value.text ?? "" }]
      Output.write(TextReport(options).table(headings, rows))
    }
  }

  private static let headings = ["asset", "side", "entry", "size", "opened at"]

  private static func members(_ position: Position) -> [JSONValue.Member] {
    [
      .init("asset", .string(position.asset.name)), .init("side", .string(position.side.rawValue)),
      .init("entry", .string(position.entry.text)), .init("size", .string(position.size.text)),
      .init("opened_at", .string(position.openedAt.description)),
    ]
  }
}

extension Position.Side: ExpressibleByArgument {}
