internal import CLibGit2
internal import Telemetry

extension Repository {
  /// How many commits `commit` reaches that `base` does not: 0 for the same one, or one behind it.
  ///
  /// Throws `.missingObject` where one of the two is not there, as after a rewritten history was collected.
  package func distance(from base: ObjectID, to commit: ObjectID) throws(GitError) -> Int {
    if base == commit { return 0 }
    let boundary = try shallowBoundary()
    guard !boundary.isEmpty else { return try handle.ahead(commit, of: base) }
    // The library would go on past the boundary, and fail.
    _ = try CommitHandle(base, in: handle)
    return try CommitGraph(from: commit, since: base, boundary: boundary, in: handle).order.count
  }

  /// The oldest commit on the way of first parents from `commit` back to `base`, looking at `limit` at most; nil where
  /// they are the same.
  package func oldest(from base: ObjectID, to commit: ObjectID, limit: Int) throws(GitError) -> Commit? {
    var oldest: Commit?
    var next: ObjectID? = commit
    var count = 0
    while let id = next, id != base, count < limit {
      let found = try self.commit(id)
      oldest = found
      next = found.parents.first
      count += 1
    }
    return oldest
  }
}

extension RepositoryHandle {
  /// `git_graph_ahead_behind`.
  borrowing func ahead(_ commit: ObjectID, of base: ObjectID) throws(GitError) -> Int {
    WorkCount.add(.walks)
    return unsafe try withPointer { (repository) throws(GitError) in
      var (ahead, behind) = (0, 0)
      var (local, upstream) = (commit.oid, base.oid)
      try check(
        unsafe git_graph_ahead_behind(&ahead, &behind, repository, &local, &upstream),
        "count the commits between \(base) and \(commit)")
      return ahead
    }
  }
}
