internal import FoundationEssentials
internal import Git
internal import Records

/// Brings a working tree along that a command has put back to a commit before HEAD, without knowing of HEAD's.
///
/// `git checkout -f`, `git stash`, a merge that is given up and others read HEAD first and write the index and files in the
/// end: records that were committed in between are in neither, and the person's next commit would take them out of HEAD,
/// though nobody meant it. So the index goes to HEAD's entries, and so does every file that still is the older commit's;
/// what a person has staged or edited stays. No file is removed.
///
/// `git restore --staged` and the like write entry by entry, and what they leave looks like a person's removal by name. It is
/// taken for a command that had not seen HEAD where the index was written within seconds of a record's commit, and is
/// exactly that of the commit before; a person who removes a record by name within seconds of its being recorded has to do
/// it again.
///
/// An index is looked at once beside a HEAD: both are noted in `moha-sync/checkout`, and our own commits bring the note
/// along.
struct CheckoutCatchUp {
  private let tree: WorkTreeWriter
  private let mark: String

  init(_ tree: WorkTreeWriter) {
    self.tree = tree
    mark = String(tree.journal.folder.dropLast("journal".count)) + "checkout"
  }

  /// Under the lock of the tree. Where another program holds a lock of git's the next run does it.
  func run() async throws {
    let repository = tree.repository
    // In the middle of a merge or revert the index is that command's, and nothing is committed.
    guard await repository.operationInProgress == nil, let head = try await repository.head().commit else { return }
    if let known, try await known == note(repository.indexStamp(), head) { return }
    let index = await repository.checkoutIndex(below: ".moha")
    guard let checkout = try await repository.staleCheckout(of: ".moha", index), try await isUnseen(checkout) else {
      return remember(note(index.stamp, head))
    }
    // The index last: while it is behind, nothing that a file lacks counts as removed.
    do {
      for change in checkout.changes { try await bringAlong(change) }
      remember(note(try await repository.refreshIndex(checkout), head))
    } catch let error as GitError where error.code == .locked {
      return
    } catch is PersistenceError {
      // Something else is in a file's place, or the disk is full: no reason to refuse a write.
      return
    }
  }

  /// Notes what a commit on `head` made of an index that was looked at.
  func follow(_ outcome: CommitOutcome, from head: ObjectID?) {
    guard case .committed(let commit) = outcome.result, let head, let stamps = outcome.indexStamps,
      let old = note(stamps.old, head), old == known
    else { return }
    remember(note(stamps.new, commit))
  }

  private func note(_ stamp: IndexStamp?, _ head: ObjectID) -> String? { stamp.map { "\(head) \($0.text)" } }

  private var known: String? {
    FileManager.default.contents(atPath: mark).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A help only: without it the index is looked at again.
  private func remember(_ note: String?) {
    guard let note else { return }
    try? tree.journal.files.putDerived(Array(note.utf8), at: mark)
  }

  /// How long a command may take from its look at HEAD to the index.
  private static let longest: Int64 = 10

  /// Whether whoever put the checkout back cannot have known of what it lacks.
  private func isUnseen(_ checkout: StaleCheckout) async throws -> Bool {
    if checkout.isCertain { return true }
    guard (-1...CheckoutCatchUp.longest).contains(checkout.lag) else { return false }
    for commit in checkout.commits where try await !tree.repository.commit(commit).isOurs { return false }
    return true
  }

  private func bringAlong(_ change: TreeChange) async throws {
    guard let new = change.new, new.mode == .regular || new.mode == .executable else { return }
    let file = WorkTreeFile(workTree: tree.workTree, path: change.path)
    let wanted = try await tree.repository.blob(new.id, limit: GitRecordReader.logLimit)
    guard try file.exists() else {
      if change.old == nil, await !tree.repository.isLeftOut(change.path) {
        try file.create(with: try await tree.repository.checkedOut(wanted, at: change.path))
      }
      return
    }
    guard let old = change.old else { return }
    let present = try file.read(limit: GitRecordReader.logLimit)
    guard try await tree.repository.stored(present, at: change.path).isBlob(old.id) else { return }
    try file.replace(present, with: try await tree.repository.checkedOut(wanted, at: change.path))
  }
}

extension [UInt8] {
  fileprivate func isBlob(_ id: ObjectID) -> Bool { ObjectID.blob(self) == id }
}
