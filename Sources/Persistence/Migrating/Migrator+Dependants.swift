package import Postgres

/// What is in the way of a migration: dependants of what it drops or changes, functions of somebody else that have our
/// names, and tables that are none of ours.
extension Migrator {
  /// Runs the text of migrations for a schema that is to stand at `end`, with everything that users built on what they
  /// drop or change put aside before and put back after.
  ///
  /// - Parameter drift: what the catalog lacks, as `drift` says it; a `content_hash` that is another is made anew.
  func run(
    _ migrations: [Migration], endingAt end: Int, drift: [String] = [], _ transaction: borrowing Transaction
  ) throws {
    let versions = Set(migrations.map(\.version))
    var dependants = Dependants()
    if versions.contains(1) { try putAsideTypeChanges(&dependants, transaction) }
    if !versions.isDisjoint(with: [1, 2, 6]) { try putAsideHashes(&dependants, drift: drift, transaction) }
    if versions.contains(Migrator.interfaceVersion) {
      try putAsideOlderNames(&dependants, transaction)
      try putAsideFunctions(&dependants, transaction)
    }
    for migration in migrations { try transaction.script(migration.sql(for: end)) }
    try dependants.putBack(transaction)
  }

  private static let interfaceVersion = 9

  /// Both the older and the newer table under their names: the older one's place is taken by a view.
  private func putAsideTypeChanges(_ dependants: inout Dependants, _ transaction: borrowing Transaction) throws {
    let replaced = try transaction.query(
      """
      SELECT o.oid::bigint, pg_describe_object('pg_class'::regclass, o.oid, 0)
      FROM (VALUES ('maven_portfolio_snapshots', 'maven_portfolio_snaps'),
        ('maven_performance_metrics', 'maven_performance')) AS pair (older, newer)
      JOIN pg_class o ON o.relnamespace = current_schema()::regnamespace AND o.relname = pair.older
        AND o.relkind IN ('r', 'p')
      JOIN pg_class n ON n.relnamespace = o.relnamespace AND n.relname = pair.newer AND n.relkind IN ('r', 'p')
      """)
    for row in replaced {
      try dependants.takeDown(
        readersOf: CatalogObject(catalog: "pg_class", id: row.int(0), name: row.string(1)), transaction)
    }
    let changed = try transaction.query(
      """
      SELECT a.attrelid::bigint, a.attnum::bigint, pg_describe_object('pg_class'::regclass, a.attrelid, a.attnum)
      FROM (VALUES \(Migration.values("relation, column_name, type", of: 1))) AS wanted (relation, column_name, type)
      JOIN pg_class c ON c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        AND (c.relname = wanted.relation
          OR wanted.relation = 'maven_portfolio_snaps' AND c.relname = 'maven_portfolio_snapshots')
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = wanted.column_name AND NOT a.attisdropped
      WHERE format_type(a.atttypid, a.atttypmod) <> wanted.type
      ORDER BY 1, 2
      """)
    for row in changed {
      try dependants.takeDown(
        onTypeOf: CatalogObject(
          catalog: "pg_class", id: row.int(0), column: row.int(1), name: row.string(2)), transaction)
    }
  }

  /// A hash that is no generated column, or another one than ours, is dropped and made again.
  private func putAsideHashes(
    _ dependants: inout Dependants, drift: [String], _ transaction: borrowing Transaction
  ) throws {
    let differing = drift.filter { $0.contains(".content_hash ") }.map { line in
      String(line.dropFirst("column ".count).prefix { $0 != "." })
    }
    let hashes = try transaction.query(
      """
      SELECT a.attrelid::bigint, a.attnum::bigint, pg_describe_object('pg_class'::regclass, a.attrelid, a.attnum),
        a.attrelid::regclass::text, c.relname = ANY ($1::text[])
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'content_hash' AND NOT a.attisdropped
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        AND c.relname IN ('maven_decisions', 'maven_milestones', 'maven_memory', 'maven_portfolio_snaps')
        AND (a.attgenerated = '' OR c.relname = ANY ($1::text[]))
      """, [.textArray(differing)])
    for row in hashes {
      try dependants.takeDown(
        on: CatalogObject(catalog: "pg_class", id: row.int(0), column: row.int(1), name: row.string(2)), transaction)
      if try row.bool(4) { try transaction.script("ALTER TABLE \(try row.string(3)) DROP COLUMN content_hash") }
    }
  }

