/// The commits that can be reached from one commit, newest first.
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
    var parents: [Int]
  }

  /// In the order of discovery.
  private(set) var nodes: [Node] = []
  /// Positions in `nodes`, newest first.
  private(set) var order: [Int] = []
  private var positions: [ObjectID: Int] = [:]

  /// Reads all of the history. Throws `.missingObject` where a commit is absent and not cut off by `boundary`.
  init(from start: ObjectID, boundary: Set<ObjectID>, in repository: borrowing RepositoryHandle) throws(GitError) {
    var pending = [start]
    var parentIDs: [[ObjectID]] = []
    positions[start] = 0
    var next = 0
    while next < pending.count {
      let id = pending[next]
      next += 1
      let commit = try CommitHandle(id, in: repository)
      let parents = boundary.contains(id) ? [] : commit.parents
      nodes.append(Node(id: id, tree: commit.tree, time: commit.committerTime, parents: []))
      parentIDs.append(parents)
      for parent in parents where positions[parent] == nil {
        positions[parent] = pending.count
        pending.append(parent)
      }
    }
    for (position, parents) in parentIDs.enumerated() {
      nodes[position].parents = parents.compactMap { positions[$0] }
    }
    order = sorted()
  }

  func contains(_ id: ObjectID) -> Bool { positions[id] != nil }

  private func sorted() -> [Int] {
    var unseenChildren = [Int](repeating: 0, count: nodes.count)
    for node in nodes {
      for parent in node.parents { unseenChildren[parent] += 1 }
    }
    var result: [Int] = []
    result.reserveCapacity(nodes.count)
    var ready = Heap(nodes)
    // Only the start has no child: everything else was found through one.
    ready.insert(0)
    while let position = ready.removeFirst() {
      result.append(position)
      for parent in nodes[position].parents {
        unseenChildren[parent] -= 1
        if unseenChildren[parent] == 0 { ready.insert(parent) }
      }
    }
    return result
  }

  /// A binary heap of positions: the latest time first, then the earliest discovered.
  private struct Heap {
    private let nodes: [Node]
    private var items: [Int] = []

    init(_ nodes: [Node]) { self.nodes = nodes }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
      let leftTime = nodes[left].time
      let rightTime = nodes[right].time
      return leftTime == rightTime ? left < right : leftTime > rightTime
    }

    mutating func insert(_ position: Int) {
      items.append(position)
      var child = items.count - 1
      while child > 0 {
        let parent = (child - 1) / 2
        guard precedes(items[child], items[parent]) else { return }
        items.swapAt(child, parent)
        child = parent
      }
    }

    mutating func removeFirst() -> Int? {
      guard let first = items.first, let last = items.popLast() else { return nil }
      guard !items.isEmpty else { return first }
      items[0] = last
      var parent = 0
      while true {
        var best = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < items.count {
          if precedes(items[child], items[best]) { best = child }
        }
        guard best != parent else { return first }
        items.swapAt(parent, best)
        parent = best
      }
    }
  }
}
