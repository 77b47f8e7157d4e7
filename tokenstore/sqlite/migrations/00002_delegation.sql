-- +goose Up

-- Whether a client may have a person's access tokens of a provider while the person
-- is away, as the person said; without either time, the administrator's policy says
-- so. Older binaries know nothing of it and give out no such tokens.
CREATE TABLE delegation (
	subject      TEXT NOT NULL,
	client_id    TEXT NOT NULL,
	provider     TEXT NOT NULL, -- its issuer
	allowed_at   INTEGER,
	forbidden_at INTEGER,
	claims       BLOB, -- who the person was then, sealed
	used_at      INTEGER,
	PRIMARY KEY (subject, client_id, provider)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE delegation;
