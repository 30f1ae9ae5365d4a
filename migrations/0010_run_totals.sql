-- Runs are kept for a while and their totals for ever, so that a job of every five minutes does not fill the disk.
--
-- A run that found nothing has no report. When a run is old, its row is taken out and counted in maven_run_totals; the
-- commit that it stood at stays in maven_stood_commits, one row for each, since a clone that is a backup of then is told
-- by it from one that has another history.

ALTER TABLE maven_reconcile_runs ALTER COLUMN report DROP NOT NULL;

CREATE INDEX IF NOT EXISTS maven_reconcile_runs_commit ON maven_reconcile_runs (agent, commit_id);

CREATE TABLE IF NOT EXISTS maven_run_totals (
  agent text NOT NULL,
  -- In UTC.
  day date NOT NULL,
  command text NOT NULL,
  runs bigint NOT NULL,
  -- Runs that left something.
  unfinished bigint NOT NULL,
  differences bigint NOT NULL,
  repaired bigint NOT NULL,
  seconds double precision NOT NULL,
  -- When the last of the runs ended that left nothing.
  last_success timestamptz,
  PRIMARY KEY (agent, day, command)
);

CREATE TABLE IF NOT EXISTS maven_stood_commits (
  agent text NOT NULL,
  commit_id bytea NOT NULL,
  PRIMARY KEY (agent, commit_id)
);
