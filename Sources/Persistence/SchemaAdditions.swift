package import Postgres

/// What somebody put on the tables and that may hide, refuse, swallow or change rows: theirs to keep, and to be said.
package enum SchemaAdditions {
  /// A sentence for each rule, for each trigger that sees rows before they are written, and for each table with
  /// row-level security, sorted. Triggers of the migrations are not among them, nor the one of the older scripts that
  /// keeps `updated_at`.
  package static func sentences(_ connection: Connection, schema: SchemaName) async throws -> [String] {
    let ours = Migration.manifest.filter { $0.hasPrefix("trigger ") }.map {
      $0.split(separator: " ").prefix(3).dropFirst().joined(separator: " ")
    }
    let rows = try await connection.query(
      #"""
      WITH tables AS (
        SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c
        WHERE c.relnamespace = to_regnamespace($1) AND c.relname LIKE 'maven\_%' AND c.relkind IN ('r', 'p'))
      SELECT format('the trigger %s of %s, which is not of this program, may change or swallow rows', g.tgname, t.relname)
      FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
        AND g.tgtype & 3 = 3
      JOIN pg_proc p ON p.oid = g.tgfoid AND p.proname <> 'update_updated_at_column'
      WHERE t.relname || ' ' || g.tgname <> ALL ($2::text[])
      UNION ALL
      SELECT format('the rule %s of %s, which is not of this program, may change or swallow rows', r.rulename, t.relname)
      FROM tables t JOIN pg_rewrite r ON r.ev_class = t.oid AND r.ev_enabled IN ('O', 'A') AND r.rulename <> '_RETURN'
      UNION ALL
      SELECT format('row-level security is on for %s%s%s', t.relname,
        CASE WHEN t.relforcerowsecurity THEN ', its owner included' ELSE '' END,
        (SELECT ', by policy ' || string_agg(p.polname, ', ' ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = t.oid))
      FROM tables t WHERE t.relrowsecurity
      ORDER BY 1
      """#, [.text(schema.quoted), .textArray(ours)])
    return try rows.map { try $0.string(0) }
  }
}
