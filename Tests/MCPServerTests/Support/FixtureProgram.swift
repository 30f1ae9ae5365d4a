internal import Glibc
internal import TestSupport

struct TestFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// A running `mcp-fixture`, which is ended, if it has not ended, with the last reference.
final class FixtureProgram: @unchecked Sendable {
  // `@unchecked Sendable`: one client has it, and calls it from one thread.
  private(set) var input: Int32
  private(set) var output: Int32
  let errors: Int32
  let process: pid_t
  private var status: Int32?

  /// The executable beside that of the tests.
  static var path: String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])/mcp-fixture"
  }

  /// Starts it; its standard error goes to a file that has no name.
  init(_ arguments: [String] = [], log: String = "trace") throws {
    func pair() throws -> (Int32, Int32) {
      var ends: [Int32] = [-1, -1]
      // Close-on-exec in one step: a child that another test starts meanwhile must not keep an end open.
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw TestFailure("socketpair: \(errno)") }
      return (ends[0], ends[1])
    }
    let (childInput, input) = try pair()
    let (output, childOutput) = try pair()
    var name = Array("/tmp/mcp-errors-XXXXXX".utf8CString)
    errors = mkstemp(&name)
    _ = fcntl(errors, F_SETFD, FD_CLOEXEC)
    unlink(name)
    defer {
      close(childInput)
      close(childOutput)
    }
    self.input = input
    self.output = output
    process = try ChildProcess.spawn(
      Self.path, arguments,
      // A backtrace takes seconds, and goes where the rest of standard error goes.
      environment: ["MCP_FIXTURE_LOG": log, "PATH": "/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no"],
      descriptors: [childInput, childOutput, errors])
  }

  deinit {
    if status == nil {
      kill(process, SIGKILL)
      _ = ChildProcess.wait(for: process)
    }
    for descriptor in [input, output, errors] where descriptor >= 0 { close(descriptor) }
  }

  func closeInput() {
    close(input)
    input = -1
  }

  func closeOutput() {
    close(output)
    output = -1
  }

  func signal(_ number: Int32) {
    if status == nil { kill(process, number) }
  }

  /// The exit status; throws where the program does not end.
  func wait(within seconds: Int = 20) throws -> Int32 {
    if let status { return status }
    for _ in 0..<(seconds * 200) {
      var information = siginfo_t()
      if waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) == 0, information.si_signo == SIGCHLD {
        let ended = ChildProcess.wait(for: process)
        status = ended
        return ended
      }
      usleep(5_000)
    }
    throw TestFailure("the fixture did not end: \(errorText.suffix(3_000))")
  }

  /// What it has written to standard error so far.
  var errorText: String {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = pread(errors, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }

  /// The largest resident size so far, in kilobytes.
  var peakMemory: Int {
    let path = "/proc/\(process)/status"
    let file = open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = read(file, &bytes, bytes.count)
    let line = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
  }
}

/// Waits until a descriptor can be read; false when the time is over.
func isReadable(_ descriptor: Int32, within milliseconds: Int32) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&entry, 1, milliseconds) > 0
}
