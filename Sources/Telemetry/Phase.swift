internal import Synchronization

/// What a command is doing at the moment, for whoever has to say where its time went.
///
/// Whoever wants to know binds `current` around the work, and the layers below say what they begin. Where it is not
/// bound, saying so is a look at the task and no more.
package final class Phase: Sendable {
  @TaskLocal package static var current: Phase?

  private struct State {
    var name: String?
    var service: String?
    var waits = 0
    /// Whether the last wait was broken off.
    var isBroken = false
  }

  private let state = Mutex(State())

  package init() {}

  /// What was begun last, such as `reading the rows`; nil where nothing was said.
  package var name: String? { state.withLock { $0.name } }

  /// The service whose answer is waited for, or was until the work was broken off.
  package var awaitedService: String? { state.withLock { $0.waits > 0 || $0.isBroken ? $0.service : nil } }

  /// Says what the current task begins, as a clause without a subject.
  package static func begin(_ name: String) {
    current?.state.withLock { ($0.name, $0.isBroken) = (name, false) }
  }

  /// Says that the answer of a service is waited for, until `body` returns.
  package static func awaiting<Result: ~Copyable, Failure: Error>(
    _ service: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let current else { return try body() }
    current.state.withLock {
      $0.service = service
      $0.waits += 1
    }
    do throws(Failure) {
      let result = try body()
      current.state.withLock { $0.waits -= 1 }
      return result
    } catch {
      current.state.withLock {
        $0.waits -= 1
        $0.isBroken = true
      }
      throw error
    }
  }
}
