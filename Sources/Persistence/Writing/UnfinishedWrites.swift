package import Git
package import Records

/// Writes that no commit holds yet: those that killed programs left half done, and those that wait for a commit.
///
/// Every write takes them first, and so does every tick; this is for a person who will not wait for the next one.
package struct UnfinishedWrites: Sendable {
  private let repository: Repository

  package init(_ repository: Repository) {
    self.repository = repository
  }

  /// What is in the journal. Changes nothing.
  package struct Contents: Sendable {
    /// Paths of writes whose writer was killed, sorted.
    package let orphaned: [String]
    /// Paths of writes that were acknowledged and wait for a commit, sorted.
    package let pending: [String]
    /// Names of files that are no entries; their bytes are kept.
    package let unreadable: [String]
  }

  package func contents() -> Contents {
    let (entries, unreadable, newer) = WriteJournal(of: repository).look()
    func paths(_ matches: (JournalEntry) -> Bool) -> [String] {
      entries.filter(matches).map { RecordPath($0.path.bytes).text }.sorted()
    }
    return Contents(
      orphaned: paths(\.isOrphaned), pending: paths { $0.state == .pending }, unreadable: (unreadable + newer).sorted())
  }

  /// Finishes or undoes each of them under the lock of the tree, and commits what was written, unless the policy leaves
  /// commits to the periodic run.
  package func finish(_ agent: Agent, settings: WriteSettings) async throws {
    guard let workTree = repository.workTree else { return }
    let tree = try WorkTreeWriter(repository, workTree: workTree, agent: agent, settings: settings)
    let lock = try await FileLock.acquire(.tree, of: repository, patience: settings.patience)
    do {
      try await tree.recover()
    } catch {
      lock.release()
      throw error
    }
    lock.release()
    guard settings.commitPolicy == .eachWrite else { return }
    _ = try await SharedCommitter(of: tree, patience: settings.patience).commit([])
  }
}
