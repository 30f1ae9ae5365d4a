internal import Glibc

/// The entries of one folder of the working tree, sorted as git sorts a tree.
struct FolderListing {
  struct Item {
    /// Where the bare name is in the listing's names.
    fileprivate let name: Range<Int>
    let status: FileStatus
    /// The commit recorded for a submodule; its folder is listed as one entry.
    let submodule: ObjectID?

    /// True if the walk goes into it.
    var isFolder: Bool { status.isDirectory && submodule == nil }
  }

  private let folder: GitPath
  /// All names, one after another: an array for each would double the cost of a listing.
  private var names: [UInt8] = []
  private(set) var items: [Item] = []
  private(set) var unreadable: [UnreadablePath] = []
  private(set) var holdsAttributes = false
  /// True if the folder is the top of a repository: it has a `.git` that git would take for one.
  private(set) var isRepository = false

  /// Lists the open folder `descriptor`, which it consumes, at `path`.
  ///
  /// `.git` in any spelling of case is left out: git never tracks it. All is read before anything is opened, so a
  /// walk holds one descriptor however deep the tree.
  init(
    _ descriptor: consuming Descriptor, at path: GitPath, submodule: (GitPath) -> ObjectID?
  ) throws(GitError) {
    folder = path
    let operation = "list \(path)"
    let number = descriptor.number
    // `fdopendir` takes the descriptor over, so it is given one of its own.
    let owned = fcntl(number, F_DUPFD_CLOEXEC, 0)
    guard owned >= 0 else { throw GitError.system(errno, operation) }
    guard let stream = unsafe fdopendir(owned) else {
      let failure = errno
      close(owned)
      throw GitError.system(failure, operation)
    }
    defer { unsafe closedir(stream) }
    guard let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) else {
      throw GitError(.other, operation: operation, message: "unknown layout of a folder entry")
    }
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        if errno != 0 { throw GitError.system(errno, operation) }
        break
      }
      let name = unsafe (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self)
      let bytes = unsafe UnsafeRawBufferPointer(start: name, count: CStrings.length(name))
      if unsafe FolderListing.isSkipped(bytes) {
        if bytes.count == 4, !isRepository { isRepository = unsafe FolderListing.isGitFolder(name, in: number) }
        continue
      }
      var status = stat()
      guard unsafe fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
        let failure = errno
        unreadable.append(
          UnreadablePath(
            path: unsafe path.appending(bytes), errno: failure, reason: systemMessage(failure), isFolder: true))
        continue
      }
      if !holdsAttributes, unsafe bytes.elementsEqual(".gitattributes".utf8) { holdsAttributes = true }
      let fileStatus = FileStatus(status)
      let start = names.count
      unsafe names.append(contentsOf: bytes)
      items.append(
        Item(
          name: start..<names.count, status: fileStatus,
          submodule: fileStatus.isDirectory ? submodule(unsafe path.appending(bytes)) : nil))
    }
    sort()
  }

  /// The item's path from the root of the repository.
  func path(of item: Item) -> GitPath {
    folder.appending(names[item.name])
  }

  /// What decides the order: trivial values, which sort without counting references.
  private struct Key {
    let position: Int
    let name: Range<Int>
    let isFolder: Bool
  }

  /// Into the order of git's trees: a folder sorts as if its name ended in `/`.
  private mutating func sort() {
    var keys = items.indices.map { Key(position: $0, name: items[$0].name, isFolder: items[$0].isFolder) }
    unsafe names.withUnsafeBytes { names in
      keys.sort { left, right in
        let leftName = unsafe UnsafeRawBufferPointer(rebasing: names[left.name])
        let rightName = unsafe UnsafeRawBufferPointer(rebasing: names[right.name])
        let common = min(leftName.count, rightName.count)
        if let leftBase = leftName.baseAddress, let rightBase = rightName.baseAddress {
          let order = unsafe memcmp(leftBase, rightBase, common)
          if order != 0 { return order < 0 }
        }
        let leftNext = unsafe common < leftName.count ? leftName[common] : left.isFolder ? GitPath.separator : 0
        let rightNext = unsafe common < rightName.count ? rightName[common] : right.isFolder ? GitPath.separator : 0
        return leftNext < rightNext
      }
    }
    items = keys.map { items[$0.position] }
  }

  /// Whether a `.git` is a link to a git folder, as submodules have, or one itself: a folder with a HEAD. An empty one
  /// is nothing to git.
  private static func isGitFolder(_ name: UnsafePointer<CChar>, in folder: CInt) -> Bool {
    let git = unsafe openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
    guard git >= 0 else { return false }
    defer { close(git) }
    var status = stat()
    guard unsafe fstat(git, &status) == 0 else { return false }
    if status.st_mode & S_IFMT == S_IFREG { return true }
    return unsafe fstatat(git, "HEAD", &status, AT_SYMLINK_NOFOLLOW) == 0
  }

  /// `.`, `..`, and `.git` in any case.
  private static func isSkipped(_ name: UnsafeRawBufferPointer) -> Bool {
    guard name.count <= 4, let first = unsafe name.first, first == UInt8(ascii: ".") else { return false }
    switch name.count {
    case 1: return true
    case 2: return unsafe name[1] == UInt8(ascii: ".")
    case 4: return unsafe name.dropFirst().map { $0 | 0x20 } == Array("git".utf8)
    default: return false
    }
  }
}
