/// What a commit came to.
package struct CommitOutcome: Hashable, Sendable {
  package enum Result: Hashable, Sendable {
    /// HEAD, read again through a new handle, holds this commit; it and its objects are durable.
    case committed(ObjectID)
    /// This commit, HEAD's, has all of it already, and is durable; nil if there is none and nothing to commit.
    case unchanged(ObjectID?)
    /// Nothing was written, because a person is in the middle of something. The next run commits.
    case pending(PendingReason)
  }

  package enum PendingReason: Hashable, Sendable {
    case detachedHead
    case operationInProgress(OperationInProgress)
  }

  /// A path that was kept as the parent has it.
  package struct Skipped: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
      /// The inspection refused its bytes.
      case refused
      /// A name that must not come into a tree: see `GitPath.isCommittable(below:)`.
      case name
      case unreadable
      /// New, and ignored by git.
      case ignored
      /// Left out of a sparse checkout.
      case sparse
    }

    package let path: GitPath
    package let reason: Reason

    package init(path: GitPath, reason: Reason) {
      self.path = path
      self.reason = reason
    }
  }

  package enum IndexState: Hashable, Sendable {
    /// Not asked for, nothing committed, or a bare repository.
    case untouched
    /// Our entries hold what was committed; `kept` of them are as a person staged them.
    case refreshed(entries: Int, kept: Int)
    /// The commit stands, but the index could not be edited: why, in one line. `git status` shows the committed paths
    /// as staged reversals until `git reset -- <folder>`.
    case skipped(String)
  }

  package let result: Result
  /// Sorted by path.
  package let skipped: [Skipped]
  /// How many paths differ from the parent.
  package let changedCount: Int
  package let index: IndexState
  /// Locks that were removed to get here.
  package let removedLocks: [StaleLock]

  package init(
    _ result: Result, skipped: [Skipped] = [], changedCount: Int = 0, index: IndexState = .untouched,
    removedLocks: [StaleLock] = []
  ) {
    self.result = result
    self.skipped = skipped
    self.changedCount = changedCount
    self.index = index
    self.removedLocks = removedLocks
  }
}
