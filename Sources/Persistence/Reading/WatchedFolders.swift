internal import Glibc
internal import Records

/// The inotify watches on an agent's folders and on the places where git says which commit a branch is at.
///
/// inotify(7) tells of a folder's entries and not of what is below them, so each folder has a watch of its own, and new
/// folders get one as they appear.
struct WatchedFolders {
  /// What a batch of events means.
  struct Events: Sendable {
    var files: Set<RecordPath> = []
    var hasMovedHead = false
    /// Folders have come, gone or moved, or the kernel dropped events: anything may have changed.
    var isOverrun = false

    var isEmpty: Bool { files.isEmpty && !hasMovedHead && !isOverrun }

    /// Takes up later events; of more files than are named, that they are too many.
    mutating func add(_ later: Events) {
      hasMovedHead = hasMovedHead || later.hasMovedHead
      isOverrun = isOverrun || later.isOverrun
      files.formUnion(later.files)
      guard files.count > RecordChanges.Change.fileLimit else { return }
      files = []
      isOverrun = true
    }
  }

  private enum Folder {
    /// A folder above the agent's, watched for the one name that leads to it.
    case above(path: String, name: String)
    /// A folder of the agent's tree, by its path in the repository.
    case tree(RecordPath)
    /// A git folder, watched for these files.
    case git(names: Set<String>)
    /// A folder of branches.
    case branches(path: String)
  }

  let descriptor: Int32
  /// Whether every change will be told: each folder that is there has a watch, of which the system gives each user a
  /// number, and the files are this machine's own. What others change on a network's file system, or on the host of a
  /// virtual machine, gives no events.
  private(set) var isComplete: Bool
  private let workTree: String
  private let agent: Agent
  private var folders: [Int32: Folder] = [:]

  private static let entryMask =
    UInt32(
      IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DONT_FOLLOW)
    | UInt32(IN_ONLYDIR)
  /// More files at once are told as a change of everything.
  private static let limit = 10_000
  /// No folder that holds records is deeper.
  private static let depth = 8

  /// - Parameter git: the repository's folder and the one that it shares with its other working trees.
  /// - Returns: nil where the system gives no watches.
  init?(workTree: String, agent: Agent, git: (directory: String, common: String)) {
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { return nil }
    self.workTree = workTree
    self.agent = agent
    isComplete = WatchedFolders.isLocal(workTree)
    watch(git.directory, .git(names: ["HEAD", "packed-refs"]))
    if git.common != git.directory { watch(git.common, .git(names: ["packed-refs"])) }
    watchBranches("\(git.common)/refs/heads", depth: 0)
    watchTree()
    guard !folders.isEmpty else {
      close(descriptor)
      return nil
    }
  }

  /// Whether the file system is one of those that only this machine's kernel writes, by its line in mountinfo (proc(5)).
  private static func isLocal(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, let file = fopen("/proc/self/mountinfo", "re") else { return false }
    defer { fclose(file) }
    let number = UInt64(status.st_dev)
    // The split that makedev(3) documents for Linux.
    let major = number >> 8 & 0xFFF | number >> 32 & ~0xFFF
    let minor = number & 0xFF | number >> 12 & ~0xFF
    let device = "\(major):\(minor)"
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let text = line {
      // `36 35 98:0 /root /mount options optional… - type source options`
      let fields = String(cString: text).split(separator: " ")
      guard fields.count > 3, fields[2] == device, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
      else { continue }
      return localSystems.contains(String(fields[dash + 1]))
    }
    return false
  }