  /// A view of an older name whose columns are not the first ones of its table: it is dropped and made anew.
  private func putAsideOlderNames(_ dependants: inout Dependants, _ transaction: borrowing Transaction) throws {
    let views = try transaction.query(
      """
      SELECT n.oid::bigint, v.oid::bigint
      FROM (VALUES ('maven_portfolio_snapshots', 'maven_portfolio_snaps'),
        ('maven_performance_metrics', 'maven_performance')) AS pair (older, newer)
      JOIN pg_class v ON v.relnamespace = current_schema()::regnamespace AND v.relname = pair.older AND v.relkind = 'v'
      JOIN pg_class n ON n.relnamespace = v.relnamespace AND n.relname = pair.newer
      CROSS JOIN LATERAL (
        SELECT array_agg(a.attname ORDER BY a.attnum) AS names FROM pg_attribute a
        WHERE a.attrelid = v.oid AND a.attnum > 0) AS have
      CROSS JOIN LATERAL (
        SELECT array_agg(a.attname ORDER BY a.attnum) AS names FROM pg_attribute a
        WHERE a.attrelid = n.oid AND a.attnum > 0 AND NOT a.attisdropped) AS want
      WHERE have.names <> want.names[1:cardinality(have.names)]
      """)
    for row in views {
      let base = CatalogObject(catalog: "pg_class", id: try row.int(0))
      try dependants.takeDown(view: row.int(1), of: base, transaction)
    }
  }

  /// Functions under the names of ours, by what they are: one of the older scripts or of an earlier migration is
  /// replaced, one of somebody else gets another name, and what uses it goes on using it.
  ///
  /// A view takes the columns of a function by their places. Where ours has others at these places, what uses the one
  /// that was there keeps that one, too.
  private func putAsideFunctions(_ dependants: inout Dependants, _ transaction: borrowing Transaction) throws {
    let known = Migrator.replacedBodies
    let rows = try transaction.query(
      """
      SELECT p.oid::bigint, pg_describe_object('pg_proc'::regclass, p.oid, 0), p.oid::regprocedure::text, p.proname,
        md5(regexp_replace(p.prosrc, '[[:space:]]', '', 'g')) = ANY ($1::text[]) OR 'function ' || p.proname || '('
          || pg_get_function_identity_arguments(p.oid) || ') ' || md5(p.prosrc) = ANY ($2::text[]),
        pg_get_function_result(p.oid) <> wanted.result
          OR pg_get_function_identity_arguments(p.oid) <> wanted.arguments,
        had.names = (SELECT array_agg(split_part(item, ' ', 1) ORDER BY place)
          FROM unnest(string_to_array(substr(wanted.result, length('TABLE(') + 1), ', ')) WITH ORDINALITY
            AS i (item, place) WHERE place <= cardinality(had.names)),
        EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid = p.oid AND deptype = 'n')
      FROM (VALUES \(Migration.values("name, arguments, result", of: Migrator.interfaceVersion)))
        AS wanted (name, arguments, result)
      JOIN pg_proc p ON p.pronamespace = current_schema()::regnamespace AND p.proname = wanted.name
        AND oidvectortypes(p.proargtypes) = regexp_replace(wanted.arguments, '\\w+ (\\w+)', '\\1', 'g')
      CROSS JOIN LATERAL (
        SELECT array_agg(name ORDER BY place) AS names
        FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, place) WHERE mode = 't') AS had
      ORDER BY p.proname
      """,
      [
        .textArray(known), .textArray(Migration.manifest.filter { $0.hasPrefix("function ") }.sorted()),
      ])
    for row in rows {
      let isOurs = try row.bool(4)
      let hasOtherColumns = try row.bool(5)
      let keepsPlaces = try row.optionalBool(6) ?? false
      if try !isOurs || hasOtherColumns && !keepsPlaces && row.bool(7) {
        let name = try freeName(for: row.string(3), transaction)
        try transaction.script("ALTER ROUTINE \(try row.string(2)) RENAME TO \(try Identifier.quoted(name))")
      } else if hasOtherColumns {
        try dependants.takeDown(
          on: CatalogObject(catalog: "pg_proc", id: row.int(0), name: row.string(1)), transaction)
      }
    }
  }

