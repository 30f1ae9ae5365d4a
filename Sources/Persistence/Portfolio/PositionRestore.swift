package import Records
package import Redis

/// Brings positions back into a Redis that has lost them.
///
/// A key says that Redis knows the positions; whoever flushes Redis removes it with them. Where it is missing, the
/// positions of the newest snapshot are put back, each only where there is none now: what was opened or changed since
/// the flush is newer. One that was closed between the snapshot and the flush comes back too, and the answer names it.
package struct PositionRestore: Sendable {
  private let client: RedisClient
  private let agent: Agent

  package init(_ client: RedisClient, agent: Agent) {
    self.client = client
    self.agent = agent
  }

  private var mark: String { "moha:\(agent):positions-known" }

  /// What was put back.
  package struct Outcome: Sendable {
    /// The snapshot's file; nil where there was nothing to put back from.
    package let source: String?
    package let restored: [Asset]
    /// Entries of the snapshot that are no position that can be put back.
    package let problems: [String]
  }

  /// Nil where Redis knows the positions, as nearly always: one round trip tells.
  package func restoreIfLost(from history: SnapshotHistory) async throws -> Outcome? {
    if try await client.command("EXISTS", mark).integer == 1 { return nil }
    return try await restore(from: history)
  }

  /// Puts back every position of the newest snapshot that Redis has none for.
  package func restore(from history: SnapshotHistory) async throws -> Outcome {
    guard let entry = await history.newest(), case .array(let shown) = entry.snapshot.openPositions else {
      try await client.command("SET", mark, "1")
      return Outcome(source: nil, restored: [], problems: [])
    }
    var restored: [Asset] = []
    var problems: [String] = []
    for (index, value) in shown.enumerated() {
      guard let position = PositionRestore.position(value) else {
        problems.append("open_positions[\(index)] of \(entry.name) is no position that can be put back")
        continue
      }
      if try await PositionCache(client).putIfAbsent(position) { restored.append(position.asset) }
    }
    try await client.command("SET", mark, "1")
    return Outcome(source: entry.name, restored: restored, problems: problems)
  }

  private static func position(_ value: JSONValue) -> Position? {
    func number(_ name: JSONString) -> ExactDecimal? {
      guard case .number(let number)? = value[name] else { return nil }
      return ExactDecimal(number.spelling)
    }
    guard let asset = (value["asset"]?.text).flatMap({ try? Asset($0) }),
      let side = (value["side"]?.text).flatMap({ Position.Side(rawValue: $0) }),
      let entry = number("entry"), let size = number("size"), size >= ExactDecimal(0),
      let openedAt = (value["opened_at"]?.text).flatMap({ Instant($0) })
    else { return nil }
    return Position(asset: asset, side: side, entry: entry, size: size, openedAt: openedAt)
  }
}
