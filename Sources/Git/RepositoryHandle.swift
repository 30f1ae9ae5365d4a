internal import CLibGit2

/// An open repository (`git_repository`).
///
/// `@safe`: the pointer is private, freed once by `deinit`, and lent only to a closure or to a wrapper that
/// copies what it needs.
@safe struct RepositoryHandle: ~Copyable {
  private let pointer: OpaquePointer

  /// `git_repository_open_ext`. `ceilings` are the folders above which no search goes.
  init(path: String, searchesUpward: Bool, ceilings: [String]) throws(GitError) {
    let operation = "open the repository at \(path)"
    guard !path.utf8.contains(0), !ceilings.contains(where: { $0.utf8.contains(0) }) else {
      throw GitError(.invalidSpec, operation: operation, message: "the path holds a NUL byte")
    }
    let flags = searchesUpward ? 0 : GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue
    var opened: OpaquePointer?
    let status = unsafe git_repository_open_ext(&opened, path, flags, ceilings.joined(separator: ":"))
    guard status >= 0, let opened = unsafe opened else {
      throw RepositoryHandle.openFailure(
        GitError.last(status, operation), path: path, searchesUpward: searchesUpward, ceilings: ceilings)
    }
    unsafe pointer = opened
  }

  deinit {
    unsafe git_repository_free(pointer)
  }

  borrowing func withPointer<R: ~Copyable>(
    _ body: (OpaquePointer) throws(GitError) -> R
  ) throws(GitError) -> R {
    try unsafe body(pointer)
  }

  /// The git folder, as bytes without a trailing slash. In a linked working tree, that tree's own.
  var gitDirectory: [UInt8] { unsafe RepositoryHandle.folder(git_repository_path(pointer)) ?? [] }

  /// The git folder that linked working trees share, as bytes without a trailing slash.
  var commonDirectory: [UInt8] { unsafe RepositoryHandle.folder(git_repository_commondir(pointer)) ?? [] }

  /// The working tree, as bytes without a trailing slash; nil in a bare repository.
  var workTree: [UInt8]? { unsafe RepositoryHandle.folder(git_repository_workdir(pointer)) }

  /// `git_repository_state`: which command is in progress.
  var state: Int32 { unsafe git_repository_state(pointer) }

  private static func folder(_ path: UnsafePointer<CChar>?) -> [UInt8]? {
    guard let path = unsafe path else { return nil }
    var bytes = unsafe Array(UnsafeRawBufferPointer(start: path, count: CStrings.length(path)))
    while bytes.count > 1, bytes.last == GitPath.separator { bytes.removeLast() }
    return bytes
  }

  /// Says what the library means by a failure to open.
  private static func openFailure(
    _ error: GitError, path: String, searchesUpward: Bool, ceilings: [String]
  ) -> GitError {
    switch error.code {
    case .notFound:
      return GitError(
        .notARepository, operation: error.operation,
        message: searchesUpward
          ? "there is no git repository in this folder or above it" : "there is no git repository in this folder",
        libraryCode: error.libraryCode, libraryClass: error.libraryClass)
    case .ownership:
      let folder = owner(of: path, searchesUpward: searchesUpward, ceilings: ceilings) ?? path
      return GitError(
        .ownership, operation: error.operation,
        message: "it belongs to another user. If you trust what is in it, run: "
          + "git config --global --add safe.directory \(quotedForShell(folder))",
        libraryCode: error.libraryCode, libraryClass: error.libraryClass)
    default:
      return error
    }
  }

  /// The folder that `safe.directory` must name: the working tree, or the repository itself if it is bare.
  private static func owner(of path: String, searchesUpward: Bool, ceilings: [String]) -> String? {
    var buffer = unsafe git_buf()
    let limits = searchesUpward ? ceilings : [path]
    let status = unsafe git_repository_discover(&buffer, path, 0, limits.joined(separator: ":"))
    defer { unsafe git_buf_dispose(&buffer) }
    guard status == 0, let text = unsafe buffer.ptr else {
      git_error_clear()
      return nil
    }
    var found = unsafe String(cString: text)
    while found.count > 1, found.hasSuffix("/") { found.removeLast() }
    return found.hasSuffix("/.git") ? String(found.dropLast("/.git".count)) : found
  }

  /// One word for a POSIX shell: as it is, or in single quotes.
  private static func quotedForShell(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if plain { return text }
    var quoted = "'"
    for character in text { quoted += character == "'" ? "'\\''" : String(character) }
    return quoted + "'"
  }
}
