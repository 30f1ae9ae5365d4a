internal import FoundationEssentials
package import Git
package import Records

/// Writes that killed programs left half done: entries of the write journal that no running process owns.
///
/// Every write finishes them first, and so does every tick; this is for a person who will not wait for the next one.
package struct UnfinishedWrites: Sendable {
  private let repository: Repository

  package init(_ repository: Repository) {
    self.repository = repository
  }

  /// The paths that are still to be committed and whose writer is gone, sorted. Changes nothing.
  package func paths() -> [String] {
    let folder = "\(repository.gitDirectory)/moha-sync/journal"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { name -> String? in
      // A temporary name belongs to an entry that is being made.
      guard !name.hasSuffix(".tmp"), let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        return nil
      }
      guard let head = try? JSONValue.parse(Array(data.prefix { $0 != UInt8(ascii: "\n") })),
        let path = head["path"]?.text, let pid = head["pid"]?.integer, let start = head["start"]?.text
      else { return name }
      let owner = ProcessIdentity(pid: Int32(truncatingIfNeeded: pid), startTime: start)
      return owner.isAlive && !name.hasPrefix(WriteJournal.abandonedPrefix) ? nil : path
    }.sorted()
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
