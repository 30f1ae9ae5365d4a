internal import Synchronization

/// Tells those who wait when they have waited long enough, with one timer for all of them.
///
/// A timer of its own would cost each call more than most calls take.
final class PatienceTimer: Sendable {
  private struct State {
    /// In the order of their ends, since all wait equally long.
    var waiting: [(end: ContinuousClock.Instant, signal: AsyncStream<Void>.Continuation)] = []
    var isRunning = false
  }

  private let patience: Duration
  private let state = Mutex(State())

  init(_ patience: Duration) {
    self.patience = patience
  }

  /// Yields to `signal` when the time is over, also if nobody waits any more.
  func add(_ signal: AsyncStream<Void>.Continuation) {
    let mustStart = state.withLock { state in
      state.waiting.append((.now + patience, signal))
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if mustStart { Task { await run() } }
  }

  private func run() async {
    while let next = due() { try? await Task.sleep(until: next, clock: .continuous) }
  }

  /// Signals those whose time is over; returns the end of the next one, or nil where there is none.
  private func due() -> ContinuousClock.Instant? {
    let now = ContinuousClock.now
    return state.withLock { state in
      let count = state.waiting.firstIndex { $0.end > now } ?? state.waiting.count
      for entry in state.waiting[..<count] { entry.signal.yield() }
      state.waiting.removeFirst(count)
      guard let next = state.waiting.first else {
        state.isRunning = false
        return nil
      }
      // One round for all that end soon after.
      return next.end + .milliseconds(10)
    }
  }
}
