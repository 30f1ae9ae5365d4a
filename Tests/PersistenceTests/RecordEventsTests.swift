internal import Git
internal import Persistence
internal import Postgres
internal import Records
internal import Redis
internal import Synchronization
internal import TestSupport
internal import Testing

/// Telling listeners of records: a Redis in any state takes nothing from a write.
@Suite(.timeLimit(.minutes(8))) struct RecordEventsTests {
  /// What happens to the server before the writes.
  enum Trouble: String, CaseIterable {
    case none, killed, stopped, paused, full, flushed
  }

  /// How often a place for connections was asked for, and what was logged.
  private final class Journal: Sendable {
    let asked = Mutex(0)
    let lines = Mutex<[String]>([])
  }

  private func events(_ server: RedisServer, _ journal: Journal) throws -> RecordEvents {
    let settings = try RedisSettings(url: server.url)
    return RecordEvents(
      settings: {
        journal.asked.withLock { $0 += 1 }
        return settings
      }, report: { line in journal.lines.withLock { $0.append(line) } })
  }

  private static func event(_ number: Int) throws -> RecordRequest {
    try RecordRequest(
      .event, json: .object([.init("event_type", "NOTE"), .init("content", .string("Number \(number)"))]), now: Instant.now())
  }

  @Test("writes are committed and answered whatever Redis does", arguments: Trouble.allCases)
  func writes(trouble: Trouble) async throws {
    let tree = try await MavenTree.sample()
    let server = try await RedisServer.start()
    let journal = Journal()
    let settings = tree.database.settings
    let service = RecordService(
      writer: RecordWriter(repository: try Repository(at: tree.git.path), agent: .default, settings: WriteSettings()),
      events: try events(server, journal), database: { Database(settings: settings) })
    // One before, so that there is a connection to be lost.
    _ = try await service.record(Self.event(0))
    switch trouble {
    case .none: break
    case .killed: try server.kill()
    case .stopped: try server.pause()
    case .paused: #expect(try server.cli("CLIENT", "PAUSE", "600000", "ALL") == "OK")
    case .full: #expect(try server.cli("CONFIG", "SET", "maxmemory", "1") == "OK")
    case .flushed: #expect(try server.cli("FLUSHALL") == "OK")
    }
    // The server stays as it is until the end, so a write that waits for it never comes back.
    for number in 1...4 {
      let outcome = try await service.record(Self.event(number))
      #expect(outcome.written.commit != nil)
      #expect(outcome.json["success"] == .bool(true) && outcome.json["error"] == .null)
    }
    // On a busy machine the others may be late as well.
    if [.killed, .stopped, .paused].contains(trouble) { #expect(journal.lines.withLock { $0.count } == 1) }
    #expect(try tree.git.git("status", "--porcelain") == "")
    if trouble == .stopped { try server.resume() }
  }

  @Test("after a failure nobody asks for a while, and with a server gone many writes cost one attempt")
  func silence() async throws {
    let server = try await RedisServer.start()
    try server.kill()
    let journal = Journal()
    let events = try events(server, journal)
    let event = RecordEvent(kind: "event", path: "p", commit: "c", agent: .default)
    let start = ContinuousClock.now
    for _ in 0..<1_000 { await events.publish([event]) }
    // One attempt for each pause that has passed meanwhile, however slow the machine is.
    let pauses = Int((ContinuousClock.now - start) / RecordEvents.pause)
    #expect(journal.asked.withLock { $0 } <= pauses + 1)
    #expect(journal.lines.withLock { $0.count } == 1)
  }

  @Test("what is published is told to a listener, in order, and is read back as it was")
  func told() async throws {
    let server = try await RedisServer.start()
    let subscription = RedisSubscription(
      try RedisSettings(url: server.url), channels: [RecordEvent.channel(of: .default)])
    #expect(await subscription.next() == .connected)
    // A busy machine may take longer than the limit, after which some may be told and some not: those are not counted.
    var published: [RecordEvent] = []
    var isTold = false
    for attempt in 0..<20 where !isTold {
      published = (0..<300).map { number in
        RecordEvent(kind: "decision", path: "a \"b\" \u{1F600} \(number)", commit: "\(attempt)", agent: .default)
      }
      let journal = Journal()
      await (try events(server, journal)).publish(published)
      isTold = journal.lines.withLock { $0.isEmpty }
    }
    try #require(isTold)
    var received: [RecordEvent] = []
    for await event in subscription.events {
      if case .message(let channel, let payload) = event {
        #expect(channel == "moha:maven:records")
        received.append(try #require(RecordEvent(payload)))
      }
      if received.last == published.last { break }
    }
    #expect(received.filter { $0.commit == published[0].commit } == published)
    for payload in ["", "{}", "[1]", "{\"schema\":2}", "\u{1B}", "{\"schema\":1,\"kind\":1}"] {
      #expect(RecordEvent(Array(payload.utf8)) == nil)
    }
  }
}
