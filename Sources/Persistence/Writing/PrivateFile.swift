internal import Glibc

/// Small files of our own in the git folder, each whole under its final name.
enum PrivateFile {
  enum Durability {
    /// Bytes and name survive a power cut once the call has returned.
    case durable
    /// They survive the process, not the machine.
    case volatile
  }

  /// Puts `bytes` at `path`, which may exist, through `temporary` in the same folder.
  ///
  /// Throws `.writeFailed`; the temporary file is removed, and `path` holds the old or the new bytes.
  static func put(
    _ bytes: [UInt8], at path: String, through temporary: String, _ durability: Durability
  ) throws {
    do {
      let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard file >= 0 else { throw failure(path) }
      defer { close(file) }
      guard bytes.write(to: file, at: 0) else { throw failure(path) }
      if durability == .durable, fsync(file) != 0 { throw failure(path) }
      guard rename(temporary, path) == 0 else { throw failure(path) }
    } catch {
      unlink(temporary)
      throw error
    }
    if durability == .durable { try synchronizeFolder(of: path) }
  }

  private static func synchronizeFolder(of path: String) throws {
    let folder = open(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw failure(path) }
  }

  private static func failure(_ path: String) -> PersistenceError {
    PersistenceError(
      .writeFailed, "cannot write \(path): \(String(cString: strerror(errno)))",
      hint: "free the disk or mend the permissions and run again")
  }
}

extension [UInt8] {
  /// Writes all of the bytes, in as many calls as it takes; false, with `errno`, where the file takes no more.
  func write(to file: Int32, at offset: Int) -> Bool {
    var written = 0
    while written < count {
      let part = self[written...].withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(offset + written)) }
      if part < 0 && errno == EINTR { continue }
      guard part > 0 else { return false }
      written += part
    }
    return true
  }
}
