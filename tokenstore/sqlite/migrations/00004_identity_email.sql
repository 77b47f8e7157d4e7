-- +goose Up

-- By it a person who comes by another provider is offered to connect it: a MAC of the
-- verified address, so that no address stands here. Older binaries do not write it.
CREATE TABLE identity_email (
	issuer   TEXT NOT NULL,
	external TEXT NOT NULL,
	mac      BLOB NOT NULL,
	PRIMARY KEY (issuer, external)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_email_mac ON identity_email (mac);

-- +goose Down
DROP TABLE identity_email;
