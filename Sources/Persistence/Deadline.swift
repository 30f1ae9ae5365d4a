internal import Synchronization

/// Returns what `body` gives, or `late` once the patience has ended.
///
/// What is late is cancelled and goes on without anybody waiting: a stopped server cannot be made to answer, not even
/// to a cancellation.
func answer<Answer: Sendable>(
  within patience: Duration, orElse late: Answer, _ body: @escaping @Sendable () async -> Answer
) async -> Answer {
  let waiter = Waiter<Answer>()
  return await withCheckedContinuation { continuation in
    waiter.set(continuation)
    let work = Task { waiter.resume(await body()) }
    let deadline = Task {
      // Cancelled when the answer is there: then there is nothing to end.
      guard (try? await Task.sleep(for: patience)) != nil else { return }
      waiter.resume(late)
      work.cancel()
    }
    Task {
      await work.value
      deadline.cancel()
    }
  }
}

/// A continuation that the first of two tasks resumes.
private final class Waiter<Answer: Sendable>: Sendable {
  private let continuation = Mutex<CheckedContinuation<Answer, Never>?>(nil)

  func set(_ continuation: CheckedContinuation<Answer, Never>) {
    self.continuation.withLock { $0 = continuation }
  }

  func resume(_ answer: Answer) {
    let waiting = continuation.withLock { waiting in
      let taken = waiting
      waiting = nil
      return taken
    }
    waiting?.resume(returning: answer)
  }
}
