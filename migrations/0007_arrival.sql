-- What git holds can arrive: no index, search column or constraint refuses a value for being long or odd.
--
-- A btree index refuses values over 2,704 bytes. Columns of short text have an SP-GiST index instead, which takes
-- longer ones and answers `asset = 'BTC'` as before, with few distinct values too, where a hash index degrades. It cuts
-- a value into pages and copies the rest at each, so that one of 16 MiB takes the server more memory than it has. So
-- 1 MiB is the most that a row may have in such a column; no request's text was ever allowed more.
--
-- A tsvector holds at most 1 MiB of lexemes, and to_tsvector fails the row of a longer text. So what is searched is
-- cut, never what is kept: 100,000 characters of a row. A character has at most four bytes, and the parser gives a part
-- of a text at most twice (a compound word whole, and in its parts), so that 800,000 bytes are the most that can come
-- of it.
--
-- Of an older database, what its rows were asked to be is relaxed once, when this file is applied first: a rule that
-- somebody adds later is theirs, and a record that it refuses is reported.

DO $relax$
DECLARE
  wanted record;
BEGIN
  IF EXISTS (SELECT FROM maven_migrations WHERE version = 7) THEN RETURN; END IF;
  FOR wanted IN
    SELECT con.conrelid::regclass AS relation, con.conname AS name
    FROM (VALUES
      ('maven_decisions', ARRAY['git_filename', 'decision_type', 'asset', 'risk_level', 'confidence', 'decided_at',
        'action', 'reasoning', 'outcome', 'metadata']),
      ('maven_milestones', ARRAY['git_filename', 'title', 'category', 'significance', 'achieved_at', 'description',
        'metadata']),
      ('maven_memory', ARRAY['event_key', 'event_type', 'event_at', 'event_time', 'title', 'description', 'metadata'])
    ) AS held (relation, columns)
    JOIN pg_constraint con ON con.conrelid = held.relation::regclass AND con.contype = 'c'
    WHERE con.conkey <@ ARRAY(
      SELECT attnum FROM pg_attribute WHERE attrelid = con.conrelid AND attname = ANY (held.columns))
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', wanted.relation, wanted.name);
  END LOOP;
  -- What a record may lack. The row of a record without a time has no creation time either.
  FOR wanted IN
    SELECT a.attrelid::regclass AS relation, a.attname AS name
    FROM (VALUES
      ('maven_decisions', ARRAY['asset', 'outcome', 'created_at']),
      ('maven_milestones', ARRAY['category', 'significance', 'achieved_at', 'created_at']),
      ('maven_memory', ARRAY['event_at', 'event_time', 'title', 'event_key', 'created_at']),
      ('maven_portfolio_snaps', ARRAY['notes', 'pnl_24h', 'pnl_7d', 'pnl_30d', 'pnl_all_time'])
    ) AS held (relation, columns)
    JOIN pg_attribute a ON a.attrelid = held.relation::regclass AND a.attname = ANY (held.columns) AND a.attnotnull
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', wanted.relation, wanted.name);
  END LOOP;
END
$relax$;

-- A generated column keeps its values, and the views on it, when it becomes an ordinary one; a trigger then keeps it.
DO $search$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['maven_memory', 'maven_conversations'] LOOP
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = name::regclass AND attname = 'search_vector'
               AND attgenerated = 's' AND NOT attisdropped) THEN
      EXECUTE format('ALTER TABLE %I ALTER COLUMN search_vector DROP EXPRESSION', name);
    END IF;
  END LOOP;
END
$search$;

CREATE OR REPLACE FUNCTION maven_search_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search_vector := to_tsvector('pg_catalog.english'::regconfig, left(NEW.description, 100000));
  RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION maven_search_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search_vector :=
    setweight(to_tsvector('pg_catalog.english'::regconfig, left(COALESCE(NEW.title, ''), 20000)), 'A')
    || setweight(to_tsvector('pg_catalog.english'::regconfig, left(COALESCE(NEW.summary, ''), 80000)), 'B');
  RETURN NEW;
END
$$;
-- Of several triggers the last by name has the last word.
CREATE OR REPLACE TRIGGER maven_memory_search BEFORE INSERT OR UPDATE OF description, search_vector ON maven_memory
  FOR EACH ROW EXECUTE FUNCTION maven_search_memory();
CREATE OR REPLACE TRIGGER maven_conversations_search
  BEFORE INSERT OR UPDATE OF title, summary, search_vector ON maven_conversations
  FOR EACH ROW EXECUTE FUNCTION maven_search_conversation();

-- A column that was made again, or that older scripts never filled. No other trigger has a say: nothing else changes.
DO $fill$
DECLARE
  relation text;
  is_empty boolean;
  others text[];
  other text;
BEGIN
  FOREACH relation IN ARRAY ARRAY['maven_memory', 'maven_conversations'] LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE search_vector IS NULL)', relation) INTO is_empty;
    CONTINUE WHEN NOT is_empty;
    others := ARRAY(
      SELECT tgname FROM pg_trigger WHERE tgrelid = relation::regclass AND NOT tgisinternal AND tgenabled = 'O'
        AND tgname <> relation || '_search');
    FOREACH other IN ARRAY others LOOP EXECUTE format('ALTER TABLE %I DISABLE TRIGGER %I', relation, other); END LOOP;
    EXECUTE format('UPDATE %I SET search_vector = NULL WHERE search_vector IS NULL', relation);
    FOREACH other IN ARRAY others LOOP EXECUTE format('ALTER TABLE %I ENABLE TRIGGER %I', relation, other); END LOOP;
  END LOOP;
