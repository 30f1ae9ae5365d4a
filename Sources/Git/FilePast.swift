/// What one file was in the commits of a part of history, in no order.
package struct FilePast: Sendable {
  /// A commit in which the file differs from that in every parent.
  package struct Version: Hashable, Comparable, Sendable {
    /// Seconds since 1970, from the committer.
    package let time: Int64
    package let commit: ObjectID
    package let blob: ObjectID

    package init(time: Int64, commit: ObjectID, blob: ObjectID) {
      (self.time, self.commit, self.blob) = (time, commit, blob)
    }

    /// The later one is the greater.
    package static func < (left: Version, right: Version) -> Bool {
      left.time == right.time ? left.commit < right.commit : left.time < right.time
    }
  }

  /// A commit and one that was made upon it, between which the file changed.
  package struct Change: Hashable, Sendable {
    /// The older commit, with what it held.
    package let last: Version
    /// What the newer commit holds; nil where that has no file.
    package let new: ObjectID?
  }

  package fileprivate(set) var versions: [Version] = []
  package fileprivate(set) var changes: [Change] = []
  /// What the newest commit holds; nil where that has no file.
  package fileprivate(set) var current: ObjectID?

  package init() {}
}

extension Repository {
  /// The past of `file` and of every file below `folder`, as far as commits from `start` tell that `base` does not reach;
  /// with the files that `start` has, whether they changed or not, and the number of those commits. Where dates are wrong,
  /// some that `base` reaches may be among them.
  ///
  /// One walk for all of them; nil where `start` does not reach `base`, or `base` is not there. Throws as
  /// `history(of:from:)` does.
  package func past(
    of file: GitPath, and folder: GitPath, from start: ObjectID, since base: ObjectID?
  ) throws(GitError) -> (files: [GitPath: FilePast], commits: Int)? {
    let graph = try CommitGraph(
      from: start, since: base, isExact: false, boundary: shallowBoundary(), in: handle)
    guard base == nil || graph.reachesBase else { return nil }
    var reader = PastReader(file: file, folder: folder)
    for position in graph.order { try reader.add(position, of: graph, database) }
    try reader.addCurrent(in: commit(start).tree, database)
    return (reader.past, graph.order.count)
  }
}

private struct PastReader {
  private let file: GitPath
  private let folder: GitPath
  private var fileLookup: EntryLookup
  private var folderLookup: EntryLookup
  private(set) var past: [GitPath: FilePast] = [:]

  init(file: GitPath, folder: GitPath) {
    (self.file, self.folder) = (file, folder)
    fileLookup = EntryLookup(file)
    folderLookup = EntryLookup(folder)
  }

  private struct Change {
    let old: ObjectID?
    let new: ObjectID?
  }

  /// What a commit changed against one parent, or against nothing.
  private mutating func changes(
    from old: ObjectID?, to new: ObjectID, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> [GitPath: Change] {
    var changes: [GitPath: Change] = [:]
    let (before, after) = (try blob(old, database), try blob(new, database))
    if before != after { changes[file] = Change(old: before, new: after) }
    let (oldFolder, newFolder) = (try tree(old, database), try tree(new, database))
    for change in try database.difference(from: oldFolder, to: newFolder, under: .root) {
      let path = folder.appending(change.path.bytes)
      let old = change.old.flatMap { $0.mode.isBlob ? $0.id : nil }
      let new = change.new.flatMap { $0.mode.isBlob ? $0.id : nil }
      if old != new { changes[path] = Change(old: old, new: new) }
    }
    return changes
  }

  private mutating func blob(
    _ root: ObjectID?, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> ObjectID? {
    guard let root, let entry = try fileLookup.entry(inTree: root, database), entry.mode.isBlob else { return nil }
    return entry.id
  }

  private mutating func tree(
    _ root: ObjectID?, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> ObjectID? {
    guard let root, let entry = try folderLookup.entry(inTree: root, database), entry.mode == .tree else { return nil }
    return entry.id
  }

  mutating func add(
    _ position: Int, of graph: CommitGraph, _ database: borrowing ObjectDatabase
  ) throws(GitError) {
    let node = graph.nodes[position]
    // In every parent another one: what a merge took from one side is no version of its own.
    var own: [GitPath: ObjectID]?
    for parent in node.parents {
      let parent = graph.nodes[parent]
      let changes = try self.changes(from: parent.tree, to: node.tree, database)
      for (path, change) in changes {
        guard let old = change.old else { continue }
        past[path, default: FilePast()].changes.append(
          FilePast.Change(last: .init(time: parent.time, commit: parent.id, blob: old), new: change.new))
      }
      let news = changes.compactMapValues(\.new)
      own = own.map { $0.filter { news[$0.key] != nil } } ?? news
    }
    if node.parents.isEmpty { own = try changes(from: nil, to: node.tree, database).compactMapValues(\.new) }
    for (path, blob) in own ?? [:] {
      past[path, default: FilePast()].versions.append(.init(time: node.time, commit: node.id, blob: blob))
    }
  }

  mutating func addCurrent(in root: ObjectID, _ database: borrowing ObjectDatabase) throws(GitError) {
    for (path, change) in try changes(from: nil, to: root, database) {
      past[path, default: FilePast()].current = change.new
    }
  }
}
