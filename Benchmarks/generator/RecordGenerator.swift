import Records

/// Decisions and events of three years, in order of time, that a seed determines.
///
/// No two decisions share a second, so file names need no ordinal. Every field is present and written in its plain
/// form: a program that knows only the writer's exact form can read the files too.
struct RecordGenerator {
  private var random: SeededGenerator
  private let count: Int
  private var index = 0

  /// 2023-01-01T00:00:00Z, in seconds since 1970.
  private static let start = 1_672_531_200
  /// Three years.
  private static let seconds = 3 * 365 * 86_400
  /// The most records that have a second each.
  static let limit = seconds

  init(seed: UInt64, count: Int) {
    random = SeededGenerator(seed: seed)
    self.count = count
  }

  /// The next decision; nil after `count` of them.
  mutating func nextDecision() -> Decision? {
    guard let time = nextTime() else { return nil }
    let type = random.element(of: Self.types)
    let asset = random.element(of: Self.assets)
    let quantity = Self.decimal(random.below(50_000), scale: 4)
    let price = Self.decimal(random.below(6_000_000), scale: 2)
    let confidence = Self.decimal(500 + random.below(500), scale: 1)
    guard let exactConfidence = ExactDecimal(confidence), let exactPrice = JSONNumber(price),
      let exactQuantity = JSONNumber(quantity)
    else { preconditionFailure("a generated number is not one") }
    return Decision(
      decisionType: type, asset: asset, riskLevel: random.element(of: Decision.riskLevels),
      confidence: exactConfidence, decidedAt: time,
      action: "\(type) \(quantity) \(asset) at market price \(price) USD", reasoning: sentence(words: 34),
      metadata: .object([
        .init("source", "maven"), .init("price", .number(exactPrice)), .init("quantity", .number(exactQuantity)),
        .init("signal", .string(random.element(of: Self.signals))), .init("session", .integer(random.below(5_000))),
      ]))
  }

  /// The next event; nil after `count` of them.
  mutating func nextEvent() -> Event? {
    guard let time = nextTime() else { return nil }
    return Event(
      type: random.element(of: Self.events), time: time, content: sentence(words: 20),
      metadata: .object([.init("session", .integer(random.below(5_000)))]))
  }

  /// A moment in the next of `count` equal parts of the three years.
  private mutating func nextTime() -> Instant? {
    guard index < count else { return nil }
    let step = Self.seconds / count
    let second = Self.start + index * step + random.below(step)
    index += 1
    return Instant(microseconds: Int64(second) * 1_000_000 + Int64(random.below(1_000_000)))
  }

  private mutating func sentence(words: Int) -> String {
    var text = "Today"
    text.reserveCapacity(words * 9)
    for _ in 0..<words {
      text += " "
      text += random.element(of: Self.words)
    }
    text += "."
    return text
  }

  /// `value` divided by ten to the power of `scale`, with all of its digits.
  private static func decimal(_ value: Int, scale: Int) -> String {
    let digits = String(value)
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    return padded.dropLast(scale) + "." + padded.suffix(scale)
  }

  private static let types = ["buy", "sell", "hold", "rebalance", "hedge"]
  private static let assets = [
    "BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LINK", "AVAX", "MATIC", "LTC", "BNB", "DOGE", "ATOM", "UNI", "AAVE",
    "XLM", "ALGO", "FIL", "NEAR", "ARB",
  ]
  private static let signals = ["rsi", "macd", "ema_cross", "volume", "news", "orderbook"]
  private static let events = ["GIT_SYNC", "NOTE", "REBIRTH", "WEEKLY_REVIEW", "MILESTONE"]
  private static let words = [
    "the", "market", "shows", "momentum", "support", "level", "resistance", "broke", "above", "below", "volume",
    "rising", "falling", "funding", "rate", "neutral", "signal", "confirms", "earlier", "thesis", "position", "sized",
    "small", "risk", "reward", "favourable", "liquidity", "depth", "spread", "tight", "watch", "stop", "target",
    "trend", "range", "daily", "weekly", "close", "open", "interest",
  ]
}
