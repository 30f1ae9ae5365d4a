internal import Crypto
package import Git
internal import Glibc
package import Postgres
package import Records

/// Remembers beside git how many rows a database held, so that one that was wiped is found out.
///
/// A database that was dropped and filled again from git looks complete: what would say that trades were in it went with
/// them. So each run that compares and may write notes the numbers in a small file of the git folder. The file is derived
/// and disposable. It says what to tell a person, and never what a record or a row should be: without it nothing is
/// known to be gone, and one that cannot be read is as good as none.
package struct RowMemory: Sendable {
  private let repository: Repository
  private let agent: Agent
  private let database: Database

  package init(of repository: Repository, agent: Agent, database: Database) {
    (self.repository, self.agent, self.database) = (repository, agent, database)
  }

  /// The rows of one moment.
  private struct Census {
    /// When the schema's first migration was applied: another one means another database, whatever its name.
    var birth: String?
    /// Absent where there is no such table.
    var counts: [UnbackedRows: Int] = [:]
  }

  /// What the file remembers of one database.
  fileprivate struct Entry {
    var birth: String?
    var counts: [UnbackedRows: Int] = [:]
    var losses: [RowLoss] = []
    var last: RowStanding.LastComparison
  }

  /// Compares the rows as they are now with what is remembered. Writes nothing.
  ///
  /// - Parameter open: a connection and its schema; nil where the database does not exist.
  package func standing(_ open: (connection: Connection, schema: SchemaName)?) async throws -> RowStanding {
    guard let entry = entries()[key] else { return .unknown }
    let census = if let open { try await RowMemory.census(open.connection, open.schema) } else { Census() }
    return RowStanding(losses: RowMemory.losses(entry, census), last: entry.last)
  }

  /// The same over a connection of its own. Where the database does not answer, what was known when it last did.
  package func look() async -> RowStanding {
    guard !entries().isEmpty else { return .unknown }
    do {
      let open = try await database.connect()
      do {
        let standing = try await standing(open)
        await open?.connection.close()
        return standing
      } catch {
        await open?.connection.close()
        throw error
      }
    } catch {
      return remembered()
    }
  }

  /// The same where the database does not answer: what was known when it last did.
  package func remembered() -> RowStanding {
    guard let entry = entries()[key] else { return .unknown }
    return RowStanding(losses: entry.losses, last: entry.last)
  }

  /// The same, and remembers the rows as they are now. What is gone stays remembered until it is back, or forgotten.
  ///
  /// - Parameter records: how many records have their rows now.
  func update(
    _ connection: Connection, _ schema: SchemaName, run: ReconcileRun, records: Int
  ) async throws -> RowStanding {
    var entries = entries()
    let census = try await RowMemory.census(connection, schema)
    let previous = entries[key]
    let losses = previous.map { RowMemory.losses($0, census) } ?? []
    entries[key] = Entry(
      birth: census.birth, counts: census.counts, losses: losses,
      last: .init(time: RowMemory.now, command: run.command, runID: run.id, records: records))
    save(entries)
    var standing = RowStanding(losses: losses, last: previous?.last)
    let told = Set(previous?.losses.map(\.rows) ?? [])
    standing.news = losses.filter { !told.contains($0.rows) }
    return standing
  }

  /// No longer tells of what is gone. Returns what that was.
  package func forget(_ open: (connection: Connection, schema: SchemaName)?) async throws -> [RowLoss] {
    var entries = entries()
    guard var entry = entries[key] else { return [] }
    let census = if let open { try await RowMemory.census(open.connection, open.schema) } else { Census() }
    let losses = RowMemory.losses(entry, census)
    (entry.birth, entry.counts, entry.losses) = (census.birth, census.counts, [])
    entries[key] = entry
    save(entries)
    return losses
  }

  // MARK: Comparing

  /// A database of another birth lost whatever it has fewer of. In the same one rows come and go with their owners, and
  /// only a table that is empty now was wiped.
  private static func losses(_ entry: Entry, _ census: Census) -> [RowLoss] {
    UnbackedRows.allCases.compactMap { rows in
      let has = census.counts[rows] ?? 0
      let known = entry.losses.first { $0.rows == rows }
      let before = entry.counts[rows] ?? 0
      let isLost = before > 0 && (has == 0 || entry.birth != census.birth && has < before)
      let had = max(known?.had ?? 0, isLost ? before : 0)
      guard had > has else { return nil }
      let seen = known.map { $0.had == had ? $0.lastSeen : entry.last.time } ?? entry.last.time
      return RowLoss(rows: rows, had: had, has: has, lastSeen: seen)
    }
  }

  private static func census(_ connection: Connection, _ schema: SchemaName) async throws -> Census {
    let columns = try await TableColumns.read(connection, schema: schema)
    var census = Census()
    if columns["maven_migrations"]?.contains("applied_at") == true {
      census.birth = try await connection.query(
        "SELECT extract(epoch FROM min(applied_at))::text FROM \(schema.qualified("maven_migrations"))"
      ).first?.optionalString(0)
    }
    let present = UnbackedRows.allCases.filter { rows in
      guard let names = columns[rows.table] else { return false }
      return rows == .snapshots || names.isSuperset(of: rows.columns)
    }
    guard !present.isEmpty else { return census }
    let counts = present.map { rows in
      let condition = rows.condition(having: columns[rows.table] ?? [])
      return "SELECT '\(rows.rawValue)', (SELECT count(*) FROM \(schema.qualified(rows.table))\(condition))"
    }
    for row in try await connection.query(counts.joined(separator: " UNION ALL ")) {
      if let rows = UnbackedRows(rawValue: try row.string(0)) { census.counts[rows] = Int(try row.int(1)) }
    }
    return census
  }

  /// RFC 3339, to the second.
  private static var now: String { (Instant(seconds: Int64(time(nil))) ?? .now()).description }

  // MARK: The file

  private var path: String { "\(repository.commonDirectory.withoutSlash)/moha-sync/rows-\(agent).json" }

  /// Which database an entry is about, without its address in clear: where it is, its name and its schema, whoever asks.
  private var key: String {
    let variables = [
      "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "service": "PGSERVICE",
    ]
    let parts = variables.sorted { $0.key < $1.key }.map { keyword, variable in
      let value = database.settings.parameters[keyword] ?? getenv(variable).map { String(cString: $0) } ?? ""
      return "\(keyword)=\(value)"
    }
    let text = (parts + ["schema=\(database.schema?.name ?? "")"]).joined(separator: "\n")
    return String(hex(SHA256.hash(data: Array(text.utf8))).prefix(16))
  }

  /// More databases than that are not remembered of one tree; the longest unseen go first.
  private static let entryLimit = 16
  private static let byteLimit = 1 << 20

  private func entries() -> [String: Entry] {
    guard let bytes = RowMemory.read(path), let json = try? JSONValue.parse(bytes),
      case .object(let members)? = json["databases"]
    else { return [:] }
    var entries: [String: Entry] = [:]
    for member in members {
      guard let name = member.key.text, let entry = Entry(member.value) else { continue }
      entries[name] = entry
    }
    return entries
  }

  /// What cannot be kept is not told later; the run itself is as good as before.
  private func save(_ entries: [String: Entry]) {
    let kept = entries.sorted { $0.value.last.time > $1.value.last.time }.prefix(RowMemory.entryLimit)
    let json = Report.object([
      "schema": .integer(1),
      "databases": .object(kept.sorted { $0.key < $1.key }.map { .init(JSONString($0.key), $0.value.json) }),
    ])
    try? PrivateFiles(of: repository).putDerived(json.serialized() + [0x0A], at: path)
  }

  private static func read(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= byteLimit else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(file, buffer.baseAddress.map { $0 + start }, buffer.count - start)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return nil }
      start += count
    }
    return bytes
  }
}

