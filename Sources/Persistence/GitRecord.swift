package import Git
package import Records

/// One record as git holds it: its identity and hash; the content stays in the repository.
package struct GitRecord: Sendable {
  /// Where the content is, for when it is needed again.
  package enum Content: Sendable {
    /// A file of its own: the index into the source's entries, or an entry of a past tree.
    case file(SnapshotEntry)
    /// An entry of the session log, already parsed: log entries are small and have no file of their own.
    indirect case event(Event)
    /// In no file that is read: a write that waits in the journal, and its bytes there.
    indirect case waiting(Record, [UInt8])
  }

  package let kind: RecordKind
  package let key: RecordKey
  package let path: GitPath
  /// The blob that holds the record. For an event, the log as it was read; not part of the comparison, since
  /// every append gives the log another id.
  package let objectID: ObjectID
  package let contentHash: ContentHash
  package let content: Content
  /// The commit to name as the row's origin.
  package let sourceCommit: ObjectID?
  /// The last commit that held a record which the tree no longer holds; nil for one that is in the tree.
  package let archivedCommit: ObjectID?
}

/// A file, or a part of a log, that gives no record or does not say what it should, and why. Its raw bytes go to
/// quarantine.
package struct CorruptFile: Sendable {
  /// What the file is by its place.
  package let role: FileRole
  package let key: RecordKey
  package let entry: SnapshotEntry
  /// What is wrong, the first error first.
  package let diagnostics: [Diagnostic]
  /// The bytes to keep where they are a part of the file, as an entry of the log is; nil for the file's own.
  package let part: [UInt8]?

  /// Nil for a file that holds no records: an identity, a persona, what is known of the infrastructure.
  package var kind: RecordKind? { role.kind }

  /// The kind's name, or else the role's.
  var label: String { kind?.name ?? role.rawValue }
}
