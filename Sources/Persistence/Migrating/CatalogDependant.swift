internal import Postgres

/// An object of the database by its place in the catalog.
struct CatalogObject: Hashable, Sendable {
  /// The catalog table: `pg_class`, `pg_proc`, `pg_type` …
  let catalog: String
  let id: Int64
  /// The number of a column; 0 for the whole.
  var column: Int64 = 0
  /// What people call it, with its kind: `view reporting.v`.
  var name = ""

  static func == (left: CatalogObject, right: CatalogObject) -> Bool {
    left.catalog == right.catalog && left.id == right.id && left.column == right.column
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(catalog)
    hasher.combine(id)
    hasher.combine(column)
  }
}

/// An object that depends on another one.
struct CatalogDependant: Sendable {
  enum Kind: String, Sendable {
    case view, materializedView, function, rule, trigger, policy, index, constraint, statistics
    case sequence, generatedColumn, other
  }

  let object: CatalogObject
  let kind: Kind
  /// Of a column, the table's qualified name and its own; nil for all else.
  let table: String?
  let column: String?
  /// The types of a relation's rows, which functions may name.
  let rowTypes: [CatalogObject]
  /// False for what belongs to an extension or to a session.
  private let isPlain: Bool

  var name: String { object.name }

  var canBePutBack: Bool {
    switch kind {
    case .view, .materializedView, .function, .rule, .trigger, .policy, .index, .constraint, .statistics: isPlain
    case .sequence, .generatedColumn, .other: false
    }
  }

  /// Everything that depends directly on `object`, or where it is a whole relation on any of its columns; a view stands
  /// for its rule.
  ///
  /// - Parameter withOwnParts: whether rules, triggers, policies, indexes and constraints of the relation itself count.
  static func all(
    of object: CatalogObject, withOwnParts: Bool, _ transaction: borrowing Transaction
  ) throws -> [CatalogDependant] {
    let rows = try transaction.query(
      query, [.text(object.catalog), .int(object.id), .int(object.column), .bool(withOwnParts)])
    return try rows.map { row in
      let kind = Kind(rawValue: try row.string(3)) ?? .other
      var rowTypes: [CatalogObject] = []
      for column in 7...8 {
        if let id = try row.optionalInt(column), id != 0 { rowTypes.append(CatalogObject(catalog: "pg_type", id: id)) }
      }
      return CatalogDependant(
        object: CatalogObject(
          catalog: try row.string(0), id: try row.int(1), column: try row.int(2), name: try row.string(4)),
        kind: kind, table: try row.optionalString(5), column: try row.optionalString(6), rowTypes: rowTypes,
        isPlain: try row.bool(9))
    }
  }

  /// A generated column appears in the catalog as itself or as its expression, which differs between versions.
  private static let query = """
    WITH found AS (
      SELECT DISTINCT
        CASE WHEN r.rulename = '_RETURN' OR a.oid IS NOT NULL THEN 'pg_class'::regclass ELSE d.classid::regclass END
          AS catalog,
        CASE WHEN r.rulename = '_RETURN' THEN r.ev_class WHEN a.oid IS NOT NULL THEN a.adrelid ELSE d.objid END AS id,
        CASE WHEN r.rulename = '_RETURN' THEN 0 WHEN a.oid IS NOT NULL THEN a.adnum ELSE d.objsubid END AS part,
        a.oid IS NOT NULL AS is_expression
      FROM pg_depend d
      LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
      LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
      WHERE d.refclassid = $1::regclass AND d.refobjid = $2::bigint::oid AND ($3::integer = 0 OR d.refobjsubid = $3)
        AND d.deptype IN ('n', 'a', 'i', 'P', 'S')
    )
    SELECT f.catalog::text, f.id::bigint, f.part::bigint,
      CASE
        WHEN g.attgenerated <> '' THEN 'generatedColumn'
        WHEN f.part <> 0 OR f.is_expression THEN 'other'
        WHEN c.relkind = 'v' THEN 'view'
        WHEN c.relkind = 'm' THEN 'materializedView'
        WHEN c.relkind IN ('i', 'I') THEN 'index'
        WHEN c.relkind = 'S' THEN 'sequence'
        WHEN p.prokind IN ('f', 'p', 'w') THEN 'function'
        WHEN r.oid IS NOT NULL THEN 'rule'
        WHEN t.oid IS NOT NULL THEN 'trigger'
        WHEN y.oid IS NOT NULL THEN 'policy'
        WHEN k.oid IS NOT NULL THEN 'constraint'
        WHEN f.catalog = 'pg_statistic_ext'::regclass THEN 'statistics'
        ELSE 'other' END,
      pg_describe_object(f.catalog, f.id, f.part),
      CASE WHEN g.attrelid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname) END, g.attname::text,
      c.reltype::bigint, (SELECT w.typarray::bigint FROM pg_type w WHERE w.oid = c.reltype AND c.reltype <> 0),
      COALESCE(c.relpersistence, 'p') <> 't' AND NOT EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = f.catalog AND e.objid = f.id AND e.deptype = 'e')
    FROM found f
    LEFT JOIN pg_class c ON f.catalog = 'pg_class'::regclass AND c.oid = f.id
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute g ON g.attrelid = c.oid AND f.part <> 0 AND g.attnum = f.part
    LEFT JOIN pg_proc p ON f.catalog = 'pg_proc'::regclass AND p.oid = f.id
    LEFT JOIN pg_rewrite r ON f.catalog = 'pg_rewrite'::regclass AND r.oid = f.id
    LEFT JOIN pg_trigger t ON f.catalog = 'pg_trigger'::regclass AND t.oid = f.id
    LEFT JOIN pg_policy y ON f.catalog = 'pg_policy'::regclass AND y.oid = f.id
    LEFT JOIN pg_constraint k ON f.catalog = 'pg_constraint'::regclass AND k.oid = f.id
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_type w ON f.catalog = 'pg_type'::regclass AND w.oid = f.id
    WHERE NOT (f.catalog = $1::regclass AND f.id = $2::bigint::oid AND ($3 = 0 OR f.part = $3))
      AND NOT (f.catalog = 'pg_class'::regclass AND c.relkind IN ('t', 'c'))
      AND COALESCE(NOT t.tgisinternal, true)
      -- The relation's own row type, and the array of a type.
      AND COALESCE(w.typrelid <> $2::bigint::oid AND NOT EXISTS (
        SELECT FROM pg_type e WHERE e.oid = w.typelem AND e.typarray = w.oid), true)
      AND ($4::boolean OR COALESCE(r.ev_class, t.tgrelid, y.polrelid, NULLIF(k.conrelid, 0), i.indrelid, 0)
        <> $2::bigint::oid)
    ORDER BY f.id, f.part
    """
}

