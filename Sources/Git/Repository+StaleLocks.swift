internal import Glibc

extension Repository {
  /// Removes the locks that a killed program left behind: those of the index, of HEAD, and of its branch.
  ///
  /// A lock of a commit of this program is removed at once, since its maker's death is certain (`WriterLock`), and what
  /// that commit left undone is done: the index of a commit that HEAD holds, temporary files. Any other is removed when
  /// it is older than `seconds`, no process has it open, and no git command runs in the repository. A commit calls this
  /// by itself.
  ///
  /// `now` is in seconds since 1970; nil is the clock. Throws `.locked`, after removing what is stale, if another
  /// lock remains, or if another writer of this program is at work for more than ten seconds.
  @discardableResult
  package func recoverStaleLocks(olderThan seconds: Int64 = 60, now: Int64? = nil) throws(GitError) -> [StaleLock] {
    let writer = try WriterLock(
      commonDirectory: commonDirectoryBytes, permissions, until: .now + Repository.writerPatience)
    let removed = try recover(writer, olderThan: seconds, now: now ?? Repository.clock())
    try? writer.record(WriterLock.Entry(durable: writer.previous.durable))
    if let lock = try gitLocks().first {
      throw GitError(
        .locked, operation: "take the lock \(lockName(lock))", message: "another program holds it")
    }
    return removed
  }

  /// Returns when no other program holds a lock that a commit needs; stale ones are removed on the way.
  ///
  /// For callers who want to know before they write files. It promises nothing for later: a commit looks again.
  ///
  /// Throws `.locked` after `patience`, and at once inside of a git command (`EnclosingCommand`).
  package func waitUntilCommittable(_ patience: Duration = .seconds(1)) throws(GitError) {
    try EnclosingCommand.expectNone()
    let deadline = ContinuousClock.now + patience
    while try hasForeignLock() {
      if ContinuousClock.now >= deadline {
        try recoverStaleLocks()
        return
      }
      Pause.short()
    }
  }

  /// Whether a lock exists that no commit of this program made: those are hard links to the file of `WriterLock`.
  private func hasForeignLock() throws(GitError) -> Bool {
    let locks = try gitLocks()
    guard !locks.isEmpty else { return false }
    let own = try FileIdentity(
      at: commonDirectoryBytes + Array("/\(WriterLock.folderName)/writer".utf8), "look for locks")
    for lock in locks {
      if let identity = try FileIdentity(at: lock, "look for locks"), identity != own { return true }
    }
    return false
  }

  /// How long a commit waits for other commits of this program, each of which takes milliseconds.
  static let writerPatience = Duration.seconds(10)

