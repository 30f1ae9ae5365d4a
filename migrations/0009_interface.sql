-- What programs and people of the older scripts call and read: functions with the older columns first, in the older
-- order, types and meaning; the older names of two tables, with the tables' grants; and indexes for search.
--
-- Before this file runs, the migrator has put aside what depends on a function or view that changes its columns here,
-- and it puts it back afterwards. A function of somebody else that has one of these names is renamed, never dropped.

DO $changed$
DECLARE
  changed regprocedure;
BEGIN
  FOR changed IN
    SELECT p.oid::regprocedure
    FROM (VALUES
      ('maven_decision_performance', 'lookback_days integer', 'TABLE(decision_id integer, '
        'decided_at timestamp with time zone, decision_type text, asset text, confidence numeric, '
        'trades_executed integer, total_pnl numeric, outcome text)'),
      ('maven_win_rate_by_asset', '',
        'TABLE(asset text, total_trades bigint, wins bigint, losses bigint, win_rate numeric)'),
      ('maven_get_current_portfolio', '', 'TABLE(total_value numeric, available_balance numeric, '
        'margin_used numeric, unrealized_pnl numeric, position_count integer)'),
      ('maven_extract_key_moments', 'conv_id text, key_phrases text[]', 'TABLE(message_index integer, role text, '
        'content_type text, matched_phrase text, context text, content text)'),
      ('maven_conversation_stats', 'conv_id text', 'TABLE(total_msgs integer, user_msgs integer, '
        'assistant_msgs integer, thinking_count integer, tool_calls integer, total_messages bigint, '
        'user_messages bigint, assistant_messages bigint, thinking_blocks bigint, tool_uses bigint)')
    ) AS wanted (name, arguments, result)
    JOIN pg_proc p ON p.pronamespace = current_schema()::regnamespace AND p.proname = wanted.name
      AND oidvectortypes(p.proargtypes) = regexp_replace(wanted.arguments, '\w+ (\w+)', '\1', 'g')
    WHERE pg_get_function_result(p.oid) <> wanted.result
      OR pg_get_function_identity_arguments(p.oid) <> wanted.arguments
  LOOP
    EXECUTE format('DROP FUNCTION %s', changed);
  END LOOP;
END
$changed$;

-- Closed trades alone are counted and added up, as in the older function: an open or cancelled one is none, and a
-- decision without a closed one is a breakeven. What liquidations cost is in the program's reports.
CREATE OR REPLACE FUNCTION maven_decision_performance(lookback_days integer DEFAULT 7)
RETURNS TABLE (
  decision_id integer, decided_at timestamptz, decision_type text, asset text, confidence numeric,
  trades_executed integer, total_pnl numeric, outcome text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT d.id, d.decided_at, d.decision_type, d.asset, d.confidence, COALESCE(t.trades, 0)::integer,
         COALESCE(t.net, 0),
         CASE sign(t.net) WHEN 1 THEN 'profitable' WHEN -1 THEN 'loss' ELSE 'breakeven' END
  FROM maven_decisions d
  LEFT JOIN LATERAL (
    SELECT count(*) AS trades, sum(c.net_pnl_usd) AS net FROM maven_trades c
    WHERE c.decision_id = d.id AND c.status = 'closed') AS t ON true
  WHERE d.decided_at > now() - make_interval(days => lookback_days)
  ORDER BY d.decided_at DESC, d.id DESC
$$;

CREATE OR REPLACE FUNCTION maven_win_rate_by_asset()
RETURNS TABLE (asset text, total_trades bigint, wins bigint, losses bigint, win_rate numeric)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT t.asset, count(*),
         count(*) FILTER (WHERE t.realized_pnl_usd > 0),
         count(*) FILTER (WHERE t.realized_pnl_usd < 0),
         round(count(*) FILTER (WHERE t.realized_pnl_usd > 0) * 100.0 / count(*), 2)
  FROM maven_trades t
  WHERE t.status = 'closed' AND t.realized_pnl_usd IS NOT NULL
  GROUP BY t.asset
  ORDER BY count(*) DESC, t.asset
$$;

CREATE OR REPLACE FUNCTION maven_get_current_portfolio()
RETURNS TABLE (
  total_value numeric, available_balance numeric, margin_used numeric, unrealized_pnl numeric,
  position_count integer)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT s.total_value_usd, s.available_balance_usd, s.margin_used_usd, s.unrealized_pnl_usd, s.position_count
  FROM maven_portfolio_snaps s
  ORDER BY s.snapshot_at DESC, s.id DESC
  LIMIT 1
$$;

-- The parts of a transcript's messages that hold one of the phrases, as literal text: % and _ mean themselves. A
-- message whose content is plain text is one part of type text; a thought stands under "thinking" or under "text".
-- context is the first 300 characters of the part, content all of it.
CREATE OR REPLACE FUNCTION maven_extract_key_moments(conv_id text, key_phrases text[])
RETURNS TABLE (
  message_index integer, role text, content_type text, matched_phrase text, context text, content text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT (m.index - 1)::integer, m.message ->> 'role', body.type, phrase.text, left(body.text, 300), body.text
  FROM maven_conversations c
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(c.full_transcript) WHEN 'array' THEN c.full_transcript ELSE '[]' END)
    WITH ORDINALITY AS m (message, index)
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(m.message -> 'content')
      WHEN 'array' THEN m.message -> 'content'
      WHEN 'string' THEN jsonb_build_array(jsonb_build_object('type', 'text', 'text', m.message -> 'content'))
      ELSE '[]' END) WITH ORDINALITY AS p (part, index)
  CROSS JOIN LATERAL (
    SELECT p.part ->> 'type', COALESCE(p.part ->> 'text', p.part ->> 'thinking')) AS body (type, text)
  CROSS JOIN LATERAL unnest(key_phrases) WITH ORDINALITY AS phrase (text, index)
  WHERE c.conversation_id = conv_id AND body.type IN ('text', 'thinking')
    AND strpos(lower(body.text), lower(phrase.text)) > 0
  ORDER BY m.index, p.index, phrase.index
