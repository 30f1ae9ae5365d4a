internal import Synchronization

/// Runs work that may hang, for a bounded time.
package enum Deadline {
  /// How the work ended.
  package enum Ending<Result: Sendable>: Sendable {
    case returned(Result)
    case threw(any Error)
    /// The limit passed. The work was cancelled; if it did not end within the grace after that, it still runs, without
    /// anybody waiting.
    case late
  }

  /// Runs `body` in a task of its own, cancels it after `limit`, and waits `grace` longer for it to end.
  ///
  /// A stopped server cannot be made to answer, not even to a cancellation: what is late then is left behind, which
  /// is for programs that end soon after. Cancelling the caller cancels the work, and the result is what it throws, or
  /// `.late` after the grace.
  package static func run<Result: Sendable>(
    _ limit: Duration, grace: Duration = .seconds(2), clock: some Clock<Duration> = ContinuousClock(),
    _ body: @escaping @Sendable () async throws -> Result
  ) async -> Ending<Result> {
    let waiter = Waiter<Ending<Result>>()
    let work = Task {
      do {
        waiter.resume(.returned(try await body()))
      } catch {
        waiter.resume(.threw(error))
      }
    }
    let state = Mutex(State())
    let timer = Task {
      // A cancelled sleep is the caller's cancellation, or the end of the work.
      let isExpired = (try? await clock.sleep(for: limit)) != nil
      work.cancel()
      state.withLock { state in
        if isExpired { state.isExpired = true }
        guard !state.isOver else { return }
        state.patience = Task { if (try? await clock.sleep(for: grace)) != nil { waiter.resume(.late) } }
      }
    }
    let ending = await withTaskCancellationHandler {
      await waiter.value()
    } onCancel: {
      timer.cancel()
    }
    timer.cancel()
    let isExpired = state.withLock { state in
      state.isOver = true
      // Whoever calls often would otherwise leave a sleeper behind each time.
      state.patience?.cancel()
      return state.isExpired
    }
    if isExpired, case .threw = ending { return .late }
    return ending
  }

  private struct State {
    var isExpired = false
    var isOver = false
    /// What is left of the grace.
    var patience: Task<Void, Never>?
  }
}

/// A value that one task waits for, from the first of several that have one.
private final class Waiter<Value: Sendable>: Sendable {
  private enum State {
    case empty
    case waiting(CheckedContinuation<Value, Never>)
    case full(Value)
    case done
  }

  private let state = Mutex(State.empty)

  func value() async -> Value {
    await withCheckedContinuation { continuation in
      let ready: Value? = state.withLock { state in
        if case .full(let value) = state {
          state = .done
          return value
        }
        state = .waiting(continuation)
        return nil
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }

  func resume(_ value: Value) {
    let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
      switch state {
      case .empty:
        state = .full(value)
        return nil
      case .waiting(let continuation):
        state = .done
        return continuation
      case .full, .done: return nil
      }
    }
    waiting?.resume(returning: value)
  }
}

/// Returns what `body` gives, or `late` once the patience has ended; what is late is cancelled and left behind.
package func answer<Answer: Sendable>(
  within patience: Duration, orElse late: Answer, _ body: @escaping @Sendable () async -> Answer
) async -> Answer {
  if case .returned(let answer) = await Deadline.run(patience, grace: .zero, body) { return answer }
  return late
}
