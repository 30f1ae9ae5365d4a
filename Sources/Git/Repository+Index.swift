internal import Glibc

/// A new index, written and durable under another name, that takes its place when HEAD has moved.
struct PreparedIndex: ~Copyable {
  let state: CommitOutcome.IndexState
  /// Nil if the index stays as it is.
  fileprivate var file: [UInt8]?
  fileprivate let target: [UInt8]
  fileprivate let folder: [UInt8]

  deinit {
    if let file { try? removeFile(at: file, "remove a temporary file") }
  }

  /// Puts the new index in place.
  consuming func install() throws(GitError) {
    guard let file else { return }
    let operation = "replace the index"
    try unsafe CStrings.withCString(file) { (file) throws(GitError) in
      try unsafe CStrings.withCString(target) { (target) throws(GitError) in
        guard unsafe rename(file, target) == 0 else { throw GitError.system(errno, operation) }
      }
    }
    self.file = nil
    try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY, operation).synchronize(operation)
  }
}

/// What a commit changes, as an index is told.
struct TreeStep {
  /// The parent's tree; nil for a first commit.
  let old: ObjectID?
  let new: ObjectID?
  /// From the one to the other, sorted by path.
  let changes: [TreeChange]

  var reversed: TreeStep {
    TreeStep(old: new, new: old, changes: changes.map { TreeChange(path: $0.path, old: $0.new, new: $0.old) })
  }
}

extension Repository {
  /// The index as it is now, to be edited: `known` if that is what it still is.
  func currentIndex(_ known: CheckoutIndex? = nil) throws(GitError) -> CheckoutIndex {
    if let known, let status = known.status, try FileStatus(at: indexPath, "look at the index") == status {
      return known
    }
    return CheckoutIndex(at: indexPath, below: .root, .checksum)
  }

  /// Writes what `index` will be after a commit; the caller holds its lock, and has seen that it is not unreadable.
  ///
  /// A missing index is made only for the first commit: otherwise it means that nothing was ever checked out.
  ///
  /// `merge` is asked about files that a person has staged with other content than the step's.
  func prepareIndex(
    _ step: TreeStep, _ index: CheckoutIndex, isFirstCommit: Bool, _ writer: borrowing WriterLock,
    merging merge: CommitRequest.StagedMerge? = nil
  ) throws(GitError) -> PreparedIndex {
    let operation = "edit the index"
    let target = indexPath
    func unchanged(_ state: CommitOutcome.IndexState) -> PreparedIndex {
      PreparedIndex(state: state, file: nil, target: target, folder: gitDirectoryBytes)
    }
    let known = index.condition == .missing && isFirstCommit ? CheckoutIndex.empty : index
    guard let file = known.file else { return unchanged(.skipped("there is no index")) }
    let folders = try SparseFolders(file, step.changes, from: step.old, to: step.new, database)
    let workTree = try openWorkTree(operation)
    // Hashing is bounded: what is over is left for git to look at.
    var budget = 64 << 20
    let result = IndexRefresh.apply(folders.changes, to: folders.index, written: known.written) { change, staged in
      merge.flatMap { try? merged(change, staged, $0) }
    } status: { entry in
      try? Repository.indexStatus(of: entry, workTree)
    } isOutdated: { path, entry in
      Repository.isOutdated(path, entry, workTree, &budget)
    }
    let state = CommitOutcome.IndexState.refreshed(entries: result.refreshed, kept: result.kept)
    guard let new = result.bytes else { return unchanged(state) }
    let path = writer.folderPath + Array("/index.new".utf8)
    // Made with the permissions that git would give it; an existing index keeps its own.
    try removeFile(at: path, operation)
    let output = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o666, operation)
    let prepared = PreparedIndex(state: state, file: path, target: target, folder: gitDirectoryBytes)
    if let found = known.status, fchmod(output.number, found.mode & 0o777) != 0 {
      throw GitError.system(errno, operation)
    }
    try permissions.adjust(output.number, operation)
    try output.write(new, operation)
    try output.synchronize(operation)
    return prepared
  }

  /// A person's staged file with what the change brings, durable; nil where it stays.
  private func merged(
    _ change: TreeChange, _ staged: TreeEntry, _ merge: CommitRequest.StagedMerge
  ) throws(GitError) -> TreeEntry? {
    guard let new = change.new, new.mode == .regular || new.mode == .executable else { return nil }
    let limit = 64 << 20
    let old = if let entry = change.old { try blob(entry.id, limit: limit) } else { [UInt8]() }
    guard let bytes = merge(change.path, try blob(staged.id, limit: limit), old, try blob(new.id, limit: limit)) else {
      return nil
    }
    let both = NewObject(id: .blob(bytes), type: .blob, bytes: bytes)
    try database.write(both, in: ObjectFolder(below: commonDirectoryBytes, permissions))
    return TreeEntry(path: change.path, id: both.id, mode: staged.mode)
  }

  /// The `stat` data of a file that has the entry's content; nil if it has not.
  private static func indexStatus(
    of entry: TreeEntry, _ workTree: borrowing WorkTree
  ) throws(GitError) -> IndexBuilder.Status? {
    let operation = "read \(entry.path)"
    guard entry.mode == .regular || entry.mode == .executable else { return nil }
    let file = try workTree.openFile(entry.path.bytes)
    var before = stat()
    guard unsafe fstat(file.number, &before) == 0, before.st_mode & S_IFMT == S_IFREG else { return nil }
    guard try ObjectID.blob(file.readAll(expecting: Int(before.st_size), limit: 64 << 20, operation)) == entry.id else {
      return nil
    }
    let status = FileStatus(before)
    guard try file.status(operation) == status else { return nil }
    return IndexBuilder.Status(
      changed: status.changed, modified: status.modified, device: UInt32(truncatingIfNeeded: before.st_dev),
      inode: UInt32(truncatingIfNeeded: before.st_ino), user: before.st_uid, group: before.st_gid,
      size: UInt32(truncatingIfNeeded: before.st_size))
  }

  /// True if git, which compares no more than seconds and size where it is told so, would take the file for the entry's
  /// and it has other content. A file that is over the budget of bytes counts as having other content.
  private static func isOutdated(
    _ path: GitPath, _ entry: IndexFile.Entry, _ workTree: borrowing WorkTree, _ budget: inout Int
  ) -> Bool {
    let operation = "read \(path)"
    if FileMode(rawMode: entry.mode) == .symlink {
      guard let target = try? workTree.readLink(path.bytes), target.count == Int(entry.size) else { return false }
      return ObjectID.blob(target) != entry.id
    }
    guard let file = try? workTree.openFile(path.bytes) else { return false }
    guard let status = try? file.status(operation), status.isRegular,
      status.modified.seconds == entry.modified.seconds, UInt32(truncatingIfNeeded: status.size) == entry.size
    else { return false }
    guard status.size <= budget else { return true }
    budget -= Int(status.size)
    guard let bytes = try? file.readAll(expecting: Int(status.size), limit: Int(status.size), operation) else {
      return true
    }
    return ObjectID.blob(bytes) != entry.id
  }
}
