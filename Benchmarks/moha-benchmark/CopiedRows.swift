import Postgres

/// The decision rows as text in a file, and what copies them back into the emptied, migrated table.
struct CopiedRows {
  private let stage: Stage
  private var file: String { "\(stage.folder)/rows" }
  private let columns: String
  private let indexes: [(name: String, definition: String)]

  /// Makes the peers' database with moha-sync and exports its rows.
  init(_ stage: Stage) async throws {
    self.stage = stage
    let url = try stage.url(database: Stage.peers)
    try stage.program("moha-sync", ["sync", "--quiet", "--root", stage.repository, "--database", url])
      .run(scratch: stage.folder)
    columns =
      try await stage.query(
        """
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'maven_decisions'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
          AND attname <> 'id'
        """, database: Stage.peers
      ).first?.string(0) ?? ""
    // The ones that moha-sync drops and builds too: constraints stay.
    indexes = try await stage.query(
      """
      SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
      WHERE indrelid = 'maven_decisions'::regclass AND NOT indisunique ORDER BY 1
      """, database: Stage.peers
    ).map { (try $0.string(0), try $0.string(1)) }
    try stage.psql("\\copy (SELECT \(columns) FROM maven_decisions ORDER BY id) TO '\(file)'\n").run(
      scratch: stage.folder)
  }

  /// COPY by psql, in one transaction.
  func copy(rebuildingIndexes isRebuilding: Bool) -> Contestant {
    var script = "\\copy maven_decisions (\(columns)) FROM pstdin\n"
    if isRebuilding {
      script =
        indexes.map { "DROP INDEX \($0.name);\n" }.joined() + script
        + indexes.map { $0.definition + ";\n" }.joined()
    }
    return Contestant(
      name: isRebuilding ? "COPY, then indexes" : "COPY into indexes",
      prepare: { try await stage.execute("TRUNCATE maven_decisions CASCADE", database: Stage.peers) },
      program: { try stage.psql(script, input: file) },
      check: { try await stage.checkCount(of: "maven_decisions", database: Stage.peers) })
  }
}
