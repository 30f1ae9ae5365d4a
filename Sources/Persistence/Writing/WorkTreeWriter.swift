internal import FoundationEssentials
internal import Git
internal import Records

/// Puts records into the working tree. Every call runs under the lock of the tree.
struct WorkTreeWriter {
  let repository: Repository
  let workTree: String
  let agent: Agent
  let journal: WriteJournal
  let gate: SecretGate
  let layout: WriteSettings.Layout

  /// The writer of a working tree, with the journal and the secret scan that go with it. Makes the journal's folder.
  init(_ repository: Repository, workTree: String, agent: Agent, settings: WriteSettings) throws {
    self.repository = repository
    self.workTree = workTree
    self.agent = agent
    journal = try WriteJournal(gitDirectory: repository.gitDirectory)
    gate = try SecretGate(workTree: workTree)
    layout = settings.layout
  }

  /// A write that is durable and not committed.
  struct Staged {
    let request: RecordRequest
    let entries: [WriteJournal.Entry]
    let path: GitPath
    let record: Record?
    let bytes: [UInt8]
    let totalDecisions: Int?
    let rebirthCount: Int?
    let isRepeated: Bool
    let agent: Agent
  }

  // MARK: Staging

  /// - Parameter name: a file's name to take where it is free and of the right kind, in place of one made from the time.
  func stage(_ request: RecordRequest, name: String? = nil) async throws -> Staged {
    let keys = IdempotencyKeys(journal: journal, agent: agent)
    if let key = request.key, let use = try await keys.use(of: key, kind: request.kind, in: self) {
      return try await repeated(request, use)
    }
    let identity = try await identityFile()
    switch request {
    case .decision(let decision, _):
      let record = Record.decision(decision)
      return try await create(record, name: name, request: request, keys: keys) { try countDecision(identity) }
    case .milestone(let milestone, _):
      return try await create(.milestone(milestone), name: name, request: request, keys: keys) { nil }
    case .snapshot(let snapshot, _):
      return try await create(.snapshot(snapshot), name: name, request: request, keys: keys) { nil }
    case .event(let event, _):
      // The log has the type in upper case, which hides a token from the scan and still gives most of it away.
      try gate.check(Array(event.type.utf8), path: nil)
      return try append(event.written, request: request, keys: keys, identity: identity)
    case .identity(let updates, let isRebirth, _):
      let document = try merge(updates, isRebirth: isRebirth, into: identity.document)
      let entry = try replaceIdentity(identity, with: document, key: request.key)
      if let key = request.key {
        do {
          try keys.record(key, kind: request.kind, use: .init(path: identity.path, recordKey: nil))
        } catch {
          journal.abandon(entry)
          throw error
        }
      }
      return Staged(
        request: request, entries: [entry], path: identity.path, record: nil, bytes: document.bytes,
        totalDecisions: document.value["total_decisions"]?.integer,
        rebirthCount: document.value["rebirth_count"]?.integer,
        isRepeated: false, agent: agent)
    }
  }

  /// Throws where a returning record cannot be written: `.secret`, or `.conflict` where git has other bytes under its
  /// name, which may be newer.
  func check(_ returning: RecordWriter.Returning) async throws {
    let bytes = bytes(of: returning.record)
    try gate.check(bytes, path: nil)
    let keys = IdempotencyKeys(journal: journal, agent: agent)
    let kind = RecordRequest(returning.record, key: nil).kind
    guard let name = returning.fileName, try await keys.use(of: returning.key, kind: kind, in: self) == nil else {
      return
    }
    let head = try await repository.head().commit
    let tree = try await head.asyncMap { try await repository.commit($0).tree }
    for folder in try folders(for: returning.record).folders {
      let path = folder.appending(name)
      guard TreeLayout.role(of: path, agent: agent).kind == returning.record.kind,
        GitPath(path.bytes).isWellFormed, try await !isFree(path, inTree: tree)
      else { continue }
      throw PersistenceError(
        .conflict, "git has \(path.text) with what may be a newer version of this record: nothing was written",
        hint: "compare the two, and record what is missing as a new record")
    }
  }

