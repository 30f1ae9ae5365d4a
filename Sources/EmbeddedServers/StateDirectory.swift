internal import SystemPackage

/// The private folder of one repository's servers, checked and ready for use.
///
/// Whoever can enter it can read the database and become its superuser, so that it must belong to the servers'
/// account, be closed to everyone else, and be no symbolic link.
struct StateDirectory: Sendable {
  let layout: StateLayout
  let account: ServerAccount

  /// Makes the folder where it is missing, and checks it.
  ///
  /// - Parameter root: the repository, with symbolic links resolved.
  /// - Throws: `unsafeStateDirectory`, `noUnprivilegedUser`, `fileSystem`.
  static func prepare(_ directory: String, root: String) throws(EmbeddedServersError) -> StateDirectory {
    try checkName(directory, root: root)
    let found = try attempt("look at \(directory)") { () throws(Errno) in try FileSystem.attributes(of: directory) }
    let account = try ServerAccount.forServers(owner: found?.uid)
    if found == nil { try makeParents(of: directory, account: account) }
    try claim(directory, for: account)
    let state = StateDirectory(layout: StateLayout(directory: directory, uid: account.uid), account: account)
    try state.checkReachable()
    try state.record(root: root)
    return state
  }

  /// The folder as it is, or nil when it does not exist. Makes and changes nothing.
  ///
  /// - Throws: `unsafeStateDirectory`, `noUnprivilegedUser`, `fileSystem`.
  static func existing(_ directory: String, root: String) throws(EmbeddedServersError) -> StateDirectory? {
    try checkName(directory, root: root)
    let found = try attempt("look at \(directory)") { () throws(Errno) in try FileSystem.attributes(of: directory) }
    guard let found else { return nil }
    let account = try ServerAccount.forServers(owner: found.uid)
    guard isPrivate(found, to: account) else { throw refusal(of: directory, found, account: account) }
    return StateDirectory(layout: StateLayout(directory: directory, uid: account.uid), account: account)
  }

  /// Makes a private folder inside the state folder, or the one of the sockets, and checks it.
  func makeSubdirectory(_ path: String) throws(EmbeddedServersError) {
    try StateDirectory.claim(path, for: account)
  }

  // MARK: -

