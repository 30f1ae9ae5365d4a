package import Git
internal import Postgres
package import Records
internal import Telemetry

/// The rows of one agent in the git-backed tables, as they are now.
package struct RowSet: Sendable {
  /// By kind; a kind is absent where its table, or a column that the comparison needs, does not exist.
  package let rows: [RecordKind: [StoredRow]]
  /// Rows of the tables that the database originates and that have no copy in git yet, by table.
  package let unbacked: [(table: String, count: Int)]
  package let checkpoint: Checkpoint?
  /// Commits that rows name as their origin.
  package let sourceCommits: Set<ObjectID>
  /// Raw files in quarantine that are not marked resolved: path and object id.
  package let openQuarantine: Set<QuarantinedFile>

  /// Records that the database refused, and that have not arrived since.
  let refusals: [KnownRefusal]
  /// Whether another program has written events of this agent within the last day: rows without a key, or such as were
  /// made at another moment than their event's own, which this program never does.
  let hasOtherWriters: Bool

  package struct QuarantinedFile: Hashable, Sendable {
    package let path: String
    package let objectID: [UInt8]
  }

  /// Nothing at all: for a database that is missing.
  static let empty = RowSet(rows: [:], unbacked: [], checkpoint: nil, sourceCommits: [], openQuarantine: [], refusals: [],
    hasOtherWriters: false)
}

/// The commit that an agent's rows stand at.
package struct Checkpoint: Hashable, Sendable {
  package let commit: ObjectID?
  package let tree: ObjectID?
}

extension RowSet {
  /// Scans the tables in one read-only transaction, so that the kinds are of one moment.
  static func scan(_ connection: Connection, schema: SchemaName, agent: Agent) async throws -> RowSet {
    Phase.begin("reading the rows")
    return try await connection.transaction(isolation: .repeatableRead, readOnly: true) { transaction in
      try RowSet(transaction, schema: schema, agent: agent)
    }
  }

  private init(_ transaction: borrowing Transaction, schema: SchemaName, agent: Agent) throws {
    try transaction.script("SET LOCAL search_path TO \(schema.quoted), pg_temp")
    let columns = try TableColumns.read(transaction, schema: schema)

    var rows: [RecordKind: [StoredRow]] = [:]
    var sourceCommits: Set<ObjectID> = []
    for kind in RecordKind.allCases {
      let table = kind.storage
      guard columns[table.name]?.isSuperset(of: table.columns + ["id", "content_hash"]) == true else { continue }
      rows[kind] = try RowSet.rows(transaction, table: table, agent: agent)
      let commits = try transaction.query(
        "SELECT DISTINCT source_commit FROM \(table.name) WHERE \(table.predicate(agent)) AND source_commit IS NOT NULL"
      )
      for commit in commits {
        if let id = try ObjectID(bytes: commit.bytes(0)) { sourceCommits.insert(id) }
      }
    }

    var unbacked: [(table: String, count: Int)] = []
    for table in ["maven_trades", "maven_portfolio_snaps", "maven_insights", "maven_conversations"] {
      guard let names = columns[table] else { continue }
      let condition = names.contains("git_filename") ? " WHERE git_filename IS NULL" : ""
      let count = try transaction.query("SELECT count(*) FROM \(table)\(condition)").first?.int(0) ?? 0
      if count > 0 { unbacked.append((table, Int(count))) }
    }

    var checkpoint: Checkpoint?
    if columns["maven_checkpoint"]?.isSuperset(of: ["agent", "commit_id", "tree_id"]) == true,
      let row = try transaction.query(
        "SELECT commit_id, tree_id FROM maven_checkpoint WHERE agent = $1", [.text(agent.name)]
      ).first
    {
      checkpoint = Checkpoint(
        commit: try row.optionalBytes(0).flatMap { ObjectID(bytes: $0) },
        tree: try row.optionalBytes(1).flatMap { ObjectID(bytes: $0) })
    }

    var open: Set<QuarantinedFile> = []
    if columns["maven_quarantine"]?.contains("resolved_at") == true {
      let quarantined = try transaction.query(
        """
        SELECT git_path, object_id FROM maven_quarantine
        WHERE agent = $1 AND reason = 'corrupt-file' AND resolved_at IS NULL AND git_path IS NOT NULL
        """, [.text(agent.name)])
      for row in quarantined {
        open.insert(QuarantinedFile(path: try row.string(0), objectID: try row.optionalBytes(1) ?? []))
      }
    }
    let refusals = try columns["maven_quarantine"] == nil ? [] : RowSet.refusals(transaction, agent: agent)
    self.init(
      rows: rows, unbacked: unbacked, checkpoint: checkpoint, sourceCommits: sourceCommits, openQuarantine: open,
      refusals: refusals, hasOtherWriters: try rows[.event] != nil && RowSet.hasOtherWriters(transaction, agent: agent))
  }

  private static func hasOtherWriters(_ transaction: borrowing Transaction, agent: Agent) throws -> Bool {
    let table = RecordKind.event.storage
    return try transaction.query(
      """
      SELECT EXISTS (SELECT FROM \(table.name) WHERE \(table.predicate(agent)) AND created_at > now() - interval '1 day'
        AND (event_key IS NULL OR created_at IS DISTINCT FROM event_at))
      """
    ).first?.bool(0) ?? false
  }

  private static func refusals(_ transaction: borrowing Transaction, agent: Agent) throws -> [KnownRefusal] {
    let rows = try transaction.query(
      """
      SELECT id, kind, record_key, object_id, COALESCE(detail, ''), raw_bytes IS NOT NULL FROM maven_quarantine
      WHERE agent = $1 AND reason = $2 AND resolved_at IS NULL AND record_key IS NOT NULL ORDER BY id
      """, [.text(agent.name), .text(RowRefusal.quarantineReason)])
    return try rows.map { row in
      KnownRefusal(
        entry: try row.int(0), kind: try row.string(1), key: RecordKey(try row.string(2)),
        objectID: try row.optionalBytes(3) ?? [], reason: DatabaseText.decode(try row.string(4)),
        holdsBytes: try row.bool(5))
    }
  }

  private static func rows(
    _ transaction: borrowing Transaction, table: RecordTable, agent: Agent
  ) throws -> [StoredRow] {
    var rows: [StoredRow] = []
    try transaction.copyOut(
      """
      COPY (SELECT id::bigint, \(table.keyColumn), content_hash, git_path, object_id, git_status, archived_commit, agent,
              \(table.spelledType), \(table.gaps)
            FROM \(table.name) WHERE \(table.predicate(agent)) ORDER BY id) TO STDOUT (FORMAT binary)
      """
    ) { row in
      rows.append(
        StoredRow(
          id: try row.int64(0), key: try row.optionalString(1).map { RecordKey($0) },
          contentHash: try row.optionalBytes(2), path: try row.optionalString(3),
          objectID: try row.optionalBytes(4), status: try row.string(5), archivedCommit: try row.optionalBytes(6),
          agent: try row.string(7), eventType: try row.optionalString(8),
          gaps: StoredRow.Gaps(rawValue: try row.int64(9))))
    }
    return rows
  }
}
