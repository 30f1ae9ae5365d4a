internal import Crypto
internal import FoundationEssentials
internal import Git
internal import Glibc
internal import Records

/// Which idempotency keys were used, and for what: one small file a key in the git folder.
///
/// The key itself is in the record's metadata, so the files are an index: where it is missing, as in a fresh
/// clone, it is made anew from the records. An identity update has no record; its key is only here.
struct IdempotencyKeys {
  let folder: String
  let agent: Agent

  /// What a key was used for.
  struct Use: Sendable {
    let path: GitPath
    /// The key of an event in its log; nil for a file of its own.
    let recordKey: String?
  }

  init(journal: WriteJournal, agent: Agent) {
    folder = String(journal.folder.dropLast("journal".count)) + "keys"
    self.agent = agent
  }

  func use(of key: String, kind: RecordRequest.Kind, in tree: WorkTreeWriter) async throws -> Use? {
    if !FileManager.default.fileExists(atPath: "\(folder)/complete-\(agent.name)") { try await rebuild(in: tree) }
    guard let data = FileManager.default.contents(atPath: file(key, kind)) else { return nil }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard let path = lines.first.flatMap({ RecordPath(text: String($0)) }), !path.bytes.isEmpty else { return nil }
    let recordKey = lines.count > 1 && !lines[1].isEmpty ? String(lines[1]) : nil
    return Use(path: GitPath(path.bytes), recordKey: recordKey)
  }

  /// Keeps the key, by default durably: a power cut after the answer must not let the same request in again.
  func record(
    _ key: String, kind: RecordRequest.Kind, use: Use, _ durability: PrivateFile.Durability = .durable
  ) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let text = "\(RecordPath(use.path.bytes).text)\n\(use.recordKey ?? "")\n"
    // Under the lock of the tree, so one name is enough, and the next run knows what is left over.
    try PrivateFile.put(Array(text.utf8), at: file(key, kind), through: temporary, durability)
  }

  private var temporary: String { "\(folder)/new.tmp" }

  /// Removes what a killed writer was writing.
  func removeTemporary() {
    unlink(temporary)
  }

  /// Enters the key of a journal entry whose writer was killed before it could.
  func recover(_ entry: WriteJournal.Entry) throws {
    let path = RecordPath(entry.path.bytes)
    switch TreeLayout.role(of: path, agent: agent) {
    case .decision, .milestone, .snapshot:
      let role = TreeLayout.role(of: path, agent: agent)
      try enter(RecordFile.decode(entry.content, role: role, path: path).record, at: entry.path)
    case .sessionLog:
      for event in SessionLog.parse(entry.content, path: path).entries {
        try enter(.event(event.event), at: entry.path)
      }
    case .identity:
      guard let key = entry.key else { return }
      try record(key, kind: .identity, use: Use(path: entry.path, recordKey: nil))
    default: break
    }
  }

  private func enter(
    _ record: Record?, at path: GitPath, _ durability: PrivateFile.Durability = .durable
  ) throws {
    guard let record, let key = record.metadata["idempotency_key"]?.text else { return }
    let kind: RecordRequest.Kind =
      switch record.kind {
      case .decision: .decision
      case .milestone: .milestone
      case .event: .event
      case .snapshot: .snapshot
      }
    let recordKey = kind == .event ? record.contentHash.recordKey : nil
    try self.record(key, kind: kind, use: Use(path: path, recordKey: recordKey), durability)
  }

  private func rebuild(in tree: WorkTreeWriter) async throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let source = try await RecordSource(.workTree, agent: agent, repository: tree.repository)
    let set = try await GitRecordReader(source: source, repository: tree.repository).read()
    let current = set.records.filter { $0.archivedCommit == nil }
    for chunk in current.chunks(of: 1_000) {
      let records = try await RecordContents(repository: tree.repository, agent: agent).records(chunk)
      for (git, record) in zip(chunk, records) { try enter(record, at: git.path, .volatile) }
    }
    // All files at once, before the name that says that they are there.
    try await tree.repository.synchronizeFileSystem()
    try PrivateFile.put([], at: "\(folder)/complete-\(agent.name)", through: temporary, .durable)
  }

  private func file(_ key: String, _ kind: RecordRequest.Kind) -> String {
    "\(folder)/\(hex(SHA256.hash(data: Array("\(agent.name)/\(kind.rawValue)/\(key)".utf8))))"
  }
}
