internal import DedicatedThread
internal import Glibc

/// Reads lines from a descriptor on a thread of its own and hands each to the connection.
///
/// Lines end at the byte 0x0A and nowhere else; a carriage return before it is dropped, blank lines are skipped. A line
/// over the limit is refused once, and reading goes on after its end.
actor LineReader {
  /// Bytes of one message.
  static let maximumLine = 4 << 20

  private nonisolated let thread = DedicatedThread(name: "mcp-input")
  private let input: Int32
  private let output: Int32
  private let wake: WakeUp
  private let connection: StdioConnection
  private var buffer: [UInt8] = []
  /// How much of the buffer is known to hold no line feed.
  private var scanned = 0
  private var isSkipping = false

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// - Parameter output: where answers go; it is only asked whether somebody still reads there.
  init(_ input: Int32, output: Int32, wake: WakeUp, connection: StdioConnection) {
    self.input = input
    self.output = output
    self.wake = wake
    self.connection = connection
  }

  /// Returns at the end of the input, when woken, or when the client no longer reads and has sent nothing more.
  ///
  /// That it no longer reads need not show in a write: the last answer may have gone into its buffer.
  func run() {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while connection.isOpen {
      // A client that sends and does not read has to wait until it does.
      let isFull = connection.isBackedUp
      var descriptors = [
        pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        // Without events: an error or a hang-up is told all the same.
        pollfd(fd: output, events: 0, revents: 0),
        pollfd(fd: input, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&descriptors, isFull ? 2 : 3, isFull ? 20 : -1)
      if ready < 0, errno != EINTR { return }
      if ready <= 0 { continue }
      if descriptors[0].revents != 0 { return }
      guard descriptors[2].revents != 0 else {
        // What it sent before it left counts.
        if descriptors[1].revents != 0, !isFull { return }
        continue
      }
      let count = read(input, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        return
      }
      if count == 0 {
        // What a client wrote before it left counts, with or without its line feed.
        if !isSkipping, !buffer.isEmpty { take(buffer) }
        return
      }
      buffer.append(contentsOf: chunk[..<count])
      takeLines()
    }
  }

  private func takeLines() {
    var start = 0
    while let end = lineFeed(from: max(start, scanned)) {
      if isSkipping {
        isSkipping = false
      } else if end - start > Self.maximumLine {
        connection.refuseLongLine()
      } else {
        take(Array(buffer[start..<end]))
      }
      start = end + 1
      scanned = start
    }
    buffer.removeFirst(start)
    scanned = buffer.count
    if isSkipping || buffer.count > Self.maximumLine {
      if !isSkipping { connection.refuseLongLine() }
      isSkipping = true
      buffer.removeAll()
      scanned = 0
    }
  }

  private func lineFeed(from start: Int) -> Int? {
    buffer.withUnsafeBytes { bytes in
      guard start < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + start, 0x0A, bytes.count - start)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  private func take(_ line: [UInt8]) {
    var line = line
    if line.last == 0x0D { line.removeLast() }
    guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
    connection.receive(line)
  }
}
