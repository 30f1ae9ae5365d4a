internal import Glibc

/// The parts of `struct stat` that decide whether a file can be trusted.
struct FileAttributes: Hashable, Sendable {
  enum Kind: Hashable, Sendable { case file, directory, symbolicLink, socket, other }

  let kind: Kind
  let uid: UInt32
  let gid: UInt32
  /// The permission bits, with set-id and sticky.
  let mode: UInt32
  let links: UInt64
  let size: Int64
  /// Device and inode: equal for two names of one file.
  let identity: [UInt64]

  init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      case S_IFSOCK: .socket
      default: .other
      }
    uid = status.st_uid
    gid = status.st_gid
    mode = status.st_mode & 0o7777
    links = UInt64(status.st_nlink)
    size = Int64(status.st_size)
    identity = [UInt64(status.st_dev), UInt64(status.st_ino)]
  }
}
