import ArgumentParser
import Persistence
import Records

/// A count that all processes share.
struct CacheCounter: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "counter", abstract: "Print a counter, or add to it.")

  @OptionGroup var options: GlobalOptions
  @Argument(help: "The counter's name.")
  var name: String
  @Option(parsing: .unconditional, help: ArgumentHelp("Add this, which may be negative.", valueName: "n"))
  var add: Int64?

  func run() async throws {
    let name = try CacheName(name)
    let counters = Counters(try await Workspace(options).redisClient())
    let value = if let add { try await counters.add(name, add) } else { try await counters.value(name) }
    if options.json {
      Output.writeJSON(
        .object([.init("schema", 1), .init("name", .string(name.text)), .init("value", .integer(Int(value)))]))
    } else {
      Output.write("\(value)\n")
    }
  }
}
