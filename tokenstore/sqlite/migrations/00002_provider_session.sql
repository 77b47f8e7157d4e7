-- +goose Up

-- A hash of the session at the provider that a sign-in came from (claim sid),
-- by which a back-channel logout may name it.
ALTER TABLE session ADD COLUMN provider_session BLOB;
CREATE INDEX session_provider ON session (provider_session) WHERE provider_session IS NOT NULL;

-- +goose Down
DROP INDEX session_provider;
ALTER TABLE session DROP COLUMN provider_session;
