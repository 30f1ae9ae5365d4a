package import Records
internal import Synchronization

/// Tells everybody who listens which files of an agent's tree have changed.
package final class RecordChanges: Sendable {
  /// What changed since the last change was told.
  package enum Change: Hashable, Sendable {
    /// These files, from the repository's root. A folder among them stands for all that is in it.
    case files(Set<RecordPath>)
    /// More than could be followed.
    case everything
  }

  private struct State {
    var listeners: [Int: AsyncStream<Change>.Continuation] = [:]
    var nextListener = 0
  }

  private let state = Mutex(State())

  package init() {}

  /// Changes from now on.
  package func changes() -> AsyncStream<Change> {
    let (stream, continuation) = AsyncStream.makeStream(of: Change.self)
    let listener = state.withLock { state in
      state.nextListener += 1
      state.listeners[state.nextListener] = continuation
      return state.nextListener
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { $0.listeners[listener] = nil }
    }
    return stream
  }

  func tell(_ change: Change) {
    let listeners = state.withLock { Array($0.listeners.values) }
    for listener in listeners { listener.yield(change) }
  }
}
