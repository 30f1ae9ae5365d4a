/// A bounded, blocking queue between dedicated threads.
///
/// It joins a producer that must not hold everything in memory to a consumer inside a transaction, which must
/// not `await`. Both ends block; use it only from threads that exist to block.
///
/// `@unchecked Sendable`: all state is read and written inside `monitor.withLock`.
package final class BoundedChannel<Element: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private let capacity: Int
  private var elements: [Element] = []
  private var isFinished = false
  private var isCancelled = false

  /// `capacity` is the number of elements that may wait, at least 1.
  package init(capacity: Int) {
    precondition(capacity >= 1)
    self.capacity = capacity
  }

  /// Waits for room and appends. Returns false, and drops the element, once the consumer has cancelled.
  package func send(_ element: Element) -> Bool {
    monitor.withLock {
      while elements.count >= capacity && !isCancelled { monitor.wait(for: .drained) }
      guard !isCancelled else { return false }
      elements.append(element)
      monitor.signal(.filled)
      return true
    }
  }

  /// Says that nothing more will be sent. What was sent is still received.
  package func finish() {
    monitor.withLock {
      isFinished = true
      monitor.broadcast(.filled)
    }
  }

  /// Gives up receiving: waiting and later senders return false.
  package func cancel() {
    monitor.withLock {
      isCancelled = true
      elements.removeAll()
      monitor.broadcast(.drained)
      monitor.broadcast(.filled)
    }
  }

  /// The next element in order of sending; blocks while there is none; nil once finished or cancelled.
  package func receive() -> Element? {
    monitor.withLock {
      while elements.isEmpty && !isFinished && !isCancelled { monitor.wait(for: .filled) }
      guard !elements.isEmpty else { return nil }
      monitor.signal(.drained)
      return elements.removeFirst()
    }
  }
}
