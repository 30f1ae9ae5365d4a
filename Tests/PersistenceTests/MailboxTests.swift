internal import Records
internal import Synchronization
internal import Testing

@testable internal import Persistence

@Suite struct MailboxTests {
  private func mailbox() -> Mailbox<RecordChanges.Change?, RecordChanges.Change> {
    Mailbox(nil) { waiting, change in
      waiting = waiting?.merged(with: change) ?? change
    } take: { waiting in
      defer { waiting = nil }
      return waiting
    }
  }

  private func path(_ index: Int) -> RecordPath { RecordPath(".moha/maven/decisions/\(index).md") }

  @Test("what comes while nobody listens is one change, and of too many files that anything may have changed")
  func merged() async throws {
    let few = mailbox()
    for index in 0..<10 { few.put(.files([path(index)])) }
    var elements = few.elements {}.makeAsyncIterator()
    #expect(await elements.next() == .files(Set((0..<10).map(path))))
    let many = mailbox()
    for index in 0..<50_000 { many.put(.files([path(index)])) }
    var all = many.elements {}.makeAsyncIterator()
    #expect(await all.next() == .everything)
    many.put(.files([path(1)]))
    #expect(await all.next() == .files([path(1)]))
    many.finish()
    #expect(await all.next() == nil)
  }

  @Test("a listener that waits is told at once, in order, and one that is cancelled or gone is noticed once")
  func ends() async throws {
    let departures = Departures()
    let box = mailbox()
    let listener = Task {
      var seen: [RecordChanges.Change] = []
      for await change in box.elements(onEnd: { departures.count.withLock { $0 += 1 } }) {
        seen.append(change)
        if seen.count == 2 { break }
        box.put(.everything)
      }
      return seen
    }
    box.put(.files([path(1)]))
    #expect(await listener.value == [.files([path(1)]), .everything])
    for _ in 0..<200 where departures.count.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(departures.count.withLock { $0 } == 1)

    let other = mailbox()
    let cancelled = Task {
      for await _ in other.elements(onEnd: { departures.count.withLock { $0 += 1 } }) {}
    }
    try await Task.sleep(for: .milliseconds(20))
    cancelled.cancel()
    await cancelled.value
    for _ in 0..<200 where departures.count.withLock({ $0 }) == 1 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(departures.count.withLock { $0 } == 2)
  }
}

/// How many listeners have gone.
private final class Departures: Sendable {
  let count = Mutex(0)
}
