-- +goose Up

-- Access tokens for fewer scopes or one resource, sealed together. Older binaries leave
-- them as they are; a sign-in through one of them leaves tokens of the former sign-in
-- until they expire.
ALTER TABLE provider_token ADD COLUMN narrowed bytea;
