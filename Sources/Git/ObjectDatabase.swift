internal import CLibGit2
internal import Telemetry

/// A repository's objects (`git_odb`).
///
/// `@safe`: the pointer is used by this type alone and freed once by `deinit`.
@safe struct ObjectDatabase: ~Copyable {
  let pointer: OpaquePointer

  /// `git_repository_odb`: the handle is counted, and may outlive `repository`.
  init(of repository: borrowing RepositoryHandle) throws(GitError) {
    unsafe pointer = try repository.withPointer { (repository) throws(GitError) in
      var opened: OpaquePointer?
      try check(unsafe git_repository_odb(&opened, repository), "open the object database")
      guard let opened = unsafe opened else { throw GitError.last(-1, "open the object database") }
      return unsafe opened
    }
  }

  deinit {
    unsafe git_odb_free(pointer)
  }

  /// Reads an object whole and verifies its hash.
  ///
  /// Throws `.missingObject`, or `.corrupt` if its bytes are damaged or it is not of `type`.
  borrowing func read(_ id: ObjectID, type: ObjectType) throws(GitError) -> ObjectData {
    var oid = id.oid
    var object: OpaquePointer?
    let status = unsafe git_odb_read(&object, pointer, &oid)
    guard status >= 0, let object = unsafe object else {
      throw ObjectDatabase.normalized(GitError.last(status, "read \(type) \(id)"))
    }
    let data = unsafe ObjectData(owning: object)
    guard data.type == type else {
      throw GitError(.invalidSpec, operation: "read \(type) \(id)", message: "the object is not a \(type)")
    }
    switch type {
    case .blob: WorkCount.add(.blobs)
    case .tree:
      WorkCount.add(.trees)
      WorkCount.add(.treeBytes, unsafe data.bytes.count)
    case .commit: WorkCount.add(.commits)
    case .tag: break
    }
    return data
  }

  /// The type and size in bytes of an object, without reading it; nil if there is none.
  borrowing func header(_ id: ObjectID) throws(GitError) -> (type: ObjectType, size: Int)? {
    WorkCount.add(.headers)
    var oid = id.oid
    var size = 0
    var type = GIT_OBJECT_INVALID
    let status = unsafe git_odb_read_header(&size, &type, pointer, &oid)
    guard status >= 0 else {
      let error = ObjectDatabase.normalized(GitError.last(status, "read object \(id)"))
      if error.code == .missingObject { return nil }
      throw error
    }
    guard let type = ObjectType(type) else {
      throw GitError(.corrupt, operation: "read object \(id)", message: "it is of no known type")
    }
    return (type, size)
  }

  /// True if the object is there. Packs added since the last miss are not looked for, so a false answer costs
  /// no scan of the pack folder; it may be out of date.
  borrowing func probablyContains(_ id: ObjectID) -> Bool {
    var oid = id.oid
    return unsafe git_odb_exists_ext(pointer, &oid, GIT_ODB_LOOKUP_NO_REFRESH.rawValue) == 1
  }

  /// A name that no object has is `GIT_ENOTFOUND`, whatever class the backend gave it.
  private static func normalized(_ error: GitError) -> GitError {
    guard error.libraryCode == GIT_ENOTFOUND.rawValue else {
      return error.code == .other
        ? GitError(
          .corrupt, operation: error.operation, message: error.message, libraryCode: error.libraryCode,
          libraryClass: error.libraryClass) : error
    }
    return GitError(
      .missingObject, operation: error.operation, message: error.message, libraryCode: error.libraryCode,
      libraryClass: error.libraryClass)
  }
}
