internal import Postgres

/// Who may do what with a relation or a routine, columns included.
///
/// Privileges come back as granted by the owner, whoever granted them.
struct CatalogAccess: Sendable {
  private let isRoutine: Bool
  /// As SQL names it, with its schema.
  private let name: String
  /// Whether nobody ever granted or revoked anything, so that the built-in privileges hold.
  private let isBuiltIn: Bool
  private let grants: [String]

  /// Nil for what has no privileges of its own.
  init?(of dependant: CatalogDependant, _ transaction: borrowing Transaction) throws {
    switch dependant.kind {
    case .view, .materializedView: isRoutine = false
    case .function: isRoutine = true
    default: return nil
    }
    let source =
      isRoutine
      ? """
      SELECT format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) AS name, p.proacl AS acl,
        COALESCE(p.proacl, acldefault('f', p.proowner)) AS effective, NULL::oid AS relation, 'ROUTINE' AS word
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = $1::bigint::oid
      """
      : """
      SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relacl AS acl,
        COALESCE(c.relacl, acldefault('r', c.relowner)) AS effective, c.oid AS relation, 'TABLE' AS word
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::bigint::oid
      """
    let rows = try transaction.query(
      """
      WITH self AS (\(source)), privileges AS (
        SELECT e.privilege_type, '' AS of_column, e.grantee, e.is_grantable FROM self, aclexplode(self.effective) AS e
        UNION ALL
        SELECT e.privilege_type, format(' (%I)', a.attname), e.grantee, e.is_grantable
        FROM self JOIN pg_attribute a ON a.attrelid = self.relation, aclexplode(a.attacl) AS e)
      SELECT self.name, self.acl IS NULL AND NOT EXISTS (SELECT FROM privileges WHERE of_column <> ''),
        format('GRANT %s%s ON %s %s TO %s%s', p.privilege_type, p.of_column,
        self.word, self.name, CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE p.grantee::regrole::text END,
        CASE WHEN p.is_grantable AND p.grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM self LEFT JOIN privileges p ON true
      """, [.int(dependant.object.id)])
    guard let first = rows.first else { return nil }
    name = try first.string(0)
    isBuiltIn = try first.bool(1)
    grants = try rows.compactMap { row in
      let grant = try row.string(2)
      return grant.hasPrefix("GRANT  ON") ? nil : grant
    }
  }

  /// Whether there is an object of this name now.
  func exists(_ transaction: borrowing Transaction) throws -> Bool {
    let find = isRoutine ? "to_regprocedure" : "to_regclass"
    return try transaction.query("SELECT \(find)($1) IS NOT NULL", [.text(name)]).first?.bool(0) ?? false
  }

  /// Gives the object of this name exactly these privileges, whatever the defaults of its schema have given it.
  func restore(_ transaction: borrowing Transaction) throws {
    let current =
      isRoutine
      ? "SELECT proacl AS acl, acldefault('f', proowner) AS built_in FROM pg_proc WHERE oid = to_regprocedure($1)"
      : "SELECT relacl AS acl, acldefault('r', relowner) AS built_in FROM pg_class WHERE oid = to_regclass($1)"
    let holders = try transaction.query(
      """
      SELECT DISTINCT CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END
      FROM (\(current)) AS self, aclexplode(COALESCE(self.acl, self.built_in)) AS e
      WHERE NOT ($2::boolean AND self.acl IS NULL)
      """, [.text(name), .bool(isBuiltIn)])
    guard !holders.isEmpty else { return }
    let word = isRoutine ? "ROUTINE" : "TABLE"
    for holder in holders {
      try transaction.script("REVOKE ALL ON \(word) \(name) FROM \(try holder.string(0))")
    }
    for grant in grants { try transaction.script(grant) }
  }
}