  private func bytes(of record: Record) -> [UInt8] {
    if case .event(let event) = record { return SessionLog.encode(event) }
    return RecordFile.encode(record, recordedBy: agent.displayName)
  }

  private func create(
    _ record: Record, name: String?, request: RecordRequest, keys: IdempotencyKeys,
    counting: () throws -> (entry: WriteJournal.Entry, total: Int)?
  ) async throws -> Staged {
    let bytes = bytes(of: record)
    try gate.check(bytes, path: nil)
    let path = try await freePath(for: record, preferring: name)
    let entry = try journal.add(.create, path: path, content: bytes)
    let counted: (entry: WriteJournal.Entry, total: Int)?
    do {
      try WorkTreeFile(workTree: workTree, path: path).create(with: bytes)
      if let key = request.key {
        try keys.record(key, kind: request.kind, use: .init(path: path, recordKey: nil))
      }
      counted = try counting()
    } catch let error as PersistenceError where error.code == .nameTaken {
      journal.remove([entry])
      throw error
    } catch {
      // The file may be there, and may even be durable: the next run finds out.
      journal.abandon(entry)
      throw error
    }
    return Staged(
      request: request, entries: [entry] + (counted.map { [$0.entry] } ?? []), path: path, record: record, bytes: bytes,
      totalDecisions: counted?.total, rebirthCount: nil, isRepeated: false, agent: agent)
  }

  private func append(
    _ event: Event, request: RecordRequest, keys: IdempotencyKeys, identity: Identity
  ) throws -> Staged {
    let path = GitPath(TreeLayout.sessionLog(of: agent).bytes)
    let bytes = bytes(of: .event(event))
    try gate.check(bytes, path: nil)
    let file = WorkTreeFile(workTree: workTree, path: path)
    let head = Array("# \(agent.displayName) Session Log\n## Append-only event history\n\n---\n".utf8)
    let size = try file.size()
    let offset = size ?? head.count
    var rebirth: JSONDocument?
    if event.type == "REBIRTH" {
      rebirth = try merge(.emptyObject, isRebirth: true, into: identity.document, at: event.time)
    }
    let rebirths = rebirth?.value["rebirth_count"]?.integer
    let entry = try journal.add(.append(offset: offset), path: path, content: bytes, rebirths: rebirths)
    var entries = [entry]
    let record = Record.event(event)
    do {
      if size == nil { try file.create(with: head) }
      try file.append(bytes, at: offset)
      if let key = request.key {
        try keys.record(
          key, kind: request.kind, use: .init(path: path, recordKey: record.contentHash.recordKey))
      }
      if let rebirth { entries.append(try replaceIdentity(identity, with: rebirth)) }
    } catch {
      journal.abandon(entry)
      throw error
    }
    return Staged(
      request: request, entries: entries, path: path, record: record, bytes: bytes, totalDecisions: nil,
      rebirthCount: rebirths, isRepeated: false, agent: agent)
  }

  /// A name that neither the working tree nor HEAD has: of two decisions in one second the later one gets `_2`.
  private func freePath(for record: Record, preferring preferred: String?) async throws -> GitPath {
    let (time, folders) = try folders(for: record)
    let folder = layout == .dated ? folders[1] : folders[0]
    let head = try await repository.head().commit
    let tree = try await head.asyncMap { try await repository.commit($0).tree }
    if let path = preferred.map({ folder.appending($0) }), GitPath(path.bytes).isWellFormed,
      TreeLayout.role(of: path, agent: agent).kind == record.kind, try await isFree(path, inTree: tree)
    {
      return GitPath(path.bytes)
    }
    for ordinal in 1...10_000 {
      let name =
        switch record {
        case .milestone(let milestone): TreeLayout.milestoneFileName(at: time, title: milestone.title, ordinal: ordinal)
        case .snapshot: TreeLayout.snapshotFileName(at: time, ordinal: ordinal)
        case .decision, .event: TreeLayout.decisionFileName(at: time, ordinal: ordinal)
        }
      let path = folder.appending(name)
      if try await isFree(path, inTree: tree) { return GitPath(path.bytes) }
    }
    throw PersistenceError(
      .writeFailed, "no free file name is left in \(folder.text) for this second: nothing was written",
      hint: "try again")
  }

