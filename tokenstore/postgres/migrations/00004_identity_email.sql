-- +goose Up

-- By it a person who comes by another provider is offered to connect it: a MAC of the
-- verified address, so that no address stands here. Older binaries do not write it.
CREATE TABLE identity_email (
	issuer   text COLLATE "C" NOT NULL,
	external text COLLATE "C" NOT NULL,
	mac      bytea NOT NULL,
	PRIMARY KEY (issuer, external)
);
CREATE INDEX identity_email_mac ON identity_email (mac);
