internal import Telemetry

/// How commits stand to one that is named, as HEAD: before it, after it, beside it, or not to be told.
package struct CommitStandings: Sendable {
  /// Commits that the named one reaches, and itself.
  package fileprivate(set) var reached: Set<ObjectID> = []
  /// Commits that reach the named one.
  package fileprivate(set) var newer: Set<ObjectID> = []
  /// Commits of other branches.
  package fileprivate(set) var beside: Set<ObjectID> = []
  /// Commits whose own history is not whole here, as half of a rewritten history that is being collected: where they
  /// belong cannot be told.
  package fileprivate(set) var severed: Set<ObjectID> = []
  /// Ids of no commit here.
  package fileprivate(set) var absent: Set<ObjectID> = []

  package init() {}
}

extension Repository {
  /// Where each of `commits` stands to `head`; nil for `head` tells only which are there, as `beside`.
  ///
  /// One walk from `head`, which ends as soon as all are found, and one from those that are left, which ends where the
  /// first one has been: each commit is read once at most, however many are asked about. The boundary of a shallow clone
  /// ends both. Throws `.missingObject` or `.corrupt` for a commit that `head` reaches.
  package func standings(of commits: Set<ObjectID>, to head: ObjectID?) throws(GitError) -> CommitStandings {
    var standings = CommitStandings()
    var left = commits
    var seen: Set<ObjectID> = []
    var boundary: Set<ObjectID> = []
    if let head {
      if left.remove(head) != nil { standings.reached.insert(head) }
      guard !left.isEmpty else { return standings }
      boundary = try shallowBoundary()
      try walk(from: head, boundary, &seen, until: &left, found: &standings.reached)
    }
    guard !left.isEmpty else { return standings }
    var present: Set<ObjectID> = []
    // A name that is unknown costs a look for new packs each time; one look does for all.
    try database.refresh()
    for commit in left {
      if database.probablyContains(commit), try database.header(commit)?.type == .commit {
        present.insert(commit)
      } else {
        standings.absent.insert(commit)
      }
    }
    guard let head else {
      standings.beside = present
      return standings
    }
    WorkCount.add(.walks)
    var descent = Descent(head: head, reached: seen, boundary: boundary)
    for commit in present {
      switch try descent.follow(commit, in: handle) {
      case .newer: standings.newer.insert(commit)
      case .beside: standings.beside.insert(commit)
      case .cut: standings.severed.insert(commit)
      }
    }
    return standings
  }

  /// Walks breadth first through all parents, and moves those of `wanted` that it comes by to `found`.
  private func walk(
    from start: ObjectID, _ boundary: Set<ObjectID>, _ seen: inout Set<ObjectID>, until wanted: inout Set<ObjectID>,
    found: inout Set<ObjectID>
  ) throws(GitError) {
    WorkCount.add(.walks)
    seen.insert(start)
    var front = [start]
    while !front.isEmpty {
      var next: [ObjectID] = []
      for id in front where !boundary.contains(id) {
        for parent in try CommitHandle(id, in: handle).parents where seen.insert(parent).inserted {
          if wanted.remove(parent) != nil {
            found.insert(parent)
            if wanted.isEmpty { return }
          }
          next.append(parent)
        }
      }
      front = next
    }
  }
}

/// Follows commits down to where `head` has been, and remembers for each on the way whether it came upon `head`.
private struct Descent {
  enum End {
    case newer
    case beside
    /// Without `head`, and a commit on the way is not there.
    case cut
  }

  let head: ObjectID
  /// What `head` reaches, itself included.
  let reached: Set<ObjectID>
  let boundary: Set<ObjectID>
  private var ends: [ObjectID: End] = [:]

  init(head: ObjectID, reached: Set<ObjectID>, boundary: Set<ObjectID>) {
    (self.head, self.reached, self.boundary) = (head, reached, boundary)
  }

  /// A commit that waits for the ends of its parents.
  fileprivate struct Step {
    let id: ObjectID
    let parents: [ObjectID]
    var next = 0
    var end = End.beside
  }

  /// Depth first, without recursion: a history is deeper than any stack.
  mutating func follow(_ commit: ObjectID, in repository: borrowing RepositoryHandle) throws(GitError) -> End {
    if let end = known(commit) { return end }
    guard let first = try step(commit, in: repository) else {
      ends[commit] = .cut
      return .cut
    }
    var path = [first]
    while var step = path.popLast() {
      guard step.end != .newer, step.next < step.parents.count else {
        ends[step.id] = step.end
        if var child = path.popLast() {
          child.take(step.end)
          path.append(child)
        }
        continue
      }
      let parent = step.parents[step.next]
      step.next += 1
      if let end = known(parent) {
        step.take(end)
        path.append(step)
      } else if let deeper = try self.step(parent, in: repository) {
        path.append(step)
        path.append(deeper)
      } else {
        ends[parent] = .cut
        step.take(.cut)
        path.append(step)
      }
    }
    return ends[commit] ?? .cut
  }

  private func known(_ commit: ObjectID) -> End? {
    if commit == head { return .newer }
    return reached.contains(commit) ? .beside : ends[commit]
  }

  /// Nil for a commit that is not there.
  private func step(_ commit: ObjectID, in repository: borrowing RepositoryHandle) throws(GitError) -> Step? {
    do throws(GitError) {
      let parents = try CommitHandle(commit, in: repository).parents
      return Step(id: commit, parents: boundary.contains(commit) ? [] : parents)
    } catch {
      guard error.code == .missingObject else { throw error }
      return nil
    }
  }
}

extension Descent.Step {
  /// What one parent came upon counts for its child: `head` before all, and then what is not there.
  mutating func take(_ parent: Descent.End) {
    if parent == .newer || parent == .cut && end == .beside { end = parent }
  }
}
