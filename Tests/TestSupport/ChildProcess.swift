package import Glibc

/// Runs other programs to their end. `RunningProgram` is for one that is signalled before it.
package enum ChildProcess {
  /// What a program left behind.
  package struct Output: Sendable {
    /// The exit code; 128 plus the signal's number if one ended it, as shells count.
    package var status: Int32
    package var stdout: [UInt8]
    package var stderr: [UInt8]

    package var stdoutText: String { String(decoding: stdout, as: UTF8.self) }
    package var stderrText: String { String(decoding: stderr, as: UTF8.self) }
  }

  /// A program that could not be run, or one that was needed and failed.
  package struct Failure: Error, CustomStringConvertible {
    package var operation: String
    /// `errno`, or the exit code.
    package var status: Int32
    package var output = ""

    package var description: String { "\(operation) failed with \(status)\n\(output)" }
  }

  /// Runs a program and waits, blocking the calling thread.
  ///
  /// Input and both outputs move at the same time, so no pipe can fill up. Descriptors of the tests are not
  /// inherited.
  ///
  /// - Parameters:
  ///   - executable: A path, or a name that is looked up in `PATH`.
  ///   - environment: The whole environment; nil hands on that of the tests.
  ///   - timeout: When it has passed, the program is killed and `Failure` thrown with `ETIMEDOUT`.
  package static func run(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, input: [UInt8] = [],
    workingDirectory: String? = nil, timeout: Duration = .seconds(60)
  ) throws -> Output {
    var (process, exchange) = try start(
      executable, arguments, environment: environment, input: input, workingDirectory: workingDirectory)
    let isComplete = exchange.run(until: ContinuousClock.now + timeout)
    if !isComplete { kill(process, SIGKILL) }
    let status = wait(for: process)
    guard isComplete else { throw Failure(operation: executable, status: ETIMEDOUT) }
    return Output(status: status, stdout: exchange.stdout, stderr: exchange.stderr)
  }

  /// Starts a program; the caller moves its input and outputs, and waits for it.
  static func start(
    _ executable: String, _ arguments: [String], environment: [String: String]?, input: [UInt8],
    workingDirectory: String?
  ) throws -> (process: pid_t, exchange: Exchange) {
    let (inputPipe, outputPipe, errorPipe) = (try Pipe(), try Pipe(), try Pipe())
    // `env` changes the folder, since posix_spawn's own way is not imported from glibc. It becomes the program.
    let command = (workingDirectory.map { ["/usr/bin/env", "--chdir=\($0)"] } ?? []) + [executable] + arguments
    let process = try spawn(
      command[0], Array(command.dropFirst()), environment: environment,
      descriptors: [inputPipe.read.number, outputPipe.write.number, errorPipe.write.number])
    inputPipe.read.close()
    outputPipe.write.close()
    errorPipe.write.close()
    return (process, Exchange(input: input, inputPipe.write, outputPipe.read, errorPipe.read))
  }

  /// Runs a program that has to succeed.
  ///
  /// - Throws: `Failure` with what it printed when its exit code is not 0.
  @discardableResult
  package static func runChecked(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, timeout: Duration = .seconds(60)
  ) throws -> Output {
    let output = try run(
      executable, arguments, environment: environment, workingDirectory: workingDirectory, timeout: timeout)
    guard output.status == 0 else {
      throw Failure(operation: executable, status: output.status, output: output.stdoutText + output.stderrText)
    }
    return output
  }

  /// Starts a program in a session of its own, with the descriptors as its 0, 1, 2.
  package static func spawn(
    _ executable: String, _ arguments: [String], environment: [String: String]? = nil,
    descriptors: [Int32]
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, source) in descriptors.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A signal to the group of the tests must not end a server before its watchdog has stopped it.
    // And the threads that tests run on block nearly every signal, which a child would inherit.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    // A shell that starts the tests in the background has them ignore SIGINT.
    for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let flags = spawnInNewSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
    posix_spawnattr_setflags(&attributes, flags)

    let strings = ([executable] + arguments).map { strdup($0) }
    let variables = environment?.map { strdup("\($0.key)=\($0.value)") }
    defer { for string in strings + (variables ?? []) { free(string) } }
    var process = pid_t()
    let status =
      if let variables {
        posix_spawnp(&process, executable, &actions, &attributes, strings + [nil], variables + [nil])
      } else {
        posix_spawnp(&process, executable, &actions, &attributes, strings + [nil], environ)
      }
    guard status == 0 else { throw Failure(operation: "starting \(executable)", status: status) }
    return process
  }

  /// POSIX_SPAWN_SETSID, which is not imported from glibc.
  private static let spawnInNewSession: Int16 = 0x80

  /// Waits for the end of a program and returns its status as `Output` counts it.
  package static func wait(for process: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
