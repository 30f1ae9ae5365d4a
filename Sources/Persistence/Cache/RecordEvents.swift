internal import Git
package import Records
package import Redis

/// A record that git holds now, for whoever listens.
package struct RecordEvent: Hashable, Sendable {
  /// `decision`, `event`, `milestone` or `identity`; `other` for a file of another kind.
  package let kind: String
  package let path: String
  /// The commit that holds it.
  package let commit: String
  package let agent: Agent

  package init(kind: String, path: String, commit: String, agent: Agent) {
    (self.kind, self.path, self.commit, self.agent) = (kind, path, commit, agent)
  }

  /// The records of a commit of many files, of which no more than a thousand are told.
  package static func all(in paths: [String], commit: String, agent: Agent) -> [RecordEvent] {
    paths.prefix(1_000).map { path in
      let role = RecordPath(text: path).map { TreeLayout.role(of: $0, agent: agent) } ?? .other
      let kind = role == .identity ? "identity" : role.kind?.rawValue ?? "other"
      return RecordEvent(kind: kind, path: path, commit: commit, agent: agent)
    }
  }

  /// The channel of an agent's events.
  package static func channel(of agent: Agent) -> String { "moha:\(agent.name):records" }

  /// What is published: one line of JSON.
  package var json: JSONValue {
    .object([
      .init("schema", .integer(Report.schemaVersion)), .init("kind", .string(kind)), .init("path", .string(path)),
      .init("commit", .string(commit)), .init("agent", .string(agent.name)),
    ])
  }

  /// Reads what was published; nil for anything else, since anybody may publish on the channel.
  package init?(_ payload: [UInt8]) {
    guard payload.count <= 1 << 16, let json = try? JSONValue.parse(payload), json["schema"]?.integer == 1,
      let kind = json["kind"]?.text, let path = json["path"]?.text, let commit = json["commit"]?.text,
      let agent = json["agent"]?.text.flatMap({ Agent($0) })
    else { return nil }
    self.init(kind: kind, path: path, commit: commit, agent: agent)
  }
}

/// Tells listeners of records that git has taken, as far as Redis can: the last step of a write, and the least.
///
/// Nobody waits longer than a fifth of a second for it, and nobody at all for some seconds after it has failed: a
/// server that is down, stopped or full costs one write in each such time that fifth. An event that could not be told is gone;
/// whoever needs all of them reads git.
package actor RecordEvents {
  private let settings: @Sendable () async -> RedisSettings?
  private let report: @Sendable (String) -> Void
  private var client: RedisClient?
  private var silentUntil: ContinuousClock.Instant?
  private var isTroubled = false

  /// The longest that a write waits for its event.
  package static let limit = Duration.milliseconds(200)
  /// How long nothing is tried after a failure.
  package static let pause = Duration.seconds(5)

  /// - Parameters:
  ///   - settings: where Redis is, asked before each connection; nil where there is none now.
  ///   - report: takes a sentence for the log, once when telling begins to fail and once when it succeeds again.
  package init(
    settings: @escaping @Sendable () async -> RedisSettings?, report: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    (self.settings, self.report) = (settings, report)
  }

  /// Publishes the events in order; returns within the limit, whatever Redis does.
  package func publish(_ events: [RecordEvent]) async {
    if let silentUntil, ContinuousClock.now < silentUntil { return }
    guard !events.isEmpty else { return }
    switch await Deadline.run(Self.limit, grace: .zero, { try await self.send(events) }) {
    case .returned:
      silentUntil = nil
      if isTroubled { report("record events are published again") }
      isTroubled = false
    case .threw(let error) where error is CancellationError: return
    case .threw(let error): fail("\(error)")
    case .late: fail("Redis does not answer")
    }
  }

  private func fail(_ reason: String) {
    silentUntil = .now + Self.pause
    // A connection that hangs ends by itself, and what it has still to say belongs to no later event.
    client = nil
    if !isTroubled { report("record events are not published: \(reason)") }
    isTroubled = true
  }

  private func send(_ events: [RecordEvent]) async throws {
    let client: RedisClient
    if let open = self.client {
      client = open
    } else {
      guard var settings = await settings() else {
        // No server is configured or running, which is no trouble.
        silentUntil = .now + Self.pause
        return
      }
      settings.timeout = Self.limit
      client = try await RedisClient(settings)
      self.client = client
    }
    // A message that is sent twice would be two events to a listener.
    let replies = try await client.pipeline(
      events.map { ["PUBLISH", RecordEvent.channel(of: $0.agent), $0.json.text()] }, retry: .once)
    for case .error(let message) in replies {
      throw RedisError(.server, operation: "PUBLISH", message: message)
    }
  }
}
