internal import CLibGit2
internal import Glibc

/// Works out what a snapshot of the working tree changes in a commit's tree.
///
/// Both are walked in the order of their paths. A path of the parent that the snapshot lacks is a deletion only where
/// nothing says otherwise: what cannot be read, is left out of the checkout, or has something else in its place stays.
struct WorkTreePlan: ~Copyable {
  private let snapshot: WorkTreeSnapshot
  private let folder: GitPath
  private let composed: [GitPath: CommitRequest.FileContent]
  private let judge: CommitRequest.Judgement
  private var plan = CommitPlan()
  private var reader = EntryReader(limit: .max)
  /// What the checkout lacks of HEAD; asked for only where something would be taken back.
  private var stale: Stale?
  /// The parent's files below the folder.
  private var old: [TreeEntry] = []
  private let index: CheckoutIndex
  /// The paths whose merge is not resolved, as the index says.
  private let conflicts: Set<GitPath>

  init(
    of snapshot: WorkTreeSnapshot, in folder: GitPath, _ index: CheckoutIndex, composed: [GitPath: CommitRequest.FileContent],
    _ judge: @escaping CommitRequest.Judgement
  ) {
    self.snapshot = snapshot
    self.folder = folder
    self.index = index
    conflicts = Set(index.conflicts(below: folder))
    self.composed = composed
    self.judge = judge
  }

  mutating func plan(base: ObjectID?, in repository: isolated Repository) throws(GitError) -> CommitPlan {
    guard !snapshot.rootMissing else {
      throw GitError(
        .notFound, operation: "commit \(folder)",
        message: "the folder is not there, and a tree that is not mounted is not one whose files were deleted")
    }
    if let base { old = try repository.files(inTree: base, under: folder) }
    for path in snapshot.unreadable where !path.isUnchanged { plan.skip(path.path, path.cause) }
    var position = 0
    var last: GitPath?
    for entry in snapshot.entries {
      guard entry.path.isInside(folder), last.map({ $0 < entry.path }) ?? true else {
        throw GitError(
          .invalidSpec, operation: "commit \(folder)", message: "the snapshot is not in order at \(entry.path)")
      }
      last = entry.path
      while position < old.count, old[position].path < entry.path {
        try delete(old[position], repository)
        position += 1
      }
      var parent: TreeEntry?
      if position < old.count, old[position].path == entry.path {
        parent = old[position]
        position += 1
      }
      if let parent, parent.id == entry.id, parent.mode == entry.mode { continue }
      if composed[entry.path] == nil { try put(entry, parent, repository) }
    }
    while position < old.count {
      try delete(old[position], repository)
      position += 1
    }
    for (path, content) in composed {
      let index = old.partitioningIndex { !($0.path < path) }
      plan.put(path, content, old: index < old.count && old[index].path == path ? old[index] : nil)
    }
    plan.changes.sort { $0.path < $1.path }
    plan.skipped.sort { $0.path < $1.path }
    return plan
  }

  /// Plans an added or changed file.
  private mutating func put(
    _ entry: SnapshotEntry, _ parent: TreeEntry?, _ repository: isolated Repository
  ) throws(GitError) {
    guard entry.path.isCommittable(below: folder) else { return plan.skip(entry.path, .name) }
    if let reason = try reasonToKeep(entry, parent, repository) { return plan.skip(entry.path, reason) }
    if parent != nil, try isStale(entry.path, entry.id, repository) { return plan.skip(entry.path, .olderCheckout) }
    // Where the content is the parent's only the mode changes, and there is nothing to judge.
    if entry.id != parent?.id {
      let bytes: [UInt8]
      do {
        bytes = unsafe try reader.withBytes(of: entry, in: repository) { unsafe try Array($0.get()) }
      } catch let error as GitError where error.code == .permissionDenied {
        return plan.skip(entry.path, .unreadable)
      } catch let error as GitError where error.code == .notFound {
        // What else was listed may count on it: a log without the entries that were moved into this file.
        throw GitError(
          .modified, operation: "commit \(entry.path)", message: "the file has gone since the folder was listed")
      } catch let error as GitError {
        throw error
      } catch {
        throw GitError(.io, operation: "read \(entry.path)", message: "\(error)")
      }
      let candidate = CommitRequest.Candidate(path: entry.path, mode: entry.mode, bytes: bytes, old: parent)
      if let reason = judge(candidate) { return plan.skip(entry.path, reason) }
      plan.blobs[entry.id] = bytes
    }
    plan.changes.append(
      TreeEdit.Change(path: entry.path, content: EntryLookup.Entry(id: entry.id, mode: entry.mode)))
  }

