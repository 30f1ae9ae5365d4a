internal import Glibc
internal import SystemPackage

/// The file-system calls of this module. Errors are the system's own; callers say what they were doing.
enum FileSystem {
  /// What is at `path` itself, or nil when nothing is there.
  static func attributes(of path: String) throws(Errno) -> FileAttributes? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw Errno(rawValue: errno)
    }
    return FileAttributes(status)
  }

  /// What `path` leads to, through any symbolic links; nil when that cannot be seen.
  static func attributesFollowingLinks(of path: String) -> FileAttributes? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return FileAttributes(status)
  }

  /// Makes one folder.
  ///
  /// - Returns: false when something of that name is there already.
  static func makeDirectory(_ path: String, mode: UInt32) throws(Errno) -> Bool {
    guard unsafe mkdir(path, mode) == 0 else {
      if errno == EEXIST { return false }
      throw Errno(rawValue: errno)
    }
    return true
  }

  /// Removes a file, link or socket; true when there was one.
  @discardableResult
  static func remove(_ path: String) throws(Errno) -> Bool {
    guard unsafe unlink(path) == 0 else {
      if errno == ENOENT { return false }
      throw Errno(rawValue: errno)
    }
    return true
  }

  /// Removes an empty folder.
  static func removeDirectory(_ path: String) throws(Errno) {
    guard unsafe rmdir(path) == 0 else { throw Errno(rawValue: errno) }
  }

  static func rename(_ old: String, to new: String) throws(Errno) {
    guard unsafe Glibc.rename(old, new) == 0 else { throw Errno(rawValue: errno) }
  }

  /// At most the first `limit` bytes of a regular file, or nil when there is none.
  static func contents(of path: String, limit: Int) throws(Errno) -> [UInt8]? {
    do throws(Errno) {
      let file = try OpenFile(file: path, writing: false)
      guard try file.attributes().kind == .file else { throw Errno.invalidArgument }
      return try file.read(from: 0, limit: limit)
    } catch {
      if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
      throw error
    }
  }

  /// Puts a private file with these bytes at `path`, for `owner`: whole or not at all, and durable.
  static func replace(_ path: String, with bytes: [UInt8], owner: ServerAccount) throws(Errno) {
    let temporary = "\(path).\(randomSuffix())"
    do throws(Errno) {
      let file = try OpenFile(file: temporary, writing: true, creation: .exclusive)
      if owner.isOther { try file.setOwner(owner) }
      try file.write(bytes)
      try file.synchronise()
      try rename(temporary, to: path)
    } catch {
      _ = unsafe unlink(temporary)
      throw error
    }
    try OpenFile(directory: parent(of: path)).synchronise()
  }

  /// The names in a folder, in no order, without `.` and `..`.
  static func names(in path: String) throws(Errno) -> [String] {
    guard let stream = unsafe opendir(path) else { throw Errno(rawValue: errno) }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The size in bytes of the file system at `path`, or nil when it cannot be asked.
  static func volumeSize(at path: String) -> UInt64? {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    let (bytes, isTooLarge) = UInt64(status.f_blocks).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return isTooLarge ? .max : bytes
  }

  /// The absolute path without symbolic links, or nil when it does not exist or cannot be reached.
  static func realPath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// The folder of an absolute path.
  static func parent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Eight hexadecimal digits.
  static func randomSuffix() -> String {
    let digits = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}
