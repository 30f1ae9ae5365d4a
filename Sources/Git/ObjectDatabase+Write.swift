internal import CLibGit2
internal import Glibc

extension ObjectDatabase {
  /// Writes an object and makes it durable: its bytes, its name, and the folder that it may have made.
  ///
  /// The library writes nothing when it has the object, which another program may have written a moment ago and not
  /// synchronised: git itself does not. `folder` is the object folder, where such a file is looked for. When maintenance
  /// removes the folder or the file that the library is writing to, it is done again.
  borrowing func write(_ object: NewObject, in folder: borrowing ObjectFolder) throws(GitError) {
    // Asked without a new look at the pack folder: a false "no" costs a second copy, not the truth.
    if probablyContains(object.id), try folder.synchronize(object.id) { return }
    for attempt in 1... {
      do throws(GitError) {
        try folder.makeFolder(for: object.id)
        try store(object)
        try folder.share(object.id)
        return
      } catch {
        guard error.mayBeOfMaintenance, attempt < GitError.maintenanceTries else { throw error }
      }
    }
  }

  private borrowing func store(_ object: NewObject) throws(GitError) {
    let operation = "write \(object.type) \(object.id)"
    var oid = object.id.oid
    try unsafe object.bytes.withUnsafeRawBytes { (bytes) throws(GitError) in
      var written = git_oid()
      var empty: UInt8 = 0
      let status = unsafe withUnsafePointer(to: &empty) { empty in
        // A null pointer is refused even for no bytes.
        unsafe git_odb_write(
          &written, pointer, bytes.baseAddress ?? UnsafeRawPointer(empty), bytes.count, object.type.libraryType)
      }
      try check(status, operation)
      guard unsafe git_oid_equal(&written, &oid) == 1 else {
        throw GitError(.corrupt, operation: operation, message: "it was stored under another name")
      }
    }
  }

  /// Looks anew for packs: maintenance may have put others in place of those that are known.
  borrowing func refresh() throws(GitError) {
    try check(unsafe git_odb_refresh(pointer), "look for packs")
  }
}

/// The folder of loose objects.
struct ObjectFolder: ~Copyable {
  private let folder: Descriptor
  private let permissions: SharedPermissions

  /// `commonDirectory` is the git folder that linked working trees share.
  init(below commonDirectory: [UInt8], _ permissions: SharedPermissions) throws(GitError) {
    self.permissions = permissions
    folder = try Descriptor(
      opening: commonDirectory + Array("/objects".utf8), O_RDONLY | O_DIRECTORY, "open the object folder")
  }

  /// Makes a loose object durable that is there already. False if it is not loose: then it is in a pack, which git
  /// synchronises when it writes it, or nowhere.
  func synchronize(_ id: ObjectID) throws(GitError) -> Bool {
    let operation = "synchronise object \(id)"
    guard let fanOut = try Descriptor(in: folder, ObjectFolder.name(id)[..<2], O_RDONLY | O_DIRECTORY, operation),
      let file = try Descriptor(in: fanOut, ObjectFolder.name(id)[2...], O_RDONLY, operation)
    else { return false }
    try permissions.adjust(file.number, operation)
    // As new as one that is written now, or `git gc` would take it for old. For another user's file it may fail.
    _ = futimens(file.number, nil)
    try file.synchronize(operation)
    try fanOut.synchronize(operation)
    return true
  }

  /// True if the object is here as a file of its own.
  func contains(_ id: ObjectID) throws(GitError) -> Bool {
    let name = ObjectFolder.name(id)
    let path = name[..<2] + [GitPath.separator] + name[2...]
    return try unsafe CStrings.withCString(path) { (path) throws(GitError) in
      if unsafe faccessat(folder.number, path, F_OK, 0) == 0 { return true }
      guard errno == ENOENT else { throw GitError.system(errno, "look for object \(id)") }
      return false
    }
  }

  /// Makes the folder that a new loose object will be in, if others are to write there too. The library would make it
  /// for whom the umask says.
  func makeFolder(for id: ObjectID) throws(GitError) {
    guard permissions.isShared else { return }
    let operation = "make the folder of object \(id)"
    let name = ObjectFolder.name(id)[..<2]
    let isMade = try unsafe CStrings.withCString(name) { (name) throws(GitError) in
      if unsafe mkdirat(folder.number, name, 0o777) == 0 { return true }
      guard errno == EEXIST else { throw GitError.system(errno, operation) }
      return false
    }
    guard isMade, let fanOut = try Descriptor(in: folder, name, O_RDONLY | O_DIRECTORY, operation) else { return }
    try permissions.adjust(fanOut.number, operation)
  }

  /// Lets others read a loose object that was just written.
  func share(_ id: ObjectID) throws(GitError) {
    guard permissions.isShared else { return }
    let operation = "share object \(id)"
    guard let fanOut = try Descriptor(in: folder, ObjectFolder.name(id)[..<2], O_RDONLY | O_DIRECTORY, operation),
      let file = try Descriptor(in: fanOut, ObjectFolder.name(id)[2...], O_RDONLY, operation)
    else { return }
    // Nobody names the object yet. What the permissions are must last as its bytes do.
    if try permissions.adjust(file.number, operation) { try file.synchronize(operation) }
  }

  /// The name of the folder in its first two bytes, then that of the file.
  private static func name(_ id: ObjectID) -> [UInt8] { Array(String(describing: id).utf8) }

  /// Makes the names of new sub-folders durable, which the library does not.
  func synchronize() throws(GitError) {
    try folder.synchronize("synchronise the object folder")
  }

  /// Writes out the whole file system that holds the objects.
  func synchronizeFileSystem() throws(GitError) {
    guard moha_sync_file_system(folder.number) == 0 else {
      throw GitError.system(errno, "synchronise the file system of the repository")
    }
  }
}

extension Repository {
  /// Writes out the whole file system that holds the repository: for many files of the caller's at once.
  package func synchronizeFileSystem() throws(GitError) {
    try ObjectFolder(below: commonDirectoryBytes, permissions).synchronizeFileSystem()
  }
}

extension ObjectID {
  init(_ bytes: [UInt8], type: ObjectType) {
    self = unsafe bytes.withUnsafeBytes { unsafe ObjectID.hash(of: $0, type: type.libraryType) }
  }
}

extension ObjectType {
  var libraryType: git_object_t {
    switch self {
    case .commit: GIT_OBJECT_COMMIT
    case .tree: GIT_OBJECT_TREE
    case .blob: GIT_OBJECT_BLOB
    case .tag: GIT_OBJECT_TAG
    }
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` for closures that throw `GitError`, whose type the standard library's signature loses.
  func withUnsafeRawBytes<R>(_ body: (UnsafeRawBufferPointer) throws(GitError) -> R) throws(GitError) -> R {
    let result = unsafe withUnsafeBytes { buffer -> Result<R, GitError> in
      do throws(GitError) {
        return .success(unsafe try body(buffer))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
