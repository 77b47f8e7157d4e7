-- +goose Up

-- A hash of the session at the provider that a sign-in came from (claim sid),
-- by which a back-channel logout may name it. It is written once, so rotations
-- stay HOT; rows without one are not in the index. A table that somebody reads
-- for long is not waited for, since everybody else would wait behind: the
-- migration is tried again.
SET LOCAL lock_timeout = '3s';
ALTER TABLE session ADD COLUMN provider_session bytea;
CREATE INDEX session_provider ON session (provider_session) WHERE provider_session IS NOT NULL;