  private func freeName(for name: String, _ transaction: borrowing Transaction) throws -> String {
    let rows = try transaction.query(
      """
      SELECT candidate FROM (
        SELECT i, $1 || '_older' || CASE i WHEN 1 THEN '' ELSE '_' || i END AS candidate
        FROM generate_series(1, 1000) AS i) AS candidates
      WHERE NOT EXISTS (
        SELECT FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname = candidate)
      ORDER BY i LIMIT 1
      """, [.text(name)])
    return try rows.first?.string(0) ?? "\(name)_older"
  }

  /// Functions that had a name of ours before a migration took it, as `name(types)`, sorted.
  package func keptFunctions(_ connection: Connection) async throws -> [String] {
    let rows = try await connection.query(
      """
      SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')'
      FROM (VALUES \(Migration.values("name, arguments, result", of: Migrator.interfaceVersion)))
        AS wanted (name, arguments, result)
      JOIN pg_namespace n ON n.nspname = $1
      JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname ~ ('^' || wanted.name || '_older(_[0-9]+)?$')
      ORDER BY 1
      """, [.text(schema.name)])
    return try rows.map { try $0.string(0) }
  }

  /// MD5 of bodies, white space left out, that say the same as ours or less: those of the older scripts, and those of
  /// migration 3.
  private static let replacedBodies = [
    "dc06a6360afa1784cf0dfa05a59f62d3", "fd582ab3cc95f1ddeda25d2b7cee42e9", "6e2bfc104f018f31971e91244e538f2f",
    "1dd7a158903f7c5b30f57765075c5722", "0fa526941080ce6809389a593da2e8ac", "57db01cb5c81058e1342911f65cdefe5",
    "2a51f04feec123fc38241e49124a866a", "610a470bf54a312aa38ed3de62ddde9a", "991236487a2112eeb22689a1b3f986a1",
    "4ef7fa067bf27c4f6213bbdad283f513",
  ]

  /// Looks for tables under our names that are none of ours: such a one is never altered.
  ///
  /// - Throws: `PersistenceError` that names the first one and what it lacks.
  func refuseForeignTables(_ connection: Connection) async throws {
    let wanted = Migrator.columnsNeeded.flatMap { table, columns in
      columns.split(separator: " ").map { "\(table).\($0)" }
    }
    let rows = try await connection.query(
      """
      SELECT c.relname, c.relkind::text, string_agg(wanted.name, ', ' ORDER BY wanted.place)
      FROM (
        SELECT split_part(word, '.', 1) AS relation, split_part(word, '.', 2) AS name, place
        FROM unnest($2::text[]) WITH ORDINALITY AS w (word, place)) AS wanted
      JOIN pg_namespace n ON n.nspname = $1
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relation
      WHERE c.relkind NOT IN ('r', 'p') OR NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = wanted.name AND NOT a.attisdropped)
      GROUP BY c.relname, c.relkind ORDER BY 1
      """, [.text(schema.name), .textArray(wanted)])
    guard let row = rows.first else { return }
    let name = try row.string(0)
    let isTable = try ["r", "p"].contains(row.string(1))
    let why = isTable ? "it lacks the columns \(try row.string(2))" : "it is no ordinary table"
    throw PersistenceError(
      .foreignTable, "\(schema).\(name) is not the table that this program keeps, since \(why): nothing was changed",
      hint: "give it another name (ALTER \(isTable ? "TABLE" : "VIEW") \(schema).\(name) RENAME TO …), or let this "
        + "program have a schema of its own; then run the command again")
  }

  /// What migrations build on and none of them adds, by table.
  private static let columnsNeeded: KeyValuePairs<String, String> = [
    "maven_decisions": "id git_filename decision_type asset action reasoning confidence risk_level decided_at "
      + "created_at",
    "maven_trades": "id decision_id external_trade_id trade_source source_bot_id asset realized_pnl_usd net_pnl_usd "
      + "status opened_at",
    "maven_portfolio_snaps": "id total_value_usd available_balance_usd margin_used_usd unrealized_pnl_usd "
      + "open_positions position_count snapshot_type notes metadata snapshot_at",
    "maven_performance": "id period_type period_start period_end total_trades winning_trades",
    "maven_insights": "id insight_type asset content tags validated created_at",
    "maven_memory": "id event_type description created_at",
    "maven_conversations": "id conversation_id conversation_date title summary full_transcript tags conversation_type",
    "maven_milestones": "id git_filename title category significance description metadata achieved_at",
  ]
}
