-- Portfolio snapshots that git holds.
--
-- Bots insert snapshots into maven_portfolio_snaps, and those are the database's own: they have no git_filename. One
-- that this program takes is a file of git first, and its row a projection like those of decisions; see
-- 0002_provenance.sql for the columns and for content_hash.

ALTER TABLE maven_portfolio_snaps
  ADD COLUMN IF NOT EXISTS git_filename text,
  ADD COLUMN IF NOT EXISTS agent text NOT NULL DEFAULT 'maven',
  ADD COLUMN IF NOT EXISTS git_path text,
  ADD COLUMN IF NOT EXISTS object_id bytea,
  ADD COLUMN IF NOT EXISTS source_commit bytea,
  ADD COLUMN IF NOT EXISTS git_status text NOT NULL DEFAULT 'current',
  ADD COLUMN IF NOT EXISTS archived_commit bytea;

DO $snapshots$
BEGIN
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'maven_portfolio_snaps'::regclass AND attname = 'content_hash'
             AND attgenerated = '' AND NOT attisdropped) THEN
    DROP VIEW IF EXISTS maven_portfolio_snapshots;
    ALTER TABLE maven_portfolio_snaps DROP COLUMN content_hash;
  END IF;
END
$snapshots$;

ALTER TABLE maven_portfolio_snaps ADD COLUMN IF NOT EXISTS content_hash bytea GENERATED ALWAYS AS (
  sha256(decode(replace('moha.snapshot.v1;'
    || COALESCE(octet_length(snapshot_type)::text || ':' || snapshot_type, '~')
    || COALESCE(encode(timestamptz_send(snapshot_at), 'hex'), '~')
    || COALESCE(trim_scale(total_value_usd)::text || ';', '~')
    || COALESCE(trim_scale(available_balance_usd)::text || ';', '~')
    || COALESCE(trim_scale(margin_used_usd)::text || ';', '~')
    || COALESCE(trim_scale(unrealized_pnl_usd)::text || ';', '~')
    || COALESCE(octet_length(open_positions::text)::text || ':' || open_positions::text, '~')
    || COALESCE(trim_scale(pnl_24h)::text || ';', '~')
    || COALESCE(trim_scale(pnl_7d)::text || ';', '~')
    || COALESCE(trim_scale(pnl_30d)::text || ';', '~')
    || COALESCE(trim_scale(pnl_all_time)::text || ';', '~')
    || COALESCE(octet_length(notes)::text || ':' || notes, '~')
    || COALESCE(octet_length(metadata::text)::text || ':' || metadata::text, '~'),
    '\', '\\'), 'escape'))) STORED;

-- Names are unique among those that there are. While duplicates stand in the way, as after the index was dropped by
-- hand, it waits: reconcile resolves those and then runs this file again.
DO $unique$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'maven_portfolio_snaps'::regclass AND indisunique AND indisvalid
                 AND pg_get_indexdef(indexrelid) LIKE '% USING btree (git_filename)')
     AND NOT EXISTS (SELECT FROM maven_portfolio_snaps WHERE git_filename IS NOT NULL
                     GROUP BY git_filename HAVING count(*) > 1) THEN
    CREATE UNIQUE INDEX maven_portfolio_snaps_git_filename_key ON maven_portfolio_snaps (git_filename);
  END IF;
END
$unique$;

-- The number of positions follows from the positions.
CREATE OR REPLACE FUNCTION maven_count_positions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.git_filename IS NOT NULL AND jsonb_typeof(NEW.open_positions) = 'array' THEN
    NEW.position_count := jsonb_array_length(NEW.open_positions);
  END IF;
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER maven_portfolio_snaps_positions BEFORE INSERT OR UPDATE ON maven_portfolio_snaps
  FOR EACH ROW EXECUTE FUNCTION maven_count_positions();

CREATE OR REPLACE VIEW maven_portfolio_snapshots AS SELECT * FROM maven_portfolio_snaps;
