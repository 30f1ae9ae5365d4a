import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into an error, so that servers and folders are removed as after any other one.
///
/// One program runs at a time. It is ended together with the benchmark, wherever the signal came from.
enum Interruption {
  private static let signal = Atomic<Int32>(0)
  /// The program that runs; 0 between two of them.
  private static let program = Atomic<Int32>(0)

  /// Handles both signals from now on.
  static func install() {
    // The handler must not be the first to touch a static property, which takes a lock.
    _ = signal.load(ordering: .relaxed) + program.load(ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        Interruption.signal.store(number, ordering: .sequentiallyConsistent)
        let program = Interruption.program.load(ordering: .sequentiallyConsistent)
        if program > 0 { kill(program, SIGTERM) }
      }
      sigaction(number, &action, nil)
    }
  }

  /// Throws once a signal has come.
  static func check() throws {
    if signal.load(ordering: .sequentiallyConsistent) != 0 { throw BenchmarkError("interrupted") }
  }

  /// Waits for a program with `body`. A signal that came before the program was known ends it too.
  static func whileRunning<R>(_ process: pid_t, _ body: () throws -> R) rethrows -> R {
    program.store(process, ordering: .sequentiallyConsistent)
    defer { program.store(0, ordering: .sequentiallyConsistent) }
    if signal.load(ordering: .sequentiallyConsistent) != 0 { kill(process, SIGTERM) }
    return try body()
  }
}
