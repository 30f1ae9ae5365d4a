import ArgumentParser
import Persistence
import Records

/// Prices, which Redis forgets after a minute.
struct CachePrice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "price", abstract: "Prices, each for a minute.", subcommands: [Get.self, Set.self, List.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print an asset's price; exit 1 if there is none, or it is older than a minute.")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The asset, such as BTC.")
    var asset: String

    func run() async throws {
      let asset = try Asset(asset)
      let client = try await Workspace(options).redisClient()
      guard let price = try await PriceCache(client).price(asset) else {
        throw CommandFailure(
          code: "not-found", message: "there is no price of \(asset) from the last minute", status: .failed)
      }
      if options.json {
        Output.writeJSON(.object([.init("schema", 1)] + CachePrice.members(price)))
      } else {
        Output.write("\(price.value)\n")
      }
    }
  }

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Keep an asset's price for a minute.",
      discussion: "A negative price follows --: cache price set OIL -- -37.63")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The asset, such as BTC.")
    var asset: String
    @Argument(help: "The price: a decimal number, kept as it is written.")
    var price: String

    func run() async throws {
      let asset = try Asset(asset)
      let value = try cacheNumber(price, "a price")
      let client = try await Workspace(options).redisClient()
      let kept = try await PriceCache(client).put(asset, value)
      if options.json { Output.writeJSON(.object([.init("schema", 1)] + CachePrice.members(kept))) }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List all prices; exit 3 if some keys hold none.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
      let client = try await Workspace(options).redisClient()
      let (prices, problems) = try await PriceCache(client).all()
      let rows = prices.map { price in
        [price.asset.name, price.value.text, price.remaining.map { "\($0.ceilingSeconds) s" } ?? "for ever"]
      }
      try CacheListing(
        name: "prices", entries: prices.map { CachePrice.members($0) }, headings: ["asset", "price", "left"],
        rows: rows,
        problems: problems
      ).report(options)
    }
  }

  fileprivate static func members(_ price: PriceCache.Price) -> [JSONValue.Member] {
    [
      .init("asset", .string(price.asset.name)), .init("price", .string(price.value.text)),
      .init("expires_in_seconds", price.remaining?.jsonSeconds ?? .null),
    ]
  }
}

/// A decimal number of the command line.
func cacheNumber(_ text: String, _ name: String) throws -> ExactDecimal {
  guard let number = ExactDecimal(text), text.utf8.count <= 100 else {
    throw CommandFailure(
      code: "usage", message: "\(name) is a decimal number such as 43210.50, without exponent: nothing was changed",
      status: .usage)
  }
  return number
}
