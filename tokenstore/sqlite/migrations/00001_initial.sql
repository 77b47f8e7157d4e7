-- +goose Up

-- The oldest schema version whose binary can still work with this schema. A
-- migration that breaks older binaries raises it to its own version.
CREATE TABLE compatibility (
	id              INTEGER PRIMARY KEY CHECK (id = 1),
	compatible_from INTEGER NOT NULL
) STRICT;
INSERT INTO compatibility (id, compatible_from) VALUES (1, 1);

-- What the store remembers of configurations, by name.
CREATE TABLE memory (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subject (
	id           TEXT PRIMARY KEY,
	created_at   INTEGER NOT NULL,
	suspended_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	issuer   TEXT NOT NULL,
	external TEXT NOT NULL, -- the provider's own subject
	subject  TEXT NOT NULL REFERENCES subject (id),
	UNIQUE (issuer, external)
) STRICT;
CREATE INDEX identity_subject ON identity (subject);

CREATE TABLE consent (
	subject   TEXT NOT NULL,
	client_id TEXT NOT NULL,
	scope     TEXT NOT NULL, -- JSON array
	at        INTEGER NOT NULL,
	PRIMARY KEY (subject, client_id)
) STRICT, WITHOUT ROWID;

-- One row per sign-in per client. Nothing that a rotation writes is indexed.
CREATE TABLE session (
	id               BLOB PRIMARY KEY,
	parent           BLOB,
	subject          TEXT NOT NULL,
	client_id        TEXT NOT NULL,
	scope            TEXT NOT NULL,
	resource         TEXT NOT NULL, -- JSON array
	secret_hash      BLOB NOT NULL,
	cnf              TEXT NOT NULL,
	auth_time        INTEGER,
	acr              TEXT NOT NULL,
	amr              TEXT NOT NULL, -- JSON array
	provider         TEXT NOT NULL,
	user_agent       TEXT NOT NULL,
	idle             INTEGER NOT NULL, -- microseconds
	expires_at       INTEGER NOT NULL,
	generation       INTEGER NOT NULL,
	rotated_at       INTEGER NOT NULL,
	rotated_before   INTEGER NOT NULL, -- rotated_at before the last rotation
	seen_at          INTEGER NOT NULL,
	revoked_at       INTEGER,
	claims           BLOB,
	provider_session BLOB -- hash of the provider's session (claim sid)
) STRICT;
CREATE INDEX session_subject ON session (subject, id);
CREATE INDEX session_parent ON session (parent) WHERE parent IS NOT NULL;
-- By it a back-channel logout may name a sign-in.
CREATE INDEX session_provider ON session (provider_session) WHERE provider_session IS NOT NULL;

CREATE TABLE provider_token (
	subject            TEXT NOT NULL,
	provider           TEXT NOT NULL,
	client_id          TEXT NOT NULL,
	access_token       BLOB,
	refresh_token      BLOB NOT NULL,
	access_hash        BLOB,
	refresh_hash       BLOB,
	key_id             TEXT NOT NULL,
	token_type         TEXT NOT NULL,
	scope              TEXT NOT NULL,
	issued_at          INTEGER,
	expires_at         INTEGER,
	refresh_expires_at INTEGER NOT NULL,
	access_revoked_at  INTEGER,
	refresh_revoked_at INTEGER,
	needs_reauth       INTEGER NOT NULL,
	version            INTEGER NOT NULL,
	lease_owner        TEXT NOT NULL,
	lease_until        INTEGER,
	PRIMARY KEY (subject, provider)
) STRICT;
CREATE INDEX provider_token_access ON provider_token (access_hash);
CREATE INDEX provider_token_refresh ON provider_token (refresh_hash);
CREATE INDEX provider_token_expiry ON provider_token (refresh_expires_at);

CREATE TABLE outbox (
	id       BLOB PRIMARY KEY,
	kind     TEXT NOT NULL,
	target   TEXT NOT NULL,
	payload  BLOB,
	attempts INTEGER NOT NULL,
	not_by   INTEGER,
	due_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE signing_key (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	id         TEXT NOT NULL UNIQUE,
	algorithm  TEXT NOT NULL,
	state      TEXT NOT NULL,
	private    BLOB,
	public     BLOB,
	created_at INTEGER NOT NULL,
	changed_at INTEGER NOT NULL
) STRICT;
-- At most one key of an algorithm is pending, and at most one active.
CREATE UNIQUE INDEX signing_key_state ON signing_key (algorithm, state)
	WHERE state IN ('pending', 'active');

CREATE TABLE revoked_token (
	jti   TEXT PRIMARY KEY,
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_token_until ON revoked_token (until);

-- +goose Down
DROP TABLE revoked_token;
DROP TABLE signing_key;
DROP TABLE outbox;
DROP TABLE provider_token;
DROP TABLE session;
DROP TABLE consent;
DROP TABLE identity;
DROP TABLE subject;
DROP TABLE memory;
DROP TABLE compatibility;
