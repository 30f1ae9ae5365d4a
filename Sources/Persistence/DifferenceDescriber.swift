internal import Git
internal import Postgres
internal import Records

/// Turns a plan into differences that a person can judge: which fields differ and how, and who touched the
/// file last.
struct DifferenceDescriber {
  let source: RecordSource
  let repository: Repository
  let schema: SchemaName
  let connection: Connection?
  let limit: Int

  private(set) var differences: [Difference] = []
  private(set) var counts: [Difference.Class: Int] = [:]

  init(
    source: RecordSource, repository: Repository, schema: SchemaName, connection: Connection?, limit: Int
  ) {
    self.source = source
    self.repository = repository
    self.schema = schema
    self.connection = connection
    self.limit = limit
    for `class` in Difference.Class.allCases { counts[`class`] = 0 }
  }

  mutating func describe(
    _ plan: ReconciliationPlan, rows: RowSet, schemaDrift: [SchemaDrift], schemaVersion: Int
  ) async throws {
    if connection == nil {
      add(Difference(.schemaDrift, kind: nil, key: "database", path: nil, message: "the database does not exist"))
    } else if schemaVersion == 0 {
      let message = "the schema was not migrated by this program yet"
      add(Difference(.schemaDrift, kind: nil, key: schema.name, path: nil, message: message))
    } else {
      for drift in schemaDrift {
        add(Difference(.schemaDrift, kind: nil, key: drift.line, path: nil, message: drift.message))
      }
    }
    for record in plan.inserts {
      let message =
        record.archivedCommit == nil
        ? "no row stands for this record" : "no row stands for this record, which only history holds"
      add(
        Difference(
          .missing, kind: record.kind, key: record.key.text, path: RecordPath(record.path.bytes).text,
          gitHash: record.contentHash, message: message))
    }
    try await describe(updates: plan.updates + plan.heldUpdates)
    for removal in plan.removals + plan.heldRemovals {
      let message =
        switch removal.reason {
        case .orphaned: "git holds no such record"
        case .duplicate: "row \(removal.keeperID.map(String.init) ?? "?") stands for the same record"
        }
      add(
        Difference(
          removal.reason == .orphaned ? .orphaned : .duplicate, kind: removal.kind,
          key: removal.key?.text ?? removal.row.key?.text ?? "row \(removal.row.id)", path: removal.row.path,
          rowID: removal.row.id, rowHash: removal.row.contentHash, message: message))
    }
    let marked = Set(plan.markUnreadable.compactMap { $0.row.key })
    for file in plan.quarantineFiles {
      let reason = file.diagnostics.first.map { "\($0.code): \($0.message)" } ?? "cannot be read"
      let row = marked.contains(file.key) ? "; its row stays as the last good version" : ""
      add(
        Difference(
          .corruptFile, kind: file.kind, key: file.key.text, path: RecordPath(file.entry.path.bytes).text,
          message: reason + row))
    }
    let corruptNow = Set(plan.quarantineFiles.map(\.key))
    for (kind, row) in plan.markUnreadable where !corruptNow.contains(row.key ?? RecordKey("")) {
      add(
        Difference(
          .corruptFile, kind: kind, key: row.key?.text ?? "", path: row.path, rowID: row.id,
          message: "the file does not parse; its row stays as the last good version"))
    }
    for file in plan.resolvedFiles {
      add(
        Difference(
          .corruptFile, kind: nil, key: file.path, path: file.path,
          message: "quarantine holds bytes of this file that are no longer what git holds: to be marked resolved"))
    }
    for drift in plan.counterDrift {
      add(
        Difference(
          .counterDrift, kind: nil, key: drift.counter, path: RecordPath(drift.path.bytes).text,
          message: "\(drift.counter) says \(drift.written), the tree holds \(drift.counted)",
          fields: [FieldDifference(name: drift.counter, git: String(drift.counted), row: drift.written)]))
    }
    if plan.checkpointDrift {
      add(
        Difference(
          .checkpointDrift, kind: nil, key: "checkpoint", path: nil,
          message: "the database names commits that are not in this history"))
    }
    for (table, count) in rows.unbacked {
      counts[.unbacked, default: 0] += count
      if differences.count < limit {
        differences.append(
          Difference(
            .unbacked, kind: nil, key: table, path: nil, message: "\(count) rows live only in the database"))
      }
    }
    try await addProvenance()
  }

  private mutating func add(_ difference: Difference) {
    counts[difference.class, default: 0] += 1
    if differences.count < limit { differences.append(difference) }
  }

  // MARK: Rows that say something else

