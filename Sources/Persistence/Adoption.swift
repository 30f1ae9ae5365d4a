package import Git
internal import Postgres
package import Records

/// Brings rows from quarantine back as git records.
///
/// The record goes the way of every write: a file (or an entry of the session log), and a commit where the policy
/// commits each write. The row follows through an ordinary reconcile, and what referred to the old row refers to the
/// new one again. The quarantine entry stays and says when it was adopted.
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
    /// Whether the entry holds a row, as opposed to the bytes of a file that does not parse.
    package let holdsRow: Bool
  }

  /// One record that was written back.
  package struct Adopted: Sendable {
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
        git_path, to_char(adopted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), row_data IS NOT NULL
      FROM \(table) WHERE agent = $1 AND ($2::uuid IS NULL OR run_id = $2::uuid) ORDER BY id DESC LIMIT $3
      """, [.text(agent.name), run.map { .text($0) } ?? .null, .int(Int64(limit))])
    await connection.close()
    return try rows.map { row in
      Entry(
        id: try row.int(0), kind: try row.string(1), key: try row.optionalString(2), reason: try row.string(3),
        quarantinedAt: try row.string(4), path: try row.optionalString(5), adoptedAt: try row.optionalString(6),
        holdsRow: try row.bool(7))
    }
  }

  /// Writes the entries' records into the working tree, in order of `ids`, then reconciles.
  ///
  /// Throws before anything is written: `.notFound` for an unknown or already adopted entry, `.secret` for a record
  /// with something in it that must not enter git.
  package func adopt(_ ids: [Int64]) async throws -> (adopted: [Adopted], outcome: Reconciler.Outcome) {
    let (connection, schema) = try await database.connectCreating()
    var adopted: [Adopted] = []
    var references: [(kind: RecordKind, key: RecordKey, json: JSONValue)] = []
    do {
      let lock = try RunLock(gitDirectory: repository.commonDirectory)
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
        if let referencedBy = entry.referencedBy, let key = written.record?.git.key, entry.record.kind != .event {
          references.append((entry.record.kind, key, referencedBy))
        }
        _ = try await connection.execute(
          "UPDATE \(schema.qualified("maven_quarantine")) SET adopted_at = now(), detail = $2 WHERE id = $1",
          [.int(entry.id), .text("adopted as \(written.path)")])
      }
    } catch {
      await connection.close()
      throw error
    }
    var options = Reconciler.Options(command: "adopt")
    options.provesResult = true
    let outcome = try await Reconciler(repository: repository, agent: agent, database: database).run(options)
    for reference in references {
      try await relink(reference.kind, reference.key, reference.json, connection: connection, schema: schema)
    }
    await connection.close()
    return (adopted, outcome)
  }

  /// A row of the quarantine as the record that it was.
  private struct Pending {
    let id: Int64
    /// The run that took the row out: with the id it tells entries of different databases apart.
    let run: String
    let record: Record
    let fileName: String?
    let referencedBy: JSONValue?
  }

  private func load(
    _ ids: [Int64], connection: Connection, schema: SchemaName
  ) async throws -> [Pending] {
    let rows = try await connection.query(
      """
      SELECT id, kind, row_data::text, referenced_by::text, adopted_at IS NOT NULL, run_id::text
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
      guard try !row.bool(4) else {
        throw PersistenceError(.notFound, "quarantine entry \(id) was adopted already: nothing was written")
      }
      let record = try Adoption.record(of: kind, from: data, id: id)
      let references = try row.optionalString(3).flatMap { try? JSONValue.parse(Array($0.utf8)) }
      found[id] = Pending(
        id: id, run: try row.string(5), record: record, fileName: data["git_filename"]?.text, referencedBy: references)
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
  private static func record(of kind: RecordKind, from row: JSONValue, id: Int64) throws -> Record {
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
        .notFound, "quarantine entry \(id) is no complete \(kind.rawValue): \(error.message). Nothing was written",
        hint: "its row_data holds everything that the row held; write the record by hand from it")
    }
  }

  /// Points rows that lost their reference when the old row went at the new one.
  private func relink(
    _ kind: RecordKind, _ key: RecordKey, _ references: JSONValue, connection: Connection, schema: SchemaName
  ) async throws {
    let table = kind.storage
    for reference in table.references {
      guard case .some(.array(let values)) = references[JSONString(reference.table)] else { continue }
      let ids = values.compactMap { $0.integer.map(Int64.init) }
      _ = try await connection.execute(
        """
        UPDATE \(schema.qualified(reference.table)) SET \(reference.column) =
          (SELECT id FROM \(schema.qualified(table.name)) WHERE \(table.keyColumn) = $1)
        WHERE id = ANY($2::bigint[]) AND \(reference.column) IS NULL
        """, [.text(key.text), .intArray(ids)])
    }
  }
}
