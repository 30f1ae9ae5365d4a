internal import DedicatedThread
internal import Glibc
package import Logging
internal import ServiceLifecycle

/// Serves one client over standard input and output, a JSON message a line, until the input ends.
///
/// - `run()` takes the two descriptors away from the process: standard output then leads to standard error and
///   standard input to nothing, so neither a library, a log nor a child process can write into the protocol or read
///   from it.
/// - The end of the input, a graceful shutdown or a reader that is gone end it: requests in flight are answered, within
///   a bound, and `run()` returns.
/// - A thread of its own reads; requests that need nothing but the catalog are answered on it, all others are tasks,
///   so that a read waits for no write.
package struct StdioServer: Service {
  private let offering: any Offering
  private let logger: Logger
  /// How long requests in flight may take once the input has ended before they are cancelled, and then once more.
  private let patience: Duration

  /// `logger` must not write to standard output.
  package init(offering: any Offering, logger: Logger, patience: Duration = .seconds(10)) {
    self.offering = offering
    self.logger = logger
    self.patience = patience
  }

  /// Serves until the client leaves. Throws where the descriptors cannot be taken over.
  package func run() async throws {
    // A client that is gone is an error of write, not the death of the process in the middle of a commit.
    signal(SIGPIPE, SIG_IGN)
    let descriptors = try StandardDescriptors.take()
    let wake = try WakeUp()
    let writer = LineWriter(descriptors.output) { wake.signal() }
    let connection = StdioConnection(RequestHandler(offering, logger: logger), writer)
    let reader = LineReader(descriptors.input, output: descriptors.output, wake: wake, connection: connection)
    let changes = offering.changes()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for await change in changes { connection.deliver(change) }
      }
      await withTaskCancellationOrGracefulShutdownHandler {
        await reader.run()
      } onCancelOrGracefulShutdown: {
        wake.signal()
      }
      await connection.close(patience: patience)
      group.cancelAll()
    }
    await writer.close()
    descriptors.close()
  }
}

/// The two descriptors of the protocol, which the rest of the process cannot reach.
struct StandardDescriptors: Sendable {
  let input: Int32
  let output: Int32

  struct Failure: Error, CustomStringConvertible {
    let operation: String
    let number: Int32

    var description: String {
      "cannot take over standard input and output: \(operation): \(String(cString: strerror(number))); "
        + "run the command with both of them open"
    }
  }

  static func take() throws -> StandardDescriptors {
    // Close-on-exec: a child process that inherited the output could write into it.
    let input = try check("dup of standard input", fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3))
    let output = try check("dup of standard output", fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3))
    fflush(nil)
    if fcntl(STDERR_FILENO, F_GETFD) == -1 {
      // Without a standard error, what is written there must not land in the next file that is opened.
      let null = try check("open /dev/null", open("/dev/null", O_WRONLY))
      if null != STDERR_FILENO { try check("dup2", dup2(null, STDERR_FILENO)) }
    }
    try check("dup2 of standard error", dup2(STDERR_FILENO, STDOUT_FILENO))
    let null = try check("open /dev/null", open("/dev/null", O_RDONLY | O_CLOEXEC))
    try check("dup2 of /dev/null", dup2(null, STDIN_FILENO))
    Glibc.close(null)
    return StandardDescriptors(input: input, output: output)
  }

  func close() {
    Glibc.close(input)
    Glibc.close(output)
  }

  @discardableResult
  private static func check(_ operation: String, _ result: Int32) throws -> Int32 {
    guard result >= 0 else { throw Failure(operation: operation, number: errno) }
    return result
  }
}

/// Wakes a thread that waits in `poll`.
final class WakeUp: Sendable {
  /// Readable once `signal` has been called.
  let descriptor: Int32
  private let writeEnd: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw StandardDescriptors.Failure(operation: "pipe", number: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    descriptor = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(descriptor)
    close(writeEnd)
  }

  func signal() {
    var byte: UInt8 = 1
    _ = write(writeEnd, &byte, 1)
  }
}
