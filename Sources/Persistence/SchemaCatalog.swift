internal import Postgres

/// What the server's catalog says of a schema's tables, in the lines of the manifest (`migrations/schema.txt`).
///
/// A line is a kind, what it is about, and what is said of it: `default maven_trades.status 'open'`. It is spelled so
/// that the program can make the object from it. Versions of PostgreSQL print the same expression with other spaces and
/// parentheses, so lines are compared without those.
enum SchemaCatalog {
  /// Reads it, in one query.
  static func lines(_ connection: Connection, schema: SchemaName) async throws -> Set<String> {
    let rows = try await connection.query(query, [.text(schema.name)])
    return Set(try rows.map { try $0.string(0) })
  }

  static func lines(_ transaction: borrowing Transaction, schema: SchemaName) throws -> Set<String> {
    Set(try transaction.query(query, [.text(schema.name)]).map { try $0.string(0) })
  }

  /// A line as it is compared.
  static func key(_ line: String) -> String {
    let left = line.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "(") && $0 != UInt8(ascii: ")") }
    return String(decoding: left, as: UTF8.self)
  }

  /// How the manifest spells an index `i`, behind its table.
  static let indexDefinition = #"""
    trim(regexp_replace(split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2), '([[:space:]()]|::text)+', ' ', 'g'))
    """#

  /// Casts to text are left out of expressions: older tables spell text as varchar. For the same reason the types of
  /// text columns that bots fill are all `text`. Names of the schema are left out, whatever the search path is.
  private static let query = #"""
    WITH tables AS (
      SELECT c.oid, c.relname, c.relkind, c.relpersistence, quote_ident(n.nspname) || '.' AS prefix,
        c.relname IN ('maven_decisions', 'maven_milestones', 'maven_memory') AS is_git_backed
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v') AND c.relname LIKE 'maven\_%'),
    columns AS (
      SELECT t.*, t.relname || '.' || a.attname AS name, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
        a.attgenerated, a.attidentity,
        replace(trim(regexp_replace(regexp_replace(pg_get_expr(d.adbin, d.adrelid),
          '::(text|character varying)(\[\])?', '', 'g'), '[[:space:]]+', ' ', 'g')), t.prefix, '') AS expression
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum),
    views AS (
      SELECT t.oid, t.relname,
        replace(trim(regexp_replace(pg_get_viewdef(t.oid), '[[:space:]]+', ' ', 'g')), t.prefix, '') AS definition
      FROM tables t WHERE t.relkind = 'v')
    SELECT 'table ' || relname FROM tables WHERE relkind <> 'v'
    UNION ALL
    SELECT 'storage ' || relname
      || CASE WHEN relkind = 'p' THEN ' partitioned' WHEN relpersistence = 'u' THEN ' unlogged' ELSE ' logged' END
    FROM tables WHERE relkind <> 'v'
    UNION ALL
    -- A view that shows the columns of one table, whichever it has, is told by its table.
    SELECT 'view ' || v.relname || ' ' || CASE
      WHEN replace(v.definition, base.name || '.', '') = 'SELECT ' || (
          SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
          WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped) || ' FROM ' || base.name || ';'
        THEN 'of ' || base.name
      ELSE md5(v.definition) END
    FROM views v CROSS JOIN LATERAL (SELECT substring(v.definition FROM ' FROM ([a-z0-9_]+);$') AS name) AS base
    UNION ALL
    SELECT 'column ' || name FROM columns WHERE relkind = 'v'
    UNION ALL
    SELECT 'column ' || name || ' '
      || CASE WHEN NOT is_git_backed AND atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN 'text'
         ELSE format_type(atttypid, atttypmod) END
      || CASE WHEN attgenerated <> 's' THEN ''
         WHEN attname = 'content_hash' THEN ' generated ' || md5(regexp_replace(expression, '[[:space:]()]', '', 'g'))
         ELSE ' generated ' || expression END
    FROM columns WHERE relkind <> 'v'
    UNION ALL
    SELECT 'default ' || name || ' ' || CASE WHEN attidentity <> '' OR expression LIKE 'nextval(%' THEN 'nextval'
      ELSE expression END
    FROM columns
    WHERE relkind <> 'v' AND attgenerated = '' AND (expression IS NOT NULL OR attidentity <> '')
    UNION ALL
    SELECT 'not-null ' || name FROM columns WHERE relkind <> 'v' AND attnotnull
    UNION ALL
    SELECT 'sequence ' || c.name FROM columns c
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = c.attnum
      AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    UNION ALL
    SELECT CASE k.contype WHEN 'c' THEN 'check ' ELSE 'foreign-key ' END || t.relname || ' '
      || replace(regexp_replace(pg_get_constraintdef(k.oid), '::(text|character varying)(\[\])?| NOT VALID$', '', 'g'),
        t.prefix, '')
    FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('c', 'f')
    UNION ALL
    SELECT 'index ' || t.relname || CASE WHEN i.indisunique THEN ' unique ' ELSE ' ' END
      || \#(indexDefinition)
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND i.indisvalid
    UNION ALL
    SELECT 'trigger ' || t.relname || ' ' || g.tgname || ' '
      || replace(regexp_replace(pg_get_triggerdef(g.oid), '^CREATE TRIGGER [^ ]+ ', ''), t.prefix, '')
      || CASE WHEN g.tgenabled IN ('O', 'A') THEN '' ELSE ' disabled' END
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ') '
      || md5(concat_ws(' ', l.lanname, pg_get_function_result(p.oid), p.provolatile::text, p.prosecdef::text, p.prosrc))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname = $1 AND p.proname LIKE 'maven\_%' AND p.prokind = 'f'
    """#
}
