-- Where each row comes from, what it hashes to, and where rows and files go that cannot stay.
--
-- content_hash is computed by the database from the columns as they are: a change by hand shows at once, and no
-- stored value can be forged to hide it. Its bytes are the canonical encoding, version 1, that the program
-- documents and computes from the files: text as "<octets>:<bytes>", null as "~", numerics trimmed and ended by
-- ";", instants as the sixteen hex digits of their binary form, JSON as the text of jsonb.
--
-- git_status: 'current' (in the tree), 'archived' (only in history; archived_commit is the last commit that held
-- it), 'unreadable' (the file exists but no longer parses; the row is its last good version).

ALTER TABLE maven_decisions ADD COLUMN IF NOT EXISTS outcome text;
ALTER TABLE maven_memory
  ADD COLUMN IF NOT EXISTS event_at timestamptz,
  ADD COLUMN IF NOT EXISTS event_time text,
  ADD COLUMN IF NOT EXISTS title text,
  ADD COLUMN IF NOT EXISTS event_key text;

DO $provenance$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['maven_decisions', 'maven_milestones', 'maven_memory'] LOOP
    EXECUTE format('ALTER TABLE %I
      ADD COLUMN IF NOT EXISTS agent text NOT NULL DEFAULT ''maven'',
      ADD COLUMN IF NOT EXISTS git_path text,
      ADD COLUMN IF NOT EXISTS object_id bytea,
      ADD COLUMN IF NOT EXISTS source_commit bytea,
      ADD COLUMN IF NOT EXISTS git_status text NOT NULL DEFAULT ''current'',
      ADD COLUMN IF NOT EXISTS archived_commit bytea', name);
    -- A hash column that someone made an ordinary one could hold anything: it is derived, so it is made again.
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = name::regclass AND attname = 'content_hash'
               AND attgenerated = '' AND NOT attisdropped) THEN
      EXECUTE format('ALTER TABLE %I DROP COLUMN content_hash', name);
    END IF;
  END LOOP;
END
$provenance$;

ALTER TABLE maven_decisions ADD COLUMN IF NOT EXISTS content_hash bytea GENERATED ALWAYS AS (
  sha256(decode(replace('moha.decision.v1;'
    || COALESCE(octet_length(decision_type)::text || ':' || decision_type, '~')
    || COALESCE(octet_length(asset)::text || ':' || asset, '~')
    || COALESCE(octet_length(risk_level)::text || ':' || risk_level, '~')
    || COALESCE(trim_scale(confidence)::text || ';', '~')
    || COALESCE(encode(timestamptz_send(decided_at), 'hex'), '~')
    || COALESCE(octet_length(action)::text || ':' || action, '~')
    || COALESCE(octet_length(reasoning)::text || ':' || reasoning, '~')
    || COALESCE(octet_length(outcome)::text || ':' || outcome, '~')
    || COALESCE(octet_length(metadata::text)::text || ':' || metadata::text, '~'),
    '\', '\\'), 'escape'))) STORED;

ALTER TABLE maven_milestones ADD COLUMN IF NOT EXISTS content_hash bytea GENERATED ALWAYS AS (
  sha256(decode(replace('moha.milestone.v1;'
    || COALESCE(octet_length(title)::text || ':' || title, '~')
    || COALESCE(octet_length(category)::text || ':' || category, '~')
    || COALESCE(octet_length(significance)::text || ':' || significance, '~')
    || COALESCE(encode(timestamptz_send(achieved_at), 'hex'), '~')
    || COALESCE(octet_length(description)::text || ':' || description, '~')
    || COALESCE(octet_length(metadata::text)::text || ':' || metadata::text, '~'),
    '\', '\\'), 'escape'))) STORED;

ALTER TABLE maven_memory ADD COLUMN IF NOT EXISTS content_hash bytea GENERATED ALWAYS AS (
  sha256(decode(replace('moha.event.v1;'
    || COALESCE(octet_length(event_type)::text || ':' || event_type, '~')
    || COALESCE(encode(timestamptz_send(event_at), 'hex'), '~')
    || COALESCE(octet_length(event_time)::text || ':' || event_time, '~')
    || COALESCE(octet_length(title)::text || ':' || title, '~')
    || COALESCE(octet_length(description)::text || ':' || description, '~')
    || COALESCE(octet_length(metadata::text)::text || ':' || metadata::text, '~'),
    '\', '\\'), 'escape'))) STORED;

-- What a repair took out of a table, whole, and the raw bytes of files that do not parse. Rows are never
-- deleted from here; `adopt` marks the ones that it brought back.
CREATE TABLE IF NOT EXISTS maven_quarantine (
  id bigserial PRIMARY KEY,
  agent text NOT NULL,
  kind text NOT NULL,
  record_key text,
  git_path text,
  reason text NOT NULL,
  run_id uuid NOT NULL,
  quarantined_at timestamptz NOT NULL DEFAULT now(),
  table_name text,
  row_data jsonb,
  referenced_by jsonb,
  raw_bytes bytea,
  object_id bytea,
  commit_id bytea,
  detail text,
  adopted_at timestamptz,
  resolved_at timestamptz
);
CREATE INDEX IF NOT EXISTS maven_quarantine_key ON maven_quarantine (agent, kind, record_key);
CREATE INDEX IF NOT EXISTS maven_quarantine_run ON maven_quarantine (run_id);

-- The commit that an agent's rows stand at. Written in the transaction that writes the rows.
CREATE TABLE IF NOT EXISTS maven_checkpoint (
  agent text PRIMARY KEY,
  source_kind text NOT NULL,
  commit_id bytea,
  tree_id bytea NOT NULL,
  encoding_version integer NOT NULL,
  run_id uuid NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS maven_reconcile_runs (
  run_id uuid PRIMARY KEY,
  agent text NOT NULL,
  command text NOT NULL,
  source_kind text NOT NULL,
  commit_id bytea,
  tree_id bytea,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  differences jsonb NOT NULL,
  repaired jsonb NOT NULL,
  remaining integer NOT NULL,
  report jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS maven_reconcile_runs_agent ON maven_reconcile_runs (agent, finished_at DESC);
