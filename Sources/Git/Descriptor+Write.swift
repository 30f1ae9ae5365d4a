internal import Glibc

extension Descriptor {
  /// Opens `path`, which holds no NUL, with `flags` besides O_CLOEXEC. New files get the permissions `mode`.
  init(opening path: [UInt8], _ flags: CInt, mode: mode_t = 0, _ operation: String) throws(GitError) {
    let number = try unsafe CStrings.withCString(path) { (path) throws(GitError) in
      let number = unsafe open(path, flags | O_CLOEXEC, mode)
      guard number >= 0 else { throw GitError.system(errno, operation) }
      return number
    }
    self.init(owning: number)
  }

  /// Opens what is called `name` in `folder`, no link; nil if there is nothing of that name.
  init?(
    in folder: borrowing Descriptor, _ name: some Collection<UInt8>, _ flags: CInt, mode: mode_t = 0,
    _ operation: String
  ) throws(GitError) {
    let folderNumber = folder.number
    let number = try unsafe CStrings.withCString(name) { (name) throws(GitError) -> CInt in
      let number = unsafe openat(folderNumber, name, flags | O_CLOEXEC | O_NOFOLLOW, mode)
      guard number >= 0 || errno == ENOENT else { throw GitError.system(errno, operation) }
      return number
    }
    guard number >= 0 else { return nil }
    self.init(owning: number)
  }

  /// `fsync`. A failure is final: the kernel may have dropped what it could not write, and a second call would say
  /// that all is well.
  func synchronize(_ operation: String) throws(GitError) {
    guard fsync(number) == 0 else { throw GitError.system(errno, operation) }
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: [UInt8], at offset: Int = 0, _ operation: String) throws(GitError) {
    let number = number
    try unsafe bytes.withUnsafeRawBytes { (bytes) throws(GitError) in
      var written = 0
      while written < bytes.count, let base = bytes.baseAddress {
        let count = unsafe pwrite(number, base + written, bytes.count - written, off_t(offset + written))
        if count > 0 { written += count }
        if count == 0 { throw GitError.system(EIO, operation) }
        if count < 0 && errno != EINTR { throw GitError.system(errno, operation) }
      }
    }
  }

  /// Cuts the file to `size` bytes.
  func truncate(to size: Int, _ operation: String) throws(GitError) {
    guard ftruncate(number, off_t(size)) == 0 else { throw GitError.system(errno, operation) }
  }
}

/// Which file a name stands for, and since when.
struct FileIdentity: Hashable {
  let device: UInt64
  let inode: UInt64
  /// Seconds since 1970.
  let modified: Int64
  let size: Int64
  /// Type and permissions.
  let mode: UInt32

  /// Of an open file.
  init(of descriptor: borrowing Descriptor, _ operation: String) throws(GitError) {
    var status = stat()
    guard unsafe fstat(descriptor.number, &status) == 0 else { throw GitError.system(errno, operation) }
    self.init(status)
  }

  /// Of what is at `path`, a link as itself unless it is to be followed; nil if there is nothing.
  init?(at path: [UInt8], followsLink: Bool = false, _ operation: String) throws(GitError) {
    let found = try unsafe CStrings.withCString(path) { (path) throws(GitError) -> FileIdentity? in
      var status = stat()
      guard unsafe fstatat(AT_FDCWD, path, &status, followsLink ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw GitError.system(errno, operation)
      }
      return FileIdentity(status)
    }
    guard let found else { return nil }
    self = found
  }

  private init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    modified = Int64(status.st_mtim.tv_sec)
    size = Int64(status.st_size)
    mode = status.st_mode
  }

  /// True for two names of one file.
  func isSameFile(as other: FileIdentity) -> Bool {
    device == other.device && inode == other.inode
  }
}

/// `unlink`; nothing at `path` is fine.
func removeFile(at path: [UInt8], _ operation: String) throws(GitError) {
  try unsafe CStrings.withCString(path) { (path) throws(GitError) in
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw GitError.system(errno, operation) }
  }
}
