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
  /// 6. Hold `index.lock` until git commands have ended that may not have seen the new HEAD (`UnawareCommands`),
  ///    at most `commandWait`: one that is at work is done within that time, others wait for something.
  /// 7. See that no maintenance has taken an object away, and write it again if so (`keep`), waiting at most
  ///    `maintenanceWait` for programs that still may.
  ///
  /// When HEAD has moved in step 4 or 5, everything from step 2 on is done again on the new parent, `attempts` times in
  /// all; from the third on, step 4 comes first. The working tree is only read; hooks, filters and attributes have no
  /// part in it. Where `commit.gpgSign` is set the commit is signed if that is done within `signingLimit` (`CommitSigner`).
  ///
  /// On a detached HEAD, while a merge, rebase or the like is in progress, and with an index that cannot be read whole,
  /// nothing is committed and the result is `.pending`.
  ///
  /// Throws, with HEAD not moved by this call unless said otherwise:
  /// - `.invalidSpec`: a path or the message is refused, or a change would remove other files;
  /// - `.notFound`: the snapshot's folder is missing;
  /// - `.locked`: another program holds a lock, or this runs inside a git command (`EnclosingCommand`); nothing was
  ///   written;
  /// - `.modified`: HEAD is not the expected parent, or keeps moving, or a snapshot is of another checkout than there is;
  /// - `.notCommitted`: the branch was moved but HEAD does not hold the commit; read it again;
  /// - `.io`, `.permissionDenied`, `.corrupt`, `.missingObject`.
  package func commit(
    _ request: CommitRequest, attempts: Int = 10, lockWait: Duration = .seconds(1),
    commandWait: Duration = .milliseconds(250), maintenanceWait: Duration = .seconds(2),
    signingLimit: Duration = .seconds(5)
  ) throws(GitError) -> CommitOutcome {
    try validate(request)
    try EnclosingCommand.expectNone()
    if let reason = try pendingReason() { return CommitOutcome(.pending(reason)) }
    let writer = try WriterLock(
      commonDirectory: commonDirectoryBytes, permissions, until: .now + Repository.writerPatience)
    let removed = try recover(writer, olderThan: 60, now: Repository.clock())
    var entry = WriterLock.Entry(durable: writer.previous.durable)
    do throws(GitError) {
      try waitForLocks(until: .now + lockWait)
      var outcome: CommitOutcome?
      var objects: [NewObject] = []
      var failures = 0
      var number = 0
      while outcome == nil, number < max(attempts, 1) {
        do throws(GitError) {
          // Somebody who commits all the time would win every race against the writing of objects: then lock first.
          outcome = try attempt(
            request, writer, &entry, &objects, removed, lockWait, commandWait, signingLimit, locksFirst: number >= 2)
          number += 1
        } catch {
          failures += 1
          guard error.mayBeOfMaintenance, !entry.indexIsUncertain, failures < GitError.maintenanceTries else {
            throw error
          }
          try database.refresh()
        }
      }
      guard let outcome else {
        throw GitError(.modified, operation: "commit", message: "HEAD kept moving during \(attempts) attempts")
      }
      // Without git's locks, which the programs that are waited for may want.
      if case .committed = outcome.result { try keep(objects, maintenanceWait) }
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
    _ objects: inout [NewObject], _ removed: [StaleLock], _ lockWait: Duration, _ commandWait: Duration,
    _ signingLimit: Duration, locksFirst: Bool
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
    var index = try isBare ? CheckoutIndex.empty : currentIndex()
    if let reason = index.pendingReason { return CommitOutcome(.pending(reason), removedLocks: removed) }
    let head = try handle.head()
    guard let reference = head.reference else { return nil }
    let parent = head.commit
    if case .exactly(let expected) = request.parent, expected != parent {
      throw GitError(
        .modified, operation: "commit",
        message: "HEAD is at \(parent.map { "\($0)" } ?? "no commit"), not at the expected parent")
    }
    if case .workTree(let snapshot, _, _) = request.changes, let listed = snapshot.checkout,
      listed != CheckoutState(head: head, index: index.status)
    {
      throw GitError(
        .modified, operation: "commit", message: "HEAD or the index changed after the files were listed")
    }
    var base: ObjectID?
    if let parent { base = try CommitHandle(parent, in: handle).tree }
    let plan = try plan(request, parent: parent, base: base, index)
    var edit = TreeEdit()
    let root = try edit.apply(plan.changes, to: base, database) ?? .emptyTree
    if plan.changes.isEmpty || root == base {
      // Somebody else committed it, perhaps a moment ago, and git does not synchronise: say that it is there only when
      // it will still be there after a power cut.
      if let parent, parent != entry.durable {
        try ObjectFolder(below: commonDirectoryBytes, permissions).synchronizeFileSystem()
        entry.durable = parent
      }
      return CommitOutcome(.unchanged(parent), skipped: plan.skipped, removedLocks: removed)
    }

    entry = WriterLock.Entry(process: getpid(), durable: entry.durable)
    try writer.record(entry)
    objects = plan.newBlobs + edit.newTrees.map { NewObject(id: $0.id, type: .tree, bytes: $0.bytes) }
    if root == .emptyTree { objects.append(NewObject(id: root, type: .tree, bytes: [])) }
    let commit = try write(&objects, root: root, parent: parent, request, writer, signingLimit, durable: entry.durable)
    entry.reference = reference
    entry.parent = parent
    entry.commit = commit.id
    entry.refreshesIndex = refreshesIndex
    try writer.record(entry)

    let step = TreeStep(old: base, new: root, changes: try difference(from: base, to: root))
    let deadline = ContinuousClock.Instant.now + lockWait
    if !locksFirst {
      if refreshesIndex { indexLock = try GitLock(of: targets.index, writer, until: deadline) }
      headLock = try GitLock(of: targets.head, writer, until: deadline)
    }
    guard try handle.head() == head, try pendingReason() == nil else { return nil }
    request.placing?(self, commit.id)
    var state = CommitOutcome.IndexState.untouched
    var stamps: CommitOutcome.IndexStamps?
    if refreshesIndex {
      let now = try currentIndex(index)
      // A command that was putting files away while they were listed has said so in the index by now.
      if case .workTree = request.changes, now.status != index.status { return nil }
      index = now
      if let reason = index.pendingReason { return CommitOutcome(.pending(reason), removedLocks: removed) }
      let prepared = try prepareIndex(
        step, index, isFirstCommit: parent == nil, writer, merging: request.mergesStaged)
      state = prepared.state
      // First the index, then HEAD. `git commit` reads HEAD, then the index, and only then locks: whoever sees the new
      // HEAD has to find the index that goes with it, or would take the new records out again. Whoever saw the old
      // HEAD with the new index fails to move it.
      entry.indexIsUncertain = true
      do throws(GitError) {
        try prepared.install()
        guard try move(head, to: commit, until: deadline) else {
          try takeBack(step, writer)
          entry.indexIsUncertain = false
          return nil
        }
      } catch {
        if try handle.head().commit != commit.id { try takeBack(step, writer) }
        entry.indexIsUncertain = false
        throw error
      }
      entry.indexIsUncertain = false
      stamps = CommitOutcome.IndexStamps(old: index.stamp, new: try indexStamp())
    } else {
      guard try move(head, to: commit, until: deadline) else { return nil }
    }
    entry.durable = commit.id
    // Both have been held until here.
    _ = consume headLock
    if refreshesIndex {
      var unaware = UnawareCommands(in: folders)
      unaware.wait(until: .now + commandWait)
    }
    _ = consume indexLock
    return CommitOutcome(
      .committed(commit.id), skipped: plan.skipped, changedCount: step.changes.count, index: state,
      indexStamps: stamps, signature: commit.signature, removedLocks: removed)
  }

  /// Undoes in the index what was done for a commit that did not come to be.
  private func takeBack(_ step: TreeStep, _ writer: borrowing WriterLock) throws(GitError) {
    try prepareIndex(step.reversed, currentIndex(), isFirstCommit: false, writer).install()
  }

  /// A commit object and what the reflog says of it.
  private struct WrittenCommit {
    let id: ObjectID
    let committer: Signature
    let reflog: String
    let signature: CommitOutcome.Signing
  }

  /// Writes all new objects, children before parents, adds the commit to them, and makes them durable.
  private func write(
    _ objects: inout [NewObject], root: ObjectID, parent: ObjectID?, _ request: CommitRequest,
    _ writer: borrowing WriterLock, _ signingLimit: Duration, durable: ObjectID?
  ) throws(GitError) -> WrittenCommit {
    let folder = try ObjectFolder(below: commonDirectoryBytes, permissions)
    for object in objects { try database.write(object, in: folder) }

    let time = request.time ?? Identity.now()
    let author = request.author ?? Identity.signature(.author, at: time, handle)
    let committer = request.committer ?? Identity.signature(.committer, at: time, handle)
    let message = request.message.last == "\n" ? request.message : request.message + "\n"
    let text = CommitText(tree: root, parent: parent, author: author, committer: committer, message: message)
    let (bytes, signature) = try sign(text, writer, limit: signingLimit)
    let commit = NewObject(id: ObjectID(bytes, type: .commit), type: .commit, bytes: bytes)
    try database.write(commit, in: folder)
    objects.append(commit)
    // The library synchronises files and their folders, not the folder of the folders.
    try folder.synchronize()
    // A person's commits, and so what ours builds on, may still be in memory only: git does not synchronise them.
    if let parent, parent != durable { try folder.synchronizeFileSystem() }

    for object in objects { try confirm(object, in: folder) }
    let title = message.drop { $0.isWhitespace }.prefix { $0 != "\n" && $0 != "\r\n" }
    return WrittenCommit(
      id: commit.id, committer: committer, reflog: "commit\(parent == nil ? " (initial)" : ""): \(title)",
      signature: signature)
  }

  /// The bytes of a commit, signed if that is wanted and can be done unattended.
  private func sign(
    _ text: CommitText, _ writer: borrowing WriterLock, limit: Duration
  ) throws(GitError) -> (bytes: [UInt8], signature: CommitOutcome.Signing) {
    let bytes = text.encoded
    guard let signer = try CommitSigner(handle, workTree: workTree) else { return (bytes, .notWanted) }
    do throws(CommitSigner.Failure) {
      return (try signer.sign(bytes, by: text.committer, folder: writer.folderPath, limit: limit), .signed)
    } catch {
      return (bytes, .unsigned(error.reason))
    }
  }

  /// Moves HEAD's branch, and proves it. False if the branch was not where it should be.
  private func move(
    _ head: Head, to commit: WrittenCommit, until deadline: ContinuousClock.Instant
  ) throws(GitError) -> Bool {
    guard let reference = head.reference else { return false }
    var failures = 0
    while true {
      do throws(GitError) {
        guard let old = head.commit else {
          try createBranch(reference, commit)
          break
        }
        try handle.move(reference, from: old, to: commit.id, by: commit.committer, reflog: commit.reflog) {
          () throws(GitError) in
          if let branch = lockTargets(reference).branch {
            try permissions.adjust(at: branch + Array(".lock".utf8), "share \(reference)")
          }
        }
        break
      } catch {
        if error.code == .modified { return false }
        failures += 1
        // `git pack-refs` removes empty folders of references.
        let isDisturbed = error.mayBeOfMaintenance && failures < GitError.maintenanceTries
        guard isDisturbed || error.code == .locked && ContinuousClock.now < deadline else { throw error }
        Pause.short()
      }
    }
    try shareReflogs(of: reference)
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

  /// Makes HEAD's branch, which has no commit yet.
  private func createBranch(_ reference: String, _ commit: WrittenCommit) throws(GitError) {
    let operation = "make \(reference)"
    guard let branch = lockTargets(reference).branch else { return }
    // Of these the library makes those that are missing, for whom the umask says.
    var missing: [[UInt8]] = []
    for folder in ([branch] + reflogs(of: reference)).flatMap({ ancestors(of: $0) })
    where try FileIdentity(at: folder, operation) == nil {
      missing.append(folder)
    }
    try handle.create(reference, at: commit.id, by: commit.committer, reflog: commit.reflog)
    for path in missing + [branch] { try permissions.adjust(at: path, operation) }
    // The library has made the branch itself durable, not the folders that it made for it.
    for folder in ancestors(of: branch) {
      try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY, operation).synchronize(operation)
    }
  }

  /// Lets others write what the library may have made, or been the first to write.
  private func shareReflogs(of reference: String) throws(GitError) {
    for path in reflogs(of: reference) { try permissions.adjust(at: path, "share the reflog of \(reference)") }
  }

  /// Where HEAD's and the branch's changes are logged.
  private func reflogs(of reference: String) -> [[UInt8]] {
    [gitDirectoryBytes + Array("/logs/HEAD".utf8), commonDirectoryBytes + Array("/logs/\(reference)".utf8)]
  }

  /// The folders above a file of the git folder, down from the deepest, the git folder itself included.
  private func ancestors(of path: [UInt8]) -> [[UInt8]] {
    var folders: [[UInt8]] = []
    var folder = GitPath(path).parent
    while let next = folder, next.bytes.count >= min(commonDirectoryBytes.count, gitDirectoryBytes.count) {
      folders.append(next.bytes)
      folder = next.parent
    }
    return folders
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

extension CheckoutIndex {
  /// Why nothing is committed beside this index; nil if it can follow.
  fileprivate var pendingReason: CommitOutcome.PendingReason? {
    if case .unreadable(let reason) = condition { return .unreadableIndex(reason) }
    return nil
  }
}
