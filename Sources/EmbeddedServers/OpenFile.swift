internal import Glibc
internal import SystemPackage

/// An open file or folder. Closed when the value ends.
///
/// Every descriptor is close-on-exec, so that no server inherits one: a server that held the lock's descriptor
/// would hold the lock for as long as it runs.
struct OpenFile: ~Copyable {
  private let descriptor: CInt

  /// What to do with a name that is not there.
  enum Creation { case never, ifMissing, exclusive }

  /// Opens the file at `path`; never through a symbolic link in its last component, and never a FIFO's other end.
  init(file path: String, writing: Bool, appending: Bool = false, creation: Creation = .never) throws(Errno) {
    var flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (writing ? O_RDWR : O_RDONLY)
    if appending { flags |= O_APPEND }
    switch creation {
    case .never: break
    case .ifMissing: flags |= O_CREAT
    case .exclusive: flags |= O_CREAT | O_EXCL
    }
    descriptor = unsafe Glibc.open(path, flags, 0o600)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  /// Opens the folder at `path`; fails with `notDirectory` or `tooManySymbolicLinkLevels` for anything else.
  init(directory path: String) throws(Errno) {
    descriptor = unsafe Glibc.open(path, O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY | O_RDONLY)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit { _ = Glibc.close(descriptor) }

  func attributes() throws(Errno) -> FileAttributes {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
    return FileAttributes(status)
  }

  func setOwner(_ account: ServerAccount) throws(Errno) {
    guard fchown(descriptor, account.uid, account.gid) == 0 else { throw Errno(rawValue: errno) }
  }

  func setPermissions(_ mode: UInt32) throws(Errno) {
    guard fchmod(descriptor, mode) == 0 else { throw Errno(rawValue: errno) }
  }

  /// At most `limit` bytes from `offset`.
  func read(from offset: Int64, limit: Int) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(max(limit, 0), 65_536))
    while bytes.count < limit {
      let wanted = min(chunk.count, limit - bytes.count)
      let count = unsafe chunk.withUnsafeMutableBytes { buffer in
        unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(offset) + bytes.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      guard count > 0 else { break }
      bytes += chunk.prefix(count)
    }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(Errno) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      written += count
    }
  }

  /// Makes a file's bytes, or a folder's names, survive a power cut.
  func synchronise() throws(Errno) {
    guard fsync(descriptor) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Takes the exclusive lock of this open file, without waiting.
  ///
  /// - Returns: false when another open file holds it.
  func tryLock() throws(Errno) -> Bool {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: return false
      default: throw Errno(rawValue: errno)
      }
    }
    return true
  }
}
