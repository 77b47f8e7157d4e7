-- +goose Up

-- The oldest schema version whose binary can still work with this schema. A
-- migration that breaks older binaries raises it to its own version.
CREATE TABLE compatibility (
	one             boolean PRIMARY KEY DEFAULT true CHECK (one),
	compatible_from bigint NOT NULL
);
INSERT INTO compatibility (compatible_from) VALUES (1);

-- What the store remembers of configurations, by name.
CREATE TABLE memory (
	name  text PRIMARY KEY,
	value bigint NOT NULL
);

CREATE TABLE subject (
	id           text COLLATE "C" PRIMARY KEY,
	created_at   timestamptz NOT NULL,
	suspended_at timestamptz
);

CREATE TABLE identity (
	issuer   text COLLATE "C" NOT NULL,
	external text COLLATE "C" NOT NULL, -- the provider's own subject
	sub      text COLLATE "C" NOT NULL REFERENCES subject (id),
	seq      bigint GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (issuer, external)
);
CREATE INDEX identity_sub ON identity (sub);

CREATE TABLE consent (
	sub       text COLLATE "C" NOT NULL,
	client_id text COLLATE "C" NOT NULL,
	scope     text[] NOT NULL,
	at        timestamptz NOT NULL,
	PRIMARY KEY (sub, client_id)
);

-- One row per sign-in per client, in one partition per month of the time in
-- the id (a UUIDv7). Partitions are made and removed by Maintain. There is no
-- DEFAULT partition (it would forbid DETACH CONCURRENTLY), no foreign key, and
-- no index on anything that a rotation or a touch writes, so that both are HOT
-- updates. What a rotation writes stands together, which keeps its WAL record
-- short.
CREATE TABLE session (
	id               uuid NOT NULL,
	parent           uuid,
	auth_time        timestamptz,
	expires_at       timestamptz NOT NULL,
	idle             bigint NOT NULL, -- microseconds
	gen              bigint NOT NULL,
	rotated_at       timestamptz NOT NULL,
	rotated_before   timestamptz NOT NULL, -- rotated_at before the last rotation
	seen_at          timestamptz NOT NULL,
	revoked_at       timestamptz,
	sub              text COLLATE "C" NOT NULL,
	client_id        text COLLATE "C" NOT NULL,
	secret_hash      bytea NOT NULL,
	scope            text NOT NULL,
	resource         text[] NOT NULL,
	cnf              text NOT NULL,
	acr              text NOT NULL,
	amr              text[] NOT NULL,
	provider         text NOT NULL,
	user_agent       text NOT NULL,
	claims           bytea,
	provider_session bytea, -- hash of the provider's session (claim sid)
	PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX session_sub ON session (sub, id);
-- By it a back-channel logout may name a sign-in. It is written once, so
-- rotations stay HOT; rows without one are not in the index.
CREATE INDEX session_provider ON session (provider_session) WHERE provider_session IS NOT NULL;

CREATE TABLE provider_token (
	sub                text COLLATE "C" NOT NULL,
	provider           text COLLATE "C" NOT NULL,
	client_id          text NOT NULL,
	access_token       bytea,
	refresh_token      bytea NOT NULL,
	access_hash        bytea,
	refresh_hash       bytea,
	key_id             text NOT NULL,
	token_type         text NOT NULL,
	scope              text NOT NULL,
	scopes             text[] NOT NULL, -- scope, split
	issued_at          timestamptz,
	expires_at         timestamptz,
	refresh_expires_at timestamptz NOT NULL,
	access_revoked_at  timestamptz,
	refresh_revoked_at timestamptz,
	needs_reauth       boolean NOT NULL,
	version            bigint NOT NULL,
	lease_owner        text NOT NULL,
	lease_until        timestamptz,
	PRIMARY KEY (sub, provider)
);
CREATE INDEX provider_token_access ON provider_token (access_hash);
CREATE INDEX provider_token_refresh ON provider_token (refresh_hash);
CREATE INDEX provider_token_expiry ON provider_token (refresh_expires_at);

CREATE TABLE outbox (
	id       uuid PRIMARY KEY,
	kind     text NOT NULL,
	target   text NOT NULL,
	payload  bytea,
	attempts bigint NOT NULL,
	not_by   timestamptz,
	due_at   timestamptz NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE signing_key (
	id         text COLLATE "C" PRIMARY KEY,
	algorithm  text COLLATE "C" NOT NULL,
	state      text NOT NULL,
	private    bytea,
	public     bytea,
	created_at timestamptz NOT NULL,
	changed_at timestamptz NOT NULL,
	seq        bigint GENERATED ALWAYS AS IDENTITY
);
-- At most one key of an algorithm is pending, and at most one active.
CREATE UNIQUE INDEX signing_key_state ON signing_key (algorithm, state)
	WHERE state IN ('pending', 'active');

CREATE TABLE revoked_token (
	jti   text COLLATE "C" PRIMARY KEY,
	until timestamptz NOT NULL
);
CREATE INDEX revoked_token_until ON revoked_token (until);
