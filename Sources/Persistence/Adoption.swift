package import Git
internal import Postgres
package import Records

/// Writes rows that git lacks into git as records: rows of the tables where they stand, and rows from quarantine.
///
/// The record goes the way of every write: a file (or an entry of the session log), and a commit where the policy
/// commits each write. The row follows through an ordinary reconcile. A row that stands in its table stays there, with
/// its id and all that is not the record's; one from quarantine comes back the same way: see `ReturningRows`. The
/// quarantine entry stays and says when it was adopted.
package struct Adoption: Sendable {
  package let repository: Repository
  package let agent: Agent
  package let database: Database
  package let writing: WriteSettings

  package init(repository: Repository, agent: Agent, database: Database, writing: WriteSettings) {
    self.repository = repository
    self.agent = agent
    self.database = database
    self.writing = writing
  }

  /// One row in quarantine.
  package struct Entry: Sendable {
    package let id: Int64
    package let kind: String
    package let key: String?
    package let reason: String
    package let quarantinedAt: String
    package let path: String?
    package let adoptedAt: String?
    /// When its record had a row again, or it was resolved otherwise.
    package let resolvedAt: String?
    /// Whether the entry holds a row, as opposed to the bytes of a file that does not parse.
    package let holdsRow: Bool
  }

  /// One record that was written back.
  package struct Adopted: Sendable {
    /// Of the entry in quarantine, or of the row in its table.
    package let id: Int64
    package let kind: RecordKind
    package let path: String
    /// Nil where the commit is pending.
    package let commit: ObjectID?
  }

  /// What is in quarantine, newest first; entries of one run only where `run` is given.
  package func entries(run: String? = nil, limit: Int = 1_000) async throws -> [Entry] {
    guard let (connection, schema) = try await database.connect() else { return [] }
    let table = schema.qualified("maven_quarantine")
    guard try await connection.query("SELECT to_regclass($1) IS NOT NULL", [.text(table)]).first?.bool(0) == true else {
      return []
    }
    let rows = try await connection.query(
      """
      SELECT id, kind, record_key, reason, to_char(quarantined_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        git_path, to_char(adopted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        to_char(resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), row_data IS NOT NULL
      FROM \(table) WHERE agent = $1 AND ($2::uuid IS NULL OR run_id = $2::uuid) ORDER BY id DESC LIMIT $3
      """, [.text(agent.name), run.map { .text($0) } ?? .null, .int(Int64(limit))])
    await connection.close()
    return try rows.map { row in
      Entry(
        id: try row.int(0), kind: try row.string(1), key: try row.optionalString(2), reason: try row.string(3),
        quarantinedAt: try row.string(4), path: try row.optionalString(5), adoptedAt: try row.optionalString(6),
        resolvedAt: try row.optionalString(7), holdsRow: try row.bool(8))
    }
  }

  /// Writes the entries' records into the working tree, in order of `ids`, then reconciles.
  ///
  /// Throws before anything is written: `.notFound` for an unknown or already adopted entry, `.secret` for a record
  /// with something in it that must not enter git.
  package func adopt(_ ids: [Int64]) async throws -> (adopted: [Adopted], outcome: Reconciler.Outcome) {
    let (connection, schema) = try await database.connectCreating()
    var adopted: [Adopted] = []
    do {
      let lock = try RunLock(of: repository)
      defer { withExtendedLifetime(lock) {} }
      let pending = try await load(ids, connection: connection, schema: schema)
      let writer = RecordWriter(repository: repository, agent: agent, settings: writing)
      // A run that was killed before it marked the entries finds its own files again.
      let written = try await writer.write(
        returning: pending.map { entry in
          RecordWriter.Returning(
            record: entry.record, fileName: entry.fileName?.split(separator: "/").last.map(String.init),
            key: "quarantine \(entry.run)/\(entry.id)")
        })
      for (entry, written) in zip(pending, written) {
        adopted.append(Adopted(id: entry.id, kind: entry.record.kind, path: written.path, commit: written.commit))
        // Under this key the row is known when it is back.
        _ = try await connection.execute(
          """
          UPDATE \(schema.qualified("maven_quarantine"))
          SET adopted_at = now(), detail = $2, record_key = COALESCE($3, record_key) WHERE id = $1
          """,
          [
            .int(entry.id), .text("adopted as \(written.path)"), written.record.map { .text($0.git.key.text) } ?? .null,
          ])
      }
    } catch {
      await connection.close()
      throw error
    }
    var options = Reconciler.Options(command: "adopt")
    options.provesResult = true
    let outcome = try await Reconciler(repository: repository, agent: agent, database: database).run(options)
    await connection.close()
    return (adopted, outcome)
  }

  // MARK: Rows that stand in their tables

  /// A row that git lacks, and what would become of it.
  package struct Orphan: Sendable {
    package let kind: RecordKind
    package let rowID: Int64
    /// Nil for an event without one.
    package let key: String?
    /// The file that the record would be written to: the row's own file name where it can be one. Nil where the row
    /// cannot be a record.
    package let path: String?
    /// Why the row cannot be a record; nil where it can.
    package let obstacle: String?
    fileprivate let returning: RecordWriter.Returning?

    fileprivate var keepsName: Bool {
      kind == .event || returning?.fileName.map { path?.hasSuffix("/" + $0) == true } ?? false
    }
  }

  /// The rows that a plan would take out because git lacks them, each with what would be written for it. Reads only.
  package func orphans(of survey: Survey) async throws -> [Orphan] {
    guard let (connection, schema) = try await database.connect() else { return [] }
    do {
      let gate = try repository.workTree.map { try SecretGate(workTree: $0) } ?? SecretGate()
      var orphans: [Orphan] = []
      for kind in RecordKind.allCases {
        let removals = survey.plan.removals.filter { $0.kind == kind && $0.reason == .orphaned }
        for chunk in removals.chunks(of: 1_000) {
          let rows = try await connection.query(
            """
            SELECT id::bigint, encode(content_hash, 'hex'), to_jsonb(t)::text FROM \(schema.qualified(kind.table)) t
            WHERE id = ANY ($1::bigint[]) ORDER BY id
            """, [.intArray(chunk.map(\.row.id))])
          for row in rows {
            let data = try JSONValue.parse(Array(row.string(2).utf8))
            orphans.append(
              orphan(kind, id: try row.int(0), hash: try row.optionalString(1) ?? "", data: data, gate: gate))
          }
        }
      }
      await connection.close()
      return orphans
    } catch {
      await connection.close()
      throw error
    }
  }

  private func orphan(_ kind: RecordKind, id: Int64, hash: String, data: JSONValue, gate: SecretGate) -> Orphan {
    let name = data["git_filename"]?.text?.split(separator: "/").last.map(String.init)
    let key = data[JSONString(kind.storage.keyColumn)]?.text
    do {
      let record = try Adoption.record(of: kind, from: data, named: "row \(id) of \(kind.table)")
      guard record.missingColumns.isEmpty, kind == .event || record.time != nil else {
        let missing = record.missingColumns + (record.time == nil ? [kind.storage.timeColumn] : [])
        return Orphan(
          kind: kind, rowID: id, key: key, path: nil,
          obstacle: "\(Set(missing).sorted().joined(separator: ", ")) is empty, which a record needs", returning: nil)
      }
      if case .event(let event) = record {
        try gate.check(SessionLog.encode(event), path: nil)
        try gate.check(label: event.type)
      } else {
        try gate.check(RecordFile.encode(record, recordedBy: agent.displayName), path: nil)
        if let name { try gate.check(name: GitPath(name)) }
      }
      // A run that was killed before the row had its key finds its own record again.
      let returning = RecordWriter.Returning(record: record, fileName: name, key: "row \(kind.table)/\(id)/\(hash)")
      return Orphan(
        kind: kind, rowID: id, key: key, path: path(of: record, name: name), obstacle: nil, returning: returning)
    } catch let error as PersistenceError {
      return Orphan(kind: kind, rowID: id, key: key, path: nil, obstacle: error.message, returning: nil)
    } catch {
      return Orphan(kind: kind, rowID: id, key: key, path: nil, obstacle: "\(error)", returning: nil)
    }
  }

  /// Where the record would be written, as long as nothing else has that name.
  private func path(of record: Record, name: String?) -> String {
    guard let folder = TreeLayout.folder(of: record.kind, agent: agent), let time = record.time else {
      return TreeLayout.sessionLog(of: agent).text
    }
    let place = writing.layout == .dated ? folder.appending(TreeLayout.datedFolder(at: time)) : folder
    if let own = name.map({ place.appending($0) }), GitPath(own.bytes).isWellFormed,
      TreeLayout.role(of: own, agent: agent).kind == record.kind
    {
      return own.text
    }
    switch record {
    case .milestone(let milestone):
      return place.appending(TreeLayout.milestoneFileName(at: time, title: milestone.title, ordinal: 1)).text
    case .snapshot: return place.appending(TreeLayout.snapshotFileName(at: time, ordinal: 1)).text
    case .decision, .event: return place.appending(TreeLayout.decisionFileName(at: time, ordinal: 1)).text
    }
  }

  /// Writes every row that git lacks into git, and makes the rows stand for the new records where they are.
  ///
  /// No row is taken out but duplicates. A row that cannot be a record (it holds a secret, or lacks what a record needs)
  /// stays and is in `left`. `options` are those of the reconcile that follows.
  package func adoptOrphans(
    _ options: Reconciler.Options
  ) async throws -> (adopted: [Adopted], left: [Orphan], outcome: Reconciler.Outcome) {
    var options = options
    options.keepsOrphans = true
    let (connection, schema) = try await database.connectCreating()
    var adopted: [Adopted] = []
    var left: [Orphan] = []
    do {
      let lock = try RunLock(of: repository)
      defer { withExtendedLifetime(lock) {} }
      _ = try await Migrator(schema: schema).migrate(connection)
      _ = try await Migrator(schema: schema).repair(connection)
      var surveyor = Surveyor(repository: repository, agent: agent, schema: schema)
      surveyor.patience = options.patience
      surveyor.itemLimit = 0
      let orphans = try await orphans(of: surveyor.survey(options.selection, connection: connection))
      left = orphans.filter { $0.returning == nil }
      let writer = RecordWriter(repository: repository, agent: agent, settings: writing)
      // Names that rows have already go first, so that none that has to be made up takes one of them.
      let able = orphans.filter { $0.returning != nil }
      let returning = able.filter(\.keepsName) + able.filter { !$0.keepsName }
      if !returning.isEmpty {
        let written = try await writer.write(returning: returning.compactMap(\.returning))
        for (orphan, written) in zip(returning, written) {
          adopted.append(
            Adopted(id: orphan.rowID, kind: orphan.kind, path: written.path, commit: written.commit))
          if let key = written.record?.git.key { options.adopted[orphan.kind, default: [:]][orphan.rowID] = key }
        }
      }
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
    let outcome = try await Reconciler(repository: repository, agent: agent, database: database).run(options)
    return (adopted, left, outcome)
  }

  /// A row of the quarantine as the record that it was.
  private struct Pending {
    let id: Int64
    /// The run that took the row out: with the id it tells entries of different databases apart.
    let run: String
    let record: Record
    let fileName: String?
  }

  private func load(
    _ ids: [Int64], connection: Connection, schema: SchemaName
  ) async throws -> [Pending] {
    let rows = try await connection.query(
      """
      SELECT id, kind, row_data::text, adopted_at IS NOT NULL, run_id::text, resolved_at IS NOT NULL
      FROM \(schema.qualified("maven_quarantine")) WHERE agent = $1 AND id = ANY($2::bigint[])
      """, [.text(agent.name), .intArray(ids)])
    var found: [Int64: Pending] = [:]
    for row in rows {
      let id = try row.int(0)
      guard let kind = RecordKind.allCases.first(where: { $0.name == (try? row.string(1)) }),
        let text = try row.optionalString(2), let data = try? JSONValue.parse(Array(text.utf8))
      else {
        throw PersistenceError(
          .notFound, "quarantine entry \(id) holds the bytes of a file, not a row: nothing was written",
          hint: "mend the file itself; its bytes are in raw_bytes")
      }
      guard try !row.bool(3) else {
        throw PersistenceError(.notFound, "quarantine entry \(id) was adopted already: nothing was written")
      }
      guard try !row.bool(5) else {
        throw PersistenceError(
          .notFound, "the record of quarantine entry \(id) is back, and so is its row: nothing was written")
      }
      let record = try Adoption.record(of: kind, from: data, named: "quarantine entry \(id)")
      found[id] = Pending(
        id: id, run: try row.string(4), record: record, fileName: data["git_filename"]?.text)
    }
    return try ids.map { id in
      guard let pending = found[id] else {
        throw PersistenceError(
          .notFound, "quarantine of agent \(agent) has no entry \(id): nothing was written",
          hint: "`moha-sync adopt` without a number lists the entries")
      }
      return pending
    }
  }

  /// A record from a row as JSON. Events that a bot inserted have no time of their own but the row's.
  private static func record(of kind: RecordKind, from row: JSONValue, named name: String) throws -> Record {
    let values: [ColumnValue] = RecordRow.columns(of: kind).map { column in
      var value = row[JSONString(column)]
      if column == "event_at", value == nil || value == .null { value = row["created_at"] }
      switch (RecordRow.type(of: column), value) {
      case (.json, .some(let json)) where json != .null: return .json(json.jsonbText)
      case (.json, _): return .json("{}")
      case (.text, .some(.string(let text))): return text.text.map { .text($0) } ?? .null
      case (.instant, .some(.string(let text))):
        return text.text.flatMap { Instant($0) }.map { .instant($0) } ?? .null
      case (.numeric, .some(.number(let number))):
        return ExactDecimal(number.spelling).map { .numeric($0) } ?? .null
      default: return .null
      }
    }
    do throws(RecordError) {
      return try Record(row: RecordRow(kind: kind, values: values), kind: kind)
    } catch {
      throw PersistenceError(
        .notFound, "\(name) is no complete \(kind.rawValue): \(error.message). Nothing was written",
        hint: "it holds everything that the row held; write the record by hand from it")
    }
  }
}
