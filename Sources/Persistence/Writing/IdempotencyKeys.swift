internal import Crypto
internal import FoundationEssentials
internal import Git
internal import Glibc
internal import Records

/// Which idempotency keys were used, and for what: one small file a key in the git folder.
///
/// A key is used from the moment in which the journal durably holds its write; it is entered here before the entry leaves
/// the journal, by whoever commits it. The key is also in the record's metadata, so the files are an index: where HEAD is at
/// another commit than the index knows of (a fresh clone, a pull), the records that came since are entered. An identity
/// update has no record; its key is only here.
struct IdempotencyKeys {
  let folder: String
  let agent: Agent
  private let files: PrivateFiles

  /// What a key was used for.
  struct Use: Sendable {
    let path: GitPath
    /// The key of an event in its log; nil for a file of its own.
    let recordKey: String?
    /// What tells the same request from another; nil for what an earlier version, or another clone, entered.
    let digest: String?
    /// The commit that took it; nil for what came by another way.
    let commit: ObjectID?
    /// The entry of the journal that no commit holds yet; nil for one that was committed.
    let entry: JournalEntry?
  }

  init(journal: WriteJournal, agent: Agent) {
    folder = String(journal.folder.dropLast("journal".count)) + "keys"
    self.agent = agent
    files = journal.files
  }

  /// - Parameter entries: the journal's, read under the lock of the tree.
  func use(
    of key: String, kind: RecordRequest.Kind, entries: [JournalEntry], in repository: Repository
  ) async throws -> Use? {
    if let entry = entries.last(where: { $0.agent == agent && $0.matches(key, kind) }) {
      return Use(
        path: entry.path, recordKey: entry.event?.recordKey, digest: entry.key?.digest, commit: nil,
        entry: entry)
    }
    try await catchUp(with: repository)
    let name = file(key, kind)
    if access(name, F_OK) == 0, lines(of: name) == nil {
      // Damaged: the records themselves know.
      unlink(name)
      unlink(mark)
      try await catchUp(with: repository)
    }
    guard let (path, lines) = lines(of: name) else { return nil }
    func line(_ index: Int) -> String? { lines.count > index && !lines[index].isEmpty ? String(lines[index]) : nil }
    return Use(
      path: path, recordKey: line(1), digest: line(2), commit: line(3).flatMap { ObjectID(hex: $0) }, entry: nil)
  }

  /// What a file of the index says; nil where there is none, or it names no file of the agent's.
  private func lines(of file: String) -> (path: GitPath, lines: [Substring])? {
    guard let data = FileManager.default.contents(atPath: file) else { return nil }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard let path = lines.first.flatMap({ RecordPath(text: String($0)) }).map({ GitPath($0.bytes) }),
      Agent(ownerOf: path) == agent
    else { return nil }
    return (path, lines)
  }

  /// Enters the keys of writes that a commit holds, durably: a power cut after the answer must not let the same request in
  /// again. Under the lock of the tree.
  ///
  /// - Parameter path: where a write lies in the commit.
  func enter(
    _ entries: [JournalEntry], of commit: ObjectID, in repository: Repository, path: (JournalEntry) -> GitPath
  ) async throws {
    var uses: [(file: String, bytes: [UInt8])] = []
    for entry in entries where entry.agent == agent {
      let place = path(entry)
      for (key, recordKey) in entry.keys {
        uses.append((file(key.text, key.kind), bytes(place, recordKey, key.digest, commit)))
      }
    }
    try await put(uses, replacing: true, repository)
  }

  /// Removes what a killed writer was writing.
  func removeTemporary() {
    unlink(temporary)
  }

  private var temporary: String { "\(folder)/new.tmp" }

  private func bytes(_ path: GitPath, _ recordKey: String?, _ digest: String?, _ commit: ObjectID? = nil) -> [UInt8] {
    let lines = [RecordPath(path.bytes).text, recordKey ?? "", digest ?? "", commit.map { "\($0)" } ?? ""]
    return Array(lines.map { "\($0)\n" }.joined().utf8)
  }

  /// Above this many files one synchronisation of the file system is cheaper than one each.
  private static let few = 8

  private func put(
    _ uses: [(file: String, bytes: [UInt8])], replacing: Bool, _ repository: Repository
  ) async throws {
    guard !uses.isEmpty else { return }
    try files.makeFolder(folder)
    for use in uses where replacing || access(use.file, F_OK) != 0 {
      // Under the lock of the tree, so one name is enough, and the next run knows what is left over.
      try files.put(
        use.bytes, at: use.file, through: temporary, uses.count <= IdempotencyKeys.few ? .durable : .volatile)
    }
    if uses.count > IdempotencyKeys.few { try await repository.synchronizeFileSystem() }
  }

