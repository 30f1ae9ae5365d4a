internal import CLibGit2
internal import Telemetry

extension Repository {
  /// Where HEAD stands now.
  package func head() throws(GitError) -> Head {
    try handle.head()
  }

  /// The multi-step command that a person has begun and not ended, if any.
  package var operationInProgress: OperationInProgress? {
    OperationInProgress(state: handle.state)
  }

  /// True if the history was cut off by `git clone --depth`. Walks end at the boundary as if the commits there
  /// had no parents.
  package var isShallow: Bool {
    get throws(GitError) { try !shallowBoundary().isEmpty }
  }

  /// The commit that a revision names, in any of git's spellings of one commit; tags are followed.
  ///
  /// Throws `.notFound`, `.ambiguous`, or `.invalidSpec` for a malformed revision and for one that names
  /// something else than a commit.
  package func resolve(_ revision: String) throws(GitError) -> ObjectID {
    try handle.resolve(revision)
  }

  /// Throws `.missingObject`, `.corrupt`, or `.invalidSpec` if the object is no commit.
  package func commit(_ id: ObjectID) throws(GitError) -> Commit {
    let commit = try CommitHandle(id, in: handle)
    let isBoundary = try shallowBoundary().contains(id)
    return commit.value(parents: isBoundary ? [] : commit.parents)
  }

  /// A commit and its first parents, newest first, down to `end` if it is among the first `limit`.
  ///
  /// Throws `.missingObject` where `start` is not there; the boundary of a shallow clone ends the line.
  package func firstParents(
    of start: ObjectID, until end: ObjectID, limit: Int
  ) throws(GitError) -> [ObjectID] {
    let boundary = try shallowBoundary()
    var chain = [start]
    while let last = chain.last, last != end, chain.count < limit, !boundary.contains(last),
      let parent = try CommitHandle(last, in: handle).parents.first
    {
      chain.append(parent)
    }
    return chain
  }

  /// False if there is no such object or it is no commit.
  package func commitExists(_ id: ObjectID) throws(GitError) -> Bool {
    try database.header(id)?.type == .commit
  }

  /// True if `ancestor` can be reached from `descendant` through parents, or is the same commit.
  ///
  /// Throws `.missingObject` if `descendant`, or a commit on the way, is not there.
  package func isAncestor(_ ancestor: ObjectID, of descendant: ObjectID) throws(GitError) -> Bool {
    _ = try CommitHandle(descendant, in: handle)
    if ancestor == descendant { return true }
    guard try commitExists(ancestor) else { return false }
    let boundary = try shallowBoundary()
    guard boundary.isEmpty else {
      // The library would go on past the boundary, and fail.
      return try standings(of: [ancestor], to: descendant).reached.contains(ancestor)
    }
    return try handle.isDescendant(descendant, of: ancestor)
  }
}

extension RepositoryHandle {
  borrowing func head() throws(GitError) -> Head {
    var failures = 0
    while true {
      do throws(GitError) {
        return try readHead()
      } catch {
        failures += 1
        guard error.isOfFileReplaced, failures < GitError.maintenanceTries else { throw error }
        Pause.short()
      }
    }
  }

  private borrowing func readHead() throws(GitError) -> Head {
    unsafe try withPointer { (repository) throws(GitError) in
      var reference: OpaquePointer?
      try check(unsafe git_reference_lookup(&reference, repository, "HEAD"), "read HEAD")
      defer { unsafe git_reference_free(reference) }
      var oid = git_oid()
      guard let target = unsafe git_reference_symbolic_target(reference) else {
        try check(unsafe git_reference_name_to_id(&oid, repository, "HEAD"), "read HEAD")
        return .commit(ObjectID(oid), reference: nil)
      }
      let name = unsafe String(cString: target)
      let status = unsafe git_reference_name_to_id(&oid, repository, target)
      if status == GIT_ENOTFOUND.rawValue {
        git_error_clear()
        return .unborn(reference: name)
      }
      try check(status, "read \(name)")
      return .commit(ObjectID(oid), reference: name)
    }
  }

  borrowing func resolve(_ revision: String) throws(GitError) -> ObjectID {
    let operation = "resolve the revision '\(revision)'"
    guard !revision.utf8.contains(0), !revision.isEmpty else {
      throw GitError(.invalidSpec, operation: operation, message: "it is empty or holds a NUL byte")
    }
    return unsafe try withPointer { (repository) throws(GitError) in
      var object: OpaquePointer?
      let status = unsafe git_revparse_single(&object, repository, revision)
      guard status >= 0 else {
        let error = GitError.last(status, operation)
        // An id in full that no object has is a revision that is not there, not damage.
        guard error.code == .missingObject else { throw error }
        throw GitError(
          .notFound, operation: operation, message: error.message, libraryCode: error.libraryCode,
          libraryClass: error.libraryClass)
      }
      defer { unsafe git_object_free(object) }
      var commit: OpaquePointer?
      try check(unsafe git_object_peel(&commit, object, GIT_OBJECT_COMMIT), operation)
      defer { unsafe git_object_free(commit) }
      guard let id = unsafe git_object_id(commit) else { throw GitError.last(-1, operation) }
      return unsafe ObjectID(id.pointee)
    }
  }

  /// `git_graph_descendant_of`: false for a commit and itself.
  borrowing func isDescendant(_ descendant: ObjectID, of ancestor: ObjectID) throws(GitError) -> Bool {
    WorkCount.add(.walks)
    return unsafe try withPointer { (repository) throws(GitError) in
      var descendantID = descendant.oid
      var ancestorID = ancestor.oid
      let status = unsafe git_graph_descendant_of(repository, &descendantID, &ancestorID)
      return try check(status, "compare the histories of \(ancestor) and \(descendant)") == 1
    }
  }
}
