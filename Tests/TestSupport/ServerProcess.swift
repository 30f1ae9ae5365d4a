internal import Glibc

/// A server that cannot outlive the tests.
///
/// A small shell waits on a pipe that only this process holds open. Whatever ends this process, `kill -9` included,
/// closes the pipe; the shell then stops the server and removes its folder. The same pipe carries the order to
/// start it again.
final class ServerProcess: Sendable {
  /// The folder of the server; removed with it.
  let directory: String
  private let orders: Descriptor

  /// `$1` is the folder, the rest the command. The server's process identifier is in the file `pid`.
  private static let watchdog = """
    dir=$1; shift
    cd /
    start() {
      "$@" </dev/null >>"$dir/log" 2>&1 &
      pid=$!
      echo "$pid" >"$dir/pid.new"; mv "$dir/pid.new" "$dir/pid"
    }
    start "$@"
    while read -r order; do
      wait "$pid"
      # What a killed server leaves, such as shared memory in use, may hold up the next one for a moment.
      for attempt in 1 2 3 4 5 6 7 8 9 10; do
        start "$@"
        sleep 0.2
        kill -0 "$pid" 2>/dev/null && break
        wait "$pid"
      done
    done
    # INT makes PostgreSQL stop without waiting for its clients; Redis was started with it ignored and takes TERM.
    kill -INT "$pid" 2>/dev/null; kill -TERM "$pid" 2>/dev/null
    wait "$pid"
    rm -rf "$dir"
    """

  /// Starts `command`, which must stay in the foreground.
  init(directory: String, command: [String]) throws {
    self.directory = directory
    let pipe = try Pipe()
    let null = Descriptor(open("/dev/null", O_WRONLY | O_CLOEXEC))
    orders = pipe.write
    _ = try ChildProcess.spawn(
      "/bin/sh", ["-c", Self.watchdog, "sh", directory] + command,
      descriptors: [pipe.read.number, null.number, null.number])
    pipe.read.close()
  }

  /// Kills the server as a power cut would.
  func kill() throws {
    try signal(SIGKILL)
  }

  /// Sends the server a signal, such as SIGSTOP.
  func signal(_ number: Int32) throws {
    guard let process = try processIdentifier(), Glibc.kill(process, number) == 0 else {
      throw ChildProcess.Failure(operation: "signalling the server", status: errno)
    }
  }

  /// Starts the server again after `kill()`.
  func restart() throws {
    guard write(orders.number, "start\n", 6) == 6 else {
      throw ChildProcess.Failure(operation: "restarting the server", status: errno)
    }
  }

  /// The server's process.
  func processIdentifier() throws -> Int32? {
    Int32(try ChildProcess.runChecked("cat", ["\(directory)/pid"]).stdoutText.filter(\.isNumber))
  }

  /// Tries `probe` until it returns, for half a minute at most; then throws its error and the server's log.
  func waitUntilReady(_ probe: () async throws -> Void) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      do {
        return try await probe()
      } catch where ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      } catch {
        let log = try ChildProcess.run("tail", ["-n", "40", "\(directory)/log"]).stdoutText
        throw ChildProcess.Failure(operation: "starting a server: \(error)", status: 1, output: log)
      }
    }
  }
}