  /// Where a record's file may lie: directly in the folder of its kind, or in that of its day.
  private func folders(for record: Record) throws -> (time: Instant, folders: [RecordPath]) {
    guard let time = record.time, let folder = TreeLayout.folder(of: record.kind, agent: agent) else {
      throw PersistenceError(.invalidRequest, "a record needs a time and a folder: nothing was written")
    }
    return (time, [folder, folder.appending(TreeLayout.datedFolder(at: time))])
  }

  private func isFree(_ path: RecordPath, inTree tree: ObjectID?) async throws -> Bool {
    let path = GitPath(path.bytes)
    if try WorkTreeFile(workTree: workTree, path: path).exists() { return false }
    guard let tree else { return true }
    return try await repository.entry(at: path, inTree: tree) == nil
  }

  private func repeated(_ request: RecordRequest, _ use: IdempotencyKeys.Use) async throws -> Staged {
    var record: Record?
    var bytes: [UInt8] = []
    let path = RecordPath(use.path.bytes)
    let file = WorkTreeFile(workTree: workTree, path: use.path)
    if try file.exists() { bytes = try file.read(limit: GitRecordReader.logLimit) }
    switch request.kind {
    case .decision, .milestone, .snapshot:
      record = RecordFile.decode(bytes, role: TreeLayout.role(of: path, agent: agent), path: path).record
    case .event:
      var entry = SessionLog.parse(bytes, path: path).entries.first { $0.recordKey == use.recordKey }
      if entry == nil, let recordKey = use.recordKey { entry = try await rotatedEntry(recordKey) }
      record = entry.map { .event($0.event) }
    case .identity: break
    }
    // The same members as the first answer had: clients check them against one schema a tool.
    let identity = try await identityFile().document.value
    let isCounted = request.kind == .decision || request.kind == .identity
    var isRebirth = request.kind == .identity
    if case .event(let event) = record { isRebirth = event.type == "REBIRTH" }
    return Staged(
      request: request, entries: [], path: use.path, record: record, bytes: bytes,
      totalDecisions: isCounted ? identity["total_decisions"]?.integer : nil,
      rebirthCount: isRebirth ? identity["rebirth_count"]?.integer : nil, isRepeated: true, agent: agent)
  }

  /// The entry with this key in the files of past months.
  private func rotatedEntry(_ recordKey: String) async throws -> LogEntry? {
    let folder = GitPath(agent.root.appending("session_log").bytes)
    for file in try await repository.snapshot(under: folder).entries.reversed() {
      let path = RecordPath(file.path.bytes)
      guard TreeLayout.role(of: path, agent: agent) == .rotatedLog, file.mode != .symlink else { continue }
      let bytes = try WorkTreeFile(workTree: workTree, path: file.path).read(limit: GitRecordReader.logLimit)
      let found = SessionLog.parse(bytes, path: path).entries.first { $0.recordKey == recordKey }
      if let found { return found }
    }
    return nil
  }

  // MARK: Identity

  struct Identity {
    let path: GitPath
    let document: JSONDocument
    let exists: Bool
  }

  /// identity.json; a new one where there is none.
  private func identityFile() async throws -> Identity {
    let path = GitPath(TreeLayout.identity(of: agent).bytes)
    let file = WorkTreeFile(workTree: workTree, path: path)
    if try file.exists() {
      let bytes = try file.read(limit: GitRecordReader.fileLimit)
      do throws(JSONError) {
        return Identity(path: path, document: try JSONDocument(bytes), exists: true)
      } catch {
        throw PersistenceError(
          .invalidRequest, "\(path) is no JSON object (line \(error.line): \(error.reason)): nothing was written",
          hint: "mend the file and try again")
      }
    }
    let count = try await decisionCount()
    let text = "{\n  \"name\": \"\(agent.displayName)\",\n  \"rebirth_count\": 0,\n  \"total_decisions\": \(count)\n}\n"
    return Identity(path: path, document: try JSONDocument(Array(text.utf8)), exists: false)
  }

