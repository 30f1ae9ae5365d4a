import Glibc
import Records

/// Writes to the two streams: data on stdout, everything else on stderr.
enum Output {
  static func write(_ text: String) {
    write(Array(text.utf8), to: STDOUT_FILENO)
  }

  static func writeError(_ text: String) {
    write(Array(text.utf8), to: STDERR_FILENO)
  }

  /// A document on one line. Control characters of any kind, and those that reorder or hide what follows, are escaped:
  /// a reader of JSON sees the same text, and a terminal does not obey it.
  static func writeJSON(_ value: JSONValue) {
    write(Array(VisibleText.json(value.serialized()).utf8) + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
  }

  /// All of standard input.
  static func readInput() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
    }
  }

  static func isTerminal(_ descriptor: Int32) -> Bool {
    isatty(descriptor) == 1
  }

  /// A reader that has gone away (`| head`) is no error of ours: SIGPIPE ends the process as usual.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      start += count
    }
  }
}

/// Ends the process after stdio's buffers are written.
func endProcess(_ status: Int32) -> Never {
  exit(status)
}
