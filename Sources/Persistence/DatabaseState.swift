package import Postgres

/// What a database hides from a role, refuses it, or cannot do: asked before anybody believes what it answers.
package struct DatabaseState: Sendable {
  /// The role that statements run as.
  package let role: String
  /// Why the database takes no writes; nil where it does.
  package let readOnlyReason: String?
  /// Whether a pooler is at the other end of the connection.
  package let isPooled: Bool
  /// Tables of ours whose rows policies hide from this role, with the policies; a table without a policy hides all.
  package let hidden: [(table: String, policies: [String])]
  /// What the role lacks, as the statements that give it.
  package let missingGrants: [String]
  /// Other schemas of this database that hold tables of ours, sorted.
  package let otherSchemas: [String]

  /// Asks, in one query. Rows are not read.
  package static func read(_ connection: Connection, schema: SchemaName) async throws -> DatabaseState {
    let rows = try await connection.query(query, [.text(schema.name)])
    guard let row = rows.first else {
      throw PostgresError(.unexpectedValue, operation: "asking for the state of the database", message: "no answer")
    }
    var hidden: [(table: String, policies: [String])] = []
    var grants: [String] = []
    var others: [String] = []
    for row in rows.dropFirst() {
      let name = try row.string(1)
      switch try row.string(0) {
      case "hidden":
        hidden.append((name, try row.optionalString(2).map { [$0] } ?? []))
      case "grant": grants.append(name)
      default: others.append(name)
      }
    }
    let tables = Dictionary(grouping: hidden, by: \.table)
    return DatabaseState(
      role: try row.string(1), readOnlyReason: try row.optionalString(2), isPooled: await connection.isPooled,
      hidden: tables.keys.sorted().map { table in (table, (tables[table] ?? []).flatMap(\.policies)) },
      missingGrants: grants, otherSchemas: others)
  }

  /// - Throws: `.rowsHidden`, with the tables and policies, where the rows that a query shows are not all that there are.
  package func checkThatRowsShow() throws {
    guard let first = hidden.first else { return }
    let named = first.policies.joined(separator: ", ")
    let policies = first.policies.isEmpty ? "no policy that lets it see any" : "policy \(named)"
    let more = hidden.count == 1 ? "" : " (and of \(hidden.dropFirst().map(\.table).joined(separator: ", ")))"
    throw PersistenceError(
      .rowsHidden,
      "row-level security hides rows of \(first.table)\(more) from the role \(role), by \(policies): nothing was "
        + "compared or changed",
      hint: "connect as the tables' owner, or as a role with BYPASSRLS; where the security is forced on the owner, "
        + "ALTER TABLE \(first.table) NO FORCE ROW LEVEL SECURITY")
  }

  /// - Throws: `.privilegeMissing`, with the statements that mend it, where the role lacks a right.
  package func checkRights() throws {
    guard let first = missingGrants.first else { return }
    let more = missingGrants.count == 1 ? "" : ", and \(missingGrants.count - 1) more that `moha-sync doctor` lists"
    throw PersistenceError(
      .privilegeMissing, "the role \(role) lacks rights on the tables: nothing was changed", hint: "\(first)\(more)")
  }

  /// Puts a refusal of the server in terms of what this role lacks; any other error is returned as it is.
  package static func explained(
    _ error: any Error, _ connection: Connection, schema: SchemaName
  ) async -> any Error {
    guard let refusal = error as? PostgresError, refusal.code == .insufficientPrivilege,
      let state = try? await read(connection, schema: schema)
    else { return error }
    do {
      try state.checkThatRowsShow()
      try state.checkRights()
    } catch {
      return error
    }
    return refusal
  }

  /// Lines of kind, name and detail; the first is the role and why it cannot write.
  ///
  /// What a role needs: to write what git holds and the bookkeeping, to read the rest, and to link trades and insights;
  /// not to own any of it.
  private static let query = #"""
    WITH tables AS (
      SELECT c.oid, c.relname, c.relkind, c.relrowsecurity
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname LIKE 'maven\_%' AND c.relkind IN ('r', 'p', 'S'))
    SELECT 'role', current_user::text, CASE
      WHEN pg_is_in_recovery() THEN 'it is a standby'
      WHEN current_setting('default_transaction_read_only') = 'on' THEN 'default_transaction_read_only is on'
      END, 0
    UNION ALL
    SELECT 'hidden', t.relname::text, p.polname::text, 1 FROM tables t LEFT JOIN pg_policy p ON p.polrelid = t.oid
    WHERE t.relkind <> 'S' AND t.relrowsecurity AND row_security_active(t.oid)
    UNION ALL
    SELECT 'grant', format('GRANT %s ON %s %I.%I TO %I', string_agg(needed.privilege, ', ' ORDER BY needed.place),
      CASE t.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, $1, t.relname, current_user), NULL, 2
    FROM tables t
    CROSS JOIN LATERAL (SELECT t.relkind = 'S' AS is_sequence,
      t.relname ~ '^maven_(decisions|milestones|memory|portfolio_snap|quarantine|checkpoint|reconcile_runs|fences)'
        AS is_written, t.relname IN ('maven_trades', 'maven_insights') AS is_linked) AS use
    CROSS JOIN (VALUES ('SELECT', 1), ('INSERT', 2), ('UPDATE', 3), ('DELETE', 4), ('USAGE', 5))
      AS needed (privilege, place)
    WHERE NOT CASE
      WHEN use.is_sequence
        THEN needed.privilege <> 'USAGE' OR NOT use.is_written OR has_sequence_privilege(t.oid, 'USAGE, UPDATE')
      ELSE needed.privilege = 'USAGE' OR needed.privilege <> 'SELECT' AND NOT use.is_written
          AND NOT (needed.privilege = 'UPDATE' AND use.is_linked)
        OR has_table_privilege(t.oid, CASE needed.privilege WHEN 'USAGE' THEN 'SELECT' ELSE needed.privilege END) END
    GROUP BY t.relname, t.relkind
    UNION ALL
    SELECT 'grant', format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user), NULL, 2 FROM pg_namespace n
    WHERE n.nspname = $1 AND NOT has_schema_privilege(n.oid, 'USAGE')
    UNION ALL
    SELECT 'schema', n.nspname::text, NULL, 3 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'maven_decisions' AND c.relkind IN ('r', 'p') AND n.nspname <> $1
    ORDER BY 4, 2, 3
    """#
}