  /// Why a file that differs from the parent's stays as the parent has it, whatever is in it.
  private func reasonToKeep(
    _ entry: SnapshotEntry, _ parent: TreeEntry?, _ repository: isolated Repository
  ) throws(GitError) -> SkipReason? {
    if conflicts.contains(entry.path) { return .conflict }
    if entry.mode == .submodule || parent?.mode == .submodule { return .otherRepository }
    if let parent, parent.mode != .symlink, entry.mode == .symlink { return .special(.link) }
    guard parent == nil else { return nil }
    if holdsFiles(below: entry.path) { return .special(entry.mode == .symlink ? .link : .file) }
    if isBelowFile(entry.path) { return .special(.folder) }
    return try repository.handle.isIgnored(entry.path) ? .ignored : nil
  }

  private mutating func delete(_ entry: TreeEntry, _ repository: isolated Repository) throws(GitError) {
    let path = entry.path
    if composed[path] != nil || entry.mode == .submodule { return }
    if snapshot.unreadable.contains(where: { path.isInside($0.path) }) { return }
    if conflicts.contains(path) { return plan.skip(path, .conflict) }
    // "Cannot tell" is never "gone".
    guard index.absence(of: path) == .removed else { return plan.skip(path, .sparse) }
    // Only what is nowhere was removed: not what is behind a link now, or has an empty folder in its place.
    if let reason = repository.occupant(of: path) { return plan.skip(path, reason) }
    if try isStale(path, nil, repository) { return plan.skip(path, .olderCheckout) }
    plan.changes.append(TreeEdit.Change(path: path, content: nil))
  }

  /// Whether a file is as the stale checkout's commit has it, if the checkout is stale; nil stands for no file. An older
  /// version that a person may have staged is theirs.
  private mutating func isStale(
    _ path: GitPath, _ id: ObjectID?, _ repository: isolated Repository
  ) throws(GitError) -> Bool {
    let known: Stale
    if let stale { known = stale } else {
      known = Stale(try repository.staleCheckout(of: folder, index))
      stale = known
    }
    guard let change = known.changes[path] else { return false }
    return change.old?.id == id && (id == nil || known.isCertain)
  }

  private struct Stale {
    var changes: [GitPath: TreeChange] = [:]
    let isCertain: Bool

    init(_ checkout: StaleCheckout?) {
      isCertain = checkout?.isCertain ?? false
      for change in checkout?.changes ?? [] { changes[change.path] = change }
    }
  }

  // MARK: What stands in the way of what

  /// Whether the parent has files below a path.
  private func holdsFiles(below path: GitPath) -> Bool {
    let start = GitPath(path.bytes + [GitPath.separator])
    let index = old.partitioningIndex { !($0.path < start) }
    return index < old.count && old[index].path.bytes.starts(with: start.bytes)
  }

  /// Whether the parent has a file where the path needs a folder.
  private func isBelowFile(_ path: GitPath) -> Bool {
    var ancestor = path.parent
    while let next = ancestor, next.bytes.count > folder.bytes.count {
      let index = old.partitioningIndex { !($0.path < next) }
      if index < old.count, old[index].path == next { return true }
      ancestor = next.parent
    }
    return false
  }
}

extension Repository {
  /// What keeps a path of the parent commit from counting as removed: whatever is at it, or in the place of a folder above
  /// it. Nil where the working tree has nothing there.
  func occupant(of path: GitPath) -> SkipReason? {
    do throws(GitError) {
      let status = try openWorkTree("look at \(path)").open(path.bytes, flags: moha_o_path).status("look at \(path)")
      // A file that has come back since the snapshot was taken is one that nobody can speak for.
      return SkipReason.Special(mode: status.mode).map { .special($0) } ?? .unreadable
    } catch {
      switch error.systemError {
      case ENOENT: return nil
      case ELOOP: return .special(.link)
      case ENOTDIR: return .special(.file)
      default: return .unreadable
      }
    }
  }
}

extension Array {
  /// The first index whose element satisfies `belongs`, where all after it do too; `endIndex` if none does.
  func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
