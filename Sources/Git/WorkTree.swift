internal import CLibGit2
internal import Glibc

/// The folder of checked-out files, opened so that nothing outside it can be reached.
///
/// Every open goes through `openat2` with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS: a symbolic link at any
/// component, also one put there a moment ago, fails with ELOOP, and `..` cannot leave.
struct WorkTree: ~Copyable {
  private let root: Descriptor

  /// `folder` is the absolute path of the working tree, links and all: the user chose it.
  init(at folder: [UInt8]) throws(GitError) {
    let number = try unsafe CStrings.withCString(folder) { (path) throws(GitError) in
      let number = unsafe Glibc.open(path, moha_o_path | O_DIRECTORY | O_CLOEXEC)
      guard number >= 0 else {
        throw GitError.system(errno, "open the working tree \(String(decoding: folder, as: UTF8.self))")
      }
      return number
    }
    root = Descriptor(owning: number)
  }

  /// Opens what is at `path` below the root, with `flags` besides O_CLOEXEC and O_NOFOLLOW. The root itself is the
  /// empty path.
  ///
  /// The failure's `systemError` is ELOOP for a symbolic link on the way.
  borrowing func open(_ path: [UInt8], flags: CInt) throws(GitError) -> Descriptor {
    let operation = "open \(String(decoding: path, as: UTF8.self))"
    guard !path.contains(0) else {
      throw GitError(.invalidSpec, operation: operation, message: "the path holds a NUL byte")
    }
    let target = path.isEmpty ? [UInt8(ascii: ".")] : path
    let number = try unsafe CStrings.withCString(target) { (target) throws(GitError) in
      // EAGAIN: something on the way was renamed meanwhile, and the kernel could not be sure.
      for _ in 0..<100 {
        let number = unsafe moha_open_beneath(root.number, target, flags | O_NOFOLLOW | O_CLOEXEC)
        if number >= 0 { return number }
        if errno == ENOSYS || errno == EPERM { return -1 }
        if errno != EAGAIN && errno != EINTR { break }
      }
      throw GitError.system(errno, operation)
    }
    guard number >= 0 else { return try openByComponents(path, flags: flags, operation) }
    return Descriptor(owning: number)
  }

  /// The same without `openat2`: each component is opened in its parent's descriptor, and may not be a link.
  borrowing func openByComponents(
    _ path: [UInt8], flags: CInt, _ operation: String
  ) throws(GitError) -> Descriptor {
    var current = try WorkTree.openComponent([UInt8(ascii: ".")], in: root.number, moha_o_path | O_DIRECTORY, operation)
    let components = GitPath(path).components
    for (index, component) in components.enumerated() {
      // An empty component would be the folder itself, and `..` its parent.
      guard !component.isEmpty, component != [0x2e], component != [0x2e, 0x2e] else {
        throw GitError.system(EXDEV, operation)
      }
      let isLast = index == components.count - 1
      // With O_PATH alone a link would be opened as itself; O_DIRECTORY then refuses it.
      current = try WorkTree.openComponent(
        component, in: current.number, isLast ? flags : moha_o_path | O_DIRECTORY, operation)
    }
    guard components.isEmpty else { return current }
    return try WorkTree.openComponent([UInt8(ascii: ".")], in: root.number, flags, operation)
  }

  private static func openComponent(
    _ name: some Collection<UInt8>, in folder: CInt, _ flags: CInt, _ operation: String
  ) throws(GitError) -> Descriptor {
    let number = try unsafe CStrings.withCString(name) { (name) throws(GitError) in
      let number = unsafe openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC)
      guard number >= 0 else { throw GitError.system(errno, operation) }
      return number
    }
    return Descriptor(owning: number)
  }

  /// Opens a regular file for reading; waits for no pipe and opens no device.
  borrowing func openFile(_ path: [UInt8]) throws(GitError) -> Descriptor {
    // Reading begins only once the kind of file is known: O_NONBLOCK keeps a named pipe from holding up the open.
    try open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
  }

  /// The bytes of a regular file, at most `limit`, or `.tooLarge`.
  borrowing func readFile(_ path: [UInt8], limit: Int, _ operation: String) throws(GitError) -> [UInt8] {
    let file = try openFile(path)
    let status = try file.status(operation)
    guard status.isRegular else {
      throw GitError(.changedWhileReading, operation: operation, message: "it is not a regular file")
    }
    return try file.readAll(expecting: Int(clamping: status.size), limit: limit, operation)
  }

  /// The target of a symbolic link, which is not followed.
  borrowing func readLink(_ path: [UInt8]) throws(GitError) -> [UInt8] {
    let link = try open(path, flags: moha_o_path)
    let operation = "read the symbolic link \(String(decoding: path, as: UTF8.self))"
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    // The empty path: the link that the descriptor itself stands for.
    let count = unsafe readlinkat(link.number, "", &buffer, buffer.count)
    guard count >= 0 else { throw GitError.system(errno, operation) }
    return buffer.prefix(count).map { UInt8(bitPattern: $0) }
  }
}
