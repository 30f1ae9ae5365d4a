extension Repository {
  /// The commits that changed `path`, newest first: those in which its entry differs from that in every parent.
  ///
  /// A merge that took one side's version is therefore not listed, but both sides are walked, so nothing that ever
  /// was in the file is lost. An entry that is a folder or a submodule counts as absent. No renames are followed.
  ///
  /// Throws `.missingObject` or `.corrupt`; in a shallow clone the history starts at its boundary.
  package func history(of path: GitPath, from start: ObjectID) throws(GitError) -> [PathRevision] {
    let graph = try CommitGraph(from: start, boundary: shallowBoundary(), in: handle)
    var lookup = EntryLookup(path)
    var entries: [EntryLookup.Entry?] = []
    entries.reserveCapacity(graph.nodes.count)
    for node in graph.nodes {
      let entry = try lookup.entry(inTree: node.tree, database)
      entries.append(entry.flatMap { $0.mode.isBlob ? $0 : nil })
    }
    var revisions: [PathRevision] = []
    for position in graph.order {
      let parents = graph.nodes[position].parents
      let entry = entries[position]
      if parents.isEmpty ? entry == nil : parents.contains(where: { entries[$0] == entry }) { continue }
      revisions.append(PathRevision(commit: try commit(in: graph, at: position), blob: entry?.id))
    }
    return revisions
  }

  /// The commits that changed any file below `folder`, newest first, with the changes in path order.
  ///
  /// For a first commit every file is new. For a merge, only paths that differ from every parent count, and `old` is
  /// the first parent's entry. At most `limit` commits are returned, and those that `base` reaches, itself included, are
  /// left out: see `CommitGraph`. Throws as `history(of:from:)` does.
  package func history(
    under folder: GitPath, from start: ObjectID, since base: ObjectID? = nil, limit: Int = .max
  ) throws(GitError) -> [(commit: Commit, changes: [TreeChange])] {
    let graph = try CommitGraph(from: start, since: base, boundary: shallowBoundary(), in: handle)
    var history: [(commit: Commit, changes: [TreeChange])] = []
    for position in graph.order {
      if history.count >= limit { break }
      let changes = try database.changes(by: position, in: graph, under: folder)
      if !changes.isEmpty { history.append((try commit(in: graph, at: position), changes)) }
    }
    return history
  }

  /// The files below `folder` that commits from `start` deleted, as far as `base` does not reach them; of a merge, only
  /// what no parent had deleted. In no order, and where dates are wrong with some that `base` reaches. Nil where `start` does not reach `base`, or `base` is not there.
  ///
  /// Throws as `history(of:from:)` does.
  package func deletions(
    under folder: GitPath, from start: ObjectID, since base: ObjectID?
  ) throws(GitError) -> [Deletion]? {
    let graph = try CommitGraph(
      from: start, since: base, isExact: false, boundary: shallowBoundary(), in: handle)
    guard base == nil || graph.reachesBase else { return nil }
    var deletions: [Deletion] = []
    for position in graph.order {
      let node = graph.nodes[position]
      guard let parent = node.parents.first else { continue }
      for change in try database.changes(by: position, in: graph, under: folder) where change.new == nil {
        guard let old = change.old, old.mode.isBlob else { continue }
        deletions.append(
          Deletion(file: old, commit: node.id, time: node.time, lastHolder: graph.nodes[parent].id))
      }
    }
    return deletions
  }

  /// The newest commit that changed each of `paths`, in one walk that ends when all are found. A path that the
  /// history never held is absent. Throws as `history(of:from:)` does.
  package func lastCommits(
    touching paths: Set<GitPath>, from start: ObjectID
  ) throws(GitError) -> [GitPath: Commit] {
    var missing = paths
    var found: [GitPath: Commit] = [:]
    guard let folder = GitPath.commonFolder(of: paths) else { return found }
    let graph = try CommitGraph(from: start, boundary: shallowBoundary(), in: handle)
    for position in graph.order {
      let touched = try database.changes(by: position, in: graph, under: folder).filter { missing.contains($0.path) }
      guard !touched.isEmpty else { continue }
      let commit = try commit(in: graph, at: position)
      for change in touched where missing.remove(change.path) != nil { found[change.path] = commit }
      if missing.isEmpty { break }
    }
    return found
  }

  private func commit(in graph: CommitGraph, at position: Int) throws(GitError) -> Commit {
    let node = graph.nodes[position]
    return try CommitHandle(node.id, in: handle).value(parents: node.parents.map { graph.nodes[$0].id })
  }
}

extension ObjectDatabase {
  /// What one commit changed below `folder`, against its parent, or against all of them.
  fileprivate borrowing func changes(
    by position: Int, in graph: CommitGraph, under folder: GitPath
  ) throws(GitError) -> [TreeChange] {
    let node = graph.nodes[position]
    guard let first = node.parents.first else { return try difference(from: nil, to: node.tree, under: folder) }
    var changes = try difference(from: graph.nodes[first].tree, to: node.tree, under: folder)
    for parent in node.parents.dropFirst() where !changes.isEmpty {
      let others = try difference(from: graph.nodes[parent].tree, to: node.tree, under: folder)
      let paths = Set(others.lazy.map(\.path))
      changes.removeAll { !paths.contains($0.path) }
    }
    return changes
  }
}

extension GitPath {
  /// The deepest folder that all the paths lie in; nil for no paths.
  static func commonFolder(of paths: Set<GitPath>) -> GitPath? {
    guard let first = paths.first else { return nil }
    var common = first.components.dropLast()
    for path in paths {
      let matching = zip(common, path.components.dropLast()).prefix { $0 == $1 }.count
      common = common.prefix(matching)
    }
    return GitPath(Array(common.joined(separator: [separator])))
  }
}
