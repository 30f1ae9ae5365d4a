internal import Git
internal import Records
internal import Synchronization

/// The session logs and identities of a working tree, as an automatic commit takes them: merged with what HEAD holds.
///
/// Taken as they are, they would carry a removal that nobody meant into git: `git reset`, `stash` and `checkout` put
/// older versions back, and an editor saves the buffer that it had.
final class DocumentComposer: Sendable {
  /// One file that differs from HEAD's.
  struct Document: Sendable {
    let path: GitPath
    let agent: Agent
    let role: FileRole
    /// What git would store for the file; nil where it is gone.
    let bytes: [UInt8]?
  }

  /// What was found while the last commit was composed.
  struct Findings: Sendable {
    /// Why files stay as HEAD has them, but for what the journal holds.
    var skipped: [GitPath: SkipReason] = [:]
    /// Files that stay as HEAD has them since what they have got holds a secret, in the order of the documents.
    var refused: [AutomaticCommit.Refused] = []
    /// Files whose content in the commit is another one than in the working tree, with what the working tree has.
    var merged: [GitPath: [UInt8]] = [:]
  }

  private let documents: [Document]
  private let writes: CommitComposer
  /// Keys of the entries in an agent's logs of the working tree: an entry that moved to another log is not removed.
  private let keys: [Agent: Set<String>]
  private let gate: SecretGate
  private let found = Mutex(Findings())

  init(_ documents: [Document], writes: CommitComposer, keys: [Agent: Set<String>], gate: SecretGate) {
    self.documents = documents
    self.writes = writes
    self.keys = keys
    self.gate = gate
  }

  var findings: Findings { found.withLock { $0 } }

  /// The content of the documents, and of all files of writes that wait for a commit, on top of `parent`.
  func files(
    on parent: ObjectID?, in repository: isolated Repository
  ) throws(GitError) -> [GitPath: CommitRequest.FileContent] {
    var files = try writes.files(on: parent, in: repository)
    var findings = Findings()
    guard let parent else { return files }
    let tree = try repository.commit(parent).tree
    for document in documents {
      let committed = try content(of: document.path, in: tree, repository)
      // A file that HEAD lacks is a new one, and judged like any other.
      guard let head = files[document.path]?.bytes ?? committed else { continue }
      switch try outcome(document, head: head, parent, repository) {
      case .left(let reason):
        findings.skipped[document.path] = reason
        files[document.path] = CommitRequest.FileContent(head)
      case .taken(let bytes):
        if let secret = gate.findings(bytes, against: committed ?? []).first {
          // The line of the person's file, not of what was merged.
          let present = document.bytes.flatMap { gate.findings($0, against: committed ?? []).first }
          findings.refused.append(gate.refused(document.path, present ?? secret))
          files[document.path] = CommitRequest.FileContent(head)
        } else {
          files[document.path] = CommitRequest.FileContent(bytes)
          if let present = document.bytes, present != bytes { findings.merged[document.path] = present }
        }
      }
    }
    found.withLock { $0 = findings }
    return files
  }

  private enum Outcome {
    case left(SkipReason)
    case taken([UInt8])
  }

  private func outcome(
    _ document: Document, head: [UInt8], _ parent: ObjectID, _ repository: isolated Repository
  ) throws(GitError) -> Outcome {
    guard let bytes = document.bytes else { return .left(.missing) }
    if bytes == head { return .taken(head) }
    if ConflictMarkers.isIn(bytes) { return .left(.conflict) }
    return document.role == .identity
      ? try identity(document, bytes, head: head, parent, repository)
      : try log(document, bytes, head: head, parent, repository)
  }

  private func log(
    _ document: Document, _ bytes: [UInt8], head: [UInt8], _ parent: ObjectID, _ repository: isolated Repository
  ) throws(GitError) -> Outcome {
    let path = RecordPath(document.path.bytes)
    let merge = LogMerge(head: head, file: bytes, path: path, elsewhere: keys[document.agent] ?? [])
    if merge.lostCount == 0 { return .taken(bytes) }
    if bytes.allSatisfy({ $0 == 0x0A || $0 == 0x0D || $0 == 0x20 || $0 == 0x09 }) { return .left(.emptied) }
    let base = try LogVersions.base(of: merge, at: document.path, from: parent, in: repository)
    switch try merge.outcome(base: base) {
    case .file: return .taken(bytes)
    case .merged(let merged): return .taken(merged)
    case .removed(let count): return .left(.removedEntries(count))
    case .conflict: return .left(.conflict)
    }
  }

  private func identity(
    _ document: Document, _ bytes: [UInt8], head: [UInt8], _ parent: ObjectID, _ repository: isolated Repository
  ) throws(GitError) -> Outcome {
    func object(_ bytes: [UInt8]) -> JSONDocument? {
      guard let document = try? JSONDocument(bytes), case .object = document.value else { return nil }
      return document
    }
    guard let file = object(bytes) else { return object(head) == nil ? .taken(bytes) : .left(.malformed) }
    guard let present = object(head) else { return .taken(bytes) }
    let edits = try IdentityVersions.edits(in: file, at: document.path, from: parent, repository)
    do throws(JSONError) {
      // Edited on HEAD's own version it keeps every byte that the person gave it.
      if edits == IdentityMerge.edits(from: present.value, to: file.value) {
        return .taken(try IdentityMerge.raisingCounters(of: file, to: present.value).bytes)
      }
      return .taken(try IdentityMerge.merged(head: present, file: file, edits: edits).bytes)
    } catch {
      return .left(.conflict)
    }
  }

  private func content(
    of path: GitPath, in tree: ObjectID, _ repository: isolated Repository
  ) throws(GitError) -> [UInt8]? {
    guard let entry = try repository.entry(at: path, inTree: tree), entry.mode == .regular || entry.mode == .executable
    else { return nil }
    return try repository.blob(entry.id, limit: GitRecordReader.logLimit)
  }
}
