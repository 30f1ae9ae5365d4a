internal import Git
internal import Records

/// What a repair would do, as a value: computed by reading, printed by a dry run, executed as it is.
package struct ReconciliationPlan: Sendable {
  /// A row to bring to what git holds. Its present content goes to quarantine first.
  struct Update: Sendable {
    let row: StoredRow
    let record: GitRecord
  }

  /// A row to take out, whole, into quarantine.
  struct Removal: Sendable {
    enum Reason: String, Sendable {
      case orphaned
      case duplicate
    }

    let kind: RecordKind
    let row: StoredRow
    let reason: Reason
    /// The row that stays, for a duplicate: references are moved to it.
    let keeperID: Int64?
    /// Events without a key and rows of other agents name themselves.
    let key: RecordKey?
  }

  /// Records that no row stands for, sorted by kind and key.
  var inserts: [GitRecord] = []
  var updates: [Update] = []
  var removals: [Removal] = []
  /// Rows whose file does not parse any more and that are not marked so yet.
  var markUnreadable: [(kind: RecordKind, row: StoredRow)] = []
  /// Files whose raw bytes are not in quarantine yet.
  var quarantineFiles: [CorruptFile] = []
  /// Quarantined files that are gone or parse again.
  var resolvedFiles: [RowSet.QuarantinedFile] = []
  var counterDrift: [GitRecordSet.CounterDrift] = []
  /// Whether rows or the checkpoint name a commit that this repository does not have in its history.
  var checkpointDrift = false
  /// Updates and removals that are not made: git is older here than the commit that their rows came from.
  var heldUpdates: [Update] = []
  var heldRemovals: [Removal] = []
  /// Whether git stands before the commit that the database was brought to: the checkpoint then stays where it is.
  var isBehind = false
  /// Origins to forget: commits that the repository lacks.
  var lostCommits: [ObjectID] = []

  /// How many rows each kind had when the plan was made; for the safety rails.
  var rowCounts: [RecordKind: Int] = [:]
  /// How many records and unreadable record files git holds in all.
  var gitCount = 0

  /// Whether applying would change any row. Counters of identity.json are no rows.
  var changesRows: Bool {
    !(inserts.isEmpty && updates.isEmpty && removals.isEmpty && markUnreadable.isEmpty && quarantineFiles.isEmpty
      && resolvedFiles.isEmpty) || checkpointDrift
  }
}
