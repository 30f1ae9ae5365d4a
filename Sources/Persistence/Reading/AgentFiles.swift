internal import DedicatedThread
package import Git
internal import Glibc
package import Records
internal import Synchronization

/// Reads the files of a working tree for those who serve them, one request at a time on a thread of its own.
///
/// Folders are opened one component at a time and links are never followed, so nothing outside the tree is served,
/// whatever was put in a file's place. What is no regular file, or cannot be read, is as good as absent.
package actor AgentFiles {
  package nonisolated let agent: Agent
  /// Nil in a bare repository, which has no files to read.
  nonisolated let workTree: String?
  private nonisolated let git: (directory: String, common: String)
  private let thread: DedicatedThread
  /// What was read, valid while the stamps in it hold.
  var listings: [RecordKind: RecordListing] = [:]
  var headers: [RecordPath: (stamp: FileStamp, header: RecordHeader)] = [:]
  private nonisolated let watch = Mutex<Watch?>(nil)

  private struct Watch: Sendable {
    var folders: WatchedFolders
    var mark = 0
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  package init(of repository: Repository, agent: Agent) {
    self.agent = agent
    workTree = repository.workTree
    git = (repository.gitDirectory, repository.commonDirectory)
    thread = DedicatedThread(name: "agent-files")
  }

  deinit {
    if let watch = watch.withLock({ $0 }) { close(watch.folders.descriptor) }
  }

  /// A number that stays the same as long as no file and no folder of the agent changes, and HEAD stays at its commit;
  /// nil where the system cannot tell. Costs one system call while nothing happens, however many files there are; the first call walks the folders.
  ///
  /// To be asked for before what it stands for is read: what changes meanwhile changes the next answer.
  package nonisolated func changeMark() async -> Int? {
    let known = watch.withLock { watch -> Int? in
      guard let watch, watch.folders.isComplete, !watch.folders.hasEvents else { return nil }
      return watch.mark
    }
    if let known { return known }
    return await takeEvents()
  }

  /// The same after a look at what happened. On the thread for such work, since new folders are walked.
  private func takeEvents() -> Int? {
    watch.withLock { watch in
      if watch == nil, let workTree, let folders = WatchedFolders(workTree: workTree, agent: agent, git: git) {
        watch = Watch(folders: folders)
      }
      guard watch?.folders.isComplete == true else { return nil }
      if watch?.folders.take().isEmpty == false { watch?.mark += 1 }
      return watch?.mark
    }
  }

  /// A file's bytes, or a part of them, and what it was like when they were read.
  package struct Content: Sendable {
    package let bytes: [UInt8]
    package let stamp: FileStamp
  }

  /// The names in a folder, unsorted; what begins with a dot is left out.
  package struct Listing: Sendable {
    package let files: [[UInt8]]
    package let folders: [[UInt8]]
    package let stamp: FileStamp
  }

  /// The stamps of files and folders in the given order; nil for what is absent, or a link.
  package func stamps(_ paths: [RecordPath]) -> [FileStamp?] {
    var stamps: [FileStamp?] = []
    stamps.reserveCapacity(paths.count)
    // Neighbours share their folder, which is then opened once.
    var start = 0
    while start < paths.count {
      let folder = paths[start].folder
      var end = start + 1
      while end < paths.count, paths[end].folder == folder { end += 1 }
      let names = paths[start..<end].map(\.fileName)
      stamps +=
        withFolder(folder) { descriptor in names.map { AgentFiles.stamp($0, in: descriptor) } }
        ?? names.map { _ in nil }
      start = end
    }
    return stamps
  }

  /// A regular file of at most `limit` bytes, from `offset` on; nil where there is none, or it is larger.
  package func read(_ path: RecordPath, from offset: Int = 0, limit: Int = 16 << 20) -> Content? {
    withFolder(path.folder) { folder -> Content? in
      // Non-blocking: a fifo in the file's place would wait for another end.
      let file = path.fileName.withCString {
        openat(folder, $0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
      }
      guard file >= 0 else { return nil }
      defer { close(file) }
      // A file that is written meanwhile is read once more; records are put in place whole, so twice is enough.
      for _ in 0..<3 {
        guard let before = AgentFiles.status(of: file), before.st_mode & S_IFMT == S_IFREG,
          before.st_size - off_t(offset) <= limit
        else { return nil }
        let bytes = AgentFiles.bytes(of: file, from: offset, count: max(0, Int(before.st_size) - offset))
        guard let after = AgentFiles.status(of: file) else { return nil }
        let stamp = FileStamp(before)
        if stamp.isSameState(as: FileStamp(after)) { return Content(bytes: bytes, stamp: stamp) }
      }
      return nil
    } ?? nil
  }

  /// The regular files and the folders in `folder`; nil where there is no such folder.
  package func list(_ folder: RecordPath) -> Listing? {
    withFolder(folder) { descriptor -> Listing? in
      guard let status = AgentFiles.status(of: descriptor) else { return nil }
      // `fdopendir` takes the descriptor over, so it is given one of its own.
      let owned = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard owned >= 0 else { return nil }
      guard let stream = fdopendir(owned) else {
        close(owned)
        return nil
      }
      defer { closedir(stream) }
      var files: [[UInt8]] = []
      var folders: [[UInt8]] = []
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: UInt8.self, capacity: 256) {
            Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
          }
        }
        if name.first == UInt8(ascii: ".") { continue }
        switch Int(entry.pointee.d_type) {
        case AgentFiles.regularFile: files.append(name)
        case AgentFiles.folder: folders.append(name)
        case 0:
          // This file system does not tell the kind with the name.
          guard let stamp = AgentFiles.stamp(name, in: descriptor) else { continue }
          if stamp.isFolder { folders.append(name) } else { files.append(name) }
        default: break
        }
      }
      return Listing(files: files, folders: folders, stamp: FileStamp(status))
    } ?? nil
  }

  /// `d_type` of a folder entry.
  private static let regularFile = 8
  private static let folder = 4

  // MARK: Descriptors

  private static func stamp(_ name: [UInt8], in folder: Int32) -> FileStamp? {
    var status = stat()
    guard name.withCString({ fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else { return nil }
    let kind = status.st_mode & S_IFMT
    return kind == S_IFREG || kind == S_IFDIR ? FileStamp(status) : nil
  }

  private static func status(of file: Int32) -> stat? {
    var status = stat()
    return fstat(file, &status) == 0 ? status : nil
  }

  private static func bytes(of file: Int32, from offset: Int, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let part = pread(file, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
        if part < 0 && errno == EINTR { continue }
        guard part > 0 else { break }
        filled += part
      }
    }
  }

  /// Lends the folder's descriptor; nil where a component is missing, a link or no folder.
  private func withFolder<R>(_ path: RecordPath, _ body: (Int32) -> R) -> R? {
    guard let workTree else { return nil }
    var folder = open(workTree, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return nil }
    defer { close(folder) }
    for component in path.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      guard !component.isEmpty, !component.elementsEqual("..".utf8), !component.elementsEqual(".".utf8) else {
        return nil
      }
      let next = Array(component).withCString { openat(folder, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) }
      guard next >= 0 else { return nil }
      close(folder)
      folder = next
    }
    return body(folder)
  }
}

extension RecordPath {
  /// The path of the folder that holds this one; only for paths with a slash.
  fileprivate var folder: RecordPath {
    RecordPath(Array(bytes[..<(bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0)]))
  }
}

extension [UInt8] {
  /// Lends the bytes with a NUL after them. A name that holds a NUL names nothing.
  fileprivate func withCString<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
    let bytes = contains(0) ? [0] : self + [0]
    return bytes.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress.unsafelyUnwrapped) }
    }
  }
}
