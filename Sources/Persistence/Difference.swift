package import Git
package import Records

/// One way in which the database and git disagree about one record.
package struct Difference: Sendable {
  /// The classes of the report, in its order.
  package enum Class: String, CaseIterable, Sendable {
    case missing
    case stale
    case orphaned
    case duplicate
    case corruptFile = "corrupt_file"
    case corruptRow = "corrupt_row"
    case counterDrift = "counter_drift"
    case unbacked
    case schemaDrift = "schema_drift"
    case checkpointDrift = "checkpoint_drift"

    /// The spelling of findings, which use dashes.
    package var code: String { String(rawValue.map { $0 == "_" ? "-" : $0 }) }
  }

  /// The last commit that touched the record's file.
  package struct Provenance: Hashable, Sendable {
    package let commit: ObjectID
    package let author: String
    /// Seconds since 1970-01-01T00:00:00Z.
    package let time: Int64
  }

  package let `class`: Class
  package let kind: RecordKind?
  package let key: String
  /// The file that git holds or that the row claims.
  package let path: String?
  package let rowID: Int64?
  package let gitHash: ContentHash?
  package let rowHash: [UInt8]?
  package let message: String
  package var fields: [FieldDifference]
  package var provenance: Provenance?

  init(
    _ class: Class, kind: RecordKind?, key: String, path: String?, rowID: Int64? = nil, gitHash: ContentHash? = nil,
    rowHash: [UInt8]? = nil, message: String, fields: [FieldDifference] = []
  ) {
    self.class = `class`
    self.kind = kind
    self.key = key
    self.path = path
    self.rowID = rowID
    self.gitHash = gitHash
    self.rowHash = rowHash
    self.message = message
    self.fields = fields
    provenance = nil
  }
}
