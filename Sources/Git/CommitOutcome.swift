/// What a commit came to.
package struct CommitOutcome: Hashable, Sendable {
  package enum Result: Hashable, Sendable {
    /// HEAD, read again through a new handle, holds this commit; it and its objects are durable.
    case committed(ObjectID)
    /// This commit, HEAD's, has all of it already, and is durable; nil if there is none and nothing to commit.
    case unchanged(ObjectID?)
    /// Nothing was committed: a person is in the middle of something, or has an index that would undo the commit. The
    /// next run after that commits.
    case pending(PendingReason)
  }

  package enum PendingReason: Hashable, Sendable {
    case detachedHead
    case operationInProgress(OperationInProgress)
    /// Git's index cannot be read whole, for this reason, a clause about it. A commit beside it would be undone by the
    /// next one that is made from it, and what is not in the working tree may be left out of the checkout or gone.
    case unreadableIndex(String)
  }

  /// A path that was kept as the parent has it, and why.
  package struct Skipped: Hashable, Sendable {
    package let path: GitPath
    package let reason: SkipReason

    package init(path: GitPath, reason: SkipReason) {
      self.path = path
      self.reason = reason
    }
  }

  package struct IndexStamps: Hashable, Sendable {
    package let old: IndexStamp?
    package let new: IndexStamp?
  }

  package enum IndexState: Hashable, Sendable {
    /// Not asked for, nothing committed, or a bare repository.
    case untouched
    /// Our entries hold what was committed; `kept` of them are as a person staged them.
    case refreshed(entries: Int, kept: Int)
    /// There is no index to edit, since nothing was ever checked out: why, in one line.
    case skipped(String)
  }

  /// Whether a commit that was made is signed.
  package enum Signing: Hashable, Sendable {
    /// `commit.gpgSign` is not set, or nothing was committed.
    case notWanted
    case signed
    /// It should have been: why not, as a clause.
    case unsigned(String)
  }

  package let result: Result
  /// Sorted by path.
  package let skipped: [Skipped]
  /// How many paths differ from the parent.
  package let changedCount: Int
  package let index: IndexState
  /// The index before and after it followed, both while git's lock on it was held; nil if it did not.
  package let indexStamps: IndexStamps?
  package let signature: Signing
  /// Locks that were removed to get here.
  package let removedLocks: [StaleLock]

  package init(
    _ result: Result, skipped: [Skipped] = [], changedCount: Int = 0, index: IndexState = .untouched,
    indexStamps: IndexStamps? = nil, signature: Signing = .notWanted, removedLocks: [StaleLock] = []
  ) {
    self.result = result
    self.skipped = skipped
    self.changedCount = changedCount
    self.index = index
    self.indexStamps = indexStamps
    self.signature = signature
    self.removedLocks = removedLocks
  }
}
