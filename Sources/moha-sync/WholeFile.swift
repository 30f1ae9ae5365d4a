import Glibc

/// A file that its readers see whole, the old one or the new.
enum WholeFile {
  /// Puts `bytes` at `path` with the given mode, whatever the umask says.
  ///
  /// The name of the temporary file, in the same folder, ends in `.tmp`, which node_exporter does not read.
  static func put(_ bytes: [UInt8], at path: String, mode: mode_t) throws {
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let temporary = "\(path[..<slash]).\(path[slash...]).\(getpid()).tmp"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw failure(path) }
    defer { close(file) }
    do {
      var start = 0
      while start < bytes.count {
        let count = bytes[start...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure(path) }
        start += count
      }
      guard fchmod(file, mode) == 0, rename(temporary, path) == 0 else { throw failure(path) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private static func failure(_ path: String) -> CommandFailure {
    CommandFailure(
      code: "file-not-written", message: "cannot write \(printable(path)): \(String(cString: strerror(errno)))",
      hint: "check the folder and its permissions", status: .failed)
  }
}
