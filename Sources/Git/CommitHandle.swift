internal import CLibGit2
internal import Telemetry

/// A commit object (`git_commit`).
///
/// `@safe`: the pointer is private and freed once by `deinit`.
@safe struct CommitHandle: ~Copyable {
  private let pointer: OpaquePointer

  /// `git_commit_lookup`. Throws `.missingObject`, `.corrupt`, or `.invalidSpec` if the object is no commit.
  init(_ id: ObjectID, in repository: borrowing RepositoryHandle) throws(GitError) {
    WorkCount.add(.commits)
    unsafe pointer = try repository.withPointer { (repository) throws(GitError) in
      var oid = id.oid
      var found: OpaquePointer?
      let status = unsafe git_commit_lookup(&found, repository, &oid)
      guard status >= 0, let found = unsafe found else {
        let error = GitError.last(status, "read commit \(id)")
        // The library says "the requested type does not match the type in the ODB" with the same status.
        guard status == GIT_ENOTFOUND.rawValue else { throw error }
        let isOtherType = error.message.contains("type")
        throw GitError(
          isOtherType ? .invalidSpec : .missingObject, operation: error.operation, message: error.message,
          libraryCode: error.libraryCode, libraryClass: error.libraryClass)
      }
      return unsafe found
    }
  }

  deinit {
    unsafe git_commit_free(pointer)
  }

  var id: ObjectID { unsafe ObjectID(git_commit_id(pointer).pointee) }

  var tree: ObjectID { unsafe ObjectID(git_commit_tree_id(pointer).pointee) }

  /// Seconds since 1970.
  var committerTime: Int64 { unsafe git_commit_time(pointer) }

  var parents: [ObjectID] {
    var parents: [ObjectID] = []
    for index in 0..<(unsafe git_commit_parentcount(pointer)) {
      guard let parent = unsafe git_commit_parent_id(pointer, index) else { break }
      parents.append(unsafe ObjectID(parent.pointee))
    }
    return parents
  }

  /// Copies everything out. `parents` is given by the caller, who knows of a shallow clone's boundary.
  func value(parents: [ObjectID]) -> Commit {
    let message = unsafe git_commit_message(pointer).map { unsafe String(cString: $0) } ?? ""
    return unsafe Commit(
      id: id, tree: tree, parents: parents, author: Signature(git_commit_author(pointer)),
      committer: Signature(git_commit_committer(pointer)), message: message)
  }
}

extension Signature {
  /// Copies a `git_signature`; an absent one is empty.
  init(_ signature: UnsafePointer<git_signature>?) {
    guard let signature = unsafe signature?.pointee else {
      self.init(name: "", email: "", time: 0, offsetMinutes: 0)
      return
    }
    self.init(
      name: unsafe signature.name.map { unsafe String(cString: $0) } ?? "",
      email: unsafe signature.email.map { unsafe String(cString: $0) } ?? "",
      time: unsafe signature.when.time, offsetMinutes: unsafe Int(signature.when.offset))
  }
}
