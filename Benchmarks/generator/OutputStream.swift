import Glibc

/// Bytes on their way to standard output, in large pieces.
struct OutputStream {
  private var buffer: [UInt8] = []

  private static let flushSize = 1 << 20

  /// Standard output could not be written.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  mutating func write(_ text: String) throws {
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= Self.flushSize { try flush() }
  }

  mutating func write(_ bytes: [UInt8]) throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.flushSize { try flush() }
  }

  mutating func flush() throws {
    var start = 0
    while start < buffer.count {
      let count = buffer[start...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(description: "standard output: \(String(cString: strerror(errno)))") }
      start += count
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
