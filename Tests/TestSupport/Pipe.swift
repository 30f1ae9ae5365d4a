internal import Glibc

/// A descriptor that closes with its last reference.
final class Descriptor: @unchecked Sendable {
  // `@unchecked Sendable`: `close()` is called by one owner, or by deinit.
  private(set) var number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close() }

  func close() {
    if number >= 0 { Glibc.close(number) }
    number = -1
  }
}

/// A pipe whose ends no child inherits unless they are given to it.
///
/// It is a pair of sockets, because these can be made close-on-exec in one step, without which a child that another
/// thread starts meanwhile would keep an end open. (`pipe2` would do, but is not imported from glibc.)
struct Pipe {
  let read: Descriptor
  let write: Descriptor

  init() throws {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw ChildProcess.Failure(operation: "socketpair", status: errno)
    }
    (read, write) = (Descriptor(ends[0]), Descriptor(ends[1]))
  }
}

/// Moves input and outputs of a child at the same time.
struct Exchange {
  private(set) var stdout: [UInt8] = []
  private(set) var stderr: [UInt8] = []
  private var input: ArraySlice<UInt8>
  private let (inputEnd, outputEnd, errorEnd): (Descriptor, Descriptor, Descriptor)

  init(input: [UInt8], _ inputEnd: Descriptor, _ outputEnd: Descriptor, _ errorEnd: Descriptor) {
    self.input = input[...]
    (self.inputEnd, self.outputEnd, self.errorEnd) = (inputEnd, outputEnd, errorEnd)
    _ = fcntl(inputEnd.number, F_SETFL, O_NONBLOCK)
    // A child that closes its input early is no reason to die.
    signal(SIGPIPE, SIG_IGN)
  }

  /// True when both outputs have ended before the deadline.
  mutating func run(until deadline: ContinuousClock.Instant) -> Bool {
    if input.isEmpty { inputEnd.close() }
    while outputEnd.number >= 0 || errorEnd.number >= 0 {
      guard ContinuousClock.now < deadline else { return false }
      var descriptors = [
        pollfd(fd: outputEnd.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorEnd.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: inputEnd.number, events: Int16(POLLOUT), revents: 0),
      ]
      guard poll(&descriptors, nfds_t(descriptors.count), 100) > 0 else { continue }
      if descriptors[0].revents != 0 { Self.read(outputEnd, into: &stdout) }
      if descriptors[1].revents != 0 { Self.read(errorEnd, into: &stderr) }
      if descriptors[2].revents != 0 { writeSome() }
    }
    return true
  }

  private mutating func writeSome() {
    let count = input.withUnsafeBytes { Glibc.write(inputEnd.number, $0.baseAddress, $0.count) }
    if count > 0 { input = input.dropFirst(count) }
    if input.isEmpty || count < 0 && errno != EAGAIN && errno != EINTR { inputEnd.close() }
  }

  private static func read(_ descriptor: Descriptor, into bytes: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(descriptor.number, &buffer, buffer.count)
    if count > 0 { bytes += buffer[..<count] }
    if count == 0 || count < 0 && errno != EINTR { descriptor.close() }
  }
}
