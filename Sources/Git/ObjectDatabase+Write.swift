internal import CLibGit2
internal import Glibc

extension ObjectDatabase {
  /// Writes an object and makes it durable: its bytes, its name, and the folder that it may have made.
  ///
  /// The library writes nothing when it has the object, which another program may have written a moment ago and not
  /// synchronised: git itself does not. `objects` is the object folder, where such a file is looked for.
  borrowing func write(_ bytes: [UInt8], type: ObjectType, objects: borrowing ObjectFolder) throws(GitError) -> ObjectID
  {
    let id = ObjectID(bytes, type: type)
    var oid = id.oid
    // Asked without a new look at the pack folder: a false "no" costs a second copy, not the truth.
    if probablyContains(id), try objects.synchronize(id) { return id }
    try unsafe bytes.withUnsafeRawBytes { (bytes) throws(GitError) in
      var written = git_oid()
      var empty: UInt8 = 0
      let status = unsafe withUnsafePointer(to: &empty) { empty in
        // A null pointer is refused even for no bytes.
        unsafe git_odb_write(
          &written, pointer, bytes.baseAddress ?? UnsafeRawPointer(empty), bytes.count, type.libraryType)
      }
      try check(status, "write \(type) \(id)")
      guard unsafe git_oid_equal(&written, &oid) == 1 else {
        throw GitError(.corrupt, operation: "write \(type) \(id)", message: "it was stored under another name")
      }
    }
    return id
  }
}

/// The folder of loose objects.
struct ObjectFolder: ~Copyable {
  private let folder: Descriptor

  /// `commonDirectory` is the git folder that linked working trees share.
  init(below commonDirectory: [UInt8]) throws(GitError) {
    folder = try Descriptor(
      opening: commonDirectory + Array("/objects".utf8), O_RDONLY | O_DIRECTORY, "open the object folder")
  }

  /// Makes a loose object durable that is there already. False if it is not loose: then it is in a pack, which git
  /// synchronises when it writes it, or nowhere.
  func synchronize(_ id: ObjectID) throws(GitError) -> Bool {
    let name = Array(String(describing: id).utf8)
    let operation = "synchronise object \(id)"
    guard let fanOut = try Descriptor(in: folder, name[..<2], O_RDONLY | O_DIRECTORY, operation),
      let file = try Descriptor(in: fanOut, name[2...], O_RDONLY, operation)
    else { return false }
    try file.synchronize(operation)
    try fanOut.synchronize(operation)
    return true
  }

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
    try ObjectFolder(below: commonDirectoryBytes).synchronizeFileSystem()
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
