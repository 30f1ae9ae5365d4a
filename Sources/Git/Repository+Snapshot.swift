extension Repository {
  /// The files of the working tree below `folder`, with the ids that blobs of their bytes have.
  ///
  /// A file whose `stat` data are those that the index recorded has the index's id; any other is read and hashed. So
  /// `touch` changes nothing, and an edit that restores size and modification time is still found by its change
  /// time. Ignored and untracked files are listed like any other; symbolic links are listed, never followed;
  /// a submodule is one entry with the commit that the index records; empty folders leave no trace.
  ///
  /// What could not be read is listed too, and does not stop the walk. Files over `maximumFileSize` bytes are hashed in
  /// bounded memory. The index is neither locked nor written.
  ///
  /// Throws `.bareRepository`, `.invalidSpec` for a malformed path, `.io` or `.notFound` if the working tree itself
  /// cannot be opened.
  package func snapshot(
    under folder: GitPath, maximumFileSize: Int = 64 << 20
  ) throws(GitError) -> WorkTreeSnapshot {
    guard folder.isWellFormed else {
      throw GitError(.invalidSpec, operation: "list \(folder)", message: "the path is malformed")
    }
    let workTree = try openWorkTree("list \(folder)")
    let index = StatCache(path: gitDirectoryBytes + Array("/index".utf8), folder: folder)
    let conversion = try ContentConversion(
      for: folder, index, workTree, gitDirectory: commonDirectoryBytes, handle)
    let walk = SnapshotWalk(
      workTree: workTree, index: index, conversion: conversion,
      trustsExecutableBit: try handle.configuration("core.filemode", fallback: true),
      maximumFileSize: maximumFileSize)
    return walk.snapshot(of: folder, database, handle)
  }

  func openWorkTree(_ operation: String) throws(GitError) -> WorkTree {
    guard let workTreeBytes else {
      throw GitError(.bareRepository, operation: operation, message: "the repository has no working tree")
    }
    return try WorkTree(at: workTreeBytes)
  }
}