  private static func checkName(_ directory: String, root: String) throws(EmbeddedServersError) {
    guard directory.utf8.first == UInt8(ascii: "/") else {
      throw EmbeddedServersError(
        .unsafeStateDirectory, "The state folder \"\(directory)\" is not an absolute path.",
        hint: "Set MOHA_STATE_DIR to an absolute path, or HOME to the home folder.")
    }
    // A line feed would end a line of a configuration file, and the servers' own files cannot hold a NUL.
    guard !directory.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw EmbeddedServersError(
        .unsafeStateDirectory, "The state folder's path holds a control character.",
        hint: "Set MOHA_STATE_DIR to another path.")
    }
    let resolved = resolvingExistingPart(of: directory)
    guard resolved != root, root == "/" || !resolved.utf8.starts(with: "\(root)/".utf8) else {
      throw EmbeddedServersError(
        .unsafeStateDirectory, "The state folder \(directory) lies inside the repository \(root).",
        reason: "A database must not be committed.", hint: "Set MOHA_STATE_DIR to a folder outside the repository.")
    }
  }

  /// `path` with the symbolic links of its existing ancestors resolved.
  private static func resolvingExistingPart(of path: String) -> String {
    var existing = path
    var rest = ""
    while true {
      if let resolved = FileSystem.realPath(existing) { return rest.isEmpty ? resolved : "\(resolved)\(rest)" }
      guard existing != "/", existing != "." else { return path }
      let parent = FileSystem.parent(of: existing)
      rest = String(decoding: existing.utf8.dropFirst(parent == "/" ? 0 : parent.utf8.count), as: UTF8.self) + rest
      existing = parent
    }
  }

  private static func makeParents(of directory: String, account: ServerAccount) throws(EmbeddedServersError) {
    var missing: [String] = []
    var folder = FileSystem.parent(of: directory)
    while folder != "/", FileSystem.attributesFollowingLinks(of: folder) == nil {
      missing.append(folder)
      folder = FileSystem.parent(of: folder)
    }
    // Root's folders stay root's, and the account that root drops to must be able to pass through them.
    let mode: UInt32 = account.isOther ? 0o755 : 0o700
    for folder in missing.reversed() {
      try attempt("make the folder \(folder)") { () throws(Errno) in
        if try FileSystem.makeDirectory(folder, mode: mode), account.isOther {
          // The umask may have taken away what the account needs.
          try OpenFile(directory: folder).setPermissions(mode)
        }
      }
    }
  }

  /// Makes the folder, or takes over an empty one of this process's own user; then checks it through the open
  /// descriptor, so that it cannot be exchanged between the check and the use.
  private static func claim(_ directory: String, for account: ServerAccount) throws(EmbeddedServersError) {
    let isNew = try attempt("make the folder \(directory)") { () throws(Errno) in
      try FileSystem.makeDirectory(directory, mode: 0o700)
    }
    let found: FileAttributes
    let isEmpty = isNew || ((try? FileSystem.names(in: directory))?.isEmpty ?? false)
    do throws(Errno) {
      let folder = try OpenFile(directory: directory)
      let current = try folder.attributes()
      let isOurs = current.uid == account.uid || current.uid == ServerAccount.effectiveUser
      if isOurs && isEmpty && !isPrivate(current, to: account) {
        if account.isOther { try folder.setOwner(account) }
        try folder.setPermissions(0o700)
      }
      found = try folder.attributes()
    } catch {
      if error == .notDirectory || error == .tooManySymbolicLinkLevels {
        throw EmbeddedServersError(
          .unsafeStateDirectory, "\(directory) is not a folder, or is a symbolic link.",
          reason: "Nothing was changed.", hint: "Set MOHA_STATE_DIR to another folder.")
      }
      throw failure("open the folder \(directory)", error)
    }
    guard isPrivate(found, to: account) else { throw refusal(of: directory, found, account: account) }
  }

  private static func isPrivate(_ found: FileAttributes, to account: ServerAccount) -> Bool {
    found.kind == .directory && found.uid == account.uid && found.mode & 0o077 == 0
  }

  private static func refusal(
    of directory: String, _ found: FileAttributes, account: ServerAccount
  ) -> EmbeddedServersError {
    guard found.kind == .directory else {
      return EmbeddedServersError(
        .unsafeStateDirectory, "\(directory) is not a folder, or is a symbolic link.", reason: "Nothing was changed.",
        hint: "Set MOHA_STATE_DIR to another folder.")
    }
    let mode = String(found.mode, radix: 8)
    return EmbeddedServersError(
      .unsafeStateDirectory, "The folder \(directory) is not private to \(account.name).",
      reason: "It belongs to uid \(found.uid), expected \(account.uid), and its mode is \(mode), expected 700. "
        + "Nothing was changed.",
      hint: "If it is yours, close it with: chmod 700 \(directory). Otherwise set MOHA_STATE_DIR to another folder.")
  }

  /// Checks that the account that root drops to can pass through every folder above.
  private func checkReachable() throws(EmbeddedServersError) {
    guard account.isOther else { return }
    var folder = FileSystem.parent(of: FileSystem.realPath(layout.directory) ?? layout.directory)
    while true {
      if let found = FileSystem.attributesFollowingLinks(of: folder), !found.isTraversable(by: account) {
        throw EmbeddedServersError(
          .unsafeStateDirectory, "The account \(account.name) cannot enter \(folder).",
          reason: "It runs the servers for root. The folder's mode is \(String(found.mode, radix: 8)).",
          hint: "Set MOHA_STATE_DIR to a folder below one that everyone may pass through, such as /var/lib.")
      }
      guard folder != "/" else { return }
      folder = FileSystem.parent(of: folder)
    }
  }

  /// Notes which repository the folder serves, and refuses one that serves another: their records would mix.
  ///
  /// A repository that has moved keeps its servers: the old path is gone then.
  private func record(root: String) throws(EmbeddedServersError) {
    let path = layout.rootRecord
    let line = Array("\(root)\n".utf8)
    let recorded = try attempt("read \(path)") { () throws(Errno) in
      try FileSystem.contents(of: path, limit: 65_536)
    }
    if recorded == line { return }
    if let recorded, recorded.last == UInt8(ascii: "\n") {
      let other = String(decoding: recorded.dropLast(), as: UTF8.self)
      if FileSystem.attributesFollowingLinks(of: other)?.kind == .directory {
        throw EmbeddedServersError(
          .unsafeStateDirectory, "The state folder \(layout.directory) belongs to the repository \(other).",
          reason: "Its database would mix the records of two repositories.",
          hint: "Set MOHA_STATE_DIR to another folder for \(root), or leave it unset.")
      }
    }
    try attempt("write \(path)") { () throws(Errno) in
      try FileSystem.replace(path, with: line, owner: account)
    }
  }
}

extension FileAttributes {
  /// Whether the permission bits let the account pass through this folder. Access control lists are not read.
  func isTraversable(by account: ServerAccount) -> Bool {
    let needed: UInt32 = uid == account.uid ? 0o100 : gid == account.gid ? 0o010 : 0o001
    return mode & needed != 0
  }
}

/// Runs system calls and says what they were for when one fails.
@discardableResult
func attempt<Success>(
  _ action: String, _ body: () throws(Errno) -> Success
) throws(EmbeddedServersError) -> Success {
  do throws(Errno) {
    return try body()
  } catch {
    throw failure(action, error)
  }
}

/// The error of a system call that failed.
func failure(_ action: String, _ error: Errno) -> EmbeddedServersError {
  EmbeddedServersError(.fileSystem, "Could not \(action).", reason: "\(error.description).")
}
