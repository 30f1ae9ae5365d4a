internal import Git
internal import Records

/// identity.json as a writer finds it: in the working tree, where it may be a person's conflict, and in HEAD.
struct IdentityState {
  let path: GitPath
  /// Whether the working tree has the file.
  let exists: Bool
  /// What the file holds; nil where there is none, or it cannot be read.
  let bytes: [UInt8]?
  /// The file's document, no counter lower than HEAD's; a new one where there is no file. Nil where it cannot be read.
  let document: JSONDocument?
  /// Why the file cannot be read: what follows its path.
  let fault: String?
  /// HEAD's document; nil where there is none that can be read.
  let head: JSONDocument?
  /// How many decisions have a file; nil where nobody needs to know.
  fileprivate let decisions: Int?

  /// The document that an update is made on.
  ///
  /// Throws `.malformedFile` where neither the file nor HEAD's version can be read.
  func base() throws -> JSONDocument {
    if let document = document ?? head { return document }
    throw PersistenceError(
      .malformedFile, "\(path) \(fault ?? "cannot be read"), and HEAD has no version that can: nothing was written",
      hint: "mend the file, commit it, and send the update again; records of other kinds are taken meanwhile")
  }

  func counter(_ path: [String]) -> Int? {
    [document, head].compactMap { $0.flatMap { IdentityMerge.counter(path, in: $0.value) } }.max()
  }

  /// For a counter that is absent or no integer.
  func decisionCount() throws -> Int { decisions ?? 0 }

  /// Throws `.invalidRequest` where an update would take a counter back: records do not become fewer by it.
  func checkCounters(of updates: JSONValue) throws {
    for path in IdentityMerge.counters {
      guard let wanted = IdentityMerge.counter(path, in: updates), let present = counter(path), wanted < present else {
        continue
      }
      throw PersistenceError(
        .invalidRequest,
        "identity.json was not updated: \(path.joined(separator: ".")) is \(present) and does not fall to \(wanted)",
        hint: "leave it out: counters follow the records, and `moha-sync reconcile` puts a wrong one right")
    }
  }
}

extension WorkTreeWriter {
  /// Reads identity.json, once a write.
  func identityState() async throws -> IdentityState {
    let path = GitPath(TreeLayout.identity(of: agent).bytes)
    let file = WorkTreeFile(workTree: workTree, path: path)
    var head: JSONDocument?
    if let bytes = try? await headBytes(path) { head = WorkTreeWriter.object(bytes) }
    var fault: String?
    var document: JSONDocument?
    var exists = false
    var present: [UInt8]?
    do {
      exists = try file.exists()
      if exists {
        let bytes = try file.read(limit: GitRecordReader.fileLimit)
        present = bytes
        document = WorkTreeWriter.object(bytes)
        if document == nil { fault = WorkTreeWriter.fault(bytes) }
      } else {
        document = head
      }
    } catch let error as PersistenceError {
      fault = "cannot be read (\(error.message))"
    }
    if let file = document, let head { document = try? IdentityMerge.raisingCounters(of: file, to: head.value) }
    let known = [document, head].compactMap { $0 }.contains {
      IdentityMerge.counter(["total_decisions"], in: $0.value) != nil
    }
    let decisions = known ? nil : try await decisionCount()
    if document == nil, fault == nil {
      document = try JSONDocument(IdentityCounters.first(agent, decisions: decisions ?? 0))
    }
    return IdentityState(
      path: path, exists: exists, bytes: present, document: document, fault: fault, head: head, decisions: decisions)
  }

  private static func object(_ bytes: [UInt8]) -> JSONDocument? {
    guard let document = try? JSONDocument(bytes), case .object = document.value else { return nil }
    return document
  }

  private static func fault(_ bytes: [UInt8]) -> String {
    do throws(JSONError) {
      _ = try JSONDocument(bytes)
      return "is no JSON object"
    } catch {
      return "is no JSON object (line \(error.line): \(error.reason))"
    }
  }

  /// Counts the files of decisions in the working tree, also those that cannot be read just now, or that the checkout
  /// leaves out.
  func decisionCount() async throws -> Int {
    let folder = GitPath(TreeLayout.decisions(of: agent).bytes)
    let snapshot = try await repository.snapshot(under: folder)
    var committed: [TreeEntry] = []
    if let head = try await repository.head().commit {
      committed = try await repository.files(inTree: repository.commit(head).tree, under: folder)
    }
    let absent = await repository.leftOut(committed, of: snapshot, below: folder)
    let entries = snapshot.entries + absent.entries
    var others: Set<GitPath> = []
    for entry in entries where !TreeLayout.isNamedDecision(RecordPath(entry.path.bytes)) {
      guard TreeLayout.role(of: RecordPath(entry.path.bytes), agent: agent) == .decision,
        let bytes = try? await repository.contents(of: entry, limit: GitRecordReader.fileLimit)
      else { continue }
      if !RecordFile.isDecision(bytes, at: entry.path) { others.insert(entry.path) }
    }
    let paths = entries.map(\.path) + snapshot.unreadable.map(\.path)
    return TreeLayout.decisionCount(paths, agent: agent) { !others.contains($0) }
  }

  /// Makes the counters of identity.json those of the files; nil where nothing had to be, or could be, changed.
  func correctCounters() async throws -> JournalEntry? {
    let identity = try await identityState()
    guard identity.exists, let document = identity.document, identity.fault == nil else { return nil }
    let total = try await decisionCount()
    let changed = try IdentityCounters.setting(total, in: document)
    let file = WorkTreeFile(workTree: workTree, path: identity.path)
    guard let present = identity.bytes, changed.bytes != present else { return nil }
    try gate.check(changed.bytes, path: identity.path, against: document.bytes)
    let entry = try journal.add(.recount, path: identity.path, content: [])
    do {
      try file.replace(present, with: changed.bytes)
    } catch {
      journal.abandon(entry)
      throw error
    }
    return entry
  }
}
