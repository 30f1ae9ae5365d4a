internal import Glibc

/// An index that holds a folder as a commit before HEAD has it: the checkout was not brought along when HEAD moved.
///
/// A command such as `git checkout -f`, `git stash` or a merge that is given up reads HEAD, takes its time over the files,
/// and writes the index in the end, without a look at whether HEAD still is what it was; a push or fetch can move the
/// branch that is checked out. What was committed in between is then in neither the index nor the working tree, and looks
/// as if a person had staged its removal.
package struct StaleCheckout: Hashable, Sendable {
  package let head: ObjectID
  /// The commit that the checkout is of: one of HEAD's line of first parents.
  package let ancestor: ObjectID
  /// What the folder's files changed by since, sorted by path.
  package let changes: [TreeChange]
  /// The commits since, newest first.
  package let commits: [ObjectID]
  /// The seconds from the first of them, by its own clock, to the moment in which the index was written.
  package let lag: Int64
  /// Whether one command wrote all of the folder's entries: then nobody has staged any of them.
  package let isCertain: Bool
}

/// Tells an index from any that was written before or after it.
package struct IndexStamp: Hashable, Sendable {
  package let text: String

  package init(text: String) {
    self.text = text
  }

  init(_ status: FileStatus) {
    let times = [status.modified, status.changed].map { "\($0.seconds).\($0.nanoseconds)" }
    text = ([String(status.inode), String(status.size)] + times).joined(separator: " ")
  }
}

extension CheckoutIndex {
  /// Nil where there is no index, or it cannot be read.
  package var stamp: IndexStamp? { status.map(IndexStamp.init) }
}

extension Repository {
  /// The stamp of the index as it is now; nil where there is none.
  package func indexStamp() throws(GitError) -> IndexStamp? {
    try FileStatus(at: indexPath, "look at the index").map(IndexStamp.init)
  }

  /// How many commits before HEAD a checkout is looked for.
  private static let staleDepth = 64

  /// The commit before HEAD that `index` holds `folder` of; nil if it has HEAD's, or something else.
  ///
  /// Git notes for each folder which tree its entries make, in the index's extension TREE, when it writes a whole tree, and
  /// takes the note away when one entry is changed. Where there is such a note nobody has staged anything there; where
  /// there is none, a person may have put the entries back one by one.
  ///
  /// `index` was read below `folder`, or a folder around it. At most 64 commits are read.
  package func staleCheckout(of folder: GitPath, _ index: CheckoutIndex) throws(GitError) -> StaleCheckout? {
    guard let head = try handle.head().commit else { return nil }
    let noted = index.notedTree(of: folder)
    let found: ObjectID? = if let noted { noted } else { try subtree(of: folder, in: index) }
    guard index.condition == .whole, let tree = found else { return nil }
    let current = try CommitHandle(head, in: handle).tree
    func folderTree(_ root: ObjectID) throws(GitError) -> ObjectID {
      try database.entry(at: folder, inTree: root).flatMap { $0.mode == .tree ? $0.id : nil } ?? .emptyTree
    }
    if try folderTree(current) == tree { return nil }
    var commits = [head]
    for ancestor in try firstParents(of: head, until: .zero, limit: Repository.staleDepth).dropFirst() {
      defer { commits.append(ancestor) }
      let root = try CommitHandle(ancestor, in: handle).tree
      guard try folderTree(root) == tree else { continue }
      let first = try CommitHandle(commits[commits.count - 1], in: handle).committerTime
      return StaleCheckout(
        head: head, ancestor: ancestor, changes: try difference(from: root, to: current, under: folder), commits: commits,
        lag: index.written.seconds &- first, isCertain: noted != nil)
    }
    return nil
  }

  /// Brings the entries of a stale checkout to those of HEAD. What a person has staged meanwhile stays.
  ///
  /// The new index's stamp; nil if HEAD has moved since it was found. Throws `.locked` if another program holds a lock, and what a commit
  /// throws while it edits the index.
  package func refreshIndex(_ checkout: StaleCheckout, lockWait: Duration = .seconds(1)) throws(GitError) -> IndexStamp? {
    try EnclosingCommand.expectNone()
    let writer = try WriterLock(
      commonDirectory: commonDirectoryBytes, permissions, until: .now + Repository.writerPatience)
    _ = try recover(writer, olderThan: 60, now: Repository.clock())
    try writer.record(WriterLock.Entry(process: getpid(), durable: writer.previous.durable))
    defer { try? writer.record(WriterLock.Entry(durable: writer.previous.durable)) }
    let targets = lockTargets(nil)
    let deadline = ContinuousClock.now + lockWait
    let indexLock = try GitLock(of: targets.index, writer, until: deadline)
    let headLock = try GitLock(of: targets.head, writer, until: deadline)
    guard try handle.head().commit == checkout.head else { return nil }
    let step = TreeStep(
      old: try CommitHandle(checkout.ancestor, in: handle).tree, new: try CommitHandle(checkout.head, in: handle).tree,
      changes: checkout.changes)
    let index = try currentIndex()
    guard index.isWhole else { return nil }
    try prepareIndex(step, index, isFirstCommit: false, writer).install()
    let stamp = try indexStamp()
    _ = consume headLock
    _ = consume indexLock
    return stamp
  }
}

extension CheckoutIndex {
  /// The tree that git noted for the folder's entries when it wrote them; nil if one was changed since.
  fileprivate func notedTree(of folder: GitPath) -> ObjectID? {
    guard let file, let trees = file.extensions.first(where: { $0.name == "TREE" }) else { return nil }
    return CachedTrees.tree(of: folder, in: Array(file.bytes[trees.content]))
  }
}
