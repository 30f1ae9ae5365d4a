/// A store or a rule that ends a run, as opposed to a bad record file, which is a `Diagnostic` and does not.
///
/// `message` says what failed and what was not changed; `hint` names the next safe step and never a command
/// that destroys anything. Neither holds a password or a record's text.
package struct PersistenceError: Error, Sendable, CustomStringConvertible {
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private let name: String
    /// What scripts are told.
    package let description: String

    private init(_ name: String, described description: String? = nil) {
      self.name = name
      self.description = description ?? name
    }

    /// The repository has no `.moha/<agent>` folder.
    package static let treeMissing = Code("tree-missing")
    /// A folder of the tree cannot be read, so nothing can be said about what is in it.
    package static let treeUnreadable = Code("tree-unreadable")
    /// Another run holds the lock of this agent and database, or of this repository.
    package static let locked = Code("locked")
    /// The plan would remove more than the safety rails let pass.
    package static let massRemoval = Code("mass-removal")
    /// The database cannot hold every record, by the encoding in which it keeps text.
    package static let unsuitableDatabase = Code("unsuitable-database")
    /// Row-level security hides rows from this role, so nothing can be said about them.
    package static let rowsHidden = Code("rows-hidden")
    /// The role lacks a right that the work needs.
    package static let privilegeMissing = Code("privilege-missing")
    /// The database was migrated by a newer program.
    package static let schemaNewer = Code("schema-newer")
    /// An applied migration differs from the one that this program holds.
    package static let migrationEdited = Code("migration-edited")
    /// A migration is pending below one that was applied.
    package static let migrationOutOfOrder = Code("migration-out-of-order")
    /// Something that users built depends on what a migration changes, and cannot be put back after it.
    package static let dependentObject = Code("dependent-object")
    /// A table has a name of ours and is none of ours.
    package static let foreignTable = Code("foreign-table")
    /// Both sides went on changing while the plan was applied; nothing of it was.
    package static let changedMeanwhile = Code("changed-meanwhile")
    /// A name given by the user is not one that can be used.
    package static let invalidName = Code("invalid-name")
    /// A request to record lacks something, or has something wrong; nothing was written.
    package static let invalidRequest = Code("invalid-request")
    /// A secret would have entered git; nothing was written.
    package static let secret = Code("secret")
    /// What the user named does not exist.
    package static let notFound = Code("not-found")
    /// The name of the file to make is taken; it was left as it is.
    package static let nameTaken = Code("name-taken")
    /// Git holds something else where a record was to go, which may be newer.
    package static let conflict = Code("conflict")
    /// A key of the cache holds something other than it should; it was left as it is.
    package static let cacheValue = Code("cache-value")
    /// A question to the database took longer than it may.
    package static let timedOut = Code("timed-out")
    /// The disk, or the permissions, refused a file.
    package static let writeFailed = Code("write-failed")
    /// A file of the git folder was left by a newer version of this program.
    package static let newerVersion = Code("newer-version")
    /// An idempotency key was used for something else.
    package static let keyConflict = Code("key-conflict", described: "conflict")
    /// A file that would have to be changed cannot be read as what it is by its place.
    package static let malformedFile = Code("malformed-file")
    /// Git would not store the file as it is written, or it belongs to another repository.
    package static let notStorable = Code("not-storable")
  }

  package let code: Code
  package let message: String
  package let hint: String?

  package init(_ code: Code, _ message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }

  package var description: String {
    hint.map { "\(message) (\($0))" } ?? message
  }
}
