/// A failure of git, of its repository, or of the files around it.
package struct GitError: Error, Hashable, Sendable {
  /// What kind of failure it is. More kinds may come, so a switch needs a default.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    private init(_ name: String) { description = name }

    /// No such reference, revision, object or path.
    package static let notFound = Code("not-found")
    /// An object that the history names is not in the object database: a shallow or partial clone, or damage.
    package static let missingObject = Code("missing-object")
    /// No repository at or above the path.
    package static let notARepository = Code("not-a-repository")
    /// The repository belongs to another user; the message gives the remedy.
    package static let ownership = Code("ownership")
    /// An abbreviated id that matches several objects.
    package static let ambiguous = Code("ambiguous")
    /// A revision or path that is malformed, or names something of another type.
    package static let invalidSpec = Code("invalid-spec")
    /// A repository format or extension that this build cannot read, such as SHA-256.
    package static let unsupported = Code("unsupported")
    /// Another process holds a lock.
    package static let locked = Code("locked")
    /// A reference is not what the caller expected.
    package static let modified = Code("modified")
    /// A commit was written, but HEAD does not hold it. Whether it will is unknown: read HEAD before the next try.
    package static let notCommitted = Code("not-committed")
    /// Bytes that are not what git writes: a bad object, a wrong hash, an unsorted tree.
    package static let corrupt = Code("corrupt")
    /// The operating system failed to read or write.
    package static let io = Code("io")
    /// A file of the working tree is not what the snapshot saw. Take another snapshot.
    package static let changedWhileReading = Code("changed-while-reading")
    package static let permissionDenied = Code("permission-denied")
    /// The operation needs a working tree.
    package static let bareRepository = Code("bare-repository")
    /// HEAD names a branch that has no commit yet.
    package static let unbornBranch = Code("unborn-branch")
    /// Larger than the limit that the caller gave.
    package static let tooLarge = Code("too-large")
    /// A file is not in the encoding that its attributes name.
    package static let encoding = Code("encoding")
    package static let other = Code("other")
  }

  package let code: Code
  /// What was being done, as a phrase that follows "could not": "read tree 4b825dc…".
  package let operation: String
  /// Why it failed, in one line.
  package let message: String
  /// What the library returned; 0 if the failure was found here.
  package let libraryCode: Int32
  /// The library's error class (`git_error_t`); 0 if it gave none.
  package let libraryClass: Int32
  /// `errno`, when the operating system was asked directly; otherwise 0.
  package let systemError: Int32

  package init(
    _ code: Code, operation: String, message: String, libraryCode: Int32 = 0, libraryClass: Int32 = 0,
    systemError: Int32 = 0
  ) {
    self.code = code
    self.operation = operation
    self.message = message
    self.libraryCode = libraryCode
    self.libraryClass = libraryClass
    self.systemError = systemError
  }
}

extension GitError.Code {
  /// True if the same call may succeed a moment later, once another process is done.
  package var isTransient: Bool {
    self == .locked || self == .modified || self == .changedWhileReading
  }
}

extension GitError: CustomStringConvertible {
  package var description: String { "could not \(operation): \(message)" }
}

extension GitError: CustomDebugStringConvertible {
  package var debugDescription: String {
    "\(description) [\(code), libgit2 code \(libraryCode) class \(libraryClass), errno \(systemError)]"
  }
}
