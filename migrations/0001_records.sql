-- The eight tables that bots and people use, made new or adopted from a database of the older scripts.
--
-- Every statement may run again on a database that already has its effect: `migrate --repair` and a reconcile
-- after a hand-dropped table run the same files. Names are not qualified: the migrator pins search_path to the
-- one target schema, which is "public" unless `--into` names another.
--
-- Adoption keeps every row. The older names of two tables go on answering queries as views.

-- An older table becomes ours by renaming. Where a half-made migration left both names as tables, the rows of
-- the older one are copied over, and it stays under a third name.
DO $adopt$
DECLARE
  pair text[];
  older oid;
  newer oid;
  columns text;
BEGIN
  FOREACH pair SLICE 1 IN ARRAY ARRAY[
    ARRAY['maven_portfolio_snapshots', 'maven_portfolio_snaps'],
    ARRAY['maven_performance_metrics', 'maven_performance']]
  LOOP
    SELECT c.oid INTO older FROM pg_class c
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = pair[1] AND c.relkind IN ('r', 'p');
    CONTINUE WHEN older IS NULL;
    SELECT c.oid INTO newer FROM pg_class c
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = pair[2] AND c.relkind IN ('r', 'p');
    IF newer IS NULL THEN
      EXECUTE format('ALTER TABLE %I RENAME TO %I', pair[1], pair[2]);
    ELSE
      SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
        FROM pg_attribute a
        JOIN pg_attribute b ON b.attrelid = newer AND b.attname = a.attname AND NOT b.attisdropped
        WHERE a.attrelid = older AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname <> 'id' AND a.attgenerated = '' AND b.attgenerated = '';
      EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I ON CONFLICT DO NOTHING', pair[2], columns, columns, pair[1]);
      EXECUTE format('ALTER TABLE %I RENAME TO %I', pair[1], pair[1] || '_adopted');
    END IF;
  END LOOP;
END
$adopt$;

