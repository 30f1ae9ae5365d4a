internal import CLibGit2
internal import Glibc

/// An open file descriptor, closed by `deinit`. Everything is opened for reading and close-on-exec.
struct Descriptor: ~Copyable {
  let number: CInt

  init(owning number: CInt) {
    self.number = number
  }

  deinit {
    // A descriptor that was only read has nothing left to fail.
    close(number)
  }

  /// What an open file is: taken from the descriptor, so that it cannot change identity in between.
  func status(_ operation: @autoclosure () -> String) throws(GitError) -> FileStatus {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { throw GitError.system(errno, operation()) }
    return FileStatus(status)
  }

  /// Reads until `buffer` is full or the file ends, and returns the number of bytes read.
  func read(into buffer: UnsafeMutableRawBufferPointer, _ operation: @autoclosure () -> String) throws(GitError) -> Int
  {
    var filled = 0
    while filled < buffer.count, let base = buffer.baseAddress {
      let count = unsafe Glibc.read(number, base + filled, buffer.count - filled)
      if count > 0 { filled += count }
      if count == 0 { break }
      if count < 0 && errno != EINTR { throw GitError.system(errno, operation()) }
    }
    return filled
  }

  /// All bytes of the file, whose size is taken as a hint; at most `limit`, or `.tooLarge`.
  func readAll(expecting size: Int, limit: Int, _ operation: String) throws(GitError) -> [UInt8] {
    guard size <= limit else {
      throw GitError(.tooLarge, operation: operation, message: "it has \(size) bytes, the limit is \(limit)")
    }
    var bytes: [UInt8] = []
    // One more than expected: a full buffer then means that the file has grown. A sparse file can claim any size,
    // so what it claims is only believed up to a point.
    var capacity = min(max(size, 0), 64 << 20) + 1
    while true {
      let wanted = capacity - bytes.count
      var failure: GitError?
      let chunk = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        do throws(GitError) {
          count = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), operation)
        } catch {
          count = 0
          failure = error
        }
      }
      if let failure { throw failure }
      if bytes.isEmpty { bytes = chunk } else { bytes.append(contentsOf: chunk) }
      guard bytes.count <= limit else {
        throw GitError(.tooLarge, operation: operation, message: "it has grown beyond \(limit) bytes")
      }
      if chunk.count < wanted { return bytes }
      capacity = bytes.count + max(bytes.count / 2, 4_096)
    }
  }
}

/// The part of `struct stat` that git's index records, and the kind of file.
struct FileStatus: Equatable {
  let mode: UInt32
  let size: Int64
  let inode: UInt64
  let modified: FileTime
  let changed: FileTime

  init(_ status: stat) {
    mode = status.st_mode
    size = Int64(status.st_size)
    inode = UInt64(status.st_ino)
    modified = FileTime(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    changed = FileTime(seconds: Int64(status.st_ctim.tv_sec), nanoseconds: Int64(status.st_ctim.tv_nsec))
  }

  /// Of what is at `path`, a link as itself; nil if there is nothing.
  init?(at path: [UInt8], _ operation: @autoclosure () -> String) throws(GitError) {
    var status = stat()
    let failure = try unsafe CStrings.withCString(path) { (path) throws(GitError) in
      unsafe lstat(path, &status) == 0 ? 0 : errno
    }
    if failure == ENOENT || failure == ENOTDIR { return nil }
    guard failure == 0 else { throw GitError.system(failure, operation()) }
    self.init(status)
  }

  var isRegular: Bool { mode & S_IFMT == S_IFREG }
  var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
  var isSymlink: Bool { mode & S_IFMT == S_IFLNK }
}

/// Seconds and nanoseconds since 1970.
struct FileTime: Comparable {
  let seconds: Int64
  let nanoseconds: Int64

  static func < (left: FileTime, right: FileTime) -> Bool {
    left.seconds == right.seconds ? left.nanoseconds < right.nanoseconds : left.seconds < right.seconds
  }
}
