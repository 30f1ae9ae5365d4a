internal import Glibc

/// Runs another program for a moment, with nobody to ask: no terminal, no input but what it is given, and an end after
/// a time limit, with all that it has started.
///
/// It blocks the calling thread. The program has a session of its own, so that a question for a password has no terminal
/// to go to, and its group can be killed as a whole.
struct UnattendedProgram {
  /// What a program left behind.
  struct Output {
    /// The exit status; nil if a signal ended it.
    let status: Int32?
    /// At most 64 KiB of each.
    let output: [UInt8]
    let errors: [UInt8]
  }

  /// Why there is nothing to look at.
  struct Failure: Error {
    /// A clause about the program: "did not end within 5 seconds".
    let reason: String
  }

  /// An absolute path.
  private let path: String

  /// The program that is called `name`: an absolute path, or a name that is in one of the absolute folders of `PATH`.
  /// Nil if there is none.
  ///
  /// What is relative is not followed: it would name another program in each repository.
  init?(named name: String) {
    let home = UnattendedProgram.variable("HOME")
    let expanded = name.hasPrefix("~/") && home.hasPrefix("/") ? home + name.dropFirst(1) : name
    if expanded.contains("/") {
      guard expanded.hasPrefix("/") else { return nil }
      path = expanded
      return
    }
    let folders = UnattendedProgram.variable("PATH").split(separator: ":").filter { $0.hasPrefix("/") }
    guard let folder = folders.first(where: { UnattendedProgram.isProgram("\($0)/\(name)") }) else { return nil }
    path = "\(folder)/\(name)"
  }

  private static func isProgram(_ path: String) -> Bool {
    let file = try? FileIdentity(at: Array(path.utf8), followsLink: true, "look for a program")
    guard let file, file.mode & S_IFMT == S_IFREG else { return false }
    return unsafe access(path, X_OK) == 0
  }

  /// The bare name of the program's file.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Runs the program with `input` on its standard input, for at most `limit`.
  func run(_ arguments: [String], input: [UInt8], limit: Duration) throws(Failure) -> Output {
    let deadline = ContinuousClock.now + limit
    var exchange = try Exchange(sending: input)
    let process = try spawn(arguments, exchange.theirs)
    exchange.closeTheirs()
    var status: Int32 = 0
    while true {
      let found = unsafe waitpid(process, &status, WNOHANG)
      if found == process { break }
      guard ContinuousClock.now < deadline else {
        // Its group is its session's; what it started in the background ends, too.
        kill(-process, SIGKILL)
        while unsafe waitpid(process, &status, 0) == -1, errno == EINTR {}
        throw Failure(reason: "did not end within \(limit.components.seconds) seconds")
      }
      exchange.move(waiting: 20)
    }
    // What it has written before it ended is there; what others may hold open is not waited for.
    exchange.move(waiting: 0)
    let signal = status & 0x7f
    return Output(
      status: signal == 0 ? status >> 8 & 0xff : nil, output: exchange.output.received,
      errors: exchange.errors.received)
  }

  private func spawn(_ arguments: [String], _ descriptors: [Int32]) throws(Failure) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for (target, source) in descriptors.enumerated() {
      unsafe posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
    }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // This thread may block signals, and a server ignores some: neither is the program's business.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, signal) }
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    // POSIX_SPAWN_SETSID, which is not imported from glibc.
    unsafe posix_spawnattr_setflags(&attributes, 0x80 | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    let words = unsafe ([path] + arguments).map { unsafe strdup($0) }
    let variables = unsafe UnattendedProgram.environment.map { unsafe strdup($0) }
    defer { for unsafe text in unsafe words + variables { unsafe free(text) } }
    var process = pid_t()
    let status = unsafe posix_spawn(&process, path, &actions, &attributes, words + [nil], variables + [nil])
    guard status == 0 else { throw Failure(reason: "cannot be run: \(systemMessage(status))") }
    return process
  }

