/// The bytes of an index after a commit that did not come from it: what `git commit -- path` would leave.
///
/// Why the index has to follow: git compares it with HEAD. An index that still holds the parent's entry shows the new
/// commit as a staged reversal, and the next `git commit` of a person, whose tree is made from the index, takes the
/// committed records back out of HEAD. So an entry moves on if it says nothing of its own, that is, if it equals the
/// parent's; an entry that a person staged stays, or is merged with ours where the caller knows how
/// (`CommitRequest.StagedMerge`), as does everything that is not ours. An entry that stands for a folder
/// (a sparse index) is an entry like any other, whose id is a tree's: see `SparseFolders`.
///
/// The file is edited as bytes, not through the library, which would drop the extensions that it does not know and
/// rewrite every entry. Untouched entries keep their bytes, flags and `stat` data included, but for one thing. Git trusts
/// the `stat` data of an entry only if its file is older than the index, in seconds: a file that is changed again in the
/// second in which it was staged would count as unchanged for good once the index is written anew. Git looks at such
/// files whenever it writes the index, and makes the size zero where they differ; so does this (`isOutdated`).
///
/// Of the extensions (gitformat-index(5)):
/// - TREE (trees known for folders) loses the changed folders, or git would commit the old trees again;
/// - UNTR (untracked files) is marked as out of date, so that git lists anew;
/// - FSMN, EOIE and IEOT hold positions of entries, are optional, and are left out: git makes them again;
/// - link is left out, since the result is in one file, which git splits again when it is asked to;
/// - REUC, sdir and unknown optional ones are kept. With an unknown mandatory one there is no `IndexFile`.
struct IndexRefresh {
  /// What became of an index.
  struct Result {
    /// Nil if nothing has to change.
    let bytes: [UInt8]?
    let refreshed: Int
    /// Entries that stay because a person has staged something else there.
    let kept: Int
  }

  private enum Edit {
    /// In place of `count` entries at the position, which is one or none.
    case put(at: Int, count: Int, TreeEntry)
    case remove(at: Int)
    /// The entry stays, and is no longer taken to be the file's without a look at it.
    case distrust(at: Int)

    var position: Int {
      switch self {
      case .put(let position, _, _), .remove(let position), .distrust(let position): position
      }
    }

    /// True unless the entry at the position stays, and another comes before it.
    var takesEntry: Bool {
      if case .put(_, 0, _) = self { return false }
      return true
    }
  }

  private let index: IndexFile
  private var edits: [Edit] = []
  private var kept = 0

  /// Works out what to do for `changes` from a parent to its commit, sorted by path.
  ///
  /// - Parameters:
  ///   - written: when the index was written.
  ///   - merged: the entry in place of one that a person has staged with other content; nil leaves it.
  ///   - status: the `stat` data of a file; nil if its content is not, or is not known to be, that of the entry.
  ///   - isOutdated: true if the file at a path differs, or may differ, from the entry though their `stat` data do not.
  static func apply(
    _ changes: [TreeChange], to index: IndexFile, written: FileTime, merged: (TreeChange, TreeEntry) -> TreeEntry?,
    status: (TreeEntry) -> IndexBuilder.Status?,
    isOutdated: (GitPath, IndexFile.Entry) -> Bool
  ) -> Result {
    var refresh = IndexRefresh(index: index)
    refresh.plan(changes, merged)
    let count = refresh.edits.count
    guard count > 0 else { return Result(bytes: nil, refreshed: 0, kept: refresh.kept) }
    refresh.distrust(since: written, isOutdated)
    return Result(bytes: refresh.encoded(status), refreshed: count, kept: refresh.kept)
  }

  private init(index: IndexFile) {
    self.index = index
  }

  // MARK: - Which entries