extension RowMemory.Entry {
  fileprivate init?(_ json: JSONValue) {
    guard let last = json["last"], let time = last["time"]?.text, Instant(time) != nil,
      let command = last["command"]?.text, let runID = last["run_id"]?.text, let records = last["records"]?.integer
    else { return nil }
    self.last = .init(time: time, command: command, runID: runID, records: records)
    birth = json["birth"]?.text
    if case .object(let members)? = json["rows"] {
      for member in members {
        guard let rows = member.key.text.flatMap({ UnbackedRows(rawValue: $0) }), let count = member.value.integer
        else { continue }
        counts[rows] = count
      }
    }
    if case .array(let elements)? = json["lost"] {
      losses = elements.compactMap { element in
        guard let rows = element["table"]?.text.flatMap({ UnbackedRows(rawValue: $0) }),
          let had = element["had"]?.integer, let has = element["has"]?.integer, let seen = element["last_seen"]?.text,
          Instant(seen) != nil
        else { return nil }
        return RowLoss(rows: rows, had: had, has: has, lastSeen: seen)
      }
    }
  }

  fileprivate var json: JSONValue {
    let rows = UnbackedRows.allCases.compactMap { rows in
      counts[rows].map { JSONValue.Member(JSONString(rows.rawValue), .integer($0)) }
    }
    return Report.object([
      "birth": Report.string(birth), "rows": .object(rows), "lost": .array(losses.map(\.json)), "last": last.json,
    ])
  }
}

extension String {
  fileprivate var withoutSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
