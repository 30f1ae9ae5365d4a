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
    processes().contains { isGit($0) && isAt(folders, $0) }
  }

  /// One process, told from a later one of the same number.
  struct Instance: Hashable {
    let number: Int32
    /// In ticks since the machine started.
    private let start: Substring

    /// Nil if there is no such process.
    init?(_ number: Int32) {
      let fields = ProcessTable.statistics(of: number)
      guard fields.count > 20 else { return nil }
      self.number = number
      start = fields[20]
    }

    var isAlive: Bool { Instance(number) == self }
  }

  /// The git commands that run with their current folder in one of `folders`, and their command lines.
  ///
  /// Looked for by the program's file, at half the cost of asking each process for its name: this is done at every
  /// commit. A process of another user has none that can be seen.
  static func gitCommands(in folders: [[UInt8]]) -> [(process: Instance, arguments: [String])] {
    processes().compactMap { process in
      guard let program = target(ofLink: "/proc/\(process)/exe"),
        GitPath(program).lastComponent.starts(with: "git".utf8), isAt(folders, process),
        let instance = Instance(process), let arguments = arguments(of: process)
      else { return nil }
      return (instance, arguments)
    }
  }

  /// The process that started this one, the one that started that, and so on.
  static func ancestors() -> Set<Int32> {
    var found: Set<Int32> = []
    var process = getppid()
    while process > 1, found.insert(process).inserted {
      let fields = statistics(of: process)
      process = fields.count > 2 ? Int32(fields[2]) ?? 0 : 0
    }
    return found
  }

  /// The fields of a process's `stat` from the end of its name on: `)`, the state, the parent and so on (proc(5)). Empty if
  /// there is no such process. The name, in parentheses, may hold anything.
  private static func statistics(of process: Int32) -> [Substring] {
    let text = String(decoding: contents(of: "/proc/\(process)/stat"), as: UTF8.self)
    return text.lastIndex(of: ")").map { text[$0...].split(separator: " ") } ?? []
  }

  /// True if the name of a process begins as git's do.
  static func isGit(_ process: Int32) -> Bool {
    contents(of: "/proc/\(process)/comm").starts(with: "git".utf8)
  }

  /// The words of a process's command line, the program first; nil if it cannot be seen.
  static func arguments(of process: Int32) -> [String]? {
    let bytes = contents(of: "/proc/\(process)/cmdline")
    return bytes.isEmpty ? nil : bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The name of this machine, as git writes it into lock files.
  static var hostName: String {
    var buffer = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
    guard unsafe gethostname(&buffer, buffer.count) == 0 else { return "unknown" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func isAt(_ folders: [[UInt8]], _ process: Int32) -> Bool {
    guard let current = target(ofLink: "/proc/\(process)/cwd") else { return false }
    return folders.contains { GitPath(current).isInside(GitPath($0)) }
  }

  /// At most 64 KiB of a file of the process table; nothing where it cannot be read.
  private static func contents(of path: String) -> [UInt8] {
    let operation = "look at a process"
    guard let file = try? Descriptor(opening: Array(path.utf8), O_RDONLY, operation) else { return [] }
    return (try? file.readAll(expecting: 256, limit: 64 << 10, operation)) ?? []
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
