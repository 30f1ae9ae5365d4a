internal import Glibc

/// What the file system says of a file or folder: another stamp means other bytes, or other names in the folder.
///
/// The kernel's clock moves in ticks of some milliseconds, and a second change within one tick leaves no trace. A
/// stamp taken so soon after the last change is not `isSettled`, and equal to no other.
package struct FileStamp: Equatable, Sendable {
  package let size: Int
  package let isFolder: Bool
  /// Whether a change that came after this stamp would be seen.
  package let isSettled: Bool
  private let device: UInt64
  private let inode: UInt64
  private let modified: Int64
  /// Nanoseconds; the kernel alone sets it, also where a program gives a file an old time.
  private let changed: Int64

  /// Longer than a tick of any kernel's clock.
  private static let tick: Int64 = 20_000_000

  init(_ status: stat) {
    size = Int(status.st_size)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    isSettled = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec) - changed > FileStamp.tick
  }

  /// Whether the same file certainly had the same content at both times.
  package static func == (left: FileStamp, right: FileStamp) -> Bool {
    left.isSettled && right.isSettled && left.isSameState(as: right)
  }

  /// Equal as far as the stamps tell, settled or not.
  package func isSameState(as other: FileStamp) -> Bool {
    size == other.size && inode == other.inode && modified == other.modified && changed == other.changed
      && device == other.device && isFolder == other.isFolder
  }
}
