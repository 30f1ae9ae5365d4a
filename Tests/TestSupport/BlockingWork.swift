internal import DedicatedThread

/// A thread for work that blocks, such as waiting for a child: the threads that tests run on are few.
actor BlockingWork {
  private let thread = DedicatedThread(name: "test-support")

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  func run<R: Sendable>(_ body: @Sendable () throws -> R) rethrows -> R {
    try body()
  }
}
