internal import CLibGit2

extension Repository {
  /// The files of the working tree below `folder`, with the ids of the blobs that git would store for them.
  ///
  /// A file whose `stat` data are those that the index recorded has the index's id; any other is read and hashed. So
  /// `touch` changes nothing, and an edit that restores size and modification time is still found by its change
  /// time. Line ends, keywords and encodings are converted as the attributes say; a file that git stores through a
  /// filter is listed as unreadable, since no program of a repository is run. Ignored and untracked files are listed like
  /// any other; symbolic links are listed, never followed; a submodule is one entry with the commit that the index
  /// records; empty folders leave no trace. A folder that is a repository of its own is listed as unreadable.
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
    let head = try handle.head()
    let checkoutIndex = checkoutIndex(below: folder)
    let index = StatCache(checkoutIndex)
    let conversion = try ContentConversion(
      above: folder, of: folder, index: indexPath, tracksAttributes: index.holdsAttributes, workTree,
      commonDirectory: commonDirectoryBytes, handle)
    let walk = SnapshotWalk(
      workTree: workTree, index: index, conversion: conversion,
      trustsExecutableBit: try handle.configuration("core.filemode", fallback: true),
      maximumFileSize: maximumFileSize)
    var snapshot = walk.snapshot(of: folder, database, handle)
    snapshot.checkout = CheckoutState(head: head, index: checkoutIndex.status)
    return snapshot
  }

  /// What git would store for `bytes` in a working-tree file at `path`.
  ///
  /// Throws `.encoding`, and `.invalidSpec` for a path whose filter would have to be run.
  package func stored(_ bytes: [UInt8], at path: GitPath) throws(GitError) -> [UInt8] {
    let conversion = try conversion(of: path)
    return try ContentConversion.stored(bytes, at: path, conversion.form(of: path, handle), handle)
  }

  /// Why a file that is written at `path` would not be stored with its own bytes; nil where it would, but for line ends
  /// and keywords.
  package func obstacle(toStoringAt path: GitPath) throws(GitError) -> SkipReason? {
    switch try conversion(of: path).form(of: path, handle) {
    case .asIs, .converted(encoding: nil): nil
    case .converted(let encoding?): .encoding(encoding)
    case .filtered(let name): .filter(name)
    }
  }

  /// The folder above `path` that is the top of a repository of its own, or a submodule; nil where there is none.
  package func repository(owning path: GitPath) throws(GitError) -> GitPath? {
    let operation = "look for the repository of \(path)"
    let workTree = try openWorkTree(operation)
    var tree: ObjectID?
    if let head = try handle.head().commit { tree = try CommitHandle(head, in: handle).tree }
    var ancestor = path.parent
    while let folder = ancestor, !folder.isRoot {
      let mode = try tree.flatMap { (tree) throws(GitError) in try database.entry(at: folder, inTree: tree)?.mode }
      if mode == .submodule { return folder }
      if mode == nil, let git = try? workTree.open(folder.appending(".git".utf8).bytes, flags: moha_o_path),
        let status = try? git.status(operation)
      {
        let head = folder.appending(".git/HEAD".utf8)
        if status.isRegular || (try? workTree.open(head.bytes, flags: moha_o_path)) != nil { return folder }
      }
      ancestor = folder.parent
    }
    return nil
  }

  /// What git would write to the working tree for the stored `bytes` of a file at `path`.
  package func checkedOut(_ bytes: [UInt8], at path: GitPath) throws(GitError) -> [UInt8] {
    let conversion = try conversion(of: path)
    return try ContentConversion.checkedOut(bytes, at: path, conversion.form(of: path, handle), handle)
  }

  /// The conversions that files beside `path` may need: found without the index, from the working tree and HEAD.
  private func conversion(of path: GitPath) throws(GitError) -> ContentConversion {
    let workTree = try openWorkTree("convert \(path)")
    var tracksAttributes = try handle.configuration("core.sparsecheckout", fallback: false)
    if !tracksAttributes, let head = try handle.head().commit {
      let tree = try CommitHandle(head, in: handle).tree
      var folder = path.parent
      while let ancestor = folder, !tracksAttributes {
        tracksAttributes = try database.entry(at: ancestor.appending(".gitattributes".utf8), inTree: tree) != nil
        folder = ancestor.parent
      }
    }
    return try ContentConversion(
      above: path.parent ?? .root, of: path, index: indexPath, tracksAttributes: tracksAttributes, workTree,
      commonDirectory: commonDirectoryBytes, handle)
  }

  func openWorkTree(_ operation: String) throws(GitError) -> WorkTree {
    guard let workTreeBytes else {
      throw GitError(.bareRepository, operation: operation, message: "the repository has no working tree")
    }
    return try WorkTree(at: workTreeBytes)
  }
}
