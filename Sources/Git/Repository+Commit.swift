internal import CLibGit2
internal import Glibc

extension Repository {
  /// Makes one commit on HEAD's branch, and returns when it is durable and HEAD, read anew, holds it.
  ///
  /// The steps, each checked:
  /// 1. Take the writer's lock (`WriterLock`), remove stale locks, and wait for live ones, at most `lockWait`.
  /// 2. Read HEAD; work out the changes against its tree; let the caller inspect new bytes.
  /// 3. Write blobs, trees and the commit, each synchronised, and read them back.
  /// 4. Take `index.lock` and `HEAD.lock`, as `git commit` does, so that neither a person's commit nor a checkout can
  ///    come in between; see that HEAD has not moved.
  /// 5. Put the new index in place; move the branch by comparing and swapping; read HEAD through a new handle. If the
  ///    branch does not move, the index is taken back.
  ///
  /// When HEAD has moved in step 4 or 5, everything from step 2 on is done again on the new parent, `attempts` times in
  /// all; from the third on, step 4 comes first. The working tree is only read; hooks, filters, attributes and signing
  /// have no part in it.
  ///
  /// On a detached HEAD, and while a merge, rebase or the like is in progress, nothing is written and the result is
  /// `.pending`.
  ///
  /// Throws, with HEAD not moved by this call unless said otherwise:
  /// - `.invalidSpec`: a path or the message is refused, or a change would remove other files;
  /// - `.notFound`: the snapshot's folder is missing;
  /// - `.locked`: another program holds a lock; nothing was written;
  /// - `.modified`: HEAD is not the expected parent, or keeps moving;
  /// - `.notCommitted`: the branch was moved but HEAD does not hold the commit; read it again;
  /// - `.io`, `.permissionDenied`, `.corrupt`, `.missingObject`.
  package func commit(
    _ request: CommitRequest, attempts: Int = 10, lockWait: Duration = .seconds(1)
  ) throws(GitError) -> CommitOutcome {
    try validate(request)
    if let reason = try pendingReason() { return CommitOutcome(.pending(reason)) }
    let writer = try WriterLock(commonDirectory: commonDirectoryBytes, until: .now + Repository.writerPatience)
    let removed = try recover(writer, olderThan: 60, now: Repository.clock())
    var entry = WriterLock.Entry(durable: writer.previous.durable)
    do throws(GitError) {
      try waitForLocks(until: .now + lockWait)
      var outcome: CommitOutcome?
      for number in 0..<max(attempts, 1) where outcome == nil {
        // Somebody who commits all the time would win every race against the writing of objects: then lock first.
        outcome = try attempt(request, writer, &entry, removed, lockWait, locksFirst: number >= 2)
      }
      guard let outcome else {
        throw GitError(.modified, operation: "commit", message: "HEAD kept moving during \(attempts) attempts")
      }
      // What is recorded from here on is only a help to the next writer.
      try? writer.record(WriterLock.Entry(durable: entry.durable))
      return outcome
    } catch {
      // What could not be undone stays on record, as if this process had been killed.
      if !entry.indexIsUncertain { try? writer.record(WriterLock.Entry(durable: entry.durable)) }
      throw error
    }
  }

  private func validate(_ request: CommitRequest) throws(GitError) {
    func refuse(_ what: String, _ message: String) -> GitError {
      GitError(.invalidSpec, operation: "commit \(what)", message: message)
    }
    guard !request.folder.isRoot, request.folder.isWellFormed else {
      throw refuse("\(request.folder)", "it is not a folder of the repository")
    }
    guard request.message.contains(where: { !$0.isWhitespace }), !request.message.utf8.contains(0) else {
      throw refuse("\(request.folder)", "the message is empty or holds a NUL byte")
    }
    guard case .files(let files) = request.changes else { return }
    for path in files.keys where !path.isCommittable(below: request.folder) {
      // Escaped, since what it holds may be what it is refused for.
      throw refuse(String(reflecting: path.description), "the path is malformed, reserved, or outside of the folder")
    }
  }

  private func pendingReason() throws(GitError) -> CommitOutcome.PendingReason? {
    if let operation = operationInProgress { return .operationInProgress(operation) }
    return try handle.head().reference == nil ? .detachedHead : nil
  }

  private func waitForLocks(until deadline: ContinuousClock.Instant) throws(GitError) {
    while let lock = try gitLocks().first {
      guard ContinuousClock.now < deadline else {
        throw GitError(
          .locked, operation: "commit",
          message: "another program holds \(lockName(lock)); nothing was written")
      }
      Pause.short()
    }
  }

