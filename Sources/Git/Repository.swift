internal import DedicatedThread

/// One git repository, read on a thread of its own.
///
/// libgit2's objects are for one thread at a time and its error message is thread-local, so every call runs on
/// the actor's `DedicatedThread`. Nothing here writes to the repository, takes a lock, or runs a hook, a filter
/// or a submodule. Open a second `Repository` to read in parallel.
///
/// Only SHA-1 repositories can be opened; others throw `.unsupported`.
package actor Repository {
  /// Which configuration files count.
  package enum Configuration: Hashable, Sendable {
    /// Those that git itself reads, `safe.directory` included.
    case user
    /// Only the repository's own. The choice is process-wide and cannot be taken back: for tests.
    case hermetic
  }

  /// The repository's own folder; a linked working tree has one of its own below the shared one.
  package nonisolated let gitDirectory: String
  /// The folder that linked working trees share: objects and references live there.
  package nonisolated let commonDirectory: String
  /// The folder of the checked-out files; nil in a bare repository.
  package nonisolated let workTree: String?

  /// Who shares the git folder: as it was configured when the repository was opened.
  package nonisolated let permissions: SharedPermissions

  /// `workTree` as bytes, which need not be UTF-8.
  nonisolated let workTreeBytes: [UInt8]?
  nonisolated let gitDirectoryBytes: [UInt8]
  nonisolated let commonDirectoryBytes: [UInt8]

  /// The folders in which the repository's commands run: absolute and resolved.
  nonisolated var folders: [[UInt8]] { [gitDirectoryBytes, commonDirectoryBytes] + (workTreeBytes.map { [$0] } ?? []) }

  let handle: RepositoryHandle
  let database: ObjectDatabase
  private let thread: DedicatedThread

  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe thread.asUnownedSerialExecutor()
  }

  /// Opens the repository that holds `path`, searching upward but not above any of `ceilings` nor into
  /// another file system.
  ///
  /// Throws `.notARepository`, `.ownership`, `.unsupported`.
  package init(
    discoveringFrom path: String, ceilings: [String] = [], configuration: Configuration = .user
  ) throws(GitError) {
    Library.start(configuration)
    try self.init(RepositoryHandle(path: path, searchesUpward: true, ceilings: ceilings))
  }

  /// Opens the repository at exactly `path`: a working tree or a git folder.
  ///
  /// Throws as `init(discoveringFrom:)` does.
  package init(at path: String, configuration: Configuration = .user) throws(GitError) {
    Library.start(configuration)
    try self.init(RepositoryHandle(path: path, searchesUpward: false, ceilings: []))
  }

  private init(_ handle: consuming RepositoryHandle) throws(GitError) {
    gitDirectoryBytes = handle.gitDirectory
    commonDirectoryBytes = handle.commonDirectory
    workTreeBytes = handle.workTree
    gitDirectory = String(decoding: gitDirectoryBytes, as: UTF8.self)
    commonDirectory = String(decoding: commonDirectoryBytes, as: UTF8.self)
    workTree = workTreeBytes.map { String(decoding: $0, as: UTF8.self) }
    permissions = try handle.sharedPermissions()
    database = try ObjectDatabase(of: handle)
    self.handle = handle
    // Last: an init that throws earlier runs no deinit, and would leak the thread.
    thread = DedicatedThread(name: "git")
  }

  // The handles are freed on the thread that used them.
  isolated deinit {}

  package nonisolated var isBare: Bool { workTreeBytes == nil }
}
