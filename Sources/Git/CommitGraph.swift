internal import Telemetry

/// The commits that can be reached from one commit, newest first; on demand without those that another one reaches.
///
/// No commit comes before any of its children; among those that may come next, the one with the later committer
/// time does, as in `git log --date-order`. Every parent is followed. At the boundary of a shallow clone a commit
/// counts as having no parents, as it does for git.
struct CommitGraph {
  struct Node {
    let id: ObjectID
    let tree: ObjectID
    /// Seconds since 1970, from the committer.
    let time: Int64
    /// Positions in `nodes`.
    fileprivate(set) var parents: [Int]
  }

  /// The commits in the order of discovery, and behind them those of their parents that were left out.
  private(set) var nodes: [Node] = []
  /// Positions in `nodes`, newest first, without what was left out.
  private(set) var order: [Int] = []
  /// Whether the commit that was given as the base is one of those that the start reaches.
  let reachesBase: Bool

  /// Reads all of the history. Throws `.missingObject` where a commit is absent and not cut off by `boundary`.
  ///
  /// - Parameters:
  ///   - base: what it reaches is left out, itself included; nothing where it is not there. It need not be one that `start`
  ///     reaches.
  ///   - isExact: whether all that `base` reaches is read, too. Otherwise no more is than it takes to tell by the dates, and
  ///     where those of some commits are before their ancestors', commits that `base` reaches may be among the others.
  init(
    from start: ObjectID, since base: ObjectID? = nil, isExact: Bool = true, boundary: Set<ObjectID>,
    in repository: borrowing RepositoryHandle
  ) throws(GitError) {
    WorkCount.add(.walks)
    var walk = Walk(boundary: boundary)
    if let base {
      try walk.collect(from: start, since: base, isExact, in: repository)
    } else {
      try walk.collect(from: start, in: repository)
    }
    reachesBase = walk.reachesBase
    let count = walk.found.count
    var positions: [ObjectID: Int] = [:]
    for id in walk.found { positions[id] = positions.count }
    var outside: [ObjectID] = []
    for id in walk.found {
      for parent in walk.commits[id]?.parents ?? [] where positions[parent] == nil {
        positions[parent] = positions.count
        outside.append(parent)
      }
    }
    for id in walk.found + outside {
      let commit = try walk.commit(id, in: repository)
      nodes.append(Node(id: id, tree: commit.tree, time: commit.time, parents: []))
    }
    for position in 0..<count {
      nodes[position].parents = (walk.commits[nodes[position].id]?.parents ?? []).compactMap { positions[$0] }
    }
    order = sorted(count)
  }

  private func sorted(_ count: Int) -> [Int] {
    var unseenChildren = [Int](repeating: 0, count: count)
    for node in nodes[..<count] {
      for parent in node.parents where parent < count { unseenChildren[parent] += 1 }
    }
    var result: [Int] = []
    result.reserveCapacity(count)
    var ready = Heap<Place>()
    // Only the start has no child: everything else was found through one.
    if count > 0 { ready.insert(Place(time: nodes[0].time, position: 0)) }
    while let position = ready.removeFirst()?.position {
      result.append(position)
      for parent in nodes[position].parents where parent < count {
        unseenChildren[parent] -= 1
        if unseenChildren[parent] == 0 { ready.insert(Place(time: nodes[parent].time, position: parent)) }
      }
    }
    return result
  }

  /// The latest time is the greatest, then the earliest discovered.
  private struct Place: Comparable {
    let time: Int64
    let position: Int

    static func < (left: Place, right: Place) -> Bool {
      left.time == right.time ? left.position > right.position : left.time < right.time
    }
  }
}

/// Collects commits; each is read once.
private struct Walk {
  struct Known {
    let tree: ObjectID
    let time: Int64
    let parents: [ObjectID]
  }

  private struct Waiting: Comparable {
    let time: Int64
    let id: ObjectID

    static func < (left: Waiting, right: Waiting) -> Bool {
      left.time == right.time ? left.id < right.id : left.time < right.time
    }
  }

  let boundary: Set<ObjectID>
  /// Every commit that was read.
  private(set) var commits: [ObjectID: Known] = [:]
  /// Those that were asked for, in the order of discovery.
  private(set) var found: [ObjectID] = []
  private(set) var reachesBase = false

  init(boundary: Set<ObjectID>) { self.boundary = boundary }

  mutating func commit(_ id: ObjectID, in repository: borrowing RepositoryHandle) throws(GitError) -> Known {
    if let known = commits[id] { return known }
    let commit = try CommitHandle(id, in: repository)
    let known = Known(
      tree: commit.tree, time: commit.committerTime, parents: boundary.contains(id) ? [] : commit.parents)
    commits[id] = known
    return known
  }

  mutating func collect(from start: ObjectID, in repository: borrowing RepositoryHandle) throws(GitError) {
    var seen: Set<ObjectID> = [start]
    found = [start]
    var next = 0
    while next < found.count {
      for parent in try commit(found[next], in: repository).parents where seen.insert(parent).inserted {
        found.append(parent)
      }
      next += 1
    }
  }

  /// Walks from both by time, the latest first, until nothing is left that only `start` has been seen to reach; to the
  /// end, if that is to be exact.
  mutating func collect(
    from start: ObjectID, since base: ObjectID, _ isExact: Bool, in repository: borrowing RepositoryHandle
  ) throws(GitError) {
    if start == base {
      reachesBase = true
      return
    }
    guard let baseCommit = try present(base, in: repository) else { return try collect(from: start, in: repository) }
    var (hidden, seen): (Set<ObjectID>, Set<ObjectID>) = ([base], [base, start])
    var queue = Heap<Waiting>()
    queue.insert(Waiting(time: baseCommit.time, id: base))
    queue.insert(Waiting(time: try commit(start, in: repository).time, id: start))
    // In the queue, and not hidden.
    var open: Set<ObjectID> = [start]
    while isExact || !open.isEmpty, let id = queue.removeFirst()?.id {
      let isHidden = hidden.contains(id)
      if !isHidden {
        open.remove(id)
        found.append(id)
      }
      // What lies below the base may be missing, and is not asked for.
      guard let parents = isHidden ? try present(id, in: repository)?.parents : try commit(id, in: repository).parents
      else { continue }
      for parent in parents {
        if parent == base && !isHidden { reachesBase = true }
        if isHidden {
          hidden.insert(parent)
          open.remove(parent)
        }
        guard seen.insert(parent).inserted else { continue }
        if isHidden {
          if let commit = try present(parent, in: repository) { queue.insert(Waiting(time: commit.time, id: parent)) }
        } else {
          queue.insert(Waiting(time: try commit(parent, in: repository).time, id: parent))
          open.insert(parent)
        }
      }
    }
    // What `base` was seen to reach too late is passed on to what lies below it.
    var below = found.filter { hidden.contains($0) }
    while let id = below.popLast() {
      for parent in commits[id]?.parents ?? [] where hidden.insert(parent).inserted { below.append(parent) }
    }
    found.removeAll { hidden.contains($0) }
  }

  private mutating func present(
    _ id: ObjectID, in repository: borrowing RepositoryHandle
  ) throws(GitError) -> Known? {
    do throws(GitError) {
      return try commit(id, in: repository)
    } catch {
      guard error.code == .missingObject || error.code == .invalidSpec else { throw error }
      return nil
    }
  }
}
