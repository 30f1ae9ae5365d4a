-- Indexes, triggers and functions of the users' design.
--
-- An index is made only where the table has none of the same definition: an adopted database keeps its own
-- names and does not pay for every index twice. A unique index waits while duplicates stand in its way (older
-- databases can hold them): reconcile resolves those and then runs this file again.

DO $indexes$
DECLARE
  wanted record;
  duplicates boolean;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('maven_decisions_git_filename_key', true, 'maven_decisions', 'btree (git_filename)', 'git_filename'),
      ('maven_decisions_decided_at', false, 'maven_decisions', 'btree (decided_at DESC)', NULL),
      ('maven_decisions_type', false, 'maven_decisions', 'btree (decision_type)', NULL),
      ('maven_decisions_asset', false, 'maven_decisions', 'btree (asset)', NULL),
      ('maven_decisions_risk_level', false, 'maven_decisions', 'btree (risk_level)', NULL),
      ('maven_decisions_metadata', false, 'maven_decisions', 'gin (metadata)', NULL),
      ('maven_decisions_search', false, 'maven_decisions',
        'gin (to_tsvector(''english''::regconfig, ((action || '' ''::text) || reasoning)))', NULL),
      ('maven_trades_decision', false, 'maven_trades', 'btree (decision_id)', NULL),
      ('maven_trades_asset', false, 'maven_trades', 'btree (asset)', NULL),
      ('maven_trades_status', false, 'maven_trades', 'btree (status)', NULL),
      ('maven_trades_opened_at', false, 'maven_trades', 'btree (opened_at DESC)', NULL),
      ('maven_trades_source', false, 'maven_trades', 'btree (trade_source, source_bot_id)', NULL),
      ('maven_trades_external_id', false, 'maven_trades',
        'btree (external_trade_id) WHERE (external_trade_id IS NOT NULL)', NULL),
      ('maven_portfolio_snaps_at', false, 'maven_portfolio_snaps', 'btree (snapshot_at DESC)', NULL),
      ('maven_portfolio_snaps_type', false, 'maven_portfolio_snaps', 'btree (snapshot_type)', NULL),
      ('maven_portfolio_snaps_positions', false, 'maven_portfolio_snaps', 'gin (open_positions)', NULL),
      ('maven_insights_type', false, 'maven_insights', 'btree (insight_type)', NULL),
      ('maven_insights_asset', false, 'maven_insights', 'btree (asset)', NULL),
      ('maven_insights_created_at', false, 'maven_insights', 'btree (created_at DESC)', NULL),
      ('maven_insights_tags', false, 'maven_insights', 'gin (tags)', NULL),
      ('maven_insights_validated', false, 'maven_insights', 'btree (validated) WHERE (validated IS NOT NULL)', NULL),
      ('maven_insights_search', false, 'maven_insights', 'gin (to_tsvector(''english''::regconfig, content))', NULL),
      ('maven_memory_event_key', true, 'maven_memory', 'btree (agent, event_key)', 'agent, event_key'),
      ('maven_memory_type', false, 'maven_memory', 'btree (event_type)', NULL),
      ('maven_memory_created_at', false, 'maven_memory', 'btree (created_at DESC)', NULL),
      ('maven_memory_event_at', false, 'maven_memory', 'btree (event_at DESC)', NULL),
      ('maven_memory_search', false, 'maven_memory', 'gin (search_vector)', NULL),
      ('maven_memory_metadata', false, 'maven_memory', 'gin (metadata)', NULL),
      ('maven_conversations_date', false, 'maven_conversations', 'btree (conversation_date DESC)', NULL),
      ('maven_conversations_type', false, 'maven_conversations', 'btree (conversation_type)', NULL),
      ('maven_conversations_tags', false, 'maven_conversations', 'gin (tags)', NULL),
      ('maven_conversations_search', false, 'maven_conversations', 'gin (search_vector)', NULL),
      ('maven_milestones_git_filename_key', true, 'maven_milestones', 'btree (git_filename)', 'git_filename'),
      ('maven_milestones_achieved_at', false, 'maven_milestones', 'btree (achieved_at DESC)', NULL),
      ('maven_milestones_category', false, 'maven_milestones', 'btree (category)', NULL),
      ('maven_milestones_metadata', false, 'maven_milestones', 'gin (metadata)', NULL),
      ('maven_milestones_search', false, 'maven_milestones',
        'gin (to_tsvector(''english''::regconfig, ((title || '' ''::text) || description)))', NULL)
    ) AS w (name, is_unique, relation, definition, key)
  LOOP
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = wanted.relation::regclass AND i.indisvalid AND (i.indisunique OR NOT wanted.is_unique)
        -- Versions of PostgreSQL differ in the parentheses and casts that they print.
        AND regexp_replace(split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2), '[[:space:]()]|::text', '', 'g')
          = regexp_replace(wanted.definition, '[[:space:]()]|::text', '', 'g'));
    IF wanted.is_unique THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE (%s) IS NOT NULL GROUP BY %s HAVING count(*) > 1)',
        wanted.relation, wanted.key, wanted.key) INTO duplicates;
      IF duplicates THEN
        RAISE NOTICE '% holds duplicate keys; its unique index waits for reconcile', wanted.relation;
        CONTINUE;
      END IF;
    END IF;
    EXECUTE format('CREATE %s INDEX %I ON %I USING %s',
      CASE WHEN wanted.is_unique THEN 'UNIQUE' ELSE '' END,
      CASE WHEN to_regclass(quote_ident(wanted.name)) IS NULL THEN wanted.name
           ELSE wanted.name || '_' || substr(md5(wanted.definition), 1, 6) END,
      wanted.relation, wanted.definition);
  END LOOP;
