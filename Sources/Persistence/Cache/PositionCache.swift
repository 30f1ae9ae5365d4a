package import Records
package import Redis

/// An open position.
package struct Position: Hashable, Sendable {
  package enum Side: String, Hashable, Sendable, CaseIterable {
    case long, short
  }

  package let asset: Asset
  package let side: Side
  /// The price at which it was opened.
  package let entry: ExactDecimal
  /// In units of the asset, never negative.
  package let size: ExactDecimal
  package let openedAt: Instant

  package init(asset: Asset, side: Side, entry: ExactDecimal, size: ExactDecimal, openedAt: Instant) {
    (self.asset, self.side, self.entry) = (asset, side, entry)
    (self.size, self.openedAt) = (size, openedAt)
  }
}

/// Open positions: `position:<asset>`, a hash of `side`, `entry`, `size` and `opened_at` (RFC 3339).
///
/// A position stays until it is removed. Other programs write these hashes too: what is no position is told, and
/// never counted as none.
package struct PositionCache: Sendable {
  private let client: RedisClient
  private static let keys = CacheKeys(prefix: "position:")
  private static let fields = ["side", "entry", "size", "opened_at"]

  package init(_ client: RedisClient) {
    self.client = client
  }

  /// Keeps the position in place of the asset's former one, in one step.
  package func put(_ position: Position) async throws {
    let arguments = ["HSET", Self.keys.key(position.asset.name)] + Self.pairs(position)
    try await client.command(arguments.map { Array($0.utf8) })
  }

  /// Keeps the position where the asset has none; whether it had none.
  package func putIfAbsent(_ position: Position) async throws -> Bool {
    let script = """
      if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
      redis.call('HSET', KEYS[1], unpack(ARGV))
      return 1
      """
    return try await client.evaluate(
      script, keys: [Self.keys.key(position.asset.name)], arguments: Self.pairs(position)
    ).integer == 1
  }

  private static func pairs(_ position: Position) -> [String] {
    let values = [
      position.side.rawValue, position.entry.text, position.size.text, position.openedAt.description,
    ]
    return zip(fields, values).flatMap { [$0, $1] }
  }

  /// Whether there was one.
  @discardableResult
  package func remove(_ asset: Asset) async throws -> Bool {
    try await client.command("DEL", Self.keys.key(asset.name)).integer == 1
  }

  /// The position; nil where there is none.
  ///
  /// - Throws: `.cacheValue` where the key holds no position; an error of Redis.
  package func position(_ asset: Asset) async throws -> Position? {
    let read = try await read([asset])
    if let problem = read.problems.first {
      throw PersistenceError(.cacheValue, problem, hint: "set the position anew, or remove it")
    }
    return read.positions.first
  }

  /// All positions by asset, and the keys that hold none.
  package func all() async throws -> (positions: [Position], problems: [String]) {
    let (assets, unusable) = try await Self.keys.assets(on: client)
    let read = try await read(assets)
    return (read.positions, unusable + read.problems)
  }

  private func read(_ assets: [Asset]) async throws -> (positions: [Position], problems: [String]) {
    var positions: [Position] = []
    var problems: [String] = []
    for asset in assets {
      let key = Self.keys.key(asset.name)
      // A key that was removed since it was listed is no problem; a hash without any of the fields is one.
      let replies = try await client.pipeline([["HMGET", key] + Self.fields, ["EXISTS", key]])
      guard let values = replies[0].elements, values.count == Self.fields.count else {
        problems.append("\(key) holds something other than a position")
        continue
      }
      if values.allSatisfy({ $0 == .null }), replies[1].integer == 0 { continue }
      do throws(PersistenceError) {
        positions.append(try Self.position(asset, values))
      } catch {
        problems.append("\(key): \(error.message)")
      }
    }
    return (positions, problems)
  }

  /// Reads the values of `fields`. None of them is quoted in an error: they may be of any length.
  private static func position(_ asset: Asset, _ values: [Reply]) throws(PersistenceError) -> Position {
    func text(_ index: Int) throws(PersistenceError) -> String {
      guard let bytes = values[index].bytes else {
        throw PersistenceError(.cacheValue, "the field \(fields[index]) is missing")
      }
      return String(decoding: bytes.prefix(2_000), as: UTF8.self)
    }
    func number(_ index: Int) throws(PersistenceError) -> ExactDecimal {
      guard let number = ExactDecimal(try text(index)) else {
        throw PersistenceError(.cacheValue, "\(fields[index]) is no decimal number")
      }
      return number
    }
    guard let side = Position.Side(rawValue: try text(0)) else {
      throw PersistenceError(.cacheValue, "side is neither long nor short")
    }
    let (entry, size) = (try number(1), try number(2))
    guard size >= ExactDecimal(0) else { throw PersistenceError(.cacheValue, "size is negative") }
    guard let openedAt = Instant(try text(3)) else {
      throw PersistenceError(.cacheValue, "opened_at is no time such as 2026-01-13T03:56:13Z")
    }
    return Position(asset: asset, side: side, entry: entry, size: size, openedAt: openedAt)
  }
}
