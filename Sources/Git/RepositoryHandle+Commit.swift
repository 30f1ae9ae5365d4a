internal import CLibGit2

extension RepositoryHandle {
  /// Moves a branch from `old` to `new` under the branch's own lock, with a line in its reflog and in HEAD's.
  ///
  /// `whileLocked` is called when the lock's file, which becomes the branch's, is there.
  ///
  /// Throws `.modified` if the branch is not at `old`, `.locked` if another program has its lock. Success is not
  /// proof: on a full disk the library reports it too. Read HEAD again.
  borrowing func move(
    _ reference: String, from old: ObjectID, to new: ObjectID, by committer: Signature, reflog message: String,
    whileLocked: () throws(GitError) -> Void
  ) throws(GitError) {
    let operation = "move \(reference)"
    let committer = try SignatureHandle(committer)
    unsafe try withPointer { (repository) throws(GitError) in
      var transaction: OpaquePointer?
      try check(unsafe git_transaction_new(&transaction, repository), operation)
      // Lets go of the lock unless the branch has been moved.
      defer { unsafe git_transaction_free(transaction) }
      try RepositoryHandle.expectBranch(unsafe git_transaction_lock_ref(transaction, reference), operation)
      try whileLocked()
      var found: OpaquePointer?
      try RepositoryHandle.expectBranch(unsafe git_reference_lookup(&found, repository, reference), operation)
      defer { unsafe git_reference_free(found) }
      guard let target = unsafe git_reference_target(found), unsafe ObjectID(target.pointee) == old else {
        throw GitError(.modified, operation: operation, message: "it is not at \(old) any more")
      }
      var oid = new.oid
      unsafe try committer.withPointer { (committer) throws(GitError) in
        _ = try check(unsafe git_transaction_set_target(transaction, reference, &oid, committer, message), operation)
      }
      try RepositoryHandle.expectBranch(unsafe git_transaction_commit(transaction), operation)
    }
  }

  /// Makes a branch that is not there at `new`, as `move` does.
  borrowing func create(
    _ reference: String, at new: ObjectID, by committer: Signature, reflog message: String
  ) throws(GitError) {
    let operation = "move \(reference)"
    let name = Identity.cleaned(committer.name)
    let email = Identity.cleaned(committer.email)
    unsafe try withPointer { (repository) throws(GitError) in
      // The reflog would otherwise need a `user.name`.
      try check(unsafe git_repository_set_ident(repository, name, email), "name the committer")
      var nothing = ObjectID.zero.oid
      var target = new.oid
      var made: OpaquePointer?
      let status = unsafe git_reference_create_matching(&made, repository, reference, &target, 0, &nothing, message)
      unsafe git_reference_free(made)
      try RepositoryHandle.expectBranch(status, operation)
    }
  }

  /// A branch that has gone, or that somebody else has made, meanwhile has been modified.
  private static func expectBranch(_ status: Int32, _ operation: String) throws(GitError) {
    guard status < 0 else { return }
    let error = GitError.last(status, operation)
    guard status == GIT_EEXISTS.rawValue || status == GIT_ENOTFOUND.rawValue else { throw error }
    throw GitError(
      .modified, operation: error.operation, message: error.message, libraryCode: error.libraryCode,
      libraryClass: error.libraryClass)
  }
}
