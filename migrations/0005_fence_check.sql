-- The proof of a lock, for the SQL of any program.
--
-- `moha-sync lock run NAME -- COMMAND` gives COMMAND a scope and a token (MOHA_FENCE_SCOPE, MOHA_FENCE_TOKEN). A
-- transaction that begins with maven_fence_check(scope, token) writes only while that token is in force: the row lock
-- makes the next holder wait for the end of the transaction, and fails the transactions of whoever lost the lock.

CREATE OR REPLACE FUNCTION maven_fence_check(scope text, token bigint)
RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  current_token bigint;
BEGIN
  SELECT f.token INTO current_token FROM maven_fences f WHERE f.scope = maven_fence_check.scope FOR SHARE;
  IF current_token IS DISTINCT FROM maven_fence_check.token THEN
    RAISE EXCEPTION 'the lock % has passed to another holder: nothing was written', maven_fence_check.scope
      USING ERRCODE = 'MHF01', HINT = 'the token of this holder is no longer in force';
  END IF;
END
$$;
