internal import Git
internal import Records

/// What a repair would do, as a value: computed by reading, printed by a dry run, executed as it is.
package struct ReconciliationPlan: Sendable {
  /// A row to bring to what git holds, where it stands: its id, its time of creation and the columns that are not the
  /// record's stay. Its present content goes to quarantine first, unless nothing of it is lost.
  struct Update: Sendable {
    enum Manner: Sendable {
      /// The row is known to be the record's.
      case changed
      /// An event row of another writer, which has no key yet.
      case claimed
      /// The same content under another file name.
      case renamed
      /// A row that git lacked, and that was written into git.
      case adopted
    }

    let row: StoredRow
    let record: GitRecord
    var manner = Manner.changed
    /// Whether everything that the row says is in the record too, or is what the change is about.
    var losesNothing = false
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
  /// Rows whose records history may hold where this clone does not have it: they stay as they are.
  var unjudged: [(kind: RecordKind, row: StoredRow)] = []
  /// Rows of records that wait for a commit, or may be such: they stay as they are.
  var waiting: [(kind: RecordKind, row: StoredRow)] = []
  /// Event rows that another writer has only just made, and events that one has only just logged: the other half of
  /// each is expected. Both are left as they are.
  var fresh: [StoredRow] = []
  var freshRecords: [GitRecord] = []
  /// Rows that were made from files which a commit has taken since: they come to name it with the checkpoint.
  var late: [RecordKind: [Int64]] = [:]
  /// Rows of events whose type is the record's in other letters, by id: the hash of what they mean.
  var respelled: [Int64: ContentHash] = [:]
  /// Files whose raw bytes are not in quarantine yet.
  var quarantineFiles: [CorruptFile] = []
  /// Records that the database refused before, to be tried once more by themselves.
  var refused: [RowRefusal] = []
  /// Entries of the quarantine about records that have arrived since, or that git holds no more.
  var resolvedRefusals: [Int64] = []
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

  /// Leaves rows that git lacks where they are.
  mutating func holdOrphans() {
    heldRemovals += removals.filter { $0.reason == .orphaned }
    removals.removeAll { $0.reason == .orphaned }
  }

  /// Whether applying would change any row. Counters of identity.json are no rows.
  var changesRows: Bool {
    !(inserts.isEmpty && updates.isEmpty && removals.isEmpty && markUnreadable.isEmpty && quarantineFiles.isEmpty
      && resolvedFiles.isEmpty && refused.isEmpty && resolvedRefusals.isEmpty) || checkpointDrift
  }
}
