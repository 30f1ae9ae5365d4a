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

/// A record file that gives no record, and why. Its raw bytes go to quarantine.
package struct CorruptFile: Sendable {
  package let kind: RecordKind
  package let key: RecordKey
  package let entry: SnapshotEntry
  /// What is wrong, the first error first.
  package let diagnostics: [Diagnostic]
  /// The bytes to keep where they are a part of the file, as an entry of the log is; nil for the file's own.
  package let part: [UInt8]?
}
