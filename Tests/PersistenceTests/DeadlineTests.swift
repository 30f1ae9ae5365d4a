internal import Synchronization
internal import Testing

@testable internal import Persistence

@Suite struct DeadlineTests {
  /// The machine's clock, with the number of those who sleep on it.
  private final class CountingClock: Clock, Sendable {
    private let sleepers = Mutex(0)
    var sleeping: Int { sleepers.withLock { $0 } }

    var now: ContinuousClock.Instant { ContinuousClock().now }
    var minimumResolution: Duration { ContinuousClock().minimumResolution }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
      sleepers.withLock { $0 += 1 }
      defer { sleepers.withLock { $0 -= 1 } }
      try await ContinuousClock().sleep(until: deadline, tolerance: tolerance)
    }
  }

  private struct Refusal: Error {}

  /// Whether nobody sleeps soon: a task that was cancelled needs a moment to see it.
  private func becomesQuiet(_ clock: CountingClock) async throws -> Bool {
    for _ in 0..<200 where clock.sleeping > 0 { try await Task.sleep(for: .milliseconds(10)) }
    return clock.sleeping == 0
  }

  @Test("work that ends in time, or throws, leaves nobody asleep")
  func nobodyIsLeft() async throws {
    let clock = CountingClock()
    for index in 0..<20 {
      let ending = await Deadline.run(.seconds(600), grace: .seconds(600), clock: clock) {
        if index % 2 == 1 { throw Refusal() }
        return index
      }
      switch ending {
      case .returned(let value): #expect(value == index)
      case .threw(let error): #expect(error is Refusal && index % 2 == 1)
      case .late: Issue.record("nothing was late")
      }
    }
    #expect(try await becomesQuiet(clock))
  }

  @Test("late work that ends within the grace leaves nobody asleep for the rest of it")
  func graceEnds() async throws {
    let clock = CountingClock()
    let ending = await Deadline.run(.milliseconds(20), grace: .seconds(600), clock: clock) {
      try await Task.sleep(for: .seconds(600))
    }
    guard case .late = ending else { return #expect(Bool(false), "\(ending)") }
    #expect(try await becomesQuiet(clock))
  }

  @Test("work that does not heed its cancellation is left behind after the grace")
  func deaf() async throws {
    let gate = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let clock = CountingClock()
    let ending = await Deadline.run(.milliseconds(10), grace: .milliseconds(20), clock: clock) {
      await withCheckedContinuation { continuation in gate.withLock { $0 = continuation } }
    }
    guard case .late = ending else { return #expect(Bool(false), "\(ending)") }
    gate.withLock { $0 }?.resume()
    #expect(try await becomesQuiet(clock))
  }
}