  private static let localSystems: Set<String> = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "zfs", "bcachefs",
  ]

  // MARK: Watches

  @discardableResult
  private mutating func watch(_ path: String, _ folder: Folder) -> Bool {
    let number = inotify_add_watch(descriptor, path, WatchedFolders.entryMask)
    guard number >= 0 else {
      // What is not there needs no watch: the folder above it has one.
      if errno != ENOENT && errno != ENOTDIR { isComplete = false }
      return false
    }
    folders[number] = folder
    return true
  }

  private mutating func watchTree() {
    watch(workTree, .above(path: workTree, name: ".moha"))
    if watch("\(workTree)/.moha", .above(path: "\(workTree)/.moha", name: agent.name)) {
      watchTree(agent.root, depth: 0)
    }
  }

  private mutating func watchTree(_ path: RecordPath, depth: Int) {
    let place = "\(workTree)/\(String(decoding: path.bytes, as: UTF8.self))"
    guard depth <= WatchedFolders.depth, watch(place, .tree(path)) else {
      if depth > WatchedFolders.depth { isComplete = false }
      return
    }
    for name in WatchedFolders.subfolders(of: place) { watchTree(path.appending(name), depth: depth + 1) }
  }

  /// The same for a folder that has just appeared: what it holds already gives no events.
  private mutating func watchTree(_ path: RecordPath, depth: Int, noting events: inout Events) {
    watchTree(path, depth: depth)
    var waiting = [path]
    while let folder = waiting.popLast(), events.files.count < WatchedFolders.limit {
      let entries = WatchedFolders.entries(of: "\(workTree)/\(String(decoding: folder.bytes, as: UTF8.self))")
      for name in entries.files { events.files.insert(folder.appending(name)) }
      waiting += entries.folders.map { folder.appending($0) }
    }
    if events.files.count >= WatchedFolders.limit { events.isOverrun = true }
  }

  private mutating func watchBranches(_ path: String, depth: Int) {
    guard depth <= WatchedFolders.depth, watch(path, .branches(path: path)) else { return }
    for name in WatchedFolders.subfolders(of: path) { watchBranches("\(path)/\(name)", depth: depth + 1) }
  }

  private static func subfolders(of path: String) -> [String] {
    entries(of: path).folders
  }

  private static func entries(of path: String) -> (files: [String], folders: [String]) {
    guard let stream = opendir(path) else { return ([], []) }
    defer { closedir(stream) }
    var files: [String] = []
    var folders: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard !name.hasPrefix(".") else { continue }
      var status = stat()
      // A link is no folder of the tree.
      guard lstat("\(path)/\(name)", &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: folders.append(name)
      case S_IFREG: files.append(name)
      default: break
      }
    }
    return (files, folders)
  }

  // MARK: Events

  /// Whether events wait. One that has happened does: the kernel queues it before the call that caused it returns.
  var hasEvents: Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) != 0
  }

  /// Takes all events that wait; never blocks.
  mutating func take() -> Events {
    var events = Events()
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return events }
      let header = MemoryLayout<inotify_event>.size
      var position = 0
      while position + header <= count {
        let event = buffer[position...].withUnsafeBytes { $0.loadUnaligned(as: inotify_event.self) }
        let name = buffer[(position + header)..<min(position + header + Int(event.len), count)].prefix { $0 != 0 }
        position += header + Int(event.len)
        note(event, name: String(decoding: name, as: UTF8.self), bytes: Array(name), in: &events)
      }
    }
  }

  private mutating func note(_ event: inotify_event, name: String, bytes: [UInt8], in events: inout Events) {
    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
      events.isOverrun = true
      events.hasMovedHead = true
      watchTree()
      return
    }
    if event.mask & UInt32(IN_UNMOUNT) != 0 { events.isOverrun = true }
    if event.mask & UInt32(IN_IGNORED) != 0 {
      folders[event.wd] = nil
      return
    }
    let isFolder = event.mask & UInt32(IN_ISDIR) != 0
    switch folders[event.wd] {
    case .above(_, let wanted)?:
      guard name == wanted, isFolder else { return }
      watchTree()
      events.isOverrun = true
    case .tree(let path)?:
      // Temporary files of writers, and what editors hide.
      guard bytes.first != UInt8(ascii: ".") else { return }
      if isFolder {
        if event.mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 {
          watchTree(path.appending(bytes), depth: 1, noting: &events)
        }
        if event.mask & UInt32(IN_MOVED_FROM | IN_DELETE) != 0 { events.isOverrun = true }
      } else {
        events.files.insert(path.appending(bytes))
      }
    case .git(let names)?:
      if names.contains(name) { events.hasMovedHead = true }
    case .branches(let path)?:
      if isFolder, event.mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 { watchBranches("\(path)/\(name)", depth: 1) }
      if !name.hasSuffix(".lock") { events.hasMovedHead = true }
    case nil: return
    }
  }
}