  /// One try; nil if HEAD moved meanwhile and the request allows another parent.
  private func attempt(
    _ request: CommitRequest, _ writer: borrowing WriterLock, _ entry: inout WriterLock.Entry,
    _ removed: [StaleLock], _ lockWait: Duration, locksFirst: Bool
  ) throws(GitError) -> CommitOutcome? {
    let refreshesIndex = request.index == .refreshed && !isBare
    let targets = lockTargets(nil)
    var indexLock: GitLock?
    var headLock: GitLock?
    if locksFirst {
      let deadline = ContinuousClock.Instant.now + lockWait
      if refreshesIndex { indexLock = try GitLock(of: targets.index, writer, until: deadline) }
      headLock = try GitLock(of: targets.head, writer, until: deadline)
    }
    if let reason = try pendingReason() { return CommitOutcome(.pending(reason), removedLocks: removed) }
    let head = try handle.head()
    guard let reference = head.reference else { return nil }
    let parent = head.commit
    if case .exactly(let expected) = request.parent, expected != parent {
      throw GitError(
        .modified, operation: "commit",
        message: "HEAD is at \(parent.map { "\($0)" } ?? "no commit"), not at the expected parent")
    }
    var base: ObjectID?
    if let parent { base = try CommitHandle(parent, in: handle).tree }
    let plan = try plan(request, base: base)
    var edit = TreeEdit()
    let root = try edit.apply(plan.changes, to: base, database) ?? .emptyTree
    if plan.changes.isEmpty || root == base {
      // Somebody else committed it, perhaps a moment ago, and git does not synchronise: say that it is there only when
      // it will still be there after a power cut.
      if let parent, parent != entry.durable {
        try ObjectFolder(below: commonDirectoryBytes).synchronizeFileSystem()
        entry.durable = parent
      }
      return CommitOutcome(.unchanged(parent), skipped: plan.skipped, removedLocks: removed)
    }

    entry = WriterLock.Entry(process: getpid(), durable: entry.durable)
    try writer.record(entry)
    let commit = try write(plan, edit, root: root, parent: parent, request, durable: entry.durable)
    entry.reference = reference
    entry.parent = parent
    entry.commit = commit.id
    entry.refreshesIndex = refreshesIndex
    try writer.record(entry)

    let changes = try difference(from: base, to: root)
    let deadline = ContinuousClock.Instant.now + lockWait
    if !locksFirst {
      if refreshesIndex { indexLock = try GitLock(of: targets.index, writer, until: deadline) }
      headLock = try GitLock(of: targets.head, writer, until: deadline)
    }
    guard try handle.head() == head, try pendingReason() == nil else { return nil }
    var state = CommitOutcome.IndexState.untouched
    if refreshesIndex {
      let index = try prepareIndex(changes, isFirstCommit: parent == nil, writer)
      state = index.state
      // First the index, then HEAD. `git commit` reads HEAD, then the index, and only then locks: whoever sees the new
      // HEAD has to find the index that goes with it, or would take the new records out again. Whoever saw the old
      // HEAD with the new index fails to move it.
      entry.indexIsUncertain = true
      do throws(GitError) {
        try index.install()
        guard try move(head, to: commit, until: deadline) else {
          try takeBack(changes, writer)
          entry.indexIsUncertain = false
          return nil
        }
      } catch {
        if try handle.head().commit != commit.id { try takeBack(changes, writer) }
        entry.indexIsUncertain = false
        throw error
      }
      entry.indexIsUncertain = false
    } else {
      guard try move(head, to: commit, until: deadline) else { return nil }
    }
    entry.durable = commit.id
    // Both have been held until here.
    _ = consume headLock
    _ = consume indexLock
    return CommitOutcome(
      .committed(commit.id), skipped: plan.skipped, changedCount: changes.count, index: state, removedLocks: removed)
  }

  /// Undoes in the index what was done for a commit that did not come to be.
  func takeBack(_ changes: [TreeChange], _ writer: borrowing WriterLock) throws(GitError) {
    let reversed = changes.map { TreeChange(path: $0.path, old: $0.new, new: $0.old) }
    try prepareIndex(reversed, isFirstCommit: false, writer).install()
  }

  /// A commit object and what the reflog says of it.
  private struct WrittenCommit {
    let id: ObjectID
    let committer: Signature
    let reflog: String
  }

