internal import DedicatedThread

/// A thread for work that blocks, such as waiting for a child: the threads that tests run on are few.
package actor BlockingWork {
  private let thread = DedicatedThread(name: "test-support")

  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  package init() {}

  package func run<R: Sendable>(_ body: @Sendable () throws -> R) rethrows -> R {
    try body()
  }
}