  static func clock() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
  }

  /// The paths that git locks to change HEAD's branch and the index, without `.lock`: in the order of locking.
  func lockTargets(_ reference: String?) -> (index: [UInt8], head: [UInt8], branch: [UInt8]?) {
    let branch = reference.map { reference in
      let isOwn = ["refs/worktree/", "refs/bisect/", "refs/rewritten/"].contains { reference.hasPrefix($0) }
      return (isOwn ? gitDirectoryBytes : commonDirectoryBytes) + Array("/\(reference)".utf8)
    }
    return (gitDirectoryBytes + Array("/index".utf8), gitDirectoryBytes + Array("/HEAD".utf8), branch)
  }

  /// A lock's path below the git folder, for people.
  func lockName(_ path: [UInt8]) -> String {
    for folder in [gitDirectoryBytes, commonDirectoryBytes] where path.starts(with: folder) {
      return String(decoding: path.dropFirst(folder.count + 1), as: UTF8.self)
    }
    return String(decoding: path, as: UTF8.self)
  }

  /// The locks that exist and keep a commit from being made.
  func gitLocks() throws(GitError) -> [[UInt8]] {
    let targets = lockTargets(try handle.head().reference)
    var found: [[UInt8]] = []
    for target in [targets.index, targets.head, targets.branch].compactMap({ $0 }) {
      let path = target + Array(".lock".utf8)
      if try FileIdentity(at: path, "look for locks") != nil { found.append(path) }
    }
    return found
  }

  /// Cleans up after dead programs. The branch's lock goes first: while one of the others is left, a recovery that is
  /// itself killed can be taken up again.
  func recover(
    _ writer: borrowing WriterLock, olderThan seconds: Int64, now: Int64
  ) throws(GitError) -> [StaleLock] {
    if writer.followsDeath { try removeTemporaryFiles(writer) }
    let head = try handle.head()
    let targets = lockTargets(head.reference)
    var branches = [targets.branch]
    if let reference = writer.previous.reference, reference != head.reference {
      branches.append(lockTargets(reference).branch)
    }
    var removed: [StaleLock] = []
    for branch in branches.compactMap({ $0 }) {
      if let lock = try removeLock(of: branch, isBranch: true, writer, olderThan: seconds, now: now) {
        removed.append(lock)
      }
    }
    if let lock = try removeLock(of: targets.head, isBranch: false, writer, olderThan: seconds, now: now) {
      removed.append(lock)
    }
    // While our own lock on it still stands, nobody has changed the index since.
    if let lock = try FileIdentity(at: targets.index + Array(".lock".utf8), "look for locks"),
      lock.isSameFile(as: writer.identity)
    {
      let held = GitLock(adopting: targets.index, writer)
      removed.append(
        StaleLock(name: "index.lock", age: now - lock.modified, reason: .deadWriter))
      try finishIndex(writer, held)
    } else if let lock = try removeLock(of: targets.index, isBranch: false, writer, olderThan: seconds, now: now) {
      removed.append(lock)
    } else if writer.followsDeath, writer.previous.refreshesIndex,
      try FileIdentity(at: targets.index + Array(".lock".utf8), "look for locks") == nil
    {
      // Its lock is gone, perhaps by a person's hand, but not its work.
      try finishIndex(writer, GitLock(of: targets.index, writer, until: .now))
    }
    return removed
  }

  /// Makes the index agree with what became of a killed writer's commit: HEAD holds it, or does not.
  private func finishIndex(_ writer: borrowing WriterLock, _ lock: borrowing GitLock) throws(GitError) {
    let previous = writer.previous
    guard previous.refreshesIndex, let commit = previous.commit, try commitExists(commit) else { return }
    let head = try handle.head().commit
    guard head == commit || head == previous.parent else { return }
    var parentTree: ObjectID?
    if let parent = previous.parent { parentTree = try CommitHandle(parent, in: handle).tree }
    let tree = try CommitHandle(commit, in: handle).tree
    let step = TreeStep(old: parentTree, new: tree, changes: try difference(from: parentTree, to: tree))
    let index = try currentIndex()
    // A person has broken it since, and is told so by the commit that follows.
    guard index.isWhole else { return }
    if head == commit {
      try prepareIndex(step, index, isFirstCommit: previous.parent == nil, writer).install()
    } else {
      try prepareIndex(step.reversed, index, isFirstCommit: false, writer).install()
    }
  }

  /// Removes the lock of one file if it is stale.
  private func removeLock(
    of target: [UInt8], isBranch: Bool, _ writer: borrowing WriterLock, olderThan seconds: Int64, now: Int64
  ) throws(GitError) -> StaleLock? {
    let path = target + Array(".lock".utf8)
    let operation = "remove the stale lock \(lockName(path))"
    guard let lock = try FileIdentity(at: path, operation) else { return nil }
    let reason: StaleLock.Reason
    if lock.isSameFile(as: writer.identity) {
      reason = .deadWriter
    } else if isBranch, try isLeftByWriter(lock, at: path, of: target, writer) {
      reason = .deadWriter
    } else if now - lock.modified > seconds, !ProcessTable.isOpen(lock),
      !ProcessTable.gitRuns(in: folders)
    {
      reason = .abandoned
    } else {
      return nil
    }
    // What was looked at, not another program's new lock of the same name.
    guard let again = try FileIdentity(at: path, operation), again == lock else { return nil }
    try removeFile(at: path, operation)
    return StaleLock(name: lockName(path), age: now - lock.modified, reason: reason)
  }

  /// True if a killed commit of ours left this lock of its branch, which the library makes as a file of its own.
  ///
  /// The library writes to it exactly once, the new commit's id, and has it open until then. Another program would have
  /// it open while it is empty, and would not write this id.
  private func isLeftByWriter(
    _ lock: FileIdentity, at path: [UInt8], of target: [UInt8], _ writer: borrowing WriterLock
  ) throws(GitError) -> Bool {
    guard writer.followsDeath, let commit = writer.previous.commit,
      let reference = writer.previous.reference, lockTargets(reference).branch == target
    else { return false }
    if lock.size == 0 { return !ProcessTable.isOpen(lock) }
    let file = try Descriptor(opening: path, O_RDONLY | O_NOFOLLOW, "read a lock")
    return try file.readAll(expecting: 41, limit: 4_096, "read a lock") == Array("\(commit)\n".utf8)
  }

  /// Removes what a killed commit was writing: a new index, and objects that had no name yet.
  private func removeTemporaryFiles(_ writer: borrowing WriterLock) throws(GitError) {
    let operation = "remove the temporary files of a killed commit"
    try removeFile(at: writer.folderPath + Array("/index.new".utf8), operation)
    SigningFiles(in: writer.folderPath).remove()
    let objects = commonDirectoryBytes + Array("/objects".utf8)
    for name in folderNames(objects) where name.starts(with: "tmp_object_git2_".utf8) {
      let path = objects + [GitPath.separator] + name
      // Another program may be about to rename one of its own.
      guard let file = try FileIdentity(at: path, operation), !ProcessTable.isOpen(file) else { continue }
      try removeFile(at: path, operation)
    }
  }
}

extension Head {
  /// The branch that HEAD names; nil when it is detached.
  var reference: String? {
    switch self {
    case .unborn(let reference): reference
    case .commit(_, let reference): reference
    }
  }
}