$$;

-- thinking_count and tool_calls are the messages with such a part, thinking_blocks and tool_uses the parts.
CREATE OR REPLACE FUNCTION maven_conversation_stats(conv_id text)
RETURNS TABLE (
  total_msgs integer, user_msgs integer, assistant_msgs integer, thinking_count integer, tool_calls integer,
  total_messages bigint, user_messages bigint, assistant_messages bigint, thinking_blocks bigint, tool_uses bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT s.messages::integer, s.by_user::integer, s.by_assistant::integer, s.with_thought::integer,
         s.with_tool::integer, s.messages, s.by_user, s.by_assistant, s.thoughts, s.tools
  FROM (
    SELECT count(*) AS messages,
           count(*) FILTER (WHERE m.message ->> 'role' = 'user') AS by_user,
           count(*) FILTER (WHERE m.message ->> 'role' = 'assistant') AS by_assistant,
           count(*) FILTER (WHERE parts.thinking > 0) AS with_thought,
           count(*) FILTER (WHERE parts.tools > 0) AS with_tool,
           COALESCE(sum(parts.thinking), 0)::bigint AS thoughts,
           COALESCE(sum(parts.tools), 0)::bigint AS tools
    FROM maven_conversations c
    CROSS JOIN LATERAL jsonb_array_elements(
      CASE jsonb_typeof(c.full_transcript) WHEN 'array' THEN c.full_transcript ELSE '[]' END) AS m (message)
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE part ->> 'type' = 'thinking'),
             count(*) FILTER (WHERE part ->> 'type' = 'tool_use')
      FROM jsonb_array_elements(
        CASE jsonb_typeof(m.message -> 'content') WHEN 'array' THEN m.message -> 'content' ELSE '[]' END) AS part
    ) AS parts (thinking, tools)
    WHERE c.conversation_id = conv_id
  ) AS s
$$;

-- The older names of two tables. A simple view takes INSERT, UPDATE and DELETE like the table, with the table's
-- defaults. It belongs to the table's owner, and a new one has the table's grants; one that somebody has granted
-- anything on keeps what it has. Where rows are hidden from some roles, the view asks as the one who reads.
DO $older_names$
DECLARE
  pair text[];
  base pg_class;
  older pg_class;
  columns text[];
  older_columns text[];
  access record;
