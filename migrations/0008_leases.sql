-- Leases of runs, and what an older database was adopted with.
--
-- A run that must be alone holds a lease: the row of its scope in maven_fences, with an owner and an end by the server's
-- clock. No session keeps it, so it means the same behind a pooler that gives each transaction to another session.
-- session_pid and session_start name the holder's own session, where it has one: without it the lease is void.

ALTER TABLE maven_fences
  ADD COLUMN IF NOT EXISTS owner text,
  ADD COLUMN IF NOT EXISTS expires_at timestamptz,
  ADD COLUMN IF NOT EXISTS session_pid integer,
  ADD COLUMN IF NOT EXISTS session_start timestamptz;

-- Lines of the schema's manifest that a database lacked when it was adopted, or came to this version: its tables were
-- made otherwise, and that is no drift. What it lacks later is.
CREATE TABLE IF NOT EXISTS maven_schema_exceptions (
  line text PRIMARY KEY,
  noted_at timestamptz NOT NULL DEFAULT now()
);
