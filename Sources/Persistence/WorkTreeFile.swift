package import Git
internal import Glibc

/// Writes single files below a working tree so that each final name holds exactly the old or the new bytes.
///
/// A file without a name (`O_TMPFILE`) is written, synced and linked into place, and the folder is synced: no other
/// program's listing of the folder sees anything that is not whole. Where the file system has no such files, and for the
/// moment of a replacement, it has a temporary name (`isTemporary`) in the same folder.
/// Folders are opened one component at a time without following links, so nothing outside the tree is reached
/// through a link that was put in the way.
package struct WorkTreeFile: Sendable {
  package let workTree: String
  package let path: GitPath

  package init(workTree: String, path: GitPath) {
    self.workTree = workTree
    self.path = path
  }

  /// Replaces the file's content, where that still is `old`: what another program has put there meanwhile stays. It must be
  /// a regular file; its mode is kept. Throws `.changedMeanwhile` where the file is another one, or gone.
  package func replace(_ old: [UInt8], with bytes: [UInt8]) throws {
    try withFolder(creating: false) { folder, name in
      var status = stat()
      guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw failure("find") }
      guard status.st_mode & S_IFMT == S_IFREG else { throw failure("replace", reason: "it is not a regular file") }
      try withTemporary(in: folder, bytes: bytes, mode: status.st_mode & 0o7777) { temporary in
        let path = temporary.name ?? WorkTreeFile.temporaryName()
        if temporary.name == nil, let code = temporary.link(folder, path) {
          throw failure("replace", reason: String(cString: strerror(code)))
        }
        try move(path, to: name, in: folder, ifStill: old)
      }
      guard fsync(folder) == 0 else { throw failure("sync the folder of") }
    }
  }

  /// Moves the file `path` to `name`, which has to hold `old`; removes it where that fails.
  ///
  /// Exchanged first and then looked at: between a look and a move a person's command could put another file in place, as a
  /// checkout or a merge does. Where a file system cannot exchange names that much is left to chance.
  private func move(_ path: String, to name: String, in folder: Int32, ifStill old: [UInt8]) throws {
    func giveUp(_ error: PersistenceError) -> PersistenceError {
      unlinkat(folder, path, 0)
      return error
    }
    guard NameExchange.swap(path, name, in: folder) else {
      guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) else { throw giveUp(failure("replace")) }
      guard holds(old, name, in: folder) else { throw giveUp(changedMeanwhile("replace")) }
      guard renameat(folder, path, folder, name) == 0 else { throw giveUp(failure("replace")) }
      return
    }
    guard !holds(old, path, in: folder) else {
      guard unlinkat(folder, path, 0) == 0 || errno == ENOENT else { throw failure("replace") }
      return
    }
    // It is the other program's file now that has the temporary name: not removed, whatever happens.
    guard renameat(folder, path, folder, name) == 0 else { throw failure("restore") }
    throw changedMeanwhile("replace")
  }

  private func holds(_ bytes: [UInt8], _ name: String, in folder: Int32) -> Bool {
    let file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return false }
    defer { close(file) }
    return content(of: file, size: bytes.count + 1)?.elementsEqual(bytes) == true
  }

  /// Makes the file and the folders above it, for whom the umask says, as git's checkout does. Throws `.nameTaken` where the
  /// name exists, whatever it is, and `.changedMeanwhile` where a folder has gone meanwhile.
  package func create(with bytes: [UInt8]) throws {
    try withFolder(creating: true) { folder, name in
      try withTemporary(in: folder, bytes: bytes, mode: nil) { temporary in
        // A hard link fails on a name that exists, which rename would overwrite.
        if let code = temporary.link(folder, name) {
          if code == EEXIST { throw PersistenceError(.nameTaken, "\(path) exists and was left as it is") }
          errno = code
          throw failure("create")
        }
        if let path = temporary.name { unlinkat(folder, path, 0) }
      }
      guard fsync(folder) == 0 else { throw failure("sync the folder of") }
    }
  }

  /// Whether anything has the name, a link included.
  func exists() throws -> Bool {
    try status() != nil
  }

  /// The size in bytes; nil where nothing has the name.
  func size() throws -> Int? {
    try status().map { Int($0.st_size) }
  }

  private func status() throws -> stat? {
    do {
      return try withFolder(creating: false) { folder, name in
        var status = stat()
        if fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        guard errno == ENOENT else { throw failure("look at") }
        return nil
      }
    } catch let error as PersistenceError where error.code == .notFound {
      return nil
    }
  }

  /// The whole content of a regular file of at most `limit` bytes.
  func read(limit: Int) throws -> [UInt8] {
    try withFile(O_RDONLY) { file, status in
      guard status.st_size <= limit else { throw failure("read", reason: "it has more than \(limit) bytes") }
      guard let bytes = content(of: file, size: Int(status.st_size)), bytes.count == Int(status.st_size) else {
        throw failure("read")
      }
      return bytes
    }
  }

  /// The first `size` bytes of an open file, or all that it has; nil with `errno` where it cannot be read.
  private func content(of file: Int32, size: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: size)
    var count = 0
    while count < size {
      let part = bytes[count...].withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(count)) }
      if part < 0 && errno == EINTR { continue }
      guard part >= 0 else { return nil }
      if part == 0 { break }
      count += part
    }
    bytes.removeLast(size - count)
    return bytes
  }

  /// Writes at the end of a regular file that ends at `offset`, durably. A failed write is cut off again.
  func append(_ bytes: [UInt8], at offset: Int) throws {
    try withFile(O_WRONLY) { file, status in
      guard status.st_size == offset else { throw changedMeanwhile("append to") }
      do {
        guard bytes.write(to: file, at: offset) else { throw failure("write") }
        guard fsync(file) == 0 else { throw failure("sync") }
      } catch {
        ftruncate(file, off_t(offset))
        throw error
      }
    }
  }

  /// Cuts the file off at `offset`, durably.
  func truncate(to offset: Int) throws {
    try withFile(O_WRONLY) { file, _ in
      guard ftruncate(file, off_t(offset)) == 0, fsync(file) == 0 else { throw failure("cut") }
    }
  }

  /// Whether a name is one that a file has here until it is whole.
  static func isTemporary(_ name: some Collection<UInt8>) -> Bool {
    name.starts(with: ".moha-".utf8) && name.suffix(4).elementsEqual(".tmp".utf8)
  }

  /// Removes what killed writers left unfinished in the file's folder. Only under the lock of the tree, where nobody
  /// else is writing: then whatever has such a name is left over.
  func removeTemporaries() throws {
    do {
      try withFolder(creating: false) { folder, _ in
        let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw failure("list the folder of") }
        guard let stream = fdopendir(copy) else {
          close(copy)
          throw failure("list the folder of")
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
          let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
          guard WorkTreeFile.isTemporary(name) else { continue }
          guard unlinkat(folder, String(decoding: name, as: UTF8.self), 0) == 0 || errno == ENOENT else {
            throw failure("remove a temporary file beside")
          }
        }
      }
    } catch let error as PersistenceError where error.code == .notFound {
      return
    }
  }

  private func withFile<R>(_ flags: Int32, _ body: (Int32, stat) throws -> R) throws -> R {
    try withFolder(creating: false) { folder, name in
      // Non-blocking: a fifo in the file's place would wait for another end.
      let file = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard file >= 0 else { throw failure("open") }
      defer { close(file) }
      var status = stat()
      guard fstat(file, &status) == 0 else { throw failure("look at") }
      guard status.st_mode & S_IFMT == S_IFREG else { throw failure("open", reason: "it is not a regular file") }
      return try body(file, status)
    }
  }

  /// A whole, synced file: without a name, or with a temporary one in the folder.
  private struct Temporary {
    let file: Int32
    let name: String?

    /// Gives the file a name, which must be free. Nil for success, or the error's number.
    func link(_ folder: Int32, _ target: String) -> Int32? {
      let status =
        if let name { linkat(folder, name, folder, target, 0) } else {
          linkat(AT_FDCWD, "/proc/self/fd/\(file)", folder, target, AT_SYMLINK_FOLLOW)
        }
      return status == 0 ? nil : errno
    }
  }

  private static func temporaryName() -> String { ".moha-\(getpid())-\(UInt32.random(in: .min ... .max)).tmp" }

  private func withTemporary(
    in folder: Int32, bytes: [UInt8], mode: mode_t?, _ install: (Temporary) throws -> Void
  ) throws {
    var name: String?
    var file = WorkTreeFile.hasProcesses ? openat(folder, ".", O_WRONLY | WorkTreeFile.unnamed | O_CLOEXEC, mode ?? 0o666) : -1
    if file < 0 {
      let temporary = WorkTreeFile.temporaryName()
      file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode ?? 0o666)
      guard file >= 0 else { throw failure("write") }
      name = temporary
    }
    do {
      defer { close(file) }
      guard bytes.write(to: file, at: 0) else { throw failure("write") }
      if let mode, fchmod(file, mode) != 0 { throw failure("set the mode of") }
      guard fsync(file) == 0 else { throw failure("sync") }
      try install(Temporary(file: file, name: name))
    } catch {
      if let name { unlinkat(folder, name, 0) }
      throw error
    }
  }

  /// `O_TMPFILE`, which Swift does not import; a file system without it refuses to open a folder for writing.
  private static let unnamed: Int32 = 0o20_000_000 | O_DIRECTORY

  /// A file without a name gets one through `/proc`.
  private static let hasProcesses = access("/proc/self/fd", X_OK) == 0

  private func withFolder<R>(creating: Bool, _ body: (Int32, String) throws -> R) throws -> R {
    guard path.isWellFormed, let name = path.components.last else {
      throw failure("write", reason: "it is not a path inside the repository")
    }
    var folder = open(workTree, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure("open the folder of") }
    defer { close(folder) }
    for component in path.components.dropLast() {
      let component = String(decoding: component, as: UTF8.self)
      if creating, mkdirat(folder, component, 0o777) == 0, fsync(folder) != 0 { throw failure("sync the folder of") }
      let next = openat(folder, component, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
      guard next >= 0 else {
        if errno == ENOENT, !creating { throw PersistenceError(.notFound, "the folder of \(path) does not exist") }
        throw failure("open the folder of")
      }
      close(folder)
      folder = next
    }
    return try body(folder, String(decoding: name, as: UTF8.self))
  }

  private func changedMeanwhile(_ action: String) -> PersistenceError {
    PersistenceError(
      .changedMeanwhile, "cannot \(action) \(path): it changed meanwhile", hint: "the file was left as it is; run again")
  }

  private func failure(_ action: String, reason: String? = nil) -> PersistenceError {
    // Found a moment ago: another program has taken the file, or a folder above it, away.
    if reason == nil, errno == ENOENT { return changedMeanwhile(action) }
    let reason = reason ?? String(cString: strerror(errno))
    return PersistenceError(
      .writeFailed, "cannot \(action) \(path): \(reason)",
      hint: "the file holds its old bytes; free the disk or mend the permissions and run again")
  }
}
