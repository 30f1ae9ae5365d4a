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

extension Repository {
  /// Writes what the index will be after `changes`; the caller holds its lock.
  ///
  /// A missing index is made only for the first commit: otherwise it means that nothing was ever checked out.
  func prepareIndex(
    _ changes: [TreeChange], isFirstCommit: Bool, _ writer: borrowing WriterLock
  ) throws(GitError) -> PreparedIndex {
    let operation = "edit the index"
    let target = gitDirectoryBytes + Array("/index".utf8)
    func unchanged(_ state: CommitOutcome.IndexState) -> PreparedIndex {
      PreparedIndex(state: state, file: nil, target: target, folder: gitDirectoryBytes)
    }
    let found = try FileIdentity(at: target, operation)
    if found == nil, !isFirstCommit { return unchanged(.skipped("there is no index")) }
    if let found, found.mode & S_IFMT != S_IFREG { return unchanged(.skipped("it is not a regular file")) }
    var bytes = IndexRefresh.empty
    if found != nil {
      let file = try Descriptor(opening: target, O_RDONLY | O_NOFOLLOW, operation)
      bytes = try file.readAll(
        expecting: Int(clamping: try file.status(operation).size), limit: 4 << 30, operation)
    }
    let workTree = try openWorkTree(operation)
    let result = IndexRefresh.apply(changes, to: bytes) { entry in
      try? Repository.indexStatus(of: entry, workTree)
    }
    guard let result else { return unchanged(.skipped("its format is not one that can be edited")) }
    let state = CommitOutcome.IndexState.refreshed(entries: result.refreshed, kept: result.kept)
    guard let new = result.bytes else { return unchanged(state) }
    let path = writer.folderPath + Array("/index.new".utf8)
    // Made with the permissions that git would give it; an existing index keeps its own.
    try removeFile(at: path, operation)
    let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o666, operation)
    let prepared = PreparedIndex(state: state, file: path, target: target, folder: gitDirectoryBytes)
    if let found, fchmod(file.number, found.mode & 0o777) != 0 { throw GitError.system(errno, operation) }
    try file.write(new, operation)
    try file.synchronize(operation)
    return prepared
  }

  /// The `stat` data of a file that has the entry's content; nil if it has not.
  private static func indexStatus(
    of entry: TreeEntry, _ workTree: borrowing WorkTree
  ) throws(GitError) -> IndexRefresh.Status? {
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
    return IndexRefresh.Status(
      changed: status.changed, modified: status.modified, device: UInt32(truncatingIfNeeded: before.st_dev),
      inode: UInt32(truncatingIfNeeded: before.st_ino), user: before.st_uid, group: before.st_gid,
      size: UInt32(truncatingIfNeeded: before.st_size))
  }
}
