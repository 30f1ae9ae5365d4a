-- Fencing tokens: who may write under the name of a lock.
--
-- A holder of a lock reads the token of its scope, and the transaction in which it writes exchanges it for the next one. A
-- holder that was stopped while another one took its lock and wrote is refused here, whatever it believes.

CREATE TABLE IF NOT EXISTS maven_fences (
  scope text PRIMARY KEY,
  token bigint NOT NULL,
  holder text NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT now()
);
