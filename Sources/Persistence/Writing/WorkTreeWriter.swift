internal import Git
internal import Records

/// Puts records into the journal and the working tree. Every call runs under the lock of the tree.
///
/// The journal has a write before the working tree does. What is in the way of the file (a person's conflict in
/// identity.json, a log that was put back) does not stand in the way of the record.
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
    journal = WriteJournal(of: repository)
    gate = try SecretGate(workTree: workTree)
    layout = settings.layout
  }

  /// A write that is durable and not committed.
  struct Staged {
    let request: RecordRequest
    let entries: [JournalEntry]
    let path: GitPath
    let record: Record?
    let bytes: [UInt8]
    var totalDecisions: Int?
    var rebirthCount: Int?
    let isRepeated: Bool
    /// Of a repeated write the commit that took it, as far as that is known.
    var firstCommit: ObjectID?
    let agent: Agent
    /// What the caller should know beside the answer.
    var warnings: [String] = []

    /// Tells the counters of a commit's identity.json, those that were told anyway.
    mutating func takeCounters(from identity: JSONValue) {
      if totalDecisions != nil {
        totalDecisions = IdentityMerge.counter(["total_decisions"], in: identity) ?? totalDecisions
      }
      if rebirthCount != nil { rebirthCount = IdentityMerge.counter(["rebirth_count"], in: identity) ?? rebirthCount }
    }
  }

  // MARK: Staging

  /// - Parameter name: a file's name to take where it is free and of the right kind, in place of one made from the time.
  func stage(_ request: RecordRequest, name: String? = nil) async throws -> Staged {
    if let key = request.key { try gate.check(label: key) }
    if let use = try await use(of: request) { return try await repeated(request, use) }
    let identity = try await identityState()
    switch request {
    case .decision(let decision, _):
      return try await create(.decision(decision), name: name, request: request, identity: identity)
    case .milestone(let milestone, _):
      return try await create(.milestone(milestone), name: name, request: request, identity: identity)
    case .snapshot(let snapshot, _):
      return try await create(.snapshot(snapshot), name: name, request: request, identity: identity)
    case .event(let event, _):
      // The log has the type in upper case, which hides a token from the scan and still gives most of it away.
      try gate.check(label: event.type)
      return try await append(event.written, request: request, identity: identity)
    case .identity(let updates, let isRebirth, _):
      return try await change(identity, updates, isRebirth: isRebirth, request: request)
    }
  }

  /// Throws where a returning record cannot be written: `.secret`, or `.conflict` where git has other bytes under its
  /// name, which may be newer.
  func check(_ returning: RecordWriter.Returning) async throws {
    try gate.check(bytes(of: returning.record), path: nil)
    if let name = returning.fileName { try gate.check(name: GitPath(name)) }
    let request = RecordRequest(returning.record, key: returning.key)
    guard let name = returning.fileName, try await use(of: request) == nil else { return }
    let tree = try await headTree()
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
    _ record: Record, name: String?, request: RecordRequest, identity: IdentityState
  ) async throws -> Staged {
    let bytes = bytes(of: record)
    try gate.check(bytes, path: nil)
    let (path, entry) = try await place(record, bytes, preferring: name, key: request.journalKey)
    var staged = Staged(
      request: request, entries: [entry], path: path, record: record, bytes: bytes, totalDecisions: nil,
      rebirthCount: nil, isRepeated: false, agent: agent)
    guard record.kind == .decision else { return staged }
    let counted = await count(identity) { document in
      try IdentityCounters.adding(1, to: document) { try identity.decisionCount() }
    }
    staged.totalDecisions = counted.document.flatMap { IdentityMerge.counter(["total_decisions"], in: $0.value) }
    staged.warnings += counted.warning.map { [$0] } ?? []
    return staged
  }

  /// How often to look for a name again that another program has taken meanwhile.
  private static let attempts = 5

  /// Puts a record into the journal and its file under a free name.
  private func place(
    _ record: Record, _ bytes: [UInt8], preferring name: String?, key: JournalEntry.Key?
  ) async throws -> (path: GitPath, entry: JournalEntry) {
    for attempt in 1...WorkTreeWriter.attempts {
      let path = try await freePath(for: record, preferring: name)
      try gate.check(name: path)
      try await checkStorable(path)
      let entry = try journal.add(.create, path: path, content: bytes, key: key)
      do {
        try WorkTreeFile(workTree: workTree, path: path).create(with: bytes)
        return (path, entry)
      } catch let error as PersistenceError where error.code == .nameTaken {
        journal.remove([entry])
        if attempt == WorkTreeWriter.attempts { throw error }
      } catch let error as PersistenceError where error.code == .changedMeanwhile {
        // A person's command has just taken the folder away. The journal has the record, and its commit puts the file
        // there.
        return (path, entry)
      } catch {
        // The file may be there, and may even be durable: the next run finds out.
        journal.abandon(entry)
        throw error
      }
    }
    throw PersistenceError(.nameTaken, "no name was free")
  }

  private func append(
    _ event: Event, request: RecordRequest, identity: IdentityState
  ) async throws -> Staged {
    let path = GitPath(TreeLayout.sessionLog(of: agent).bytes)
    let record = Record.event(event)
    let bytes = bytes(of: record)
    try gate.check(bytes, path: nil)
    try await checkStorable(path)
    let file = WorkTreeFile(workTree: workTree, path: path)
    let size = try file.size()
    let head = size == nil ? try await headBytes(path) ?? logStart : []
    let offset = size ?? head.count
    try RecordLimits.checkLog(size: offset, adding: bytes.count)
    let entry = try journal.add(.append(offset: offset), path: path, content: bytes, key: request.journalKey)
    do {
      // A log that a sparse checkout leaves out is not put there.
      if size == nil, await !repository.isLeftOut(path) { try file.create(with: head) }
      if try file.size() != nil { try file.append(bytes, at: offset) }
    } catch let error as PersistenceError where [.changedMeanwhile, .notFound, .nameTaken].contains(error.code) {
      // A person's command is at the log. The journal has the entry, and its commit brings the file to it.
    } catch {
      journal.abandon(entry)
      throw error
    }
    var rebirths: Int?
    var warnings: [String] = []
    if event.type == "REBIRTH", let time = event.time {
      let counted = await count(identity) { document in
        try IdentityCounters.addingRebirth(at: time.description, to: document)
      }
      rebirths = counted.document.flatMap { IdentityMerge.counter(["rebirth_count"], in: $0.value) }
      warnings += counted.warning.map { [$0] } ?? []
    }
    return Staged(
      request: request, entries: [entry], path: path, record: record, bytes: bytes, totalDecisions: nil,
      rebirthCount: rebirths, isRepeated: false, agent: agent, warnings: warnings)
  }

  private func change(
    _ identity: IdentityState, _ updates: JSONValue, isRebirth: Bool, request: RecordRequest
  ) async throws -> Staged {
    let document = try identity.base()
    try identity.checkCounters(of: updates)
    var rebirth: IdentityChange.Rebirth?
    if isRebirth {
      let count = max(identity.counter(["rebirth_count"]) ?? 0, 0) + 1
      rebirth = .init(time: Instant.now().description, count: count)
    }
    let change = IdentityChange(updates: updates, rebirth: rebirth)
    let changed: JSONDocument
    do throws(JSONError) {
      changed = try change.applied(to: document)
    } catch {
      throw PersistenceError(
        .invalidRequest, "identity.json was not updated: \(error.reason)", hint: "updates must be an object")
    }
    try gate.check(changed.bytes, path: identity.path, against: document.bytes)
    try RecordLimits.checkIdentity(changed.bytes, path: RecordPath(identity.path.bytes))
    try await checkStorable(identity.path)
    let entry = try journal.add(.identity, path: identity.path, content: change.bytes, key: request.journalKey)
    let written = await count(identity) { document in try change.applied(to: document) }
    return Staged(
      request: request, entries: [entry], path: identity.path, record: nil, bytes: changed.bytes,
      totalDecisions: IdentityMerge.counter(["total_decisions"], in: changed.value),
      rebirthCount: IdentityMerge.counter(["rebirth_count"], in: changed.value), isRepeated: false, agent: agent,
      warnings: written.warning.map { [$0] } ?? [])
  }

  /// Makes a change of identity.json in the working tree, as far as its file can be read. The commit makes it on HEAD's
  /// version, whatever becomes of the file.
  ///
  /// A person's command may put another version of the file in place at any time: then the change is made on that.
  ///
  /// - Parameter identity: as it was found when the write began.
  /// - Returns: the document after the change (HEAD's, where the file cannot be read), and what to tell.
  private func count(
    _ identity: IdentityState, _ change: (JSONDocument) throws -> JSONDocument
  ) async -> (document: JSONDocument?, warning: String?) {
    do {
      var identity = identity
      for _ in 1..<WorkTreeWriter.attempts {
        do {
          return try await changed(identity, change)
        } catch let error as PersistenceError where [.changedMeanwhile, .nameTaken].contains(error.code) {
          identity = try await identityState()
        }
      }
      return try await changed(identity, change)
    } catch {
      let reason = (error as? PersistenceError)?.message ?? (error as? JSONError)?.reason ?? "\(error)"
      return (nil, "\(identity.path) was not changed in the working tree: \(reason)")
    }
  }

  private func changed(
    _ identity: IdentityState, _ change: (JSONDocument) throws -> JSONDocument
  ) async throws -> (document: JSONDocument?, warning: String?) {
    guard let document = identity.document else {
      let head = try identity.head.map(change)
      return (head, "\(identity.path) \(identity.fault ?? "cannot be read"): its counters are put right when it is mended")
    }
    let changed = try change(document)
    guard changed.bytes != document.bytes || !identity.exists else { return (changed, nil) }
    let file = WorkTreeFile(workTree: workTree, path: identity.path)
    if let present = identity.bytes {
      try file.replace(present, with: changed.bytes)
    } else if await !repository.isLeftOut(identity.path) {
      try file.create(with: changed.bytes)
    }
    return (changed, nil)
  }

  /// What a session log begins with.
  private var logStart: [UInt8] {
    Array("# \(agent.displayName) Session Log\n## Append-only event history\n\n---\n".utf8)
  }

  /// Throws where git would not store a file as it is written, or not in this repository.
  private func checkStorable(_ path: GitPath) async throws {
    if let reason = try await repository.obstacle(toStoringAt: path) {
      throw PersistenceError(
        .notStorable, "\(path) \(reason.detail): nothing was written",
        hint: "keep the attributes of .moha free of filters and encodings, or record in another repository")
    }
    if let folder = try await repository.repository(owning: path) {
      throw PersistenceError(
        .notStorable, "\(folder) is a repository of its own (a submodule, or a clone): nothing was written",
        hint: "an agent's folder has to be part of the repository that --root names")
    }
  }

  // MARK: Names

  /// The tree of HEAD; nil where there is no commit yet.
  func headTree() async throws -> ObjectID? {
    guard let head = try await repository.head().commit else { return nil }
    return try await repository.commit(head).tree
  }

  /// The bytes of a file as HEAD has it; nil where it has none, or something else.
  func headBytes(_ path: GitPath) async throws -> [UInt8]? {
    guard let tree = try await headTree(), let entry = try await repository.entry(at: path, inTree: tree),
      entry.mode == .regular || entry.mode == .executable
    else { return nil }
    return try await repository.blob(entry.id, limit: GitRecordReader.logLimit)
  }

  /// A name that neither the working tree nor HEAD has: of two decisions in one second the later one gets `_2`.
  private func freePath(for record: Record, preferring preferred: String?) async throws -> GitPath {
    let (time, folders) = try folders(for: record)
    let folder = layout == .dated ? folders[1] : folders[0]
    let tree = try await headTree()
    // A pending write may have lost its file.
    let taken = Set(try journal.entries().map(\.path))
    func isFree(_ path: RecordPath) async throws -> Bool {
      if taken.contains(GitPath(path.bytes)) { return false }
      return try await self.isFree(path, inTree: tree)
    }
    if let path = preferred.map({ folder.appending($0) }), GitPath(path.bytes).isWellFormed,
      TreeLayout.role(of: path, agent: agent).kind == record.kind, try await isFree(path)
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
      if try await isFree(path) { return GitPath(path.bytes) }
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
}

