internal import Glibc
internal import Synchronization

/// A program that runs beside the test, which may send it signals.
package final class RunningProgram: Sendable {
  private let process: pid_t
  private let ended: Ended
  private let ending: Task<ChildProcess.Output, any Error>

  /// Guards the identifier, which belongs to nobody, or to a stranger, once the program has been waited for.
  private final class Ended: Sendable {
    let value = Mutex(false)
  }

  /// Starts a program. The parameters are those of `ChildProcess.run`.
  package init(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, timeout: Duration = .seconds(60)
  ) throws {
    let (process, exchange) = try ChildProcess.start(
      executable, arguments, environment: environment, input: [], workingDirectory: workingDirectory)
    let ended = Ended()
    self.process = process
    self.ended = ended
    ending = Task {
      try await BlockingWork().run {
        var exchange = exchange
        let isComplete = exchange.run(until: ContinuousClock.now + timeout)
        if !isComplete { kill(process, SIGKILL) }
        var information = siginfo_t()
        while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        let status = ended.value.withLock { hasEnded in
          hasEnded = true
          return ChildProcess.wait(for: process)
        }
        guard isComplete else { throw ChildProcess.Failure(operation: executable, status: ETIMEDOUT) }
        return ChildProcess.Output(status: status, stdout: exchange.stdout, stderr: exchange.stderr)
      }
    }
  }

  /// Whether the program has ended, of itself or by a signal.
  package var hasEnded: Bool { ended.value.withLock { $0 } }

  /// Sends a signal, unless the program has ended.
  package func signal(_ number: Int32) {
    ended.value.withLock { hasEnded in
      if !hasEnded { kill(process, number) }
    }
  }

  /// Waits for the end.
  package func output() async throws -> ChildProcess.Output {
    try await ending.value
  }
}
