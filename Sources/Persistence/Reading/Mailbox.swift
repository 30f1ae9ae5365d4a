internal import Synchronization

/// What one producer has to tell one listener, merged while the listener is busy, so that it takes bounded memory however
/// slow the listener is.
package final class Mailbox<Content: Sendable, Element: Sendable>: Sendable {
  private struct State {
    var content: Content
    var waiting: CheckedContinuation<Element?, Never>?
    var isFinished = false
  }

  private let state: Mutex<State>
  private let merge: @Sendable (inout Content, Element) -> Void
  private let take: @Sendable (inout Content) -> Element?

  /// - Parameters:
  ///   - empty: nothing to tell.
  ///   - merge: adds what happened to what waits, and bounds it.
  ///   - take: takes what is to be told next out of what waits; nil where nothing waits.
  package init(
    _ empty: Content, merge: @escaping @Sendable (inout Content, Element) -> Void,
    take: @escaping @Sendable (inout Content) -> Element?
  ) {
    state = Mutex(State(content: empty))
    self.merge = merge
    self.take = take
  }

  package func put(_ element: Element) {
    let (waiting, next): (CheckedContinuation<Element?, Never>?, Element?) = state.withLock { state in
      guard !state.isFinished else { return (nil, nil) }
      merge(&state.content, element)
      guard let waiting = state.waiting, let next = take(&state.content) else { return (nil, nil) }
      state.waiting = nil
      return (waiting, next)
    }
    waiting?.resume(returning: next)
  }

  /// Says that nothing more comes; what waits is still told.
  package func finish() {
    let waiting = state.withLock { state in
      state.isFinished = true
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.resume(returning: nil)
  }

  /// For one listener, which asks for one element after another.
  private func next() async -> Element? {
    await withCheckedContinuation { continuation in
      let ready: Element?? = state.withLock { state in
        if let next = take(&state.content) { return .some(next) }
        if state.isFinished || state.waiting != nil { return .some(nil) }
        state.waiting = continuation
        return nil
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }

  /// The elements, for one listener. `onEnd` is called once, when the listener is cancelled or gone.
  package func elements(onEnd: @escaping @Sendable () -> Void) -> AsyncStream<Element> {
    let departure = Departure(onEnd)
    return AsyncStream {
      defer { withExtendedLifetime(departure) {} }
      return await self.next()
    } onCancel: {
      self.finish()
    }
  }
}

/// Says when the last who holds it is gone.
private final class Departure: Sendable {
  private let onEnd: @Sendable () -> Void

  init(_ onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }

  deinit { onEnd() }
}
