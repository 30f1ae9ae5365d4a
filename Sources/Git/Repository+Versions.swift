extension Repository {
  /// How many commits that seem to be too old are looked at all the same.
  private static let oldCommits = 20

  /// The versions of a file in the commits that can be reached from `start`, newest first and each once, until `visit`
  /// returns false or `limit` commits were looked at. The first one is that of `start`.
  ///
  /// Every parent is followed, later commits first, so that a version of a merged branch is found, too. Only as much of
  /// the history is read as is asked for: the walk ends after some commits from before `earliest` (seconds since 1970), of
  /// which a single one may only have a wrong date. At the boundary of a shallow clone, and where a partial clone lacks a
  /// commit, it goes no further that way.
  ///
  /// Throws `.corrupt`, and what `visit` throws.
  package func visitVersions(
    of path: GitPath, from start: ObjectID, limit: Int, earliest: Int64 = .min,
    _ visit: (ObjectID) throws(GitError) -> Bool
  ) throws(GitError) {
    let boundary = try shallowBoundary()
    var lookup = EntryLookup(path)
    var seenCommits: Set<ObjectID> = [start]
    var seenVersions: Set<ObjectID> = []
    var pending: [(time: Int64, id: ObjectID)] = [(.max, start)]
    var visited = 0
    var older = 0
    while visited < limit, let next = pending.indices.max(by: { pending[$0].time < pending[$1].time }) {
      let id = pending.remove(at: next).id
      visited += 1
      let commit: CommitHandle
      do throws(GitError) {
        commit = try CommitHandle(id, in: handle)
      } catch {
        if error.code == .missingObject { continue }
        throw error
      }
      if commit.committerTime < earliest {
        older += 1
        if older > Self.oldCommits { return }
      }
      if let entry = try lookup.entry(inTree: commit.tree, database), entry.mode.isBlob,
        seenVersions.insert(entry.id).inserted, try !visit(entry.id)
      {
        return
      }
      if boundary.contains(id) { continue }
      for parent in commit.parents where seenCommits.insert(parent).inserted {
        let time = (try? CommitHandle(parent, in: handle).committerTime) ?? .min
        pending.append((time, parent))
      }
    }
  }
}
