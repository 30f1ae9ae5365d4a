import ArgumentParser
import Persistence
import Records
import Redis

/// What Redis keeps for the agent and its bots.
struct Cache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Prices, positions, rate limits and counters in Redis.",
    discussion: """
      Keys are market:ASSET:price (a minute), position:ASSET (a hash), ratelimit:NAME:WINDOW and counter:NAME. What \
      is here may be lost at any time: git and the database have what must not be. With no Redis configured, a \
      private one of the repository is used, and started when needed.
      """,
    subcommands: [CachePrice.self, CachePosition.self, CacheLimit.self, CacheCounter.self])
}

extension Workspace {
  /// A connection to Redis, for one command.
  func redisClient(timeout: Duration? = nil) async throws -> RedisClient {
    var settings = try await redis()
    if let timeout { settings.timeout = timeout }
    return try await RedisClient(settings)
  }
}

/// What a listing found, and the keys that hold something other than they should.
struct CacheListing {
  /// The entries' member in the JSON document.
  let name: JSONString
  /// One object an entry.
  let entries: [[JSONValue.Member]]
  let headings: [String]
  let rows: [[String]]
  let problems: [String]

  /// Prints the entries, and each problem on stderr; a listing that lacks something is only partly done.
  func report(_ options: GlobalOptions) throws {
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init(name, .array(entries.map { .object($0) })),
          .init("problems", .array(problems.map { .string($0) })),
        ]))
    } else {
      if !rows.isEmpty { Output.write(TextReport(options).table(headings, rows)) }
      for problem in problems { Output.writeError("moha-sync: \(printable(problem))\n") }
    }
    if !problems.isEmpty { throw ExitCode(ExitStatus.partlyDone.rawValue) }
  }
}

extension Duration {
  /// Seconds with three digits behind the point.
  var jsonSeconds: JSONValue {
    let (seconds, attoseconds) = components
    let milliseconds = attoseconds / 1_000_000_000_000_000
    let text = "\(seconds).\(String(milliseconds + 1_000).dropFirst())"
    return JSONNumber(text).map { .number($0) } ?? .null
  }

  /// Whole seconds, rounded up.
  var ceilingSeconds: Int64 { components.seconds + (components.attoseconds > 0 ? 1 : 0) }
}
