-- +goose Up

-- Whether a client may have a person's access tokens of a provider while the person
-- is away, as the person said; without either time, the administrator's policy says
-- so. Older binaries know nothing of it and give out no such tokens.
CREATE TABLE delegation (
	sub          text COLLATE "C" NOT NULL,
	client_id    text COLLATE "C" NOT NULL,
	provider     text COLLATE "C" NOT NULL, -- its issuer
	allowed_at   timestamptz,
	forbidden_at timestamptz,
	claims       bytea, -- who the person was then, sealed
	used_at      timestamptz,
	PRIMARY KEY (sub, client_id, provider)
);
