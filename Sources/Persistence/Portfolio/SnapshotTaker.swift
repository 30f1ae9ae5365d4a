package import Records
package import Redis

/// The way from Redis, which may lose everything, to git, which does not: positions and prices become a snapshot.
package struct SnapshotTaker: Sendable {
  private let client: RedisClient
  private let agent: Agent
  private let history: SnapshotHistory
  private let service: RecordService

  package init(_ client: RedisClient, agent: Agent, files: AgentFiles, service: RecordService) {
    self.client = client
    self.agent = agent
    self.service = service
    history = SnapshotHistory(files)
  }

  package struct Request: Sendable {
    package var cause: Snapshot.Cause
    /// What is not tied up in positions; nil takes that of the newest snapshot.
    package var balance: ExactDecimal?
    /// Prices to use in place of those in Redis.
    package var prices: [Asset: ExactDecimal] = [:]
    package var notes: String?

    package init(_ cause: Snapshot.Cause) {
      self.cause = cause
    }
  }

  package struct Outcome: Sendable {
    package let snapshot: Snapshot
    package let recorded: RecordService.Outcome
    /// What was put back before, where Redis had lost the positions.
    package let restored: PositionRestore.Outcome?
  }

  /// Takes a snapshot and records it: a file, a commit and a row.
  ///
  /// - Throws: `.notFound` where a price or the balance is not known, `.cacheValue` where a key holds no position: a
  ///   snapshot that leaves something out would be a wrong one. Nothing is written then.
  package func take(_ request: Request) async throws -> Outcome {
    let restored = try await restoreIfLost()
    let (positions, problems) = try await PositionCache(client).all()
    if let problem = problems.first {
      throw PersistenceError(
        .cacheValue, "\(problem): no snapshot was taken, since it would leave that position out",
        hint: "`moha-sync cache position list` shows every such key")
    }
    var prices = request.prices
    for position in positions where prices[position.asset] == nil {
      prices[position.asset] = try await PriceCache(client).price(position.asset)?.value
    }
    let now = Instant.now()
    var metadata = JSONValue.emptyObject
    var balance = request.balance
    if balance == nil, let newest = await history.newest() {
      balance = newest.snapshot.availableBalance
      metadata = ["balance_from": .string(newest.name)]
    }
    guard let balance else {
      throw PersistenceError(
        .notFound, "the available balance is not known, and there is no snapshot to take it from: none was taken",
        hint: "name it once with `moha-sync snapshot --balance USD`")
    }
    let snapshot = try Portfolio(positions: positions, prices: prices, availableBalance: balance)
      .snapshot(request.cause, at: now, past: await history.past(now), notes: request.notes, metadata: metadata)
    return Outcome(
      snapshot: snapshot, recorded: try await service.record(.snapshot(snapshot, key: nil)), restored: restored)
  }

  /// Puts positions back that Redis has lost; nil where it has lost none.
  package func restoreIfLost() async throws -> PositionRestore.Outcome? {
    try await PositionRestore(client, agent: agent).restoreIfLost(from: history)
  }

  /// What a schedule has to do now.
  package enum Due: Sendable {
    case notYet
    /// There is no snapshot to take the balance from.
    case withoutBalance
    case now
  }

  /// Due is a snapshot where Redis holds positions, or the newest snapshot does, and that one is at least `interval` old.
  package func due(after interval: Duration) async throws -> Due {
    let newest = await history.newest()
    if let newest,
      let due = Instant(
        microseconds: newest.snapshot.takenAt.microseconds + interval.components.seconds * 1_000_000),
      Instant.now() < due
    {
      return .notYet
    }
    if case .array(let shown)? = newest?.snapshot.openPositions, !shown.isEmpty { return .now }
    let (positions, problems) = try await PositionCache(client).all()
    guard !positions.isEmpty || !problems.isEmpty else { return .notYet }
    return newest == nil ? .withoutBalance : .now
  }
}
