-- A database as the older scripts made it, with rows: the shape that `migrate` adopts in place.
CREATE FUNCTION update_updated_at_column() RETURNS trigger AS $$
BEGIN NEW.updated_at = CURRENT_TIMESTAMP; RETURN NEW; END; $$ LANGUAGE plpgsql;

CREATE TABLE maven_decisions (
  id SERIAL PRIMARY KEY,
  git_filename VARCHAR(255) UNIQUE NOT NULL,
  decision_type VARCHAR(50) NOT NULL,
  asset VARCHAR(20),
  action TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  confidence NUMERIC(5, 2) NOT NULL CHECK (confidence >= 0 AND confidence <= 100),
  risk_level VARCHAR(20) NOT NULL CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
  metadata JSONB DEFAULT '{}',
  market_context JSONB,
  executed BOOLEAN DEFAULT FALSE,
  execution_count INTEGER DEFAULT 0,
  decided_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE INDEX idx_decisions_decided_at ON maven_decisions (decided_at DESC);
CREATE INDEX idx_decisions_type ON maven_decisions (decision_type);
CREATE INDEX idx_decisions_asset ON maven_decisions (asset);
CREATE INDEX idx_decisions_risk ON maven_decisions (risk_level);
CREATE INDEX idx_decisions_metadata ON maven_decisions USING gin (metadata);
CREATE TRIGGER update_maven_decisions_updated_at BEFORE UPDATE ON maven_decisions
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TABLE maven_trades (
  id SERIAL PRIMARY KEY,
  decision_id INTEGER REFERENCES maven_decisions (id) ON DELETE SET NULL,
  external_trade_id VARCHAR(100),
  trade_source VARCHAR(20) NOT NULL CHECK (trade_source IN ('motherbot', 'worker_bot', 'simple_ta', 'manual')),
  source_bot_id INTEGER,
  asset VARCHAR(20) NOT NULL,
  side VARCHAR(10) NOT NULL CHECK (side IN ('long', 'short')),
  position_action VARCHAR(20) NOT NULL CHECK (position_action IN ('open', 'close', 'increase', 'decrease')),
  entry_price NUMERIC(20, 8), exit_price NUMERIC(20, 8), size_asset NUMERIC(20, 8),
  size_usd NUMERIC(20, 2) NOT NULL,
  leverage NUMERIC(5, 2) DEFAULT 1.0,
  realized_pnl_usd NUMERIC(20, 2), unrealized_pnl_usd NUMERIC(20, 2),
  fees_usd NUMERIC(20, 2) DEFAULT 0,
  net_pnl_usd NUMERIC(20, 2) GENERATED ALWAYS AS (COALESCE(realized_pnl_usd, 0) - COALESCE(fees_usd, 0)) STORED,
  status VARCHAR(20) NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed', 'liquidated', 'cancelled')),
  close_reason TEXT,
  opened_at TIMESTAMPTZ NOT NULL,
  closed_at TIMESTAMPTZ,
  metadata JSONB DEFAULT '{}',
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW(),
  CHECK (status = 'open' OR realized_pnl_usd IS NOT NULL)
);
CREATE INDEX idx_trades_decision ON maven_trades (decision_id);

CREATE TABLE maven_portfolio_snapshots (
  id SERIAL PRIMARY KEY,
  total_value_usd NUMERIC(20, 2) NOT NULL,
  available_balance_usd NUMERIC(20, 2) NOT NULL,
  margin_used_usd NUMERIC(20, 2) DEFAULT 0,
  unrealized_pnl_usd NUMERIC(20, 2) DEFAULT 0,
  margin_utilization_pct NUMERIC(5, 2) GENERATED ALWAYS AS (
    CASE WHEN total_value_usd > 0 THEN margin_used_usd / total_value_usd * 100 ELSE 0 END) STORED,
  open_positions JSONB DEFAULT '[]',
  position_count INTEGER DEFAULT 0,
  pnl_24h NUMERIC(20, 2), pnl_7d NUMERIC(20, 2), pnl_30d NUMERIC(20, 2), pnl_all_time NUMERIC(20, 2),
  snapshot_type VARCHAR(20) DEFAULT 'scheduled' CHECK (snapshot_type IN ('scheduled', 'decision', 'manual', 'milestone')),
  notes TEXT,
  metadata JSONB DEFAULT '{}',
  snapshot_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE TABLE maven_performance_metrics (
  id SERIAL PRIMARY KEY,
  period_type VARCHAR(20) NOT NULL CHECK (period_type IN ('hour', 'day', 'week', 'month', 'all_time')),
  period_start TIMESTAMPTZ NOT NULL, period_end TIMESTAMPTZ NOT NULL,
  total_trades INTEGER DEFAULT 0, winning_trades INTEGER DEFAULT 0, losing_trades INTEGER DEFAULT 0,
  breakeven_trades INTEGER DEFAULT 0,
  total_pnl_usd NUMERIC(20, 2) DEFAULT 0, gross_profit_usd NUMERIC(20, 2) DEFAULT 0,
  gross_loss_usd NUMERIC(20, 2) DEFAULT 0, total_fees_usd NUMERIC(20, 2) DEFAULT 0,
  net_pnl_usd NUMERIC(20, 2) DEFAULT 0,
  win_rate_pct NUMERIC(5, 2) GENERATED ALWAYS AS (
    CASE WHEN total_trades > 0 THEN winning_trades::numeric / total_trades * 100 ELSE 0 END) STORED,
  avg_win_usd NUMERIC(20, 2), avg_loss_usd NUMERIC(20, 2), profit_factor NUMERIC(10, 2),
  max_drawdown_usd NUMERIC(20, 2), max_drawdown_pct NUMERIC(5, 2), sharpe_ratio NUMERIC(10, 4),
  asset_performance JSONB DEFAULT '{}', decisions_made INTEGER DEFAULT 0,
  avg_decision_confidence NUMERIC(5, 2), high_confidence_wins INTEGER DEFAULT 0,
  low_confidence_losses INTEGER DEFAULT 0,
  calculated_at TIMESTAMPTZ DEFAULT NOW(), created_at TIMESTAMPTZ DEFAULT NOW(),
  UNIQUE (period_type, period_start, period_end)
);

CREATE TABLE maven_insights (
  id SERIAL PRIMARY KEY,
  insight_type VARCHAR(50) NOT NULL CHECK (insight_type IN ('trend', 'signal', 'risk', 'opportunity', 'reflection')),
  asset VARCHAR(20), content TEXT NOT NULL,
  confidence NUMERIC(5, 2) CHECK (confidence >= 0 AND confidence <= 100),
  market_conditions JSONB, validated BOOLEAN, validation_notes TEXT, validated_at TIMESTAMPTZ, tags TEXT[],
  related_decision_id INTEGER REFERENCES maven_decisions (id) ON DELETE SET NULL,
  metadata JSONB DEFAULT '{}', created_at TIMESTAMPTZ DEFAULT NOW(), updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE TABLE maven_memory (
  id SERIAL PRIMARY KEY,
  event_type VARCHAR(50) NOT NULL,
  description TEXT NOT NULL,
  metadata JSONB DEFAULT '{}',
  related_decision_id INTEGER REFERENCES maven_decisions (id) ON DELETE SET NULL,
  related_trade_id INTEGER REFERENCES maven_trades (id) ON DELETE SET NULL,
  search_vector TSVECTOR GENERATED ALWAYS AS (to_tsvector('english', description)) STORED,
  created_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE INDEX idx_memory_search ON maven_memory USING gin (search_vector);

CREATE TABLE maven_conversations (
  id SERIAL PRIMARY KEY,
  conversation_id VARCHAR(255) UNIQUE NOT NULL,
  conversation_date TIMESTAMPTZ NOT NULL,
  title TEXT, summary TEXT, full_transcript JSONB NOT NULL,
  total_messages INTEGER DEFAULT 0, user_messages INTEGER DEFAULT 0, assistant_messages INTEGER DEFAULT 0,
  thinking_blocks INTEGER DEFAULT 0, tags TEXT[], conversation_type VARCHAR(50),
  importance INTEGER DEFAULT 5 CHECK (importance BETWEEN 1 AND 10), archived BOOLEAN DEFAULT FALSE,
  search_vector TSVECTOR GENERATED ALWAYS AS (
    setweight(to_tsvector('english', COALESCE(title, '')), 'A') || setweight(to_tsvector('english', COALESCE(summary, '')), 'B')) STORED,
  created_at TIMESTAMPTZ DEFAULT NOW(), updated_at TIMESTAMPTZ DEFAULT NOW()
);

-- The function that failed with an ambiguous column, as it was.
CREATE FUNCTION maven_get_current_portfolio()
RETURNS TABLE (total_value NUMERIC, available_balance NUMERIC, margin_used NUMERIC, unrealized_pnl NUMERIC, position_count INTEGER) AS $$
BEGIN
  RETURN QUERY SELECT total_value_usd, available_balance_usd, margin_used_usd, unrealized_pnl_usd, position_count
  FROM maven_portfolio_snapshots ORDER BY snapshot_at DESC LIMIT 1;
END; $$ LANGUAGE plpgsql;
CREATE FUNCTION maven_win_rate_by_asset()
RETURNS TABLE (asset VARCHAR, total_trades BIGINT, wins BIGINT, losses BIGINT, win_rate NUMERIC) AS $$
BEGIN
  RETURN QUERY SELECT t.asset, COUNT(*), COUNT(*) FILTER (WHERE t.realized_pnl_usd > 0),
    COUNT(*) FILTER (WHERE t.realized_pnl_usd < 0), 0::numeric FROM maven_trades t GROUP BY t.asset;
END; $$ LANGUAGE plpgsql;

-- What a user built on top, with a grant.
CREATE VIEW confident_decisions AS SELECT id, git_filename, confidence, risk_level FROM maven_decisions WHERE confidence > 70;
CREATE VIEW confident_low_risk AS SELECT git_filename FROM confident_decisions WHERE risk_level = 'low';
GRANT SELECT ON confident_decisions TO PUBLIC;

INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, metadata, decided_at) VALUES
  ('decision_20260201_080000.md', 'buy', 'BTC', 'Bought 0.1 BTC', 'Momentum above support', 98.13, 'low', '{"price": 64000.5}', '2026-02-01T08:00:00Z'),
  ('decision_20260202_090000.md', 'hold', NULL, 'Held', 'Range day', 55, 'medium', '{}', '2026-02-02T09:00:00Z'),
  ('decision_20260203_100000.md', 'sell', 'ETH', 'Sold 2 ETH', 'Target reached', 80, 'high', NULL, '2026-02-03T10:00:00Z');
INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, size_usd, realized_pnl_usd, fees_usd, status, opened_at, closed_at) VALUES
  (1, 'manual', 'BTC', 'long', 'close', 6400, 120.50, 3.25, 'closed', '2026-02-01T08:01:00Z', '2026-02-01T12:00:00Z'),
  (3, 'worker_bot', 'ETH', 'long', 'close', 5000, -40, 2, 'closed', '2026-02-03T10:01:00Z', '2026-02-03T11:00:00Z'),
  (NULL, 'motherbot', 'BTC', 'short', 'open', 1000, NULL, 0, 'open', '2026-02-04T10:00:00Z', NULL);
INSERT INTO maven_portfolio_snapshots (total_value_usd, available_balance_usd, margin_used_usd, position_count, snapshot_at) VALUES
  (1000, 800, 200, 2, '2026-02-01T00:00:00Z'), (1100, 700, 400, 3, '2026-02-02T00:00:00Z');
INSERT INTO maven_performance_metrics (period_type, period_start, period_end, total_trades, winning_trades) VALUES
  ('day', '2026-02-01T00:00:00Z', '2026-02-02T00:00:00Z', 4, 3);
INSERT INTO maven_insights (insight_type, asset, content, confidence, tags, related_decision_id) VALUES
  ('trend', 'BTC', 'Higher lows on the daily chart', 66.5, ARRAY['daily', 'btc'], 1);
INSERT INTO maven_memory (event_type, description, metadata) VALUES
  ('GIT_SYNC', 'Synced three files', '{"files": 3}'), ('NOTE', 'Remember the funding rate', '{}'), ('NOTE', 'Remember the funding rate', '{}');
INSERT INTO maven_conversations (conversation_id, conversation_date, title, summary, full_transcript) VALUES
  ('conv-1', '2026-02-01T09:00:00Z', 'First talk', 'About risk', '[{"role": "user", "content": [{"type": "text", "text": "Is 100% of the book too much?"}]}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "Position size."}, {"type": "text", "text": "Yes."}]}]');
