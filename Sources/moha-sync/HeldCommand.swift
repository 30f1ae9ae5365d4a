import DedicatedThread
import Glibc
import Persistence
import Subprocess
import Synchronization
import SystemPackage

/// A command that runs while a lock is held, with this process's own input and output.
struct HeldCommand: Sendable {
  let command: [String]
  /// Variables besides those of this process.
  let variables: [String: String]
  let lease: Lease
  let since: ContinuousClock.Instant
  let relay: SignalRelay
  let outputToError: Bool

  struct Outcome: Sendable {
    /// The exit code; 128 plus the signal's number for a killed one.
    let status: Int32
    /// Why the lock was lost while the command ran; nil where it was not.
    let loss: Lease.Loss?
  }

  /// How long a command that was told to end may take.
  private static let grace = Duration.seconds(10)

  /// Runs the command to its end. When the lock is lost, it is told with SIGTERM, and killed after a while.
  func run() async throws -> Outcome {
    var options = PlatformOptions()
    // A group of its own takes the signals that are passed on, with all that it started. One that reads from a terminal
    // has to stay in the foreground's group.
    let isGroup = isatty(STDIN_FILENO) != 1
    if isGroup { options.processGroupID = 0 }
    var changes: [Environment.Key: String?] = [:]
    for (name, value) in variables { changes[Environment.Key(stringLiteral: name)] = value }
    let program = command[0]
    let output: FileDescriptorOutput = outputToError ? .currentStandardError : .currentStandardOutput
    do {
      let result = try await Subprocess.run(
        program.contains("/") ? .path(FilePath(program)) : .name(program),
        arguments: Arguments(Array(command.dropFirst())),
        environment: .inherit.updating(changes), platformOptions: options, input: .currentStandardInput,
        output: output, error: .currentStandardError
      ) { execution in
        let process = execution.processIdentifier.value
        // Nobody waits for the process before this closure has returned, so the identifier stays its own.
        // In the terminal's own group the command gets what is typed there by itself.
        relay.attach(isGroup ? -process : process, without: isGroup ? [] : [SIGINT, SIGQUIT])
        let loss = await watch(process)
        relay.detach()
        return loss
      }
      let status: Int32 =
        switch result.terminationStatus {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
      return Outcome(status: status, loss: result.closureResult)
    } catch let error as SubprocessError {
      let isMissing = error.code == .executableNotFound
      throw CommandFailure(
        code: "command-failed",
        message: "\(printable(program)) \(isMissing ? "was not found" : "could not be run"): nothing was run",
        status: .usage)
    }
  }

  private enum Event: Sendable {
    case ended
    case lost(Lease.Loss)
    case late
    case nothing
  }

  /// Returns when the process has ended; why the lock was lost before, if it was.
  private func watch(_ process: pid_t) async -> Lease.Loss? {
    await withTaskGroup(of: Event.self) { group in
      group.addTask {
        await ProcessEnd().wait(for: process)
        return .ended
      }
      group.addTask { await lease.keep(since: since).map { .lost($0) } ?? .nothing }
      var loss: Lease.Loss?
      for await event in group {
        switch event {
        case .ended:
          group.cancelAll()
          return loss
        case .lost(let reason):
          loss = reason
          _ = relay.pass(SIGTERM)
          group.addTask { (try? await Task.sleep(for: Self.grace)) == nil ? .nothing : .late }
        case .late: _ = relay.pass(SIGKILL)
        case .nothing: break
        }
      }
      return loss
    }
  }
}

/// Passes signals on to a command, once it runs.
final class SignalRelay: Sendable {
  private struct State {
    /// The process, or the negative of its group.
    var target: pid_t?
    var pending: [Int32] = []
    /// Signals that the command gets in another way.
    var ignored: [Int32] = []
  }

  private let state = Mutex(State())

  /// Sends the signal, or keeps it where no command runs yet; whether one runs.
  func pass(_ signal: Int32) -> Bool {
    state.withLock { state in
      guard let target = state.target else {
        state.pending.append(signal)
        return false
      }
      if !state.ignored.contains(signal) { kill(target, signal) }
      return true
    }
  }

  var hasPending: Bool { state.withLock { !$0.pending.isEmpty } }

  func attach(_ target: pid_t, without ignored: [Int32]) {
    state.withLock { state in
      (state.target, state.ignored) = (target, ignored)
      for signal in state.pending { kill(target, signal) }
      state.pending = []
    }
  }

  func detach() {
    state.withLock { $0.target = nil }
  }
}

/// Waits for the end of a child without taking its exit code, on a thread of its own.
private actor ProcessEnd {
  private let thread = DedicatedThread(name: "child")

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  func wait(for process: pid_t) {
    var information = siginfo_t()
    while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
  }
}
