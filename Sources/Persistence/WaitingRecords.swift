internal import Git
internal import Records

/// Records that a writer acknowledged and that no commit holds yet: they wait in the journal.
///
/// Nothing is committed on a detached HEAD, in the middle of a merge or a rebase, or where commits are left to the
/// periodic run. Such a record has its row at once, and its file; but the file may go with the next command of a
/// person's (`checkout -f`, `stash -u`, `merge --abort`), while the journal keeps the bytes until a commit has them. So
/// of a working tree these records count as if their files were there: a row of theirs is no orphan, and a database that
/// was lost gets them back. A commit that is named holds what it holds: there the records are not added, and their rows,
/// about which no commit says anything, are left as they are.
///
/// What the journal has from a newer program cannot be read: any row without a record may be that one's, so none is
/// taken out meanwhile.
struct WaitingRecords: Sendable {
  /// In the order in which they were written, each once. None of them is in HEAD.
  let records: [GitRecord]
  /// Files of the journal that a newer program wrote.
  let unknownCount: Int

  /// Reads the journal; changes nothing, and takes no lock. To be read after the files: a write leaves the journal when
  /// HEAD has moved, which whoever compares notices.
  init(of agent: Agent, in repository: Repository) async throws {
    let (entries, _, newer) = WriteJournal(of: repository).look()
    let pending = entries.filter { $0.state == .pending && $0.agent == agent }
    unknownCount = newer.count
    guard !pending.isEmpty else {
      records = []
      return
    }
    // A person may have committed the files since, or have taken them out of a commit again.
    let held = try await CommitComposer(pending).held(by: repository.head().commit, in: repository)
    var seen: Set<String> = []
    records = pending.filter { held[$0.name] == nil }.compactMap(\.waitingRecord).filter {
      seen.insert("\($0.kind.name) \($0.key)").inserted
    }
  }

  /// What to tell of them.
  var notes: [String] {
    var notes: [String] = []
    if !records.isEmpty {
      notes.append(
        records.count == 1 ? "1 record waits for a commit" : "\(records.count) records wait for a commit")
    }
    if unknownCount > 0 {
      notes.append(
        "a newer moha-sync has left \(unknownCount) unfinished write\(unknownCount == 1 ? "" : "s") that this one "
          + "cannot read: no row is taken out until that version has finished \(unknownCount == 1 ? "it" : "them")")
    }
    return notes
  }
}

extension JournalEntry {
  /// The record that the write makes; nil for a change of identity.json or a rotation, and for what gives no record.
  fileprivate var waitingRecord: GitRecord? {
    guard let agent else { return nil }
    let recordPath = RecordPath(path.bytes)
    let id = ObjectID.blob(content)
    switch operation {
    case .append:
      guard let event else { return nil }
      return GitRecord(
        kind: .event, key: RecordKey(event.recordKey), path: path, objectID: id, contentHash: event.contentHash,
        content: .waiting(.event(event.event), content), sourceCommit: nil, archivedCommit: nil)
    case .create:
      let role = TreeLayout.role(of: recordPath, agent: agent)
      guard let record = RecordFile.decode(content, role: role, path: recordPath).record else { return nil }
      return GitRecord(
        kind: record.kind, key: RecordKey(fileName: Array(path.lastComponent), agent: agent), path: path, objectID: id,
        contentHash: record.contentHash, content: .waiting(record, content), sourceCommit: nil, archivedCommit: nil)
    case .identity, .recount, .takeIdentity, .rotate: return nil
    }
  }
}