extension CatalogDependant.Kind {
  /// The statements that remove an object and make it again, as rows of `remove`, `create` or `finish` and the text, in
  /// order. `$1` is its number in the catalog.
  var capture: String {
    switch self {
    case .view, .materializedView: CatalogDependant.relation
    case .function: CatalogDependant.routine
    case .rule:
      """
      SELECT part, statement FROM pg_rewrite r CROSS JOIN LATERAL (VALUES
        ('remove', format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)),
        ('create', pg_get_ruledef(r.oid)),
        ('create', format('ALTER TABLE %s %s RULE %I', r.ev_class::regclass,
          CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END,
          r.rulename)),
        ('finish', format('COMMENT ON RULE %I ON %s IS %L', r.rulename, r.ev_class::regclass,
          obj_description(r.oid, 'pg_rewrite')))) AS s (part, statement)
      WHERE r.oid = $1::bigint::oid AND (statement NOT LIKE 'ALTER TABLE %' OR r.ev_enabled <> 'O')
        AND (part <> 'finish' OR obj_description(r.oid, 'pg_rewrite') IS NOT NULL)
      """
    case .trigger:
      """
      SELECT part, statement FROM pg_trigger t CROSS JOIN LATERAL (VALUES
        ('remove', format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)),
        ('create', pg_get_triggerdef(t.oid)),
        ('create', format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
          CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END,
          t.tgname)),
        ('finish', format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, t.tgrelid::regclass,
          obj_description(t.oid, 'pg_trigger')))) AS s (part, statement)
      WHERE t.oid = $1::bigint::oid AND (statement NOT LIKE 'ALTER TABLE %' OR t.tgenabled <> 'O')
        AND (part <> 'finish' OR obj_description(t.oid, 'pg_trigger') IS NOT NULL)
      """
    case .policy:
      """
      SELECT part, statement FROM pg_policy p CROSS JOIN LATERAL (VALUES
        ('remove', format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass)),
        ('create', format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, p.polrelid::regclass,
          CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
          CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
            ELSE 'ALL' END,
          (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ')
           FROM unnest(p.polroles) AS role))
          || COALESCE(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
          || COALESCE(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')),
        ('finish', format('COMMENT ON POLICY %I ON %s IS %L', p.polname, p.polrelid::regclass,
          obj_description(p.oid, 'pg_policy')))) AS s (part, statement)
      WHERE p.oid = $1::bigint::oid AND (part <> 'finish' OR obj_description(p.oid, 'pg_policy') IS NOT NULL)
      """
    case .index:
      """
      SELECT part, statement FROM pg_class c CROSS JOIN LATERAL (VALUES
        ('remove', format('DROP INDEX %s', c.oid::regclass)), ('create', pg_get_indexdef(c.oid)),
        ('finish', format('COMMENT ON INDEX %s IS %L', c.oid::regclass, obj_description(c.oid, 'pg_class'))))
        AS s (part, statement)
      WHERE c.oid = $1::bigint::oid AND (part <> 'finish' OR obj_description(c.oid, 'pg_class') IS NOT NULL)
      """
    case .constraint:
      """
      SELECT part, statement FROM pg_constraint k CROSS JOIN LATERAL (VALUES
        ('remove', format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)),
        ('create', format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,
          pg_get_constraintdef(k.oid))),
        ('finish', format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, k.conrelid::regclass,
          obj_description(k.oid, 'pg_constraint')))) AS s (part, statement)
      WHERE k.oid = $1::bigint::oid AND (part <> 'finish' OR obj_description(k.oid, 'pg_constraint') IS NOT NULL)
      """
    case .statistics:
      """
      SELECT part, statement FROM pg_statistic_ext e CROSS JOIN LATERAL (VALUES
        ('remove', format('DROP STATISTICS %s.%I', e.stxnamespace::regnamespace, e.stxname)),
        ('create', pg_get_statisticsobjdef(e.oid))) AS s (part, statement)
      WHERE e.oid = $1::bigint::oid
      """
    case .sequence, .generatedColumn, .other: "SELECT '', '' WHERE $1::bigint IS NULL"
    }
  }
}

