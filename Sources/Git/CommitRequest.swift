/// What to commit, on top of what, and in whose name.
package struct CommitRequest: Sendable {
  /// The bytes of one file to commit, as they will be stored: no filter or line-end conversion is applied.
  package struct FileContent: Hashable, Sendable {
    package let bytes: [UInt8]
    /// Nil keeps the mode that the parent's file has, and is "not executable" for a new file.
    package let isExecutable: Bool?

    package init(_ bytes: [UInt8], isExecutable: Bool? = nil) {
      self.bytes = bytes
      self.isExecutable = isExecutable
    }
  }

  /// A file of the working tree that the parent commit does not have, or has otherwise.
  package struct Candidate: Sendable {
    package let path: GitPath
    package let mode: FileMode
    /// What git would store; of a symbolic link, its target.
    package let bytes: [UInt8]
    /// The parent's entry; nil for a new file.
    package let old: TreeEntry?
  }

  /// Looks at a file before any object holds its bytes: nil takes it, a reason leaves it as the parent commit has it.
  package typealias Judgement = @Sendable (Candidate) -> SkipReason?

  /// Makes the content of files from what the parent commit (nil: none yet) holds. Called again where HEAD has moved
  /// meanwhile; runs on the repository's thread.
  package typealias Composition = @Sendable (isolated Repository, ObjectID?) throws(GitError) -> [GitPath: FileContent]

  /// What a person has staged of a file, with what the commit changes in it: from the staged bytes, the parent's (none for
  /// a new file) and the commit's. Nil leaves what is staged as it is, and then their next commit takes ours out again.
  package typealias StagedMerge =
    @Sendable (_ path: GitPath, _ staged: [UInt8], _ old: [UInt8], _ new: [UInt8]) -> [UInt8]?

  /// Brings the working tree's files to what a commit that is about to become HEAD holds.
  package typealias Placing = @Sendable (isolated Repository, ObjectID) -> Void

  package enum Changes: Sendable {
    /// Exactly these paths: nil deletes a file, and deleting what is not there changes nothing. The bytes have been
    /// inspected by the caller. All are refused if one path is.
    case files([GitPath: FileContent?])
    /// The files that are composed on the parent. One that cannot have a place there, because a link or a folder is in its
    /// way, is skipped, and the others are committed.
    case composed(Composition)
    /// Everything below the folder as the snapshot saw it: added, changed and deleted files; for the paths that
    /// `composing` gives, its content in place of the snapshot's.
    ///
    /// `judge` is called once for each file whose content the parent does not have, in order of path, before its
    /// blob exists. Kept as the parent has them: files with a reason (`SkipReason`), and all below a folder with one.
    /// A snapshot whose folder is missing is refused, since an unmounted tree is not a deleted one.
    case workTree(WorkTreeSnapshot, judge: Judgement, composing: Composition? = nil)
  }

  /// What HEAD must be.
  package enum Parent: Hashable, Sendable {
    /// Whatever it is when the commit is made. When it moves meanwhile, the changes are applied again on top.
    case current
    /// This commit, or no commit at all for nil; anything else is `.modified`.
    case exactly(ObjectID?)
  }

  /// What becomes of the person's index.
  package enum Index: Hashable, Sendable {
    /// Its bytes stay as they are. Git then shows the committed paths as staged reversals, and **a person's next
    /// `git commit` does revert them**: use it only where no one works in the repository.
    case untouched
    /// What `git commit -- path` does: entries of the committed paths move from the parent's content to the new one,
    /// in the same critical section as HEAD. Every other entry, staged or not, keeps its bytes; so does an entry of
    /// ours that a person has staged with other content, but for what `mergesStaged` brings into it. See `IndexRefresh`.
    case refreshed
  }

  /// Seconds since 1970-01-01T00:00:00Z, and the offset from UTC in minutes.
  package struct Time: Hashable, Sendable {
    package let seconds: Int64
    package let offsetMinutes: Int

    package init(seconds: Int64, offsetMinutes: Int = 0) {
      self.seconds = seconds
      self.offsetMinutes = offsetMinutes
    }
  }

  /// Every change must be strictly below it; it is not the root.
  package var folder: GitPath
  package var changes: Changes
  package var parent: Parent
  /// Must hold more than white space, and no NUL. A final newline is added.
  package var message: String
  /// Nil takes git's own sources: `GIT_AUTHOR_NAME` and `GIT_AUTHOR_EMAIL`, then `author.name`, `author.email`, then
  /// `user.name`, `user.email`, and what is still missing from `moha-sync <moha-sync@localhost>`.
  package var author: Signature?
  /// The same with `GIT_COMMITTER_…` and `committer.…`.
  package var committer: Signature?
  /// For signatures that are not given; nil is the clock's time in the local zone.
  package var time: Time?
  package var index: Index
  /// For files below 64 MiB, whatever they are; called while the locks of git's are held.
  package var mergesStaged: StagedMerge?
  /// Called with each commit that is tried, while git's locks are held and before index and HEAD go to it: no command of
  /// git's that writes the index looks at the files in between. Such a commit may still fail to become HEAD.
  package var placing: Placing?

  package init(
    folder: GitPath = ".moha", changes: Changes, parent: Parent = .current, message: String,
    author: Signature? = nil, committer: Signature? = nil, time: Time? = nil, index: Index = .refreshed,
    mergesStaged: StagedMerge? = nil, placing: Placing? = nil
  ) {
    self.folder = folder
    self.changes = changes
    self.parent = parent
    self.message = message
    self.author = author
    self.committer = committer
    self.time = time
    self.index = index
    self.mergesStaged = mergesStaged
    self.placing = placing
  }
}
