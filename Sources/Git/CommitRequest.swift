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

  /// Looks at a file's bytes before any object holds them; false leaves the file as the parent commit has it.
  package typealias Inspection = @Sendable (_ path: GitPath, _ bytes: [UInt8]) -> Bool

  package enum Changes: Sendable {
    /// Exactly these paths: nil deletes a file, and deleting what is not there changes nothing. The bytes have been
    /// inspected by the caller. All are refused if one path is.
    case files([GitPath: FileContent?])
    /// Everything below the folder as the snapshot saw it: added, changed and deleted files.
    ///
    /// `inspect` is called once for each file whose content the parent does not have, in order of path, before its
    /// blob exists. Kept as the parent has them: refused files, unreadable paths and all below them, and files that a
    /// sparse checkout leaves out. A file that is new and ignored by git is not added. A snapshot whose folder is
    /// missing is refused, since an unmounted tree is not a deleted one.
    case workTree(WorkTreeSnapshot, inspect: Inspection)
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
    /// ours that a person has staged with other content. See `IndexRefresh`.
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

  package init(
    folder: GitPath = ".moha", changes: Changes, parent: Parent = .current, message: String,
    author: Signature? = nil, committer: Signature? = nil, time: Time? = nil, index: Index = .refreshed
  ) {
    self.folder = folder
    self.changes = changes
    self.parent = parent
    self.message = message
    self.author = author
    self.committer = committer
    self.time = time
    self.index = index
  }
}