  /// Writes all new objects, children before parents, and makes them durable.
  private func write(
    _ plan: CommitPlan, _ edit: TreeEdit, root: ObjectID, parent: ObjectID?, _ request: CommitRequest,
    durable: ObjectID?
  ) throws(GitError) -> WrittenCommit {
    let objects = try ObjectFolder(below: commonDirectoryBytes)
    for id in plan.reused { _ = try objects.synchronize(id) }
    for change in plan.changes {
      guard let id = change.content?.id, let bytes = plan.blobs[id] else { continue }
      _ = try database.write(bytes, type: .blob, objects: objects)
    }
    for tree in edit.newTrees { _ = try database.write(tree.bytes, type: .tree, objects: objects) }
    if root == .emptyTree { _ = try database.write([], type: .tree, objects: objects) }

    let time = request.time ?? Identity.now()
    let author = request.author ?? Identity.signature(.author, at: time, handle)
    let committer = request.committer ?? Identity.signature(.committer, at: time, handle)
    let message = request.message.last == "\n" ? request.message : request.message + "\n"
    let bytes = try handle.encodedCommit(
      tree: root, parent: parent, author: author, committer: committer, message: message)
    let id = try database.write(bytes, type: .commit, objects: objects)
    // The library synchronises files and their folders, not the folder of the folders.
    try objects.synchronize()
    // A person's commits, and so what ours builds on, may still be in memory only: git does not synchronise them.
    if let parent, parent != durable { try objects.synchronizeFileSystem() }

    // A reference must never name what cannot be read.
    guard unsafe try database.read(id, type: .commit).withBytes({ unsafe $0.elementsEqual(bytes) }) else {
      throw GitError(.corrupt, operation: "read commit \(id)", message: "it is not what was written")
    }
    for tree in edit.newTrees { _ = try database.read(tree.id, type: .tree) }
    for change in plan.changes {
      if let content = change.content, content.mode.isBlob { _ = try database.read(content.id, type: .blob) }
    }
    let title = message.drop { $0.isWhitespace }.prefix { $0 != "\n" && $0 != "\r\n" }
    return WrittenCommit(
      id: id, committer: committer, reflog: "commit\(parent == nil ? " (initial)" : ""): \(title)")
  }

  /// Moves HEAD's branch, and proves it. False if the branch was not where it should be.
  private func move(
    _ head: Head, to commit: WrittenCommit, until deadline: ContinuousClock.Instant
  ) throws(GitError) -> Bool {
    guard let reference = head.reference else { return false }
    while true {
      do throws(GitError) {
        try handle.move(
          reference, from: head.commit, to: commit.id, by: commit.committer, reflog: commit.reflog)
        break
      } catch {
        if error.code == .modified { return false }
        guard error.code == .locked, ContinuousClock.now < deadline else { throw error }
        Pause.short()
      }
    }
    if head.commit == nil { try synchronizeFolders(of: reference) }
    // Nothing that the first handle remembers has a part in this.
    let fresh = try RepositoryHandle(path: workTree ?? gitDirectory, searchesUpward: false, ceilings: [])
    let now = try fresh.head()
    guard now.commit == commit.id else {
      throw GitError(
        .notCommitted, operation: "commit",
        message: "HEAD is at \(now.commit.map { "\($0)" } ?? "no commit") after the branch was moved to \(commit.id)")
    }
    return true
  }

  /// Makes the names of the folders durable that a first commit may have made for its branch. The library has done so
  /// for the branch itself.
  private func synchronizeFolders(of reference: String) throws(GitError) {
    guard let branch = lockTargets(reference).branch else { return }
    let operation = "synchronise the folders of \(reference)"
    var folder = GitPath(branch).parent
    while let next = folder, next.bytes.count >= commonDirectoryBytes.count {
      try Descriptor(opening: next.bytes, O_RDONLY | O_DIRECTORY, operation).synchronize(operation)
      folder = next.parent
    }
  }
}

extension RepositoryHandle {
  /// `git_ignore_path_is_ignored`: what `git add` would leave out.
  borrowing func isIgnored(_ path: GitPath) throws(GitError) -> Bool {
    unsafe try withPointer { (repository) throws(GitError) in
      try unsafe CStrings.withCString(path.bytes) { (path) throws(GitError) in
        var ignored: Int32 = 0
        try check(unsafe git_ignore_path_is_ignored(&ignored, repository, path), "look up what is ignored")
        return ignored != 0
      }
    }
  }
}