END
$fill$;

DO $fit$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('maven_decisions', ARRAY['decision_type', 'asset', 'risk_level']), ('maven_milestones', ARRAY['category']),
      ('maven_memory', ARRAY['event_type'])
    ) AS w (relation, columns)
  LOOP
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_constraint
      WHERE conrelid = wanted.relation::regclass AND conname = wanted.relation || '_values_fit');
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%s) NOT VALID', wanted.relation,
      wanted.relation || '_values_fit',
      (SELECT string_agg(format('octet_length(%I) <= 1048576', name), ' AND ') FROM unnest(wanted.columns) AS name));
  END LOOP;
END
$fit$;

-- A btree index on such a column, whoever made it, becomes an SP-GiST index of the same name and condition. A unique
-- one stays, as does one on several columns: it is more than a way to find a value.
DO $indexes$
DECLARE
  older record;
  wanted record;
BEGIN
  FOR older IN
    SELECT c.oid::regclass AS index, c.relname AS name, i.indrelid::regclass AS relation,
      format('spgist (%I)', a.attname) AS definition,
      COALESCE(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '') AS condition
    FROM (VALUES
      ('maven_decisions', ARRAY['decision_type', 'asset', 'risk_level']), ('maven_milestones', ARRAY['category']),
      ('maven_memory', ARRAY['event_type'])
    ) AS held (relation, columns)
    JOIN pg_index i ON i.indrelid = held.relation::regclass
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = ANY (held.columns)
    WHERE i.indnkeyatts = 1 AND NOT i.indisunique
  LOOP
    EXECUTE format('DROP INDEX %s', older.index);
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = older.relation AND i.indisvalid
        AND split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2) = older.definition || older.condition);
    EXECUTE format('CREATE INDEX %I ON %s USING %s%s', older.name, older.relation, older.definition, older.condition);
  END LOOP;

  -- The same for full text: the indexes on the whole of it.
  FOR older IN
    SELECT i.indexrelid::regclass AS index
    FROM (VALUES
      ('maven_decisions', 'gin (to_tsvector(''english''::regconfig, ((action || '' ''::text) || reasoning)))'),
      ('maven_insights', 'gin (to_tsvector(''english''::regconfig, content))'),
      ('maven_milestones', 'gin (to_tsvector(''english''::regconfig, ((title || '' ''::text) || description)))')
    ) AS whole (relation, definition)
    JOIN pg_index i ON i.indrelid = whole.relation::regclass
    WHERE regexp_replace(split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2), '[[:space:]()]|::text', '', 'g')
      = regexp_replace(whole.definition, '[[:space:]()]|::text', '', 'g')
  LOOP
    EXECUTE format('DROP INDEX %s', older.index);
  END LOOP;

  FOR wanted IN
    SELECT * FROM (VALUES
      ('maven_decisions_type', 'maven_decisions', 'spgist (decision_type)'),
      ('maven_decisions_asset', 'maven_decisions', 'spgist (asset)'),
      ('maven_decisions_risk_level', 'maven_decisions', 'spgist (risk_level)'),
      ('maven_milestones_category', 'maven_milestones', 'spgist (category)'),
      ('maven_memory_type', 'maven_memory', 'spgist (event_type)'),
      -- The reasons keep most of the room, however long the action is.
      ('maven_decisions_search', 'maven_decisions', 'gin (to_tsvector(''english''::regconfig, '
        || '"left"((("left"(action, 30000) || '' ''::text) || reasoning), 100000)))'),
      ('maven_insights_search', 'maven_insights', 'gin (to_tsvector(''english''::regconfig, "left"(content, 100000)))'),
      ('maven_milestones_search', 'maven_milestones', 'gin (to_tsvector(''english''::regconfig, '
        || '"left"((("left"(title, 30000) || '' ''::text) || description), 100000)))'),
      -- Of a record's key only what leaves room in a page: a name in a tree of git may be longer.
      ('maven_quarantine_key', 'maven_quarantine', 'btree (agent, kind, "left"(record_key, 500))')
    ) AS w (name, relation, definition)
  LOOP
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = wanted.relation::regclass AND i.indisvalid
        AND regexp_replace(split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2), '[[:space:]()]|::text', '', 'g')
          = regexp_replace(wanted.definition, '[[:space:]()]|::text', '', 'g'));
    -- One under this name whose definition is another: on the quarantine it is our own older one.
    IF wanted.relation = 'maven_quarantine' THEN EXECUTE format('DROP INDEX IF EXISTS %I', wanted.name); END IF;
    EXECUTE format('CREATE INDEX %I ON %I USING %s',
      CASE WHEN to_regclass(quote_ident(wanted.name)) IS NULL THEN wanted.name
           ELSE wanted.name || '_' || substr(md5(wanted.definition), 1, 6) END,
      wanted.relation, wanted.definition);
  END LOOP;
END
$indexes$;