extension CatalogDependant {
  /// The owner of a materialized view fills it, not whoever migrates.
  fileprivate static let relation = """
    WITH self AS (
      SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'm' AS is_stored,
        CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS word,
        array_to_string(c.reloptions, ', ') AS options
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::bigint::oid)
    SELECT part, statement FROM (
      SELECT 1 AS place, '' AS name, 'remove' AS part, format('DROP %s %s', word, name) AS statement FROM self
      UNION ALL
      SELECT 2, '', 'create', format('CREATE %s %s (%s)%s%s%s AS %s%s', word, name,
        (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = self.oid AND attnum > 0 AND NOT attisdropped),
        (SELECT format(' USING %I', amname) FROM pg_am WHERE oid = self.relam),
        ' WITH (' || options || ')',
        (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace WHERE oid = self.reltablespace),
        rtrim(pg_get_viewdef(self.oid), ';'), CASE WHEN is_stored THEN ' WITH NO DATA' END)
        FROM self
      UNION ALL
      SELECT 3, '', 'create', format('ALTER %s %s OWNER TO %s', word, name, relowner::regrole) FROM self
      UNION ALL
      SELECT 4, '', 'create', format('REFRESH MATERIALIZED VIEW %s', name) FROM self
        WHERE is_stored AND relispopulated
      UNION ALL
      SELECT 5, i.indexrelid::regclass::text, 'create', pg_get_indexdef(i.indexrelid)
        FROM self JOIN pg_index i ON i.indrelid = self.oid
      UNION ALL
      SELECT 6, '', 'create', format('ALTER %s %s CLUSTER ON %I', word, name, x.relname)
        FROM self JOIN pg_index i ON i.indrelid = self.oid AND i.indisclustered JOIN pg_class x ON x.oid = i.indexrelid
      UNION ALL
      SELECT 7, i.indexrelid::regclass::text, 'finish', format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass,
        obj_description(i.indexrelid, 'pg_class'))
        FROM self JOIN pg_index i ON i.indrelid = self.oid
        WHERE obj_description(i.indexrelid, 'pg_class') IS NOT NULL
      UNION ALL
      SELECT 7, '', 'finish', format('ALTER VIEW %s SET (%s)', name, options) FROM self
        WHERE NOT is_stored AND options <> ''
      UNION ALL
      SELECT 8, a.attname, 'finish', format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', self.name, a.attname,
        pg_get_expr(d.adbin, d.adrelid))
        FROM self JOIN pg_attrdef d ON d.adrelid = self.oid
        JOIN pg_attribute a ON a.attrelid = self.oid AND a.attnum = d.adnum
      UNION ALL
      SELECT 9, r.rulename, 'finish', pg_get_ruledef(r.oid)
        FROM self JOIN pg_rewrite r ON r.ev_class = self.oid AND r.rulename <> '_RETURN'
      UNION ALL
      SELECT 10, t.tgname, 'finish', pg_get_triggerdef(t.oid)
        FROM self JOIN pg_trigger t ON t.tgrelid = self.oid AND NOT t.tgisinternal
      UNION ALL
      SELECT 11, '', 'finish', format('COMMENT ON %s %s IS %L', word, name, obj_description(self.oid, 'pg_class'))
        FROM self WHERE obj_description(self.oid, 'pg_class') IS NOT NULL
      UNION ALL
      SELECT 12, a.attname, 'finish', format('COMMENT ON COLUMN %s.%I IS %L', self.name, a.attname,
        col_description(self.oid, a.attnum))
        FROM self JOIN pg_attribute a ON a.attrelid = self.oid AND a.attnum > 0
        WHERE col_description(self.oid, a.attnum) IS NOT NULL
    ) AS statements ORDER BY place, statements.name
    """

  fileprivate static let routine = """
    WITH self AS (
      SELECT p.*, format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) AS name
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = $1::bigint::oid)
    SELECT part, statement FROM self CROSS JOIN LATERAL (VALUES
      ('remove', format('DROP ROUTINE %s', name)), ('create', pg_get_functiondef(self.oid)),
      ('create', format('ALTER ROUTINE %s OWNER TO %s', name, proowner::regrole)),
      ('finish', format('COMMENT ON ROUTINE %s IS %L', name, obj_description(self.oid, 'pg_proc'))))
      AS s (part, statement)
    WHERE part <> 'finish' OR obj_description(self.oid, 'pg_proc') IS NOT NULL
    """
}