  /// That of this process, without what leads to a screen, and with messages in English.
  private static var environment: [String] {
    let hidden = ["DISPLAY=", "WAYLAND_DISPLAY=", "GPG_TTY=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=", "LC_ALL="]
    var result = ["SSH_ASKPASS_REQUIRE=never", "LC_ALL=C"]
    var next = unsafe environ
    while let text = unsafe next.pointee {
      let variable = unsafe String(cString: text)
      if !hidden.contains(where: { variable.hasPrefix($0) }) { result.append(variable) }
      unsafe next += 1
    }
    return result
  }

  private static func variable(_ name: String) -> String {
    unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
  }
}

/// One end of a stream to or from a program, ours, and the program's other end.
private struct Channel: ~Copyable {
  private var ours: Int32
  private(set) var theirs: Int32
  /// Bytes that are still to be sent.
  private var rest: ArraySlice<UInt8> = []
  private(set) var received: [UInt8] = []
  private let isSending: Bool

  private static let limit = 64 << 10

  /// For what the program writes.
  init() throws(UnattendedProgram.Failure) {
    try self.init([], isSending: false)
  }

  /// For what the program reads.
  init(sending bytes: [UInt8]) throws(UnattendedProgram.Failure) {
    try self.init(bytes[...], isSending: true)
  }

  /// Sockets rather than pipes: writing to one whose reader is gone can be done without a signal.
  private init(_ bytes: ArraySlice<UInt8>, isSending: Bool) throws(UnattendedProgram.Failure) {
    var ends: [Int32] = [-1, -1]
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw UnattendedProgram.Failure(reason: "cannot be run: \(systemMessage(errno))")
    }
    (ours, theirs, rest, self.isSending) = (ends[0], ends[1], bytes, isSending)
  }

  deinit {
    if ours >= 0 { close(ours) }
    if theirs >= 0 { close(theirs) }
  }

  mutating func closeTheirs() {
    close(theirs)
    theirs = -1
  }

  /// What to wait for; nil once the stream has ended.
  var waiting: pollfd? {
    ours < 0 ? nil : pollfd(fd: ours, events: Int16(isSending ? POLLOUT : POLLIN), revents: 0)
  }

  /// Moves what can be moved without waiting.
  mutating func move() {
    while ours >= 0 {
      if isSending {
        let count = unsafe rest.withUnsafeBytes { bytes in
          unsafe send(ours, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return }
        rest = rest.dropFirst(max(count, 0))
        if rest.isEmpty || count < 0 { closeOurs() }
      } else {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
          unsafe recv(ours, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT))
        }
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { return closeOurs() }
        // Read to its end, so that the program is not held up; what is over is let go.
        received += buffer.prefix(min(count, Channel.limit - received.count))
      }
    }
  }

  private mutating func closeOurs() {
    close(ours)
    ours = -1
  }
}

/// The three streams of a program.
private struct Exchange: ~Copyable {
  private var input: Channel
  private(set) var output: Channel
  private(set) var errors: Channel

  init(sending bytes: [UInt8]) throws(UnattendedProgram.Failure) {
    let input = try Channel(sending: bytes)
    let output = try Channel()
    let errors = try Channel()
    // Last, and together: a value that cannot be copied is not destroyed in part.
    self.init(input: input, output: output, errors: errors)
  }

  private init(input: consuming Channel, output: consuming Channel, errors: consuming Channel) {
    self.input = input
    self.output = output
    self.errors = errors
  }

  /// The program's ends: its descriptors 0, 1 and 2.
  var theirs: [Int32] { [input.theirs, output.theirs, errors.theirs] }

  mutating func closeTheirs() {
    input.closeTheirs()
    output.closeTheirs()
    errors.closeTheirs()
  }

  /// Waits for anything to move, at most so many milliseconds, and moves it.
  mutating func move(waiting milliseconds: Int32) {
    var waiting = [input.waiting, output.waiting, errors.waiting].compactMap { $0 }
    _ = unsafe poll(&waiting, nfds_t(waiting.count), milliseconds)
    input.move()
    output.move()
    errors.move()
  }
}