extension Optional where Wrapped: Sendable {
  func asyncMap<R>(_ transform: (Wrapped) async throws -> R) async rethrows -> R? {
    guard let self else { return nil }
    return try await transform(self)
  }
}

extension WorkTreeWriter.Staged {
  /// - Parameters:
  ///   - path: where the commit has it, which is another name where its own was taken.
  ///   - commitWarnings: what is to be said of the commit.
  func written(
    commit: ObjectID?, path: GitPath?, pending: String?, commitWarnings: [String] = []
  ) -> RecordWriter.Written {
    let path = path ?? self.path
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
      rebirthCount: rebirthCount, commit: commit, pendingReason: pending, isRepeated: isRepeated,
      warnings: request.warnings + warnings + commitWarnings)
  }
}

extension TreeLayout {
  /// What `total_decisions` has to say: the decisions that have a file, also where it cannot be read just now.
  ///
  /// - Parameter isOne: asked of files that have names of their own, and so are decisions by what they hold.
  static func decisionCount(
    _ paths: [GitPath], agent: Agent, isOne: (GitPath) throws -> Bool
  ) rethrows -> Int {
    try paths.count { path in
      let recordPath = RecordPath(path.bytes)
      guard role(of: recordPath, agent: agent) == .decision else { return false }
      return try isNamedDecision(recordPath) || isOne(path)
    }
  }
}

extension RecordFile {
  /// Whether the bytes of a file among the decisions are one, well formed or not.
  static func isDecision(_ bytes: [UInt8], at path: GitPath) -> Bool {
    let decoded = decode(bytes, role: .decision, path: RecordPath(path.bytes))
    return decoded.record != nil || decoded.diagnostics.contains { $0.severity == .error }
  }
}
