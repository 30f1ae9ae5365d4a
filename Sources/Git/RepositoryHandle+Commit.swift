internal import CLibGit2

extension RepositoryHandle {
  /// `git_commit_create_buffer`: the bytes of a commit. Nothing is written or signed, and no hook runs.
  ///
  /// Both trees and commits that it names must be there.
  borrowing func encodedCommit(
    tree: ObjectID, parent: ObjectID?, author: Signature, committer: Signature, message: String
  ) throws(GitError) -> [UInt8] {
    let operation = "encode a commit"
    let author = try SignatureHandle(author)
    let committer = try SignatureHandle(committer)
    return unsafe try withPointer { (repository) throws(GitError) in
      var treeID = tree.oid
      var treePointer: OpaquePointer?
      try check(unsafe git_tree_lookup(&treePointer, repository, &treeID), "read tree \(tree)")
      defer { unsafe git_tree_free(treePointer) }
      var parents: [OpaquePointer?] = unsafe []
      defer { unsafe parents.forEach { unsafe git_commit_free($0) } }
      if let parent {
        var parentID = parent.oid
        var pointer: OpaquePointer?
        try check(unsafe git_commit_lookup(&pointer, repository, &parentID), "read commit \(parent)")
        unsafe parents.append(pointer)
      }
      var buffer = unsafe git_buf()
      defer { unsafe git_buf_dispose(&buffer) }
      unsafe try author.withPointer { (author) throws(GitError) in
        unsafe try committer.withPointer { (committer) throws(GitError) in
          let status = unsafe git_commit_create_buffer(
            &buffer, repository, author, committer, nil, message, treePointer, parents.count, &parents)
          _ = try check(status, operation)
        }
      }
      return unsafe Array(UnsafeRawBufferPointer(start: buffer.ptr, count: buffer.size))
    }
  }

  /// Moves a branch from `old` (nil: from not being there) to `new` under the branch's own lock, with a line in its
  /// reflog and in HEAD's.
  ///
  /// Throws `.modified` if the branch is not at `old`, `.locked` if another program has its lock. Success is not
  /// proof: on a full disk the library reports it too. Read HEAD again.
  borrowing func move(
    _ reference: String, from old: ObjectID?, to new: ObjectID, by committer: Signature, reflog message: String
  ) throws(GitError) {
    let name = Identity.cleaned(committer.name)
    let email = Identity.cleaned(committer.email)
    unsafe try withPointer { (repository) throws(GitError) in
      // The reflog would otherwise need a `user.name`.
      try check(unsafe git_repository_set_ident(repository, name, email), "name the committer")
      var expected = (old ?? .zero).oid
      var target = new.oid
      var moved: OpaquePointer?
      // Zero means that the branch must not exist; forcing is what lets an existing one be compared at all.
      let status = unsafe git_reference_create_matching(
        &moved, repository, reference, &target, old == nil ? 0 : 1, &expected, message)
      unsafe git_reference_free(moved)
      guard status >= 0 else {
        let error = GitError.last(status, "move \(reference)")
        // Gone, or made by somebody else, meanwhile.
        guard status == GIT_EEXISTS.rawValue || status == GIT_ENOTFOUND.rawValue else { throw error }
        throw GitError(
          .modified, operation: error.operation, message: error.message, libraryCode: error.libraryCode,
          libraryClass: error.libraryClass)
      }
    }
  }
}