  private func countDecision(_ identity: Identity) throws -> (entry: WriteJournal.Entry, total: Int)? {
    let total = (identity.document.value["total_decisions"]?.integer ?? 0) + 1
    let file = IdentityFile.parse(identity.document.bytes, path: RecordPath(identity.path.bytes))
    guard let bytes = file.edited(totalDecisions: total) else { return nil }
    return (try replaceIdentity(identity, with: try JSONDocument(bytes)), total)
  }

  /// - Parameter key: what makes the update one of its own that must not be made twice.
  private func replaceIdentity(
    _ identity: Identity, with document: JSONDocument, key: String? = nil
  ) throws -> WriteJournal.Entry {
    try gate.check(document.bytes, path: identity.path, against: identity.exists ? identity.document.bytes : [])
    let entry = try journal.add(
      .replace, path: identity.path, content: key == nil ? [] : document.bytes, key: key)
    let file = WorkTreeFile(workTree: workTree, path: identity.path)
    do {
      if identity.exists { try file.replace(with: document.bytes) } else { try file.create(with: document.bytes) }
    } catch {
      journal.abandon(entry)
      throw error
    }
    return entry
  }

  private func merge(
    _ updates: JSONValue, isRebirth: Bool, into document: JSONDocument, at time: Instant? = nil
  ) throws -> JSONDocument {
    do throws(JSONError) {
      var document = try document.merging(updates)
      if isRebirth {
        let count = document.value["rebirth_count"]?.integer ?? 0
        document = try document.setting(["rebirth_count"], to: .integer(count + 1))
        document = try document.setting(["last_rebirth"], to: .string((time ?? Instant.now()).description))
      }
      return document
    } catch {
      throw PersistenceError(
        .invalidRequest, "identity.json was not updated: \(error.reason)", hint: "updates must be an object")
    }
  }

  /// Counts the files, as a writer does after another one was killed between a file and its counter.
  private func decisionCount() async throws -> Int {
    let snapshot = try await repository.snapshot(under: GitPath(TreeLayout.decisions(of: agent).bytes))
    return TreeLayout.decisionCount(snapshot.entries.map(\.path) + snapshot.unreadable.map(\.path), agent: agent)
  }

  // MARK: Recovery

  /// Finishes or undoes what killed writers left: a whole record is kept and committed, a torn one is cut off.
  func recover() async throws {
    let entries = try journal.entries()
    for entry in entries {
      // A rotation holds the lock of the tree from its first file to its last: whoever finds one half done under
      // this lock finishes it, whether its process was killed or met a full disk.
      if case .rotate(let rotation) = entry.action, try !apply(rotation, entry) { journal.remove([entry]) }
    }
    let abandoned = entries.filter { !$0.owner.isAlive }
    guard !abandoned.isEmpty else { return }
    let keys = IdempotencyKeys(journal: journal, agent: agent)
    keys.removeTemporary()
    var countsChanged = false
    for entry in abandoned {
      let file = WorkTreeFile(workTree: workTree, path: entry.path)
      for path in entry.paths { try WorkTreeFile(workTree: workTree, path: path).removeTemporaries() }
      switch entry.action {
      case .create:
        guard try file.exists() else {
          journal.remove([entry])
          continue
        }
        countsChanged = true
        try keys.recover(entry)
      case .append(let offset):
        let bytes = try file.exists() ? try file.read(limit: GitRecordReader.logLimit) : []
        let tail = bytes.dropFirst(offset)
        if tail.starts(with: entry.content) {
          try keys.recover(entry)
          try await countRebirth(of: entry)
        } else {
          if !tail.isEmpty, entry.content.starts(with: tail) { try file.truncate(to: offset) }
          journal.remove([entry])
        }
      case .replace:
        if entry.key != nil, try file.exists(), try file.read(limit: GitRecordReader.fileLimit) == entry.content {
          try keys.recover(entry)
        }
      case .rotate: break
      }
    }
    if countsChanged { _ = try await correctCounters() }
  }