  private mutating func describe(updates: [ReconciliationPlan.Update]) async throws {
    guard let connection else { return }
    for chunk in updates.chunks(of: 1_000) {
      // Each table counts its ids from 1.
      var stored: [RecordKind: [Int64: RecordRow]] = [:]
      for (kind, updates) in Dictionary(grouping: chunk, by: \.record.kind) {
        stored[kind] = try await RecordRow.read(
          updates.map(\.row.id), of: kind, schema: schema, connection: connection)
      }
      let records = try await contents(of: chunk.map(\.record))
      for (update, record) in zip(chunk, records) {
        add(describe(update, record: record, stored: stored[update.record.kind]?[update.row.id]))
      }
    }
  }

  private func describe(
    _ update: ReconciliationPlan.Update, record: Record?, stored: RecordRow?
  ) -> Difference {
    let row = update.row
    let git = update.record
    var `class` = Difference.Class.stale
    var message = "the row says something else"
    var fields: [FieldDifference] = []
    if let stored {
      if let record {
        fields = EventSpelling.record(record, spelledAs: row.eventType).row.fieldDifferences(from: stored)
      }
      do throws(RecordError) {
        _ = try Record(row: stored, kind: git.kind)
      } catch {
        `class` = .corruptRow
        message = "the row is no \(git.kind): \(error.message)"
      }
    }
    let path = RecordPath(git.path.bytes).text
    func compare(_ name: String, _ expected: String?, _ actual: String?) {
      if expected != actual { fields.append(FieldDifference(name: name, git: expected, row: actual)) }
    }
    compare(git.kind.storage.keyColumn, git.key.text, row.key?.text)
    compare("agent", source.agent.name, row.agent)
    compare("git_path", path, row.path)
    if git.kind != .event { compare("object_id", git.objectID.description, row.objectID.map { hex($0) }) }
    let status: GitStatus = git.archivedCommit == nil ? .current : .archived
    compare("git_status", status.rawValue, row.status)
    if git.archivedCommit == nil || row.archivedCommit == nil || fields.isEmpty {
      compare("archived_commit", git.archivedCommit?.description, row.archivedCommit.map { hex($0) })
    }
    let named = Set(fields.map(\.name))
    for (gap, column) in StoredRow.gapColumns where row.gaps.contains(gap) && !named.contains(column) {
      let expected: String? =
        switch gap {
        case .source: git.sourceCommit?.description
        case .object: git.objectID.description
        case .creationTime: record?.time?.description
        default: "the number of open_positions"
        }
      if let expected { fields.append(FieldDifference(name: column, git: expected, row: nil)) }
    }
    if update.losesNothing || row.contentHash == git.contentHash.bytes {
      message = "the row says the same, but not where it comes from"
    }
    switch update.manner {
    case .changed: break
    case .claimed: message = "the row of another writer stands for this record, and does not name it yet"
    case .renamed: message = "renamed: the row has the name \(row.key?.text ?? "?") and says the same"
    case .adopted: message = "the row was written into git, and does not say so yet"
    }
    return Difference(
      `class`, kind: git.kind, key: git.key.text, path: path, rowID: row.id, gitHash: git.contentHash,
      rowHash: row.contentHash, message: message, fields: fields)
  }

  /// The records again, in order; nil for one that changed on disk since it was hashed.
  private func contents(of records: [GitRecord]) async throws -> [Record?] {
    try await RecordContents(repository: repository, agent: source.agent).records(records)
  }

  // MARK: Provenance

  /// Nil where the clone lacks trees of its history, so that it does not know.
  private func lastCommits(
    touching paths: Set<GitPath>, from head: ObjectID
  ) async throws(GitError) -> [GitPath: Commit]? {
    do {
      return try await repository.lastCommits(touching: paths, from: head)
    } catch {
      guard error.code == .missingObject else { throw error }
      return nil
    }
  }

  private mutating func addProvenance() async throws {
    guard let head = source.commit else { return }
    var paths: Set<GitPath> = []
    for difference in differences {
      if let path = difference.path.flatMap({ RecordPath(text: $0) }) { paths.insert(GitPath(path.bytes)) }
    }
    guard !paths.isEmpty else { return }
    guard let commits = try await lastCommits(touching: paths, from: head.id) else { return }
    for index in differences.indices {
      guard let path = differences[index].path.flatMap({ RecordPath(text: $0) }),
        let commit = commits[GitPath(path.bytes)]
      else { continue }
      differences[index].provenance = .init(
        commit: commit.id, author: "\(commit.author.name) <\(commit.author.email)>", time: commit.author.time)
    }
  }
}
