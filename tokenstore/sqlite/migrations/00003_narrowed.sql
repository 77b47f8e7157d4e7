-- +goose Up

-- Access tokens for fewer scopes or one resource, sealed together. What an older binary
-- writes has none.
ALTER TABLE provider_token ADD COLUMN narrowed BLOB;

-- +goose Down
ALTER TABLE provider_token DROP COLUMN narrowed;