BEGIN
  FOREACH pair SLICE 1 IN ARRAY ARRAY[
    ARRAY['maven_portfolio_snapshots', 'maven_portfolio_snaps'],
    ARRAY['maven_performance_metrics', 'maven_performance']]
  LOOP
    SELECT * INTO STRICT base FROM pg_class WHERE oid = to_regclass(pair[2]);
    SELECT * INTO older FROM pg_class WHERE relnamespace = base.relnamespace AND relname = pair[1];
    IF older.oid IS NOT NULL AND older.relkind <> 'v' THEN
      RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
        MESSAGE = format('%I is no view and no table of the older scripts', pair[1]);
    END IF;
    columns := ARRAY(
      SELECT attname::text FROM pg_attribute WHERE attrelid = base.oid AND attnum > 0 AND NOT attisdropped
      ORDER BY attnum);
    older_columns := ARRAY(
      SELECT attname::text FROM pg_attribute WHERE attrelid = older.oid AND attnum > 0 ORDER BY attnum);
    IF older.oid IS NOT NULL AND older_columns <> columns THEN
      IF older_columns <> columns[1:cardinality(older_columns)] THEN
        EXECUTE format('DROP VIEW %I', pair[1]);
      END IF;
      EXECUTE format('CREATE OR REPLACE VIEW %I%s AS SELECT * FROM %I', pair[1],
        ' WITH (' || array_to_string(older.reloptions, ', ') || ')', pair[2]);
      SELECT * INTO older FROM pg_class WHERE relnamespace = base.relnamespace AND relname = pair[1];
    ELSIF older.oid IS NULL THEN
      EXECUTE format('CREATE VIEW %I AS SELECT * FROM %I', pair[1], pair[2]);
    END IF;

    IF older.oid IS NULL OR older.relacl IS NULL THEN
      IF older.oid IS NULL OR older.relowner <> base.relowner THEN
        EXECUTE format('ALTER VIEW %I OWNER TO %s', pair[1], base.relowner::regrole);
      END IF;
      IF base.relrowsecurity AND current_setting('server_version_num')::integer >= 150000 THEN
        EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', pair[1]);
      ELSE
        CONTINUE WHEN base.relrowsecurity;
      END IF;
      FOR access IN
        SELECT e.privilege_type AS privilege, '' AS of_column, e.grantee, e.is_grantable
        FROM aclexplode(base.relacl) AS e
        UNION ALL
        SELECT e.privilege_type, format('(%I)', a.attname), e.grantee, e.is_grantable
        FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) AS e
        WHERE a.attrelid = base.oid AND NOT a.attisdropped
      LOOP
        CONTINUE WHEN access.grantee = base.relowner;
        EXECUTE format('GRANT %s %s ON %I TO %s%s', access.privilege, access.of_column, pair[1],
          CASE access.grantee WHEN 0 THEN 'PUBLIC' ELSE access.grantee::regrole::text END,
          CASE WHEN access.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
      END LOOP;
    END IF;
  END LOOP;
END
$older_names$;

-- Search gives the newest hits first, so records are found in the order of their times, those without one by when their
-- row was made. The assets of a decision, one or several between commas, are found whatever their case; names beyond
-- 600 characters, which do not fit a page, only as they are written.
CREATE INDEX IF NOT EXISTS maven_memory_newest
  ON maven_memory ((COALESCE(event_at, created_at, to_timestamp(0))) DESC);
-- A table that somebody else made for milestones may lack them.
ALTER TABLE maven_milestones
  ADD COLUMN IF NOT EXISTS created_at timestamptz DEFAULT now(),
  ADD COLUMN IF NOT EXISTS updated_at timestamptz DEFAULT now();
CREATE INDEX IF NOT EXISTS maven_milestones_newest
  ON maven_milestones ((COALESCE(achieved_at, created_at, to_timestamp(0))) DESC);
CREATE INDEX IF NOT EXISTS maven_insights_newest ON maven_insights ((COALESCE(created_at, to_timestamp(0))) DESC);
CREATE INDEX IF NOT EXISTS maven_decisions_assets ON maven_decisions
  USING gin ((string_to_array(left(translate(upper(left(asset, 600)), ' ', ''), 600), ',')));
