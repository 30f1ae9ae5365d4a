internal import Git
internal import Records

/// Which deleted record files of the past count as records of the present.
enum ArchivedFileSelection: Hashable, Sendable {
  /// None: the tree says which files there are.
  case none
  /// Those that rows of the database already stand for, by kind and key.
  case keys([RecordKind: Set<RecordKey>])
  /// Every one, as `sync --history` restores them.
  case all
}

/// What past versions of an agent's files held and the present ones do not.
///
/// People compact the session log: full entries become bullets and survive only in history. Such an entry is
/// *archived*: it stays a row, which names the last commit that held it.
struct LogHistory {
  let source: RecordSource
  let repository: Repository

  /// Entries of any past version of the log that `current` lacks, each once, from its newest version.
  func archivedEvents(notIn current: Set<RecordKey>) async throws -> [GitRecord] {
    guard let head = source.commit else { return [] }
    var seen = current
    var records: [GitRecord] = []
    for path in try await logPaths(head) {
      var newerBytes: [UInt8] = []
      var newerParents: [ObjectID]?
      for revision in try await repository.history(of: path, from: head.id) {
        defer { newerParents = revision.commit.parents }
        guard let blob = revision.blob else { continue }
        let bytes = try await repository.blob(blob, limit: GitRecordReader.logLimit)
        // A log that was only appended to since has lost nothing, and most versions of most logs are that.
        if !newerBytes.starts(with: bytes) {
          let holder = try await lastCommit(holding: blob, at: path, since: revision.commit, before: newerParents)
          for entry in SessionLog.parse(bytes, path: RecordPath(path.bytes)).entries {
            let key = RecordKey(entry.recordKey)
            guard seen.insert(key).inserted else { continue }
            records.append(
              GitRecord(
                kind: .event, key: key, path: path, objectID: blob,
                contentHash: entry.contentHash, content: .event(entry.event),
                sourceCommit: holder, archivedCommit: holder))
          }
        }
        newerBytes = bytes
      }
    }
    return records
  }

  /// Files of records that history holds and the tree does not, in their last version.
  func deletedFiles(
    _ selection: ArchivedFileSelection, notIn present: [RecordKind: Set<RecordKey>]
  ) async throws -> [GitRecord] {
    guard let head = source.commit, selection != .none else { return [] }
    var seen = present
    var found: [(kind: RecordKind, key: RecordKey, entry: SnapshotEntry, holder: ObjectID)] = []
    for change in try await repository.history(under: GitPath(source.agent.root.bytes), from: head.id) {
      for file in change.changes where file.new == nil {
        guard let old = file.old, old.mode.isBlob else { continue }
        let role = TreeLayout.role(of: RecordPath(old.path.bytes), agent: source.agent)
        guard let kind = role.kind, kind.fileRole == role else { continue }
        let key = RecordKey(fileName: Array(old.path.lastComponent), agent: source.agent)
        if case .keys(let wanted) = selection, wanted[kind]?.contains(key) != true { continue }
        guard seen[kind, default: []].insert(key).inserted else { continue }
        found.append((kind, key, SnapshotEntry(old), change.commit.parents.first ?? change.commit.id))
      }
    }
    let agent = source.agent
    let files = found
    return try await repository.read(
      files.map(\.entry), limit: GitRecordReader.fileLimit, into: [GitRecord]()
    ) { records, index, content in
      let file = files[index]
      let path = RecordPath(file.entry.path.bytes)
      guard case .success(let bytes) = content,
        let record = RecordFile.decode(bytes, role: TreeLayout.role(of: path, agent: agent), path: path).record
      else { return true }
      records.append(
        GitRecord(
          kind: file.kind, key: file.key, path: file.entry.path, objectID: file.entry.id,
          contentHash: record.contentHash, content: .file(file.entry), sourceCommit: file.holder,
          archivedCommit: file.holder))
      return true
    }
  }

  /// The present log, and every rotated log that any commit held.
  private func logPaths(_ head: Commit) async throws -> [GitPath] {
    let root = GitPath(source.agent.root.bytes)
    var paths: Set<GitPath> = []
    for change in try await repository.history(under: root.appending(Array("session_log".utf8)), from: head.id) {
      for file in change.changes { paths.insert(file.path) }
    }
    return [root.appending(Array("session_log.md".utf8))] + paths.sorted()
  }

  /// The newest commit in which `path` is still `blob`: the parent that the next change was made upon.
  private func lastCommit(
    holding blob: ObjectID, at path: GitPath, since introduced: Commit, before parents: [ObjectID]?
  ) async throws -> ObjectID {
    guard let parents else { return source.commit?.id ?? introduced.id }
    for parent in parents {
      let commit = try await repository.commit(parent)
      if try await repository.entry(at: path, inTree: commit.tree)?.id == blob { return parent }
    }
    return introduced.id
  }
}
