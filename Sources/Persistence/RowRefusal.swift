internal import Git
internal import Postgres
internal import Records

/// A record that the database does not take as it is.
///
/// It is left out, and its raw bytes go to quarantine under `refused-row` with the server's words; every other record
/// arrives. Each later run tries it again, by itself, and marks the entry resolved once it has arrived.
struct RowRefusal: Sendable {
  let record: GitRecord
  /// The row that says something else; nil where there was none before.
  let row: StoredRow?
  /// Why, in the words of the server.
  let reason: String
  /// Whether a row stands in the record's place: one that was not changed, or one that a trigger made of the record.
  let hasRow: Bool
  /// The open entry in quarantine; nil until there is one.
  var entry: Int64?
  /// Whether this run is the first to meet it.
  let isNew: Bool

  init(record: GitRecord, row: StoredRow?, reason: String, hasRow: Bool? = nil, entry: Int64? = nil) {
    (self.record, self.row, self.reason, self.entry) = (record, row, reason, entry)
    self.hasRow = hasRow ?? (row != nil)
    isNew = entry == nil
  }

  /// The reason of entries in quarantine.
  static let quarantineReason = "refused-row"

  var diagnostic: Diagnostic {
    let row = hasRow ? "its row says something else" : "it has no row"
    let message = "the database refuses this record, and \(row): \(reason)"
    return Diagnostic(
      severity: .error, code: "row-refused", path: RecordPath(record.path.bytes), line: nil, message: message)
  }
}

/// A refusal of an earlier run, as the quarantine remembers it.
struct KnownRefusal: Hashable, Sendable {
  let entry: Int64
  let kind: String
  let key: RecordKey
  let objectID: [UInt8]
  let reason: String
  /// Whether the record's bytes are in quarantine too.
  let holdsBytes: Bool

  /// Whether it is about this very record: an entry of the log is its key, a file may have changed under its name.
  func isAbout(_ record: GitRecord) -> Bool {
    kind == record.kind.name && key == record.key && (record.kind == .event || objectID == record.objectID.bytes)
  }
}

/// A table refuses something, and its rows have to be tried in smaller parts.
struct TableRefusal: Error {
  let kind: RecordKind
}

extension PostgresError {
  /// This error, or where it is about a row, the refusal of that row's table.
  func refusal(by kind: RecordKind) -> any Error {
    refusesRow ? TableRefusal(kind: kind) : self
  }
}
