import Glibc

/// A program with its arguments, run as a process of its own.
struct Program {
  /// A path, or a name that is looked up in PATH.
  let name: String
  let arguments: [String]
  /// The whole environment.
  var environment: [String: String]
  /// The files of standard input and standard output.
  var input = "/dev/null"
  var output = "/dev/null"
  /// Exit codes besides 0 that are no failure.
  var acceptedCodes: Set<Int32> = []

  /// What the kernel says of a process that has ended.
  struct Usage {
    /// From before the process was made until its end.
    let wall: Duration
    let user: Duration
    let system: Duration
    /// The largest resident set, in bytes. Linux hands on the maker's size, so this is never below the benchmark's own.
    let peakMemory: Int
  }

  /// Runs the program to its end, blocking the calling thread.
  ///
  /// - Parameter scratch: a folder for what it prints on standard error, which becomes part of the error.
  /// - Throws: `BenchmarkError` when it cannot be started, fails, or a signal interrupts the benchmark.
  @discardableResult
  func run(scratch: String) throws -> Usage {
    try Interruption.check()
    let errors = "\(scratch)/stderr"
    let clock = ContinuousClock()
    let start = clock.now
    let process = try spawn(errors: errors)
    var status: Int32 = 0
    var usage = rusage()
    Interruption.whileRunning(process) {
      while wait4(process, &status, 0, &usage) == -1, errno == EINTR {}
    }
    let wall = clock.now - start
    try Interruption.check()
    let signal = status & 0x7F
    let code = (status >> 8) & 0xFF
    guard signal == 0, code == 0 || acceptedCodes.contains(code) else {
      let end = signal == 0 ? "status \(code)" : "signal \(signal)"
      throw BenchmarkError("\(name) \(arguments.first ?? "") ended with \(end): \(TextFile.contents(of: errors))")
    }
    return Usage(
      wall: wall, user: Duration(usage.ru_utime), system: Duration(usage.ru_stime),
      peakMemory: usage.ru_maxrss * 1024)
  }

  private func spawn(errors: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The threads that tasks run on may block signals, which a child would inherit.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let words = ([name] + arguments).map { strdup($0) }
    let variables = environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for string in words + variables { free(string) } }
    var process = pid_t()
    let status = posix_spawnp(&process, name, &actions, &attributes, words + [nil], variables + [nil])
    guard status == 0 else { throw BenchmarkError("\(name) cannot be run: \(String(cString: strerror(status)))") }
    return process
  }
}

extension Duration {
  init(_ time: timeval) {
    self = .seconds(time.tv_sec) + .microseconds(time.tv_usec)
  }

  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