CREATE TABLE IF NOT EXISTS maven_decisions (
  id serial PRIMARY KEY,
  git_filename text NOT NULL UNIQUE,
  decision_type text NOT NULL,
  asset text,
  action text NOT NULL,
  reasoning text NOT NULL,
  confidence numeric NOT NULL,
  risk_level text NOT NULL,
  metadata jsonb DEFAULT '{}',
  market_context jsonb,
  executed boolean DEFAULT false,
  execution_count integer DEFAULT 0,
  decided_at timestamptz NOT NULL,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_trades (
  id serial PRIMARY KEY,
  decision_id integer REFERENCES maven_decisions (id) ON DELETE SET NULL,
  external_trade_id text,
  trade_source text NOT NULL CHECK (trade_source IN ('motherbot', 'worker_bot', 'simple_ta', 'manual')),
  source_bot_id integer,
  asset text NOT NULL,
  side text NOT NULL CHECK (side IN ('long', 'short')),
  position_action text NOT NULL CHECK (position_action IN ('open', 'close', 'increase', 'decrease')),
  entry_price numeric(20, 8),
  exit_price numeric(20, 8),
  size_asset numeric(20, 8),
  size_usd numeric(20, 2) NOT NULL,
  leverage numeric(5, 2) DEFAULT 1.0,
  realized_pnl_usd numeric(20, 2),
  unrealized_pnl_usd numeric(20, 2),
  fees_usd numeric(20, 2) DEFAULT 0,
  net_pnl_usd numeric(20, 2) GENERATED ALWAYS AS (COALESCE(realized_pnl_usd, 0) - COALESCE(fees_usd, 0)) STORED,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed', 'liquidated', 'cancelled')),
  close_reason text,
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  metadata jsonb DEFAULT '{}',
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  CONSTRAINT maven_trades_closed_has_pnl CHECK (status = 'open' OR realized_pnl_usd IS NOT NULL)
);

CREATE TABLE IF NOT EXISTS maven_portfolio_snaps (
  id serial PRIMARY KEY,
  total_value_usd numeric(20, 2) NOT NULL,
  available_balance_usd numeric(20, 2) NOT NULL,
  margin_used_usd numeric(20, 2) DEFAULT 0,
  unrealized_pnl_usd numeric(20, 2) DEFAULT 0,
  margin_utilization_pct numeric(20, 2) GENERATED ALWAYS AS (
    CASE WHEN total_value_usd = 0 THEN 0 ELSE margin_used_usd / total_value_usd * 100 END) STORED,
  open_positions jsonb DEFAULT '[]',
  position_count integer DEFAULT 0,
  pnl_24h numeric(20, 2),
  pnl_7d numeric(20, 2),
  pnl_30d numeric(20, 2),
  pnl_all_time numeric(20, 2),
  snapshot_type text DEFAULT 'scheduled' CHECK (snapshot_type IN ('scheduled', 'decision', 'manual', 'milestone')),
  notes text,
  metadata jsonb DEFAULT '{}',
  snapshot_at timestamptz NOT NULL,
  created_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_performance (
  id serial PRIMARY KEY,
  period_type text NOT NULL CHECK (period_type IN ('hour', 'day', 'week', 'month', 'all_time')),
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  total_trades integer DEFAULT 0,
  winning_trades integer DEFAULT 0,
  losing_trades integer DEFAULT 0,
  breakeven_trades integer DEFAULT 0,
  total_pnl_usd numeric(20, 2) DEFAULT 0,
  gross_profit_usd numeric(20, 2) DEFAULT 0,
  gross_loss_usd numeric(20, 2) DEFAULT 0,
  total_fees_usd numeric(20, 2) DEFAULT 0,
  net_pnl_usd numeric(20, 2) DEFAULT 0,
  win_rate_pct numeric(5, 2) GENERATED ALWAYS AS (
    CASE WHEN total_trades > 0 THEN winning_trades::numeric / total_trades * 100 ELSE 0 END) STORED,
  avg_win_usd numeric(20, 2),
  avg_loss_usd numeric(20, 2),
  profit_factor numeric(10, 2),
  max_drawdown_usd numeric(20, 2),
  max_drawdown_pct numeric(5, 2),
  sharpe_ratio numeric(10, 4),
  asset_performance jsonb DEFAULT '{}',
  decisions_made integer DEFAULT 0,
  avg_decision_confidence numeric(5, 2),
  high_confidence_wins integer DEFAULT 0,
  low_confidence_losses integer DEFAULT 0,
  calculated_at timestamptz DEFAULT now(),
  created_at timestamptz DEFAULT now(),
  UNIQUE (period_type, period_start, period_end)
);

CREATE TABLE IF NOT EXISTS maven_insights (
  id serial PRIMARY KEY,
  insight_type text NOT NULL CHECK (insight_type IN ('trend', 'signal', 'risk', 'opportunity', 'reflection')),
  asset text,
  content text NOT NULL,
  confidence numeric(5, 2) CHECK (confidence >= 0 AND confidence <= 100),
  market_conditions jsonb,
  validated boolean,
  validation_notes text,
  validated_at timestamptz,
  tags text[],
  related_decision_id integer REFERENCES maven_decisions (id) ON DELETE SET NULL,
  metadata jsonb DEFAULT '{}',
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_memory (
  id serial PRIMARY KEY,
  event_type text NOT NULL,
  description text NOT NULL,
  metadata jsonb DEFAULT '{}',
  related_decision_id integer REFERENCES maven_decisions (id) ON DELETE SET NULL,
  related_trade_id integer REFERENCES maven_trades (id) ON DELETE SET NULL,
  created_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_conversations (
  id serial PRIMARY KEY,
  conversation_id text NOT NULL UNIQUE,
  conversation_date timestamptz NOT NULL,
  title text,
  summary text,
  full_transcript jsonb NOT NULL,
  total_messages integer DEFAULT 0,
  user_messages integer DEFAULT 0,
  assistant_messages integer DEFAULT 0,
  thinking_blocks integer DEFAULT 0,
  tags text[],
  conversation_type text,
  importance integer DEFAULT 5 CHECK (importance BETWEEN 1 AND 10),
  archived boolean DEFAULT false,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_milestones (
  id serial PRIMARY KEY,
  git_filename text NOT NULL UNIQUE,
  title text NOT NULL,
  category text,
  significance text,
  description text NOT NULL,
  metadata jsonb DEFAULT '{}',
  achieved_at timestamptz,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

-- Columns that some older versions of the scripts did not make yet. A full-text column is generated, so adding
-- it fills it. One of a kind that is there already, generated or not, is left as it is.
ALTER TABLE maven_decisions
  ADD COLUMN IF NOT EXISTS metadata jsonb DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS market_context jsonb,
  ADD COLUMN IF NOT EXISTS executed boolean DEFAULT false,
  ADD COLUMN IF NOT EXISTS execution_count integer DEFAULT 0,
  ADD COLUMN IF NOT EXISTS updated_at timestamptz DEFAULT now();
ALTER TABLE maven_memory
  ADD COLUMN IF NOT EXISTS metadata jsonb DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS related_decision_id integer REFERENCES maven_decisions (id) ON DELETE SET NULL,
  ADD COLUMN IF NOT EXISTS related_trade_id integer REFERENCES maven_trades (id) ON DELETE SET NULL,
  ADD COLUMN IF NOT EXISTS search_vector tsvector
    GENERATED ALWAYS AS (to_tsvector('english'::regconfig, description)) STORED;
ALTER TABLE maven_conversations
  ADD COLUMN IF NOT EXISTS search_vector tsvector
    GENERATED ALWAYS AS (
      setweight(to_tsvector('english'::regconfig, COALESCE(title, '')), 'A')
      || setweight(to_tsvector('english'::regconfig, COALESCE(summary, '')), 'B')) STORED;

-- The older CHECKs refused what git holds: a risk level written in capitals, a word outside the four, a
-- confidence above 100. A row that git holds must be able to arrive; the report names what is odd about it.
DO $relax$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT con.conname FROM pg_constraint con
    WHERE con.conrelid = 'maven_decisions'::regclass AND con.contype = 'c'
      AND con.conkey <@ ARRAY(
        SELECT attnum FROM pg_attribute
        WHERE attrelid = 'maven_decisions'::regclass AND attname IN ('risk_level', 'confidence', 'decision_type'))
  LOOP
    EXECUTE format('ALTER TABLE maven_decisions DROP CONSTRAINT %I', name);
  END LOOP;
END
$relax$;

-- Types that would change a value: numeric(5,2) rounds a confidence of 98.125, varchar(n) cuts or refuses text,
-- timestamp without time zone loses the offset (the older scripts wrote UTC), and margin utilization passes
-- 999.99 at high leverage. Views on a column keep their definition, owner and grants across the change.
DO $widen$
DECLARE
  change record;
  dependent record;
  saved text[] := '{}';
  statement text;
  grants text;
BEGIN
  FOR change IN
    SELECT a.attrelid::regclass AS relation, a.attname AS column_name, a.attnum AS number, wanted.type AS type,
           CASE WHEN a.atttypid = 'timestamp'::regtype THEN format(' USING %I AT TIME ZONE ''UTC''', a.attname)
                WHEN a.atttypid = 'json'::regtype THEN format(' USING %I::jsonb', a.attname)
                ELSE '' END AS conversion
    FROM (VALUES
      ('maven_decisions', 'git_filename', 'text'), ('maven_decisions', 'decision_type', 'text'),
      ('maven_decisions', 'asset', 'text'), ('maven_decisions', 'action', 'text'),
      ('maven_decisions', 'reasoning', 'text'), ('maven_decisions', 'risk_level', 'text'),
      ('maven_decisions', 'confidence', 'numeric'), ('maven_decisions', 'metadata', 'jsonb'),
      ('maven_decisions', 'decided_at', 'timestamp with time zone'),
      ('maven_memory', 'event_type', 'text'), ('maven_memory', 'description', 'text'),
      ('maven_memory', 'metadata', 'jsonb'),
      ('maven_milestones', 'git_filename', 'text'), ('maven_milestones', 'title', 'text'),
      ('maven_milestones', 'category', 'text'), ('maven_milestones', 'significance', 'text'),
      ('maven_milestones', 'description', 'text'), ('maven_milestones', 'metadata', 'jsonb'),
      ('maven_milestones', 'achieved_at', 'timestamp with time zone'),
      ('maven_portfolio_snaps', 'margin_utilization_pct', 'numeric(20,2)')
    ) AS wanted (relation, column_name, type)
    JOIN pg_attribute a ON a.attrelid = to_regclass(wanted.relation) AND a.attname = wanted.column_name
      AND NOT a.attisdropped
    WHERE format_type(a.atttypid, a.atttypmod) <> wanted.type
  LOOP
    saved := '{}';
    FOR dependent IN
      WITH RECURSIVE views (oid, depth) AS (
        SELECT DISTINCT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = change.relation
          AND d.refobjsubid = change.number AND r.ev_class <> change.relation
        UNION
        SELECT r.ev_class, v.depth + 1 FROM views v JOIN pg_depend d ON d.refobjid = v.oid
        JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class <> v.oid)
      SELECT v.oid, max(v.depth) AS depth, c.relkind, c.relowner::regrole AS owner, c.relacl
      FROM views v JOIN pg_class c ON c.oid = v.oid GROUP BY v.oid, c.relkind, c.relowner, c.relacl ORDER BY 2
    LOOP
      IF dependent.relkind <> 'v' THEN
        RAISE EXCEPTION 'materialized view % depends on %.%: drop it, migrate, and create it again',
          dependent.oid::regclass, change.relation, change.column_name;
      END IF;
      saved := saved || format('CREATE VIEW %s AS %s', dependent.oid::regclass, pg_get_viewdef(dependent.oid))
        || format('ALTER VIEW %s OWNER TO %s', dependent.oid::regclass, dependent.owner);
      SELECT string_agg(format('GRANT %s ON %s TO %s', e.privilege_type, dependent.oid::regclass,
          CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END), '; ') INTO grants
        FROM aclexplode(dependent.relacl) e;
      IF grants IS NOT NULL THEN saved := saved || grants; END IF;
    END LOOP;
    FOR dependent IN
      SELECT DISTINCT r.ev_class AS oid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
      WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = change.relation AND d.refobjsubid = change.number
        AND r.ev_class <> change.relation
    LOOP
      EXECUTE format('DROP VIEW IF EXISTS %s CASCADE', dependent.oid::regclass);
    END LOOP;
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s%s',
      change.relation, change.column_name, change.type, change.conversion);
    FOREACH statement IN ARRAY saved LOOP EXECUTE statement; END LOOP;
  END LOOP;
END
$widen$;

-- Old names. A simple view takes INSERT, UPDATE and DELETE like the table, with the table's defaults.
CREATE OR REPLACE VIEW maven_portfolio_snapshots AS SELECT * FROM maven_portfolio_snaps;
CREATE OR REPLACE VIEW maven_performance_metrics AS SELECT * FROM maven_performance;
