internal import Glibc

/// One of git's lock files, held: while it exists, git and every other program that follows its rules refuse to write
/// what it protects.
///
/// It is a hard link to the writer's lock, see there. Where the file system has no hard links it is a file of its own,
/// which nobody can tell from another program's when its maker has been killed.
struct GitLock: ~Copyable {
  private let path: [UInt8]
  private let identity: FileIdentity

  /// Creates the lock file of `target`, waiting at most until `deadline` for another program to remove its own; then
  /// throws `.locked`.
  init(of target: [UInt8], _ writer: borrowing WriterLock, until deadline: ContinuousClock.Instant) throws(GitError) {
    path = target + Array(".lock".utf8)
    let operation = "take the lock \(GitLock.name(path))"
    while true {
      if try GitLock.create(path, writer, operation), let made = try FileIdentity(at: path, operation) {
        identity = made
        return
      }
      guard ContinuousClock.now < deadline else {
        throw GitError(.locked, operation: operation, message: "another program holds it")
      }
      Pause.short()
    }
  }

  /// Takes over the lock of a dead writer, which is the same file as `writer`.
  init(adopting target: [UInt8], _ writer: borrowing WriterLock) {
    path = target + Array(".lock".utf8)
    identity = writer.identity
  }

  deinit {
    // Somebody may have removed our lock by hand, and git then made its own.
    guard let found = try? FileIdentity(at: path, "release a lock"), found.isSameFile(as: identity) else { return }
    try? removeFile(at: path, "release a lock")
  }

  /// False if there is a lock already.
  private static func create(
    _ path: [UInt8], _ writer: borrowing WriterLock, _ operation: String
  ) throws(GitError) -> Bool {
    let source = writer.path
    return try unsafe CStrings.withCString(source) { (source) throws(GitError) in
      try unsafe CStrings.withCString(path) { (path) throws(GitError) in
        if unsafe link(source, path) == 0 { return true }
        if errno == EEXIST { return false }
        guard [EPERM, EXDEV, EMLINK, EOPNOTSUPP, ENOSYS].contains(errno) else {
          throw GitError.system(errno, operation)
        }
        let number = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard number >= 0 else {
          if errno == EEXIST { return false }
          throw GitError.system(errno, operation)
        }
        close(number)
        return true
      }
    }
  }

  /// For messages: `index.lock`, without the folders above it.
  private static func name(_ path: [UInt8]) -> String {
    String(decoding: GitPath(path).lastComponent, as: UTF8.self)
  }
}