  private func file(_ key: String, _ kind: RecordRequest.Kind) -> String {
    "\(folder)/\(hex(SHA256.hash(data: Array("\(agent.name)/\(kind.rawValue)/\(key)".utf8))))"
  }

  // MARK: Records that came by another way

  /// The file that says up to which commit the index is complete.
  private var mark: String { "\(folder)/complete-\(agent.name)" }

  /// Enters the keys of the records that HEAD has and the commit lacks up to which the index is complete.
  private func catchUp(with repository: Repository) async throws {
    guard let head = try await repository.head().commit else { return }
    let known = FileManager.default.contents(atPath: mark).flatMap {
      ObjectID(hex: String(decoding: $0, as: UTF8.self).prefix { $0 != "\n" })
    }
    if known == head { return }
    var old: ObjectID?
    if let known, try await repository.commitExists(known) { old = try await repository.commit(known).tree }
    let tree = try await repository.commit(head).tree
    var uses: [(file: String, bytes: [UInt8])] = []
    for change in try await repository.difference(from: old, to: tree, under: GitPath(agent.root.bytes)) {
      guard let new = change.new, new.mode.isBlob, new.mode != .symlink else { continue }
      for (record, recordKey) in try await records(in: new, besides: change.old, repository) {
        guard let key = record.metadata["idempotency_key"]?.text else { continue }
        let use = bytes(new.path, recordKey, record.timelessDigest)
        uses.append((file(key, RecordRequest.Kind(record.kind)), use))
      }
    }
    // What was entered with the request itself knows more.
    try await put(uses, replacing: false, repository)
    try files.makeFolder(folder)
    try files.put(Array("\(head)\n".utf8), at: mark, through: temporary, uses.isEmpty ? .volatile : .durable)
  }

  /// The records of a file, and of a log those that its older version lacks. A file that cannot be read has none.
  private func records(
    in entry: TreeEntry, besides old: TreeEntry?, _ repository: Repository
  ) async throws -> [(record: Record, recordKey: String?)] {
    let path = RecordPath(entry.path.bytes)
    let role = TreeLayout.role(of: path, agent: agent)
    guard let kind = role.kind else { return [] }
    func bytes(_ entry: TreeEntry) async throws -> [UInt8]? {
      do throws(GitError) {
        return try await repository.blob(
          entry.id, limit: kind == .event ? GitRecordReader.logLimit : GitRecordReader.fileLimit)
      } catch {
        if error.code == .tooLarge || error.code == .missingObject { return nil }
        throw error
      }
    }
    guard let content = try await bytes(entry) else { return [] }
    guard kind == .event else {
      return RecordFile.decode(content, role: role, path: path).record.map { [($0, nil)] } ?? []
    }
    var known: Set<String> = []
    var appendedAt = 0
    if let old, old.mode.isBlob, let before = try await bytes(old) {
      if content.begins(with: before) {
        // Appended to, as nearly always: what is known ends where it did.
        appendedAt = before.count
      } else {
        known = Set(SessionLog.parse(before, path: path).entries.map(\.recordKey))
      }
    }
    return SessionLog.parse(content, path: path).distinctEntries.filter {
      $0.range.upperBound > appendedAt && !known.contains($0.recordKey)
    }.map { (.event($0.event), $0.recordKey) }
  }
}

extension JournalEntry {
  /// The event that the entry appends; nil for other writes.
  var event: LogEntry? {
    guard case .append = operation else { return nil }
    return SessionLog.parse(content, path: RecordPath(path.bytes)).entries.first
  }

  /// The idempotency keys that the write uses, with the key of an event. An earlier version's entry names none: the
  /// record itself does.
  var keys: [(key: Key, recordKey: String?)] {
    if let key { return [(key, event?.recordKey)] }
    let recordPath = RecordPath(path.bytes)
    guard let agent else { return [] }
    let record: Record?
    switch operation {
    case .create:
      record = RecordFile.decode(content, role: TreeLayout.role(of: recordPath, agent: agent), path: recordPath).record
    case .append: record = event.map { .event($0.event) }
    case .identity, .recount, .takeIdentity, .rotate: record = nil
    }
    guard let record, let text = record.metadata["idempotency_key"]?.text else { return [] }
    let key = Key(text: text, kind: RecordRequest.Kind(record.kind), digest: record.timelessDigest)
    return [(key, event?.recordKey)]
  }

  func matches(_ key: String, _ kind: RecordRequest.Kind) -> Bool {
    keys.contains { $0.key.text.utf8.elementsEqual(key.utf8) && $0.key.kind == kind }
  }
}