  /// Counts the rebirth of a log entry whose writer was killed before it could.
  ///
  /// The entry is recovered again until a commit holds it, with other rebirths in between: the count tells, not the time.
  private func countRebirth(of entry: WriteJournal.Entry) async throws {
    let events = SessionLog.parse(entry.content, path: RecordPath(entry.path.bytes)).entries.map(\.event)
    guard let rebirths = entry.rebirths, let time = events.first?.time else { return }
    let identity = try await identityFile()
    guard (identity.document.value["rebirth_count"]?.integer ?? 0) < rebirths else { return }
    _ = try replaceIdentity(
      identity, with: try merge(.emptyObject, isRebirth: true, into: identity.document, at: time))
  }

  /// Makes the counters of identity.json those of the files; nil where nothing had to be, or could be, changed.
  func correctCounters() async throws -> WriteJournal.Entry? {
    let path = GitPath(TreeLayout.identity(of: agent).bytes)
    guard try WorkTreeFile(workTree: workTree, path: path).exists() else { return nil }
    let identity = try await identityFile()
    let file = IdentityFile.parse(identity.document.bytes, path: RecordPath(identity.path.bytes))
    guard let bytes = file.edited(totalDecisions: try await decisionCount()), bytes != identity.document.bytes else {
      return nil
    }
    return try replaceIdentity(identity, with: try JSONDocument(bytes))
  }
}

extension WorkTreeWriter {
  // MARK: Rotation

  /// Brings every file of a rotation to what it shall be: first the months, durably, then the log without what they
  /// have. Does nothing where that is done already.
  ///
  /// Returns false, with the log whole, where somebody has changed a file in between, so that nothing can be moved.
  func apply(_ rotation: WriteJournal.Entry.Rotation, _ entry: WriteJournal.Entry) throws -> Bool {
    let log = WorkTreeFile(workTree: workTree, path: entry.path)
    guard try log.exists() else { return false }
    let bytes = try log.read(limit: GitRecordReader.logLimit)
    // The log was shortened, and the months were durable before. Or a person has changed it since: it is theirs.
    guard ObjectID.blob(bytes) == rotation.log, (rotation.cuts.last?.upperBound ?? 0) <= bytes.count else {
      return true
    }
    var position = 0
    for part in rotation.parts {
      let added = entry.content[position..<(position + part.length)]
      position += part.length
      let file = WorkTreeFile(workTree: workTree, path: part.path)
      let exists = try file.exists()
      let old = exists ? try file.read(limit: GitRecordReader.logLimit) : []
      let offset = part.offset ?? 0
      if old.count >= offset, old[offset...].starts(with: added) { continue }
      guard old.count == offset, exists == (part.offset != nil) else { return false }
      if exists { try file.replace(with: old + added) } else { try file.create(with: Array(added)) }
    }
    try log.replace(with: LogRotationPlan.cut(bytes, rotation.cuts))
    return true
  }
}

extension Optional where Wrapped: Sendable {
  func asyncMap<R>(_ transform: (Wrapped) async throws -> R) async rethrows -> R? {
    guard let self else { return nil }
    return try await transform(self)
  }
}

extension WorkTreeWriter.Staged {
  func written(commit: ObjectID?, pending: String?) -> RecordWriter.Written {
    var content: GitRecordContent?
    if let record {
      let key =
        record.kind == .event
        ? RecordKey(record.contentHash.recordKey)
        : RecordKey(fileName: Array(path.lastComponent), agent: agent)
      let git = GitRecord(
        kind: record.kind, key: key, path: path, objectID: .blob(bytes), contentHash: record.contentHash,
        content: .file(
          SnapshotEntry(path: path, id: .blob(bytes), mode: .regular, size: Int64(bytes.count), source: .workTree)),
        sourceCommit: commit, archivedCommit: nil)
      content = GitRecordContent(record: record, git: git)
    }
    return RecordWriter.Written(
      kind: request.kind, path: RecordPath(path.bytes).text, record: content, totalDecisions: totalDecisions,
      rebirthCount: rebirthCount, commit: commit, pendingReason: pending, isRepeated: isRepeated)
  }
}

extension TreeLayout {
  /// What `total_decisions` has to say: the decisions that have a file, also where it cannot be read just now.
  static func decisionCount(_ paths: [GitPath], agent: Agent) -> Int {
    paths.count { role(of: RecordPath($0.bytes), agent: agent) == .decision }
  }
}
