package import Records
package import Redis

/// Prices, which are forgotten after a minute: `market:<asset>:price`, a decimal number as text.
package struct PriceCache: Sendable {
  private let client: RedisClient
  private static let keys = CacheKeys(prefix: "market:", suffix: ":price")

  /// How long a price may be used.
  package static let lifetime = Duration.seconds(60)

  package init(_ client: RedisClient) {
    self.client = client
  }

  package struct Price: Hashable, Sendable {
    package let asset: Asset
    package let value: ExactDecimal
    /// How long it will be there still; nil for one that somebody put there for ever.
    package let remaining: Duration?
  }

  /// Keeps the price for a minute from now.
  @discardableResult
  package func put(_ asset: Asset, _ value: ExactDecimal) async throws -> Price {
    try await client.command(
      "SET", Self.keys.key(asset.name), value.text, "EX", String(Self.lifetime.components.seconds))
    return Price(asset: asset, value: value, remaining: Self.lifetime)
  }

  /// The price; nil where there is none, or it has expired.
  ///
  /// - Throws: `.cacheValue` where the key holds no price; an error of Redis.
  package func price(_ asset: Asset) async throws -> Price? {
    let read = try await read([asset])
    if let problem = read.problems.first {
      throw PersistenceError(.cacheValue, problem, hint: "put a price there, or remove the key with redis-cli")
    }
    return read.prices.first
  }

  /// All prices by asset, and the keys that hold none.
  package func all() async throws -> (prices: [Price], problems: [String]) {
    let (assets, unusable) = try await Self.keys.assets(on: client)
    let read = try await read(assets)
    return (read.prices, unusable + read.problems)
  }

  private func read(_ assets: [Asset]) async throws -> (prices: [Price], problems: [String]) {
    var prices: [Price] = []
    var problems: [String] = []
    for asset in assets {
      let key = Self.keys.key(asset.name)
      let replies = try await client.pipeline([["GET", key], ["PTTL", key]])
      switch replies[0] {
      case .null: continue
      case .string(let bytes):
        guard let value = ExactDecimal(String(decoding: bytes.prefix(2_000), as: UTF8.self)) else {
          problems.append("\(key) holds no decimal number")
          continue
        }
        let milliseconds = replies[1].integer ?? -1
        prices.append(
          Price(asset: asset, value: value, remaining: milliseconds < 0 ? nil : .milliseconds(milliseconds)))
        if milliseconds == -1 { problems.append("\(key) never expires, so its price may be of any age") }
      default: problems.append("\(key) holds something other than a price")
      }
    }
    return (prices, problems)
  }
}
