internal import Glibc

/// What other processes hold, as `/proc` shows it. Processes of other users are invisible to all but root.
enum ProcessTable {
  /// True if any process has the file open.
  static func isOpen(_ file: FileIdentity) -> Bool { holder(of: file) != nil }

  /// A process that has the file open.
  static func holder(of file: FileIdentity) -> Int32? {
    for process in processes() {
      let folder = "/proc/\(process)/fd"
      for name in names(in: folder) {
        let path = Array("\(folder)/\(name)".utf8)
        if let open = try? FileIdentity(at: path, followsLink: true, "look for the holder of a lock"),
          open.isSameFile(as: file)
        {
          return process
        }
      }
    }
    return nil
  }

  /// True if a git command runs with its current folder in one of `folders`, which are absolute and resolved. Git
  /// closes its lock files while it waits for an editor, so an open descriptor is not the only sign of a holder.
  static func gitRuns(in folders: [[UInt8]]) -> Bool {
    processes().contains { process in
      guard let name = try? Descriptor(opening: Array("/proc/\(process)/comm".utf8), O_RDONLY, "name a process"),
        let bytes = try? name.readAll(expecting: 16, limit: 64, "name a process"),
        bytes.starts(with: "git".utf8),
        let current = target(ofLink: "/proc/\(process)/cwd")
      else { return false }
      return folders.contains { GitPath(current).isInside(GitPath($0)) }
    }
  }

  private static func processes() -> [Int32] {
    names(in: "/proc").compactMap { Int32($0) }
  }

  private static func names(in folder: String) -> [String] {
    folderNames(Array(folder.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func target(ofLink path: String) -> [UInt8]? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe readlink(path, &buffer, buffer.count)
    return count >= 0 ? buffer.prefix(count).map { UInt8(bitPattern: $0) } : nil
  }
}

/// The names in a folder, unsorted; none if it cannot be listed.
func folderNames(_ folder: [UInt8]) -> [[UInt8]] {
  let names = try? unsafe CStrings.withCString(folder) { (path) throws(GitError) -> [[UInt8]] in
    guard let stream = unsafe opendir(path), let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
      unsafe names.append(Array(UnsafeRawBufferPointer(start: name, count: CStrings.length(name))))
    }
    return names
  }
  return names ?? []
}