  private mutating func plan(_ changes: [TreeChange], _ merged: (TreeChange, TreeEntry) -> TreeEntry?) {
    let gone = Set(changes.filter { $0.new == nil }.map(\.path))
    for change in changes {
      guard let position = index.position(of: change.path) else {
        // Staged for deletion, unless it was not in the parent either.
        guard let new = change.new else { continue }
        if change.old == nil, !hasObstacle(change.path, gone) {
          edits.append(.put(at: index.lowerBound(of: change.path), count: 0, new))
        } else {
          kept += 1
        }
        continue
      }
      let entry = index.entry(at: position)
      // `git add -N` says only that a file will be added.
      let isUnsaid = entry.isIntentToAdd && change.old == nil
      let mode = FileMode(rawMode: entry.mode)
      let isParents = entry.stage == 0 && entry.id == change.old?.id && mode == change.old?.mode
      if entry.stage == 0, !entry.isIntentToAdd, entry.id == change.new?.id, mode == change.new?.mode { continue }
      guard entry.stage == 0, isUnsaid || isParents else {
        kept += 1
        if entry.stage == 0, !entry.isIntentToAdd, let mode, mode == .regular || mode == .executable {
          let staged = TreeEntry(path: change.path, id: entry.id, mode: mode)
          if let both = merged(change, staged), both != staged { edits.append(.put(at: position, count: 1, both)) }
        }
        continue
      }
      edits.append(change.new.map { .put(at: position, count: 1, $0) } ?? .remove(at: position))
    }
  }

  /// True if the index has a file where the path needs a folder, or files below the path.
  private func hasObstacle(_ path: GitPath, _ gone: Set<GitPath>) -> Bool {
    var ancestor = path.parent
    while let folder = ancestor, !folder.isRoot {
      if index.position(of: folder) != nil, !gone.contains(folder) { return true }
      ancestor = folder.parent
    }
    return index.positions(below: path).contains { !gone.contains(GitPath(Array(index.path(at: $0)))) }
  }

  /// Adds what becomes of the entries whose `stat` data will look older than the index, and are not.
  private mutating func distrust(since written: FileTime, _ isOutdated: (GitPath, IndexFile.Entry) -> Bool) {
    var merged: [Edit] = []
    var next = edits.startIndex
    for position in 0..<index.count {
      var isTaken = false
      while next < edits.endIndex, edits[next].position == position {
        isTaken = edits[next].takesEntry
        merged.append(edits[next])
        next += 1
      }
      guard !isTaken, index.modified(at: position).seconds >= written.seconds else { continue }
      let entry = index.entry(at: position)
      guard entry.size != 0, entry.stage == 0, !entry.isSkipWorktree, FileMode(rawMode: entry.mode)?.isBlob ?? false,
        isOutdated(GitPath(Array(index.path(at: position))), entry)
      else { continue }
      merged.append(.distrust(at: position))
    }
    edits = merged + edits[next...]
  }

  // MARK: - Bytes

  private func encoded(_ status: (TreeEntry) -> IndexBuilder.Status?) -> [UInt8] {
    var builder = IndexBuilder(version: index.version, capacity: index.bytes.count + edits.count * 160)
    var next = 0
    for edit in edits {
      builder.copy(next..<edit.position, of: index)
      next = edit.position
      switch edit {
      case .put(let position, let replaced, let entry):
        // "Assume unchanged" and "skip working tree" are a person's choice for the path, not for its content.
        let flags = replaced == 1 ? IndexBuilder.Flags(index.entry(at: position)) : IndexBuilder.Flags()
        builder.append(
          path: entry.path.bytes[...], mode: entry.mode.rawMode, id: entry.id, status(entry) ?? IndexBuilder.Status(),
          flags)
        next += replaced
      case .remove:
        next += 1
      case .distrust(let position):
        var header = index.header(at: position)
        let size = header.startIndex + IndexFile.Field.size
        header.replaceSubrange(size..<(size + 4), with: [0, 0, 0, 0])
        builder.append(header: header, path: index.path(at: position))
        next += 1
      }
    }
    builder.copy(next..<index.count, of: index)
    builder.append(extensionsOf: index, changed: changedFolders)
    return builder.finish()
  }

  private var changedFolders: Set<GitPath> {
    var folders: Set<GitPath> = [.root]
    for edit in edits {
      let path: GitPath
      switch edit {
      case .put(_, _, let entry): path = entry.path
      case .remove(let position): path = GitPath(Array(index.path(at: position)))
      case .distrust: continue
      }
      // Of a folder's own entry, whose path ends in `/`, the folder itself is the first.
      var folder = path.parent
      while let next = folder, folders.insert(next).inserted { folder = next.parent }
    }
    return folders
  }
}
