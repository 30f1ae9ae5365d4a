internal import Synchronization

/// Hands the changes of an offering to everyone who listens at the moment.
///
/// It reads the offering's changes from the first listener on, with one task for all of them.
final class ChangeFeed: Sendable {
  private struct State {
    var listeners: [Int: @Sendable (OfferingChange) -> Void] = [:]
    var next = 0
    var reading: Task<Void, Never>?
  }

  private let offering: any Offering
  private let state = Mutex(State())

  init(_ offering: any Offering) {
    self.offering = offering
  }

  deinit {
    state.withLock { $0.reading?.cancel() }
  }

  /// From now on `listener` is called with each change. It must not block.
  func add(_ listener: @escaping @Sendable (OfferingChange) -> Void) -> Int {
    state.withLock { state in
      let number = state.next
      state.next += 1
      state.listeners[number] = listener
      if state.reading == nil {
        let changes = offering.changes()
        state.reading = Task { [weak self] in
          for await change in changes { self?.deliver(change) }
        }
      }
      return number
    }
  }

  func remove(_ number: Int) {
    state.withLock { _ = $0.listeners.removeValue(forKey: number) }
  }

  private func deliver(_ change: OfferingChange) {
    let listeners = state.withLock { Array($0.listeners.values) }
    for listener in listeners { listener(change) }
  }
}
