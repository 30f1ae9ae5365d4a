internal import CLibGit2
internal import Glibc

/// Who may read and write what this program makes in the git folder: `core.sharedRepository`, as git reads it.
///
/// Git makes files and folders with what the umask leaves of 0666, 0444 for objects, and 0777. In a shared repository it
/// then widens them (`adjust_shared_perm` in git's path.c), so that the umask of one user does not lock the others out:
///
/// | value | mode |
/// |---|---|
/// | unset, `umask`, `false`, 0 | as the umask leaves it |
/// | `group`, `true`, 1 | the group may read and write, too |
/// | `all`, `world`, `everybody`, 2 | and all others may read |
/// | an octal mode such as 0640 | exactly this, whatever the umask |
///
/// What is read-only for its owner stays so for all, folders may be entered by whoever may read them, and new names in a
/// folder that a group shares belong to that group (the setgid bit).
///
/// Files of our own, in `moha-sync`, are for their owner alone (0600, 0700) unless the repository is shared; then they are
/// shared like the rest, since a colleague who may commit needs our locks and journal for it. This is the one place that
/// decides modes.
package struct SharedPermissions: Hashable, Sendable {
  private enum Sharing: Hashable {
    case none
    /// Added to what the umask leaves.
    case adding(UInt32)
    case exactly(UInt32)
  }

  private let sharing: Sharing

  /// Not shared.
  package static let unshared = SharedPermissions(.none)

  private init(_ sharing: Sharing) {
    self.sharing = sharing
  }

  /// From the value of `core.sharedRepository`. A name without a value means `group`. A value that git refuses to go on
  /// with shares nothing.
  init(configured value: String?) {
    switch value {
    case nil, "group": self.init(.adding(0o660))
    case "umask": self.init(.none)
    case "all", "world", "everybody": self.init(.adding(0o664))
    case .some(let value): self.init(SharedPermissions.sharing(value))
    }
  }

  /// From an octal number, or anything that git takes for true or false.
  private static func sharing(_ value: String) -> Sharing {
    guard let number = value.isEmpty ? 0 : UInt32(value, radix: 8) else {
      Library.start()
      var isTrue: Int32 = 0
      let status = unsafe git_config_parse_bool(&isTrue, value)
      git_error_clear()
      return status == 0 && isTrue != 0 ? .adding(0o660) : .none
    }
    switch number {
    case 0: return .none
    case 1: return .adding(0o660)
    case 2: return .adding(0o664)
    default: return number & 0o600 == 0o600 ? .exactly(number & 0o666) : .none
    }
  }

  /// False if modes are left to the umask.
  package var isShared: Bool { sharing != .none }

  /// What git makes of `mode`, the permissions that something was made with.
  package func mode(_ mode: UInt32, isFolder: Bool) -> UInt32 {
    let base: UInt32
    var shared: UInt32
    switch sharing {
    case .none: return mode
    case .adding(let bits): (base, shared) = (mode, bits)
    case .exactly(let bits): (base, shared) = (mode & ~0o777, bits)
    }
    if mode & 0o200 == 0 { shared &= ~0o222 }
    // Whoever may read what its owner may run, or enter, may do so too.
    if mode & 0o100 != 0 { shared |= (shared & 0o444) >> 2 }
    var result = base | shared
    if isFolder {
      result |= (result & 0o444) >> 2
      if result & 0o060 != 0 { result |= 0o2000 }
    }
    return result
  }

  /// Makes a folder of our own at `path`, which holds no NUL, unless there is one.
  package func makeStateFolder(at path: String) throws(GitError) {
    try makeStateFolder(at: Array(path.utf8))
  }

  func makeStateFolder(at path: [UInt8]) throws(GitError) {
    let operation = "make \(String(decoding: path, as: UTF8.self))"
    try unsafe CStrings.withCString(path) { (path) throws(GitError) in
      guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw GitError.system(errno, operation) }
    }
    try adjust(at: path, operation)
  }

  /// Lets those use an open file of our own, made with 0600, whom the repository is shared with.
  package func share(stateFile descriptor: Int32) throws(GitError) {
    try adjust(descriptor, "share a file")
  }

  /// Takes what "others may write" means out of what this process makes, whatever umask it was started with: nothing
  /// that it makes without a thought of permissions, the files of a server it starts included, is for everybody to
  /// change. Process-wide; called once at the start.
  package static func withholdWritingFromOthers() {
    let mask = umask(0o022)
    umask(mask | 0o002)
  }
}

extension SharedPermissions {
  /// Widens the permissions of something that is open as git would, if they are this user's to change.
  ///
  /// Returns true if they were others.
  @discardableResult
  func adjust(_ descriptor: Int32, _ operation: @autoclosure () -> String) throws(GitError) -> Bool {
    guard isShared else { return false }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw GitError.system(errno, operation()) }
    guard let wanted = change(of: status) else { return false }
    guard fchmod(descriptor, wanted) == 0 else { throw GitError.system(errno, operation()) }
    return true
  }

  /// The same by name, for a file or folder that is not a link; nothing if there is none.
  func adjust(at path: [UInt8], _ operation: @autoclosure () -> String) throws(GitError) {
    guard isShared else { return }
    let failure = try unsafe CStrings.withCString(path) { (path) throws(GitError) -> Int32 in
      var status = stat()
      guard unsafe lstat(path, &status) == 0 else { return errno }
      guard status.st_mode & S_IFMT != S_IFLNK, let wanted = change(of: status) else { return 0 }
      return unsafe chmod(path, wanted) == 0 ? 0 : errno
    }
    guard failure == 0 || failure == ENOENT || failure == ENOTDIR else { throw GitError.system(failure, operation()) }
  }

  private func change(of status: stat) -> UInt32? {
    let found = status.st_mode & 0o7777
    let wanted = mode(found, isFolder: status.st_mode & S_IFMT == S_IFDIR)
    return wanted != found && status.st_uid == geteuid() ? wanted : nil
  }
}

extension RepositoryHandle {
  /// `core.sharedRepository`, from all configuration that counts.
  borrowing func sharedPermissions() throws(GitError) -> SharedPermissions {
    unsafe try withConfigurationSnapshot { (configuration) throws(GitError) in
      var entry: UnsafeMutablePointer<git_config_entry>?
      let status = unsafe git_config_get_entry(&entry, configuration, "core.sharedrepository")
      defer { unsafe git_config_entry_free(entry) }
      git_error_clear()
      guard status == 0, let entry = unsafe entry else { return .unshared }
      return SharedPermissions(configured: unsafe entry.pointee.value.map { unsafe String(cString: $0) })
    }
  }
}
