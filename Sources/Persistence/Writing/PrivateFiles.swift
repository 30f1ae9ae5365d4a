internal import Git
internal import Glibc

/// Small files of our own in the git folder, each whole under its final name.
///
/// They are for this user alone, unless the repository is shared: then whoever may commit may use them too, because the
/// locks, the journal and the keys are those of the working tree, and not of who came first.
struct PrivateFiles {
  private let permissions: SharedPermissions

  init(of repository: Repository) {
    permissions = repository.permissions
  }

  enum Durability {
    /// Bytes and name survive a power cut once the call has returned.
    case durable
    /// They survive the process, not the machine.
    case volatile
  }

  /// Puts `bytes` at `path`, which may exist, through `temporary` in the same folder.
  ///
  /// Throws `.writeFailed`; the temporary file is removed, and `path` holds the old or the new bytes.
  func put(
    _ bytes: [UInt8], at path: String, through temporary: String, _ durability: Durability
  ) throws {
    do {
      let file = openTemporary(temporary, O_TRUNC)
      guard file >= 0 else { throw PrivateFiles.failure(path) }
      defer { close(file) }
      guard bytes.write(to: file, at: 0) else { throw PrivateFiles.failure(path) }
      if durability == .durable, fsync(file) != 0 { throw PrivateFiles.failure(path) }
      guard rename(temporary, path) == 0 else { throw PrivateFiles.failure(path) }
    } catch {
      unlink(temporary)
      throw error
    }
    if durability == .durable { try PrivateFiles.synchronizeFolder(of: path) }
  }

  /// Puts bytes at `path` that can be had again at any time, so that they need not survive a power cut, and need no lock
  /// of their writers: where another one is just writing the same file, its bytes are as good.
  ///
  /// A killed writer leaves one file beside `path` at most, which the next one uses. Throws `.writeFailed`.
  func putDerived(_ bytes: [UInt8], at path: String) throws {
    let temporary = "\(path).tmp"
    let file = openTemporary(temporary, 0)
    guard file >= 0 else { throw PrivateFiles.failure(path) }
    defer { close(file) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else { return }
    var (opened, named) = (stat(), stat())
    // Who had the lock before may have moved the file to its place since it was opened here.
    guard fstat(file, &opened) == 0, lstat(temporary, &named) == 0, opened.st_ino == named.st_ino,
      opened.st_dev == named.st_dev
    else { return }
    guard ftruncate(file, 0) == 0, bytes.write(to: file, at: 0), rename(temporary, path) == 0 else {
      let failure = PrivateFiles.failure(path)
      unlink(temporary)
      throw failure
    }
  }

  private func openTemporary(_ path: String, _ flags: Int32) -> Int32 {
    let file = open(path, O_WRONLY | O_CREAT | flags)
    // A killed writer of another user's left it.
    guard file < 0, errno == EACCES, unlink(path) == 0 else { return file }
    return open(path, O_WRONLY | O_CREAT | flags)
  }

  /// Opens a file of our own as open(2) does, and shares it where it was made. Returns -1 with `errno` where that
  /// fails.
  func open(_ path: String, _ flags: Int32) -> Int32 {
    let file = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0, flags & O_CREAT != 0 else { return file }
    do throws(GitError) {
      try permissions.share(stateFile: file)
      return file
    } catch {
      close(file)
      errno = EPERM
      return -1
    }
  }

  /// Makes a folder of our own and those above it that are missing, `moha-sync` at most, durably. Throws
  /// `.writeFailed`.
  func makeFolder(_ path: String) throws {
    guard access(path, F_OK) != 0 else { return }
    let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    if parent.hasSuffix("/moha-sync") { try makeFolder(parent) }
    do throws(GitError) {
      try permissions.makeStateFolder(at: path)
    } catch {
      throw PersistenceError(
        .writeFailed, "cannot make \(path): \(error.message). Nothing was written",
        hint: "run as a user who may write the repository's git folder")
    }
    // What is in a folder that a power cut takes is lost.
    try PrivateFiles.synchronizeFolder(of: path)
  }

  /// Makes the name of a file, or of a folder, in the folder around it durable.
  static func synchronizeFolder(of path: String) throws {
    let parent = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    let folder = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
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