END
$indexes$;

CREATE OR REPLACE FUNCTION maven_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER maven_decisions_touch BEFORE UPDATE ON maven_decisions
  FOR EACH ROW EXECUTE FUNCTION maven_touch_updated_at();
CREATE OR REPLACE TRIGGER maven_trades_touch BEFORE UPDATE ON maven_trades
  FOR EACH ROW EXECUTE FUNCTION maven_touch_updated_at();
CREATE OR REPLACE TRIGGER maven_insights_touch BEFORE UPDATE ON maven_insights
  FOR EACH ROW EXECUTE FUNCTION maven_touch_updated_at();
CREATE OR REPLACE TRIGGER maven_conversations_touch BEFORE UPDATE ON maven_conversations
  FOR EACH ROW EXECUTE FUNCTION maven_touch_updated_at();
CREATE OR REPLACE TRIGGER maven_milestones_touch BEFORE UPDATE ON maven_milestones
  FOR EACH ROW EXECUTE FUNCTION maven_touch_updated_at();

-- An older function may differ in its result type, which CREATE OR REPLACE refuses to change.
DO $functions$
DECLARE
  older regprocedure;
BEGIN
  FOR older IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
      'maven_decision_performance', 'maven_win_rate_by_asset', 'maven_get_current_portfolio',
      'maven_extract_key_moments', 'maven_conversation_stats')
  LOOP
    EXECUTE format('DROP FUNCTION %s', older);
  END LOOP;
END
$functions$;

-- P&L is of closed trades only; a decision without one has total_pnl 0 and is a breakeven.
CREATE FUNCTION maven_decision_performance(lookback_days integer DEFAULT 7)
RETURNS TABLE (
  decision_id integer, decided_at timestamptz, decision_type text, asset text, confidence numeric,
  trades_executed bigint, total_pnl numeric, outcome text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT d.id, d.decided_at, d.decision_type, d.asset, d.confidence,
         count(t.id),
         COALESCE(sum(t.net_pnl_usd) FILTER (WHERE t.status = 'closed'), 0),
         CASE sign(COALESCE(sum(t.net_pnl_usd) FILTER (WHERE t.status = 'closed'), 0))
           WHEN 1 THEN 'profitable' WHEN -1 THEN 'loss' ELSE 'breakeven' END
  FROM maven_decisions d LEFT JOIN maven_trades t ON t.decision_id = d.id
  WHERE d.decided_at >= now() - make_interval(days => lookback_days)
  GROUP BY d.id
  ORDER BY d.decided_at DESC, d.id DESC
$$;

CREATE FUNCTION maven_win_rate_by_asset()
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

CREATE FUNCTION maven_get_current_portfolio()
RETURNS TABLE (
  total_value numeric, available_balance numeric, margin_used numeric, unrealized_pnl numeric,
  position_count integer)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT s.total_value_usd, s.available_balance_usd, s.margin_used_usd, s.unrealized_pnl_usd, s.position_count
  FROM maven_portfolio_snaps s
  ORDER BY s.snapshot_at DESC, s.id DESC
  LIMIT 1
$$;

-- The messages of a transcript that hold one of the phrases, as literal text: % and _ mean themselves.
CREATE FUNCTION maven_extract_key_moments(conv_id text, key_phrases text[])
RETURNS TABLE (message_index bigint, role text, content text, matched_phrase text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT m.index - 1, m.message ->> 'role', body.content, phrase
  FROM maven_conversations c
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(c.full_transcript) WHEN 'array' THEN c.full_transcript ELSE '[]' END)
    WITH ORDINALITY AS m (message, index)
  CROSS JOIN LATERAL (
    SELECT CASE jsonb_typeof(m.message -> 'content')
      WHEN 'string' THEN m.message ->> 'content'
      WHEN 'array' THEN (
        SELECT string_agg(COALESCE(part ->> 'text', part ->> 'thinking', part ->> 'input'), E'\n')
        FROM jsonb_array_elements(m.message -> 'content') AS part)
      END) AS body (content)
  CROSS JOIN LATERAL unnest(key_phrases) AS phrase
  WHERE c.conversation_id = conv_id AND strpos(lower(body.content), lower(phrase)) > 0
  ORDER BY 1, phrase
$$;

CREATE FUNCTION maven_conversation_stats(conv_id text)
RETURNS TABLE (
  total_messages bigint, user_messages bigint, assistant_messages bigint, thinking_blocks bigint,
  tool_uses bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT count(*),
         count(*) FILTER (WHERE m.message ->> 'role' = 'user'),
         count(*) FILTER (WHERE m.message ->> 'role' = 'assistant'),
         COALESCE(sum(parts.thinking), 0)::bigint,
         COALESCE(sum(parts.tools), 0)::bigint
  FROM maven_conversations c
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(c.full_transcript) WHEN 'array' THEN c.full_transcript ELSE '[]' END) AS m (message)
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE part ->> 'type' = 'thinking'), count(*) FILTER (WHERE part ->> 'type' = 'tool_use')
    FROM jsonb_array_elements(
      CASE jsonb_typeof(m.message -> 'content') WHEN 'array' THEN m.message -> 'content' ELSE '[]' END) AS part
  ) AS parts (thinking, tools)
  WHERE c.conversation_id = conv_id
$$;
